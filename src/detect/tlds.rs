//! Top-level domains that addresses of people end in.
//!
//! All country codes, the old generic ones and those new ones that addresses are found under. Complete would be about
//! 1,400 and would take many a method in code (`a@b.select`) for an address; what is not here is not detected.

/// Country codes, two letters each (the IANA root zone, without those that are not delegated).
const COUNTRIES: &[u8] = b"\
    acadaeafagaialamaoaqarasatauawaxazbabbbdbebfbgbhbibjbmbnbobrbsbtbwbybzcacccdcfcgchcickclcmcncocrcucvcwcxcyczde\
    djdkdmdodzeceeegereseteufifjfkfmfofrgagbgdgegfggghgiglgmgngpgqgrgsgtgugwgyhkhmhnhrhthuidieiliminioiqirisitjejm\
    jojpkekgkhkikmknkpkrkwkykzlalblclilklrlsltlulvlymamcmdmemgmhmkmlmmmnmompmqmrmsmtmumvmwmxmymznancnenfngninlnonp\
    nrnunzompapepfpgphpkplpmpnprpsptpwpyqarerorsrurwsasbscsdsesgshsisjskslsmsnsosrssstsvsxsysztctdtftgthtjtktltmtn\
    totrtttvtwtzuaugukusuyuzvavcvevgvivnvuwfwsyeytzazmzw";

/// Longer ones, in order. `example` and `test` are reserved and nobody's, but what is tried with them is meant to be
/// found.
const OTHERS: &[&str] = &[
    "abogado",
    "academy",
    "accountant",
    "accountants",
    "aero",
    "agency",
    "alsace",
    "amsterdam",
    "app",
    "art",
    "asia",
    "associates",
    "attorney",
    "bank",
    "barcelona",
    "bayern",
    "berlin",
    "bio",
    "biz",
    "blog",
    "bmw",
    "boston",
    "brussels",
    "business",
    "bzh",
    "capital",
    "care",
    "careers",
    "cat",
    "catering",
    "center",
    "clinic",
    "cloud",
    "club",
    "coach",
    "codes",
    "com",
    "community",
    "company",
    "computer",
    "consulting",
    "coop",
    "corsica",
    "dental",
    "dentist",
    "design",
    "dev",
    "digital",
    "direct",
    "doctor",
    "earth",
    "edu",
    "education",
    "email",
    "energy",
    "engineer",
    "engineering",
    "eus",
    "events",
    "example",
    "expert",
    "express",
    "family",
    "farm",
    "finance",
    "financial",
    "foundation",
    "fund",
    "gal",
    "gent",
    "global",
    "gmbh",
    "gov",
    "group",
    "hamburg",
    "health",
    "healthcare",
    "help",
    "hospital",
    "hotel",
    "house",
    "immo",
    "inc",
    "info",
    "institute",
    "insurance",
    "int",
    "international",
    "jobs",
    "koeln",
    "law",
    "lawyer",
    "legal",
    "life",
    "live",
    "llc",
    "london",
    "ltd",
    "ltda",
    "management",
    "marketing",
    "media",
    "mil",
    "mobi",
    "museum",
    "name",
    "net",
    "network",
    "news",
    "nrw",
    "nyc",
    "one",
    "online",
    "org",
    "paris",
    "partners",
    "pharmacy",
    "photography",
    "post",
    "press",
    "pro",
    "quebec",
    "ruhr",
    "saarland",
    "sarl",
    "school",
    "scot",
    "shop",
    "site",
    "software",
    "solutions",
    "space",
    "srl",
    "store",
    "studio",
    "swiss",
    "systems",
    "tax",
    "tech",
    "tel",
    "test",
    "tirol",
    "tokyo",
    "travel",
    "university",
    "ventures",
    "versicherung",
    "vet",
    "wales",
    "website",
    "wien",
    "work",
    "world",
    "xyz",
];

/// Longest of them.
const LONGEST: usize = 16;

/// Whether this is a top-level domain, in any case.
pub(super) fn is_top_level(domain: &[u8]) -> bool {
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..domain.len()) else { return false };
    lower.copy_from_slice(domain);
    lower.make_ascii_lowercase();
    if let [_, _] = lower {
        return COUNTRIES.chunks_exact(2).any(|country| country == lower);
    }
    OTHERS.binary_search_by(|known| known.as_bytes().cmp(lower)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order_and_pairs_are_whole() {
        assert!(OTHERS.is_sorted());
        assert_eq!(COUNTRIES.len() % 2, 0);
        assert!(OTHERS.iter().all(|known| known.len() <= LONGEST));
        for known in ["de", "DE", "fr", "zw", "eu", "uk", "io", "com", "ORG", "xyz", "koeln"] {
            assert!(is_top_level(known.as_bytes()), "{known}");
        }
        for unknown in ["", "d", "js", "png", "local", "reshape", "an-overlong-top-level-domain"] {
            assert!(!is_top_level(unknown.as_bytes()), "{unknown}");
        }
    }
}
