use proptest::prelude::*;

use super::*;

fn strict(body: &[u8]) -> JsonResult<()> {
    let mut scanner = Scanner::strict(body)?;
    scanner.skip()?;
    scanner.end()
}

fn refusal(body: &[u8]) -> JsonError {
    *strict(body).unwrap_err()
}

#[test]
fn valid_values_of_every_kind_pass() {
    let good: [&str; 14] = [
        "null",
        " true\n",
        "[]",
        "{}",
        "\"\"",
        "0",
        "-0.0e-0",
        "1e400",
        "9223372036854775808",
        "0.1",
        r#"{"a":[1,{"b":"\u0000\ud83d\ude00é😀"}],"":null}"#,
        r#""\"\\\/\b\f\n\r\t""#,
        "[ 1 , 2 ]",
        "\"\u{7f}\"",
    ];
    for body in good {
        assert!(strict(body.as_bytes()).is_ok(), "{body}");
    }
}

#[test]
fn every_breach_of_the_grammar_is_refused() {
    let bad: [&str; 30] = [
        "",
        " ",
        "nul",
        "tru",
        "True",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "-",
        "--1",
        "0x1",
        "NaN",
        "[1,]",
        "[1 2]",
        "[",
        "{",
        r#"{"a"}"#,
        r#"{"a":1,}"#,
        "{a:1}",
        "{'a':1}",
        "\"abc",
        "\"a\nb\"",
        r#""\x""#,
        r#""\u12g4""#,
        "1 2",
        "[1]]",
        "\u{feff}{}",
        "[1]//",
    ];
    for body in bad {
        assert!(strict(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn an_error_names_line_column_and_place() {
    let error = refusal(b"{\"messages\": [\n  {\"role\": \"\xc3\xa9\", \"content\": tru}\n]}");
    assert_eq!(error.to_string(), "expected a value at line 2 column 28 (messages[0].content)");
    assert_eq!(error.path.to_string(), "messages[0].content");
}

#[test]
fn bytes_that_are_not_utf8_are_refused_where_they_stand() {
    let error = refusal(b"{\"a\":\"\xff\"}");
    assert_eq!((error.kind, error.offset), (JsonErrorKind::NotUtf8, 6));
}

#[test]
fn a_hundred_thousand_levels_are_one_clear_error() {
    for open in ["[", "{\"a\":"] {
        let error = refusal(open.repeat(100_000).as_bytes());
        assert_eq!(error.kind, JsonErrorKind::TooDeep);
        assert!(error.to_string().len() < 300, "the path is cut");
    }
    let deepest = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert!(strict(deepest.as_bytes()).is_ok());
}

#[test]
fn a_key_twice_is_refused_at_every_depth_and_in_any_spelling() {
    let error = refusal(br#"{"a":{"b":[{"role":1,"x":2,"r\u006fle":3}]}}"#);
    assert_eq!((error.kind, error.path.to_string()), (JsonErrorKind::DuplicateKey, "a.b[0].role".to_owned()));
    assert!(strict(br#"{"a":{"a":{"a":1}},"b":{"a":1}}"#).is_ok(), "the same key in different objects is fine");
}

#[test]
fn a_key_twice_is_found_among_many() {
    let mut members: Vec<String> = (0..1000).map(|n| format!("\"key{n}\":{n}")).collect();
    assert!(strict(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
    members.push("\"key\\u0037\":0".to_owned());
    let error = refusal(format!("{{{}}}", members.join(",")).as_bytes());
    assert_eq!((error.kind, error.path.to_string()), (JsonErrorKind::DuplicateKey, "key7".to_owned()));
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for lone in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#, r#""\ud83d\u0041""#] {
        assert_eq!(refusal(lone.as_bytes()).kind, JsonErrorKind::LoneSurrogate, "{lone}");
    }
}

#[test]
fn a_provider_may_break_what_only_clients_must_keep() {
    for body in [&br#"{"a":1,"a":2}"#[..], br#""\ud800""#, b"\"\xff\"", b"\"a\tb\""] {
        let mut scanner = Scanner::lenient(body);
        assert!(scanner.skip().is_ok() && scanner.end().is_ok());
    }
}

#[test]
fn a_member_is_cut_with_one_comma() {
    for (body, key, left) in [
        (r#"{"a":1,"b":2}"#, "\"a\"", r#"{"b":2}"#),
        (r#"{"a":1, "b":2}"#, "\"b\"", r#"{"a":1}"#),
        (r#"{"a":1 , "b":2 , "c":3}"#, "\"b\"", r#"{"a":1 , "c":3}"#),
        (r#"{ "a":1 }"#, "\"a\"", "{  }"),
    ] {
        let at = body.find(key).unwrap();
        let cut = member_cut(body.as_bytes(), at, at + 5);
        assert_eq!(String::from_utf8(splice(body.as_bytes(), &[(cut, b"")])).unwrap(), left);
    }
}

/// Whether a value has what serde_json lets through and we refuse.
fn stricter_here(body: &[u8]) -> bool {
    matches!(
        strict(body).map_err(|error| error.kind),
        Err(JsonErrorKind::DuplicateKey | JsonErrorKind::TooDeep | JsonErrorKind::LoneSurrogate)
    )
}

fn serde_accepts(body: &[u8]) -> bool {
    // RawValue-like: grammar only, so that 1e400 counts as a number.
    serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn accepts_what_serde_json_accepts(body in r#"[\[\]{},:" \\u0-9a-f.eE+\-truefalsn\x00é😀]{0,40}"#) {
        let body = body.as_bytes();
        prop_assert!(stricter_here(body) || strict(body).is_ok() == serde_accepts(body));
    }

    #[test]
    fn agrees_with_serde_json_on_damaged_documents(
        flips in prop::collection::vec((0usize..400, any::<u8>()), 0..3),
        cut in 0usize..600,
    ) {
        let mut body = br#"{"model":"gpt","messages":[{"role":"user","content":[{"type":"text","text":"a\n\u00e9 \ud83d\ude00"}]},{"role":"assistant","content":null}],"temperature":1.5e-3,"n":-0,"stop":["x",true,false,null],"nested":{"a":{"b":{"c":[[[]]]}}}}"#.to_vec();
        for (at, byte) in flips {
            let at = at % body.len();
            body[at] = byte;
        }
        body.truncate(cut.max(1));
        prop_assert!(stricter_here(&body) || strict(&body).is_ok() == serde_accepts(&body));
    }

    #[test]
    fn text_survives_quoting(text in any::<String>()) {
        let quoted = quote(&text);
        prop_assert!(strict(&quoted).is_ok());
        let mut scanner = Scanner::lenient(&quoted);
        let read = scanner.string().unwrap().text().into_owned();
        prop_assert_eq!(&serde_json::from_slice::<String>(&quoted).unwrap(), &text);
        prop_assert_eq!(read, text);
    }

    #[test]
    fn unescapes_like_serde_json(raw in r#"([a-zé]|\\n|\\u00[0-9a-f]{2}|\\ud83d\\ude0[0-9]|\\\\|\\"){0,12}"#) {
        let token = format!("\"{raw}\"");
        let mut scanner = Scanner::strict(token.as_bytes()).unwrap();
        let read = scanner.string().unwrap().text().into_owned();
        prop_assert_eq!(serde_json::from_str::<String>(&token).unwrap(), read);
    }

    #[test]
    fn strings_of_any_length_end_at_their_quote(
        inside in r#"([a-zé]{0,90}(\\["\\n])?){0,4}"#,
        after in "[a-z\"\\\\]{0,20}",
        blank in "[ \n]?",
    ) {
        // A line end anywhere makes the scanner look for control characters, string by string.
        let body = format!("{blank}\"{inside}\"{after}");
        for mut scanner in [Scanner::strict(body.as_bytes()).unwrap(), Scanner::lenient(body.as_bytes())] {
            prop_assert_eq!(scanner.string().unwrap().raw(), inside.as_bytes());
        }
    }

    #[test]
    fn a_raw_control_character_is_refused_wherever_it_stands(
        before in "[a-zé]{0,70}", control in 0u8..0x20, after in "[a-zé]{0,70}",
    ) {
        let body = [b"\"", before.as_bytes(), &[control], after.as_bytes(), b"\""].concat();
        let error = refusal(&body);
        prop_assert_eq!((error.kind, error.offset), (JsonErrorKind::Control, before.len() + 1));
    }

    #[test]
    fn a_small_number_is_read_as_its_digits_say(digits in "[0-9]{1,21}|[0-9]{1,3}[.eE-][0-9]?", after in "[,}\\] a]") {
        let body = format!("{digits}{after}");
        let plain = digits.parse::<u64>().ok().filter(|n| n.to_string() == digits && digits.len() < 20 && ",}]".contains(&after));
        let mut scanner = Scanner::lenient(body.as_bytes());
        prop_assert_eq!(scanner.small_natural(), plain);
        prop_assert_eq!(scanner.position(), plain.map_or(0, |_| digits.len()));
    }
}
