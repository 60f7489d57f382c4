use super::hosts::{clouds, entries};
use super::operators::{operator, operators};
use super::origins::origins;
use super::*;

fn is_dated(source: &str, as_of: &str) -> bool {
    source.starts_with("https://") && as_of.parse::<jiff::civil::Date>().is_ok()
}

#[test]
fn every_entry_has_a_source_and_a_date() {
    for operator in operators() {
        let terms = operator.data.as_ref().map(Terms::cited);
        for cited in [Some(operator.cited()), terms].into_iter().flatten() {
            assert!(is_dated(cited.source, cited.as_of), "{operator:?}");
        }
    }
    for origin in origins() {
        assert!(is_dated(origin.cited().source, origin.cited().as_of), "{origin:?}");
    }
    for entry in entries() {
        assert!(is_dated(&entry.source, &entry.as_of), "{entry:?}");
    }
    for cloud in clouds() {
        assert!(is_dated(&cloud.source, &cloud.as_of), "{}", cloud.cloud);
    }
}

#[test]
fn every_name_in_the_catalogue_leads_somewhere() {
    let is_country = |code: &String| countries().codes.contains(code);
    for operator in operators() {
        assert!(operator.jurisdictions.iter().all(is_country), "{operator:?}");
        let retention = operator.data.as_ref().and_then(|data| data.retention.as_deref());
        assert!(retention.is_none_or(|text| humantime::parse_duration(text).is_ok()), "{operator:?}");
        assert_eq!(operators().iter().filter(|other| other.name == operator.name).count(), 1, "{operator:?}");
    }
    for origin in origins() {
        assert!(origin.country.iter().all(is_country), "{origin:?}");
        assert!(origin.at.iter().all(|name| operator(name).is_some()), "{origin:?}");
        assert!(origin.kinds.iter().all(|name| kind(name).is_some()), "{origin:?}");
    }
    for entry in entries() {
        assert!(operator(&entry.operator).is_some(), "{entry:?}");
        assert!(countries().unfold(&entry.countries).iter().all(is_country), "{entry:?}");
        let cloud = entry.regions.as_ref().map(|name| clouds().iter().any(|cloud| cloud.cloud == *name));
        assert_ne!(cloud, Some(false), "{entry:?}");
        assert_eq!(cloud.is_some(), entry.hosts.iter().all(|host| host.contains("{region}")), "{entry:?}");
        assert!(!entry.fills || cloud.is_some() || !entry.countries.is_empty(), "it fills in nothing: {entry:?}");
    }
    for cloud in clouds() {
        for (region, within) in &cloud.regions {
            assert!(countries().unfold(within).iter().all(is_country), "{region}");
        }
    }
    for public in KINDS.iter().filter_map(|kind| kind.endpoint) {
        let name = public.trim_start_matches("https://");
        assert!(host(name).is_some(), "the public endpoint {public} has no operator");
    }
}

#[test]
fn a_regional_host_tells_its_countries_and_a_global_one_none() {
    let countries_of = |name: &str| host(name).and_then(|host| host.place).map(|place| place.countries);
    let one = |code: &str| Some([code.to_owned()].into());
    assert_eq!(countries_of("bedrock-runtime.eu-west-3.amazonaws.com"), one("FR"));
    assert_eq!(countries_of("europe-west4-aiplatform.googleapis.com"), one("NL"));
    assert_eq!(countries_of("norwayeast.api.cognitive.microsoft.com"), one("NO"));
    assert_eq!(countries_of("US.api.openai.com"), one("US"), "a host has no case");
    let europe = countries_of("eu.api.openai.com").unwrap();
    assert!(europe.contains("CH") && europe.contains("NO") && europe.len() == 31, "{europe:?}");
    for global in ["api.openai.com", "aiplatform.googleapis.com", "api.mistral.ai", "mine.openai.azure.com"] {
        assert!(host(global).is_some() && countries_of(global).is_none(), "{global}");
    }
    for stranger in ["eu.api.openai.com.evil.example", "x.eu.api.openai.com", "aiplatform.googleapis.example", ""] {
        assert!(host(stranger).is_none(), "{stranger}");
    }
    assert!(countries_of("bedrock-runtime.xx-new-1.amazonaws.com").is_none(), "a region nobody knows yet");
}

#[test]
fn a_model_that_is_routed_across_regions_has_no_place() {
    let place = host("bedrock-runtime.eu-central-1.amazonaws.com").unwrap().place.unwrap();
    assert!(place.holds_for("anthropic.claude-sonnet-4-20250514-v1:0"));
    for routed in ["eu.anthropic.claude-sonnet-4-20250514-v1:0", "global.anthropic.claude-x", "arn:aws:bedrock:x"] {
        assert!(!place.holds_for(routed), "{routed}");
    }
    let resource = host("swedencentral.api.cognitive.microsoft.com").unwrap().place.unwrap();
    assert!(!resource.holds_for("gpt-4o"), "a global deployment computes elsewhere");
}

#[test]
fn somebody_elses_server_does_not_become_openai_by_calling_itself_so() {
    assert_eq!(host("api.openai.com").unwrap().operator.name, "OpenAI");
    assert!(host("llm.example.org").is_none());
    assert!(origin("gpt-4o", None, "openai").is_none());
    assert_eq!(origin("gpt-4o", Some("OpenAI"), "openai").unwrap().developer.as_deref(), Some("OpenAI"));
}

#[test]
fn open_weights_keep_their_origin_wherever_they_run() {
    let of = |name: &str, kind: &str| {
        let origin = origin(name, None, kind).unwrap_or_else(|| panic!("{name}"));
        (origin.country.as_deref(), origin.licence.as_deref(), origin.open_weights)
    };
    let mit = (Some("CN"), Some("MIT"), Some(true));
    assert_eq!(of("deepseek-ai/deepseek-r1-distill-qwen-32b", "vllm"), mit);
    assert_eq!(of("Qwen/Qwen3-8B-FP8", "vllm"), (Some("CN"), Some("Apache-2.0"), Some(true)));
    assert_eq!(of("qwen3:8b", "ollama"), (Some("CN"), Some("Apache-2.0"), Some(true)));
    assert!(origin("qwen3:8b", None, "vllm").is_none(), "a name without its organisation is anybody's");
    let llama = (Some("CN"), Some("LicenseRef-Llama-3.3"), Some(true));
    assert_eq!(of("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "vllm"), llama, "the licence of what it was made from");
    let larger = (Some("CN"), Some("LicenseRef-Qwen"), Some(true));
    assert_eq!(of("Qwen/Qwen2.5-72B-Instruct", "vllm"), larger);
    assert_eq!(of("Qwen/Qwen9-Max", "vllm"), (Some("CN"), None, None), "who made it is known, its licence is not");
}

#[test]
fn a_pattern_matches_without_case_and_anywhere_it_says() {
    for (pattern, name, expected) in [
        ("gpt-4*", "GPT-4o", true),
        ("o1", "o1-mini", false),
        ("*.anthropic.claude-*", "eu.anthropic.claude-x", true),
        ("*.anthropic.claude-*", "anthropic.claude-x", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("Qwen/Qwen3-VL-*B*", "Qwen/Qwen3-VL-8B-Instruct", true),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn a_tag_has_no_licence_that_only_others_of_its_name_have() {
    let licence = |name: &str| origin(name, None, "ollama").and_then(|origin| origin.licence.as_deref());
    for (name, wanted) in [
        ("mistral-small:24b-instruct-2501-q4_K_M", "Apache-2.0"),
        ("mistral-small3.2:24b", "Apache-2.0"),
        ("mixtral:8x22b", "Apache-2.0"),
        ("llama3.2:3b", "LicenseRef-Llama-3.2"),
        ("gemma3:1b", "LicenseRef-Gemma"),
        ("phi3:mini", "MIT"),
        ("nomic-embed-text", "Apache-2.0"),
    ] {
        assert_eq!(licence(name), Some(wanted), "{name}");
    }
    for name in ["mistral-small", "mistral-small:latest", "mistral-small:22b", "mistral-small-mine", "mixtral-mine"] {
        assert_eq!(licence(name), None, "{name}");
    }
    for name in ["llama3.2-mine:3b", "phi3-mine", "gemma2-mine", "granite3-mine", "llama3.10"] {
        assert_eq!(licence(name), None, "{name}");
    }
    let at = |name: &str| {
        origin(name, Some("Fireworks AI"), "openai-compatible").and_then(|origin| origin.licence.as_deref())
    };
    assert_eq!(at("accounts/fireworks/models/deepseek-r1"), Some("MIT"));
    assert_eq!(at("accounts/fireworks/models/deepseek-r1-distill-llama-70b"), None, "Meta's licence goes with it");
    for origin in super::origins::origins().iter().filter(|origin| origin.kinds.iter().any(|kind| kind == "ollama")) {
        let bare = origin.names.iter().find(|name| name.ends_with('*') && !name.contains(':'));
        assert_eq!(bare, None, "a name that only begins so is somebody's own");
    }
}
