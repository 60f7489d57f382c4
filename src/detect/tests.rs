use proptest::prelude::*;

use super::*;
use crate::config::{DetectorSettings, Except};

fn found(text: &str) -> Vec<(Detector, &str)> {
    let mut hits = Vec::new();
    find(text, "", &mut |detector, range| hits.push((detector, &text[range])));
    hits
}

/// Every text with the one value that it holds.
fn must_find(detector: Detector, texts: &[(&str, &str)]) {
    for (text, value) in texts {
        assert_eq!(found(text), [(detector, *value)], "in {text:?}");
    }
}

fn must_not_find(texts: &[&str]) {
    for text in texts {
        assert_eq!(found(text), [], "in {text:?}");
    }
}

#[test]
fn addresses_are_found_and_what_only_looks_like_one_is_not() {
    must_find(
        Detector::Email,
        &[
            ("write to anna.maier+x@firma.de.", "anna.maier+x@firma.de"),
            ("<o'brien@sub.example.co.uk>", "o'brien@sub.example.co.uk"),
            ("mailto:a@b.io?subject=x", "a@b.io"),
            ("请写信到a@b.cn谢谢", "a@b.cn"),
            ("https://x.com/?mail=a@b.org&y=1", "a@b.org"),
        ],
    );
    must_not_find(&[
        "git@github.com:org/repo.git",
        "postgres://app:pass@db.firma.de/x",
        "ssh://root@host.firma.de",
        "@anna@social.example is a handle",
        "icon@2x.png",
        "npm i left-pad@1.3.0",
        "Message-ID: <20240131.1@mail.firma.de>",
        "a @ b.de",
        "user@localhost",
        "x = A@B.reshape",
        "value@Class.at(1)",
        "a@b..de",
        "a@-b.de",
    ]);
}

#[test]
fn account_numbers_need_country_length_structure_and_check_digits() {
    must_find(
        Detector::Iban,
        &[
            ("IBAN DE89370400440532013000", "DE89370400440532013000"),
            ("DE89 3704 0044 0532 0130 00, please", "DE89 3704 0044 0532 0130 00"),
            ("de89370400440532013000", "de89370400440532013000"),
            ("GB82-WEST-1234-5698-7654-32", "GB82-WEST-1234-5698-7654-32"),
            ("FR1420041010050500013M02606", "FR1420041010050500013M02606"),
            ("NO9386011117947", "NO9386011117947"),
        ],
    );
    must_not_find(&[
        "DE88370400440532013000",
        "DE8937040044053201300",
        "XDE89370400440532013000",
        "DE893704004405320130001",
        "US89370400440532013000",
    ]);
}

#[test]
fn card_numbers_need_issuer_length_check_digit_and_no_other_meaning() {
    must_find(
        Detector::Card,
        &[
            ("4111111111111111", "4111111111111111"),
            ("card 5555 5555 5555 4444 12/27", "5555 5555 5555 4444"),
            ("3782-822463-10005", "3782-822463-10005"),
            ("Visa 4222222222222", "4222222222222"),
            ("a,6011111111111117,b", "6011111111111117"),
        ],
    );
    must_not_find(&[
        "4111111111111112",
        "order_id=4111111111111111",
        "0.4111111111111111",
        "4111111111111111abc",
        "9111111111111111",
        "2001 2002 2003 4111 1111 1111 1111",
        "4222222222222",
        "a4111111111111111",
    ]);
}

#[test]
fn numbers_of_states_need_their_check_digits() {
    must_find(
        Detector::UsSsn,
        &[("SSN 536-90-4399", "536-90-4399"), ("social security number: 536904399", "536904399")],
    );
    must_find(
        Detector::EsDni,
        &[
            ("DNI 12345678Z", "12345678Z"),
            ("12.345.678-Z", "12.345.678-Z"),
            ("X1234567L", "X1234567L"),
            ("nie x-1234567-l", "x-1234567-l"),
        ],
    );
    must_find(
        Detector::FrNir,
        &[
            ("1 84 12 76 451 089 46", "1 84 12 76 451 089 46"),
            ("255081416802538", "255081416802538"),
            ("189052A03300182", "189052A03300182"),
        ],
    );
    must_find(
        Detector::ItCodiceFiscale,
        &[("C.F.: RSSMRA85T10A562S", "RSSMRA85T10A562S"), ("rssmra85t10a562s", "rssmra85t10a562s")],
    );
    must_find(
        Detector::DeTaxId,
        &[
            ("Steuer-ID: 86095742719", "86095742719"),
            ("IdNr. 86095742719", "86095742719"),
            ("86 095 742 719", "86 095 742 719"),
        ],
    );
    must_not_find(&[
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "078-05-1120",
        "536904399",
        "12345678A",
        "20240113T",
        "255081416802539",
        "RSSMRA85T10A562T",
        "86095742719",
        "Steuer-ID: 86095742710",
    ]);
}

#[test]
fn telephone_numbers_need_a_country_code_or_a_word() {
    must_find(
        Detector::Phone,
        &[
            ("+49 30 901820", "+49 30 901820"),
            ("+33 (0)6 12 34 56 78", "+33 (0)6 12 34 56 78"),
            ("+14155552671", "+14155552671"),
            ("(415) 555-2671", "(415) 555-2671"),
            ("415-555-2671", "415-555-2671"),
            ("the office (415-555-2671)", "415-555-2671"),
            ("/find?q=+33 6 44 73 53 88", "+33 6 44 73 53 88"),
            ("Tel. 030/901820-5", "030/901820-5"),
            ("phone: 06 12 34 56 78.", "06 12 34 56 78"),
            ("0049 30 901820", "0049 30 901820"),
            ("我的电话是13800138000", "13800138000"),
            ("+44 20 7946 0958 (office)", "+44 20 7946 0958"),
        ],
    );
    must_not_find(&[
        "13800138000",
        "+1 2 3 4 5 6 7 8 9",
        "1+49301234567",
        "x=+4930123456",
        "GMT+02:00",
        "+999 123456789",
        "+1 115 555 2671",
        "123-456-7890",
        "build 415-555-2671",
        "phone since 2024-01-31",
        "5256 0045 2707 5853 2847 0710",
        "offset 336135646768 of phone 12",
    ]);
}

#[test]
fn keys_are_found_and_stand_ins_are_not() {
    let openai = format!("sk-proj-{}", "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzA-_".repeat(3));
    let own = "wp-aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzAbCdE";
    let github = "ghp_aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzAbC";
    // In two pieces, so that nobody's scanner takes it for a real one.
    let stripe = format!("sk_{}", "live_aB3dE5fG7hJ9kL1mN2pQ4rS6");
    for key in
        [openai.as_str(), own, github, "AKIAQ3EGRBDW7L2ZTX5M", "sk-aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY", stripe.as_str()]
    {
        assert_eq!(found(key), [(Detector::ApiKey, key)]);
        assert_eq!(found(&format!("KEY=\"{key}\"\n")), [(Detector::ApiKey, key)]);
    }
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzq8Lm3Vt0A";
    assert_eq!(found(&format!("aws_secret_access_key = {secret}")), [(Detector::ApiKey, secret)]);
    must_not_find(&[
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-your-api-key-here",
        "AKIAIOSFODNN7EXAMPLE",
        "sk_test_aB3dE5fG7hJ9kL1mN2pQ4rS6",
        "risk-aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY",
        "wp-content/uploads/2024",
        "class=\"sk-folding-cube\"",
    ]);
}

#[test]
fn a_private_key_is_found_by_its_body() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    for head in ["", "RSA ", "EC ", "OPENSSH "] {
        for line in ["\n", "\r\n", "\\n"] {
            let text =
                format!("key: -----BEGIN {head}PRIVATE KEY-----{line}{body}{line}-----END {head}PRIVATE KEY-----");
            let found = found(&text);
            assert!(
                matches!(found.as_slice(), [(Detector::PrivateKey, value)] if value.ends_with("8cKj")),
                "{found:?}"
            );
        }
    }
    must_not_find(&[
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "grep -- '-----BEGIN RSA PRIVATE KEY-----' *.pem",
        &format!("-----BEGIN CERTIFICATE-----\n{body}"),
        &format!("-----BEGIN PUBLIC KEY-----\n{body}"),
    ]);
}

#[test]
fn the_name_of_a_member_tells_what_its_value_is() {
    let under = |key: &str, text: &'static str| {
        let mut hits = Vec::new();
        find(text, key, &mut |detector, _| hits.push(detector));
        hits
    };
    assert_eq!(under("phoneNumber", "030 901820"), [Detector::Phone]);
    assert_eq!(under("ssn", "536904399"), [Detector::UsSsn]);
    assert_eq!(under("orderId", "4111111111111111"), []);
    assert_eq!(under("card_number", "4111111111111111"), [Detector::Card]);
}

fn detectors(set: impl Fn(&mut DetectorSettings)) -> Detectors {
    let mut settings = Detection::observing("data-class");
    settings.detectors.iter_mut().for_each(set);
    Detectors::new(settings)
}

fn tell(detectors: &Detectors, texts: &[&str]) -> Vec<(&'static str, u32, &'static str)> {
    let mut findings = Findings::default();
    texts.iter().for_each(|text| detectors.look(text, "", &mut findings));
    detectors.found(&findings).map(|found| (found.detector.as_str(), found.count, found.mode())).collect()
}

#[test]
fn a_value_counts_once_however_often_and_in_whatever_form_it_comes() {
    let detectors = detectors(|_| {});
    let texts = ["a@b.de A@B.DE c@b.de", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00 a@b.de"];
    assert_eq!(tell(&detectors, &texts), [("email", 2, "observe"), ("iban", 1, "observe")]);
}

#[test]
fn enforce_takes_as_many_values_as_it_is_told() {
    let detectors = detectors(|settings| (settings.mode, settings.min_count) = (DetectionMode::Enforce, 2));
    assert_eq!(tell(&detectors, &["a@b.de"]), [("email", 1, "observe")]);
    assert_eq!(tell(&detectors, &["a@b.de", "c@b.de"]), [("email", 2, "enforce")]);
}

#[test]
fn exceptions_and_detectors_that_are_off_find_nothing() {
    let detectors = detectors(|settings| match settings.detector {
        Detector::Email => settings.except = vec![Except::Like("*@b.de".to_owned())],
        Detector::Iban => settings.mode = DetectionMode::Off,
        _ => {}
    });
    assert_eq!(tell(&detectors, &["a@b.de A@B.DE x@y.de DE89370400440532013000"]), [("email", 1, "observe")]);
}

/// Values of every sort, with texts between them in which nothing is to be found.
fn pieces() -> impl Strategy<Value = Vec<(String, usize)>> {
    let values = [
        "a.b@firma.de",
        "+49 30 901820",
        "DE89 3704 0044 0532 0130 00",
        "4111 1111 1111 1111",
        "536-90-4399",
        "12345678Z",
        "RSSMRA85T10A562S",
        "AKIAQ3EGRBDW7L2ZTX5M",
    ];
    let value = proptest::sample::select(values.to_vec()).prop_map(|value| (value.to_owned(), 1));
    let other = "[a-zA-ZäöüÀ-ÿ一-龥 ,;:!?()\"']{0,60}".prop_map(|text| (text, 0));
    proptest::collection::vec(prop_oneof![value, other], 0..12)
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_every_find_is_within_the_text(text in "\\PC{0,200}", marks in "[0-9@+.()/ AKIAsk_-]{0,200}") {
        for text in [&text, &marks, &format!("{text}{marks}")] {
            let mut inside = true;
            find(text, "", &mut |_, range| inside &= !range.is_empty() && text.get(range).is_some());
            prop_assert!(inside, "{:?}", text);
        }
    }

    #[test]
    fn cutting_a_text_between_its_lines_changes_no_find(pieces in pieces()) {
        let lines: Vec<&str> = pieces.iter().map(|(text, _)| text.as_str()).collect();
        let apart: usize = lines.iter().map(|line| found(line).len()).sum();
        let put_in: usize = pieces.iter().map(|(_, count)| count).sum();
        prop_assert_eq!(apart, put_in);
        prop_assert_eq!(found(&lines.join("\n")).len(), apart);
        prop_assert_eq!(found(&lines.join("\r\n\r\n")).len(), apart);
    }

    #[test]
    fn what_stands_around_a_value_does_not_hide_it(before in "[a-z ,.]{0,40}", after in "[a-z ,.]{0,40}") {
        for value in ["a.b@firma.de", "DE89370400440532013000", "+49 30 901820", "RSSMRA85T10A562S"] {
            let text = format!("{before} {value} {after}");
            prop_assert_eq!(found(&text).len(), 1, "{:?}", text);
        }
    }
}

/// A seeded generator: `rand` promises no sequence across its versions.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn random_digits_and_hashes_are_rarely_taken_for_something() {
    let mut random = Random(7);
    let (mut numbers, mut hashes) = (0, 0);
    for _ in 0..20_000 {
        let length = 6 + random.next() % 14;
        let digits: String = (0..length).map(|_| char::from(b'0' + (random.next() % 10) as u8)).collect();
        numbers += found(&format!("took {digits} and went on")).len();
        let hash = format!("{:016x}{:016x}", random.next(), random.next());
        let uuid = format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..]);
        hashes += found(&format!("commit {hash} in {uuid}")).len();
    }
    // Of numbers with 15 and 16 digits about one in forty is one that a card could have.
    assert!(numbers <= 120, "{numbers} of 20,000 numbers");
    assert!(hashes <= 2, "{hashes} of 40,000 hashes");
}

#[test]
fn time_grows_with_the_text_and_not_faster() {
    // Beginnings of everything, over and over: whatever looked ahead or back without a bound would take minutes here.
    for piece in
        ["@", "a@", "a@b.", "+49 ", "4111 ", "-----BEGIN PRIVATE KEY-----", "DE89 ", "sk-", "1.", "phone 0", "ghp_a "]
    {
        let text = piece.repeat(400_000 / piece.len());
        let mut hits = 0;
        let started = std::time::Instant::now();
        find(&text, "", &mut |_, _| hits += 1);
        let took = started.elapsed();
        assert!(took.as_secs() < 10, "{piece:?} took {took:?}");
    }
}

#[test]
fn of_a_key_only_its_end_is_read_however_many_values_stand_under_it() {
    let key = "telefon-".repeat(1 << 17);
    let (told, untold) = (format!("{}tel", "ü".repeat(1 << 19)), format!("tel{}", "-".repeat(1 << 20)));
    let mut hits = [0; 3];
    // Were a whole key read for each number, this would be some 10^11 steps.
    for number in 0..50_000 {
        let text = format!("030 {}", 1_234_567 + number);
        for (hits, key) in hits.iter_mut().zip([&key, &told, &untold]) {
            find(&text, key, &mut |detector, _| *hits += usize::from(detector == Detector::Phone));
        }
    }
    assert_eq!(hits, [50_000, 0, 0], "a word that is longer than any known says nothing, nor does one that is far off");
}
