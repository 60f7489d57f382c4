use std::path::Path;

use crate::config::{Config, Loaded, Problem, load_text};
use crate::money::{Rate, Rates};

/// A configuration in `tests/fixtures`, where LiteLLM's list lies.
fn read(text: &str) -> Result<Loaded, Vec<Problem>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/waypost.yaml");
    load_text(Path::new("waypost.yaml"), Some(&path), text, &|_| None)
}

/// One model with this price at a provider of this kind.
fn one(kind: &str, upstream: &str, price: &str, more: &str) -> String {
    format!(
        "providers: [{{ name: p, kind: {kind}, endpoints: ['http://127.0.0.1:1'] }}]\n\
         models: [{{ name: m, provider: p, upstream: '{upstream}', tier: mid, price: {price} }}]\n{more}"
    )
}

fn config(text: &str) -> Config {
    let loaded = read(text).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert_eq!(loaded.warnings, []);
    loaded.config
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect()
}

/// Line, column and message of every error.
fn errors(text: &str) -> Vec<(u32, u32, String)> {
    let problems = read(text).expect_err("an error");
    problems.into_iter().map(|problem| (problem.line, problem.column, problem.message)).collect()
}

fn rate(usd: &str) -> Rate {
    Rate::per_million(usd.parse().unwrap())
}

const LITELLM: &str = "prices: { litellm: litellm.json }";

#[test]
fn every_kind_of_token_may_have_its_price() {
    let text = "{ input: 3, output: 15, cached_input: 0.3, cache_write: 3.75, cache_write_1h: 6, reasoning: 20, \
                above: [{ tokens: 400000, input: 9, output: 30 }, \
                { tokens: 200000, input: 6, output: 22.5, cached_input: 0.6, cache_write: 7.5 }] }";
    let config = config(&one("vllm", "m", text, ""));
    let price = config.targets[0].price.as_ref().unwrap();
    let base = Rates {
        input: rate("3"),
        output: rate("15"),
        cached_input: rate("0.3"),
        cache_write: rate("3.75"),
        cache_write_1h: rate("6"),
        reasoning: Some(rate("20")),
    };
    assert_eq!(price.at(200_000), &base);
    let long = Rates {
        cached_input: rate("0.6"),
        cache_write: rate("7.5"),
        cache_write_1h: rate("7.5"),
        ..Rates::plain(rate("6"), rate("22.5"))
    };
    assert_eq!(price.at(400_000), &long, "what it does not state comes from its own prices");
    assert_eq!(price.at(400_001), &Rates::plain(rate("9"), rate("30")), "in whatever order they were written");
}

#[test]
fn odd_thresholds_are_named_where_they_stand() {
    let price = |above: &str| one("vllm", "m", &format!("{{ input: 1, output: 1, above: {above} }}"), "");
    let found = errors(&price("[{ tokens: 0, input: 1, output: 1 }]"));
    assert_eq!(found, [(2, 108, "above zero tokens is every request".to_owned())]);
    let found = errors(&price("[{ tokens: 5, input: 1, output: 1 }, { tokens: 5, input: 2, output: 1 }]"));
    assert_eq!(found, [(2, 144, "there are two prices above 5 tokens".to_owned())]);
    let found = errors(&price("[{ tokens: 5, input: 1 }]"));
    assert!(found.iter().any(|(_, _, message)| message.contains("output")), "{found:?}");
    let found = errors(&price("[{ tokens: 5, input: 1, output: 1e3 }]"));
    assert!(found.iter().any(|(_, _, message)| message.contains("1e3")), "{found:?}");
    let found = errors(&one("vllm", "m", "{ gpu_hour_usd: 1, tokens_per_second: 1, reasoning: 1 }", ""));
    assert_eq!(found[0].2, "this price mixes tokens and hours");
}

#[test]
fn litellms_list_goes_before_the_one_that_is_built_in_and_after_a_price_that_is_stated() {
    let input = |kind: &str, upstream: &str, price: &str| {
        let config = config(&one(kind, upstream, price, LITELLM));
        config.targets[0].price.as_ref().unwrap().base().input
    };
    assert_eq!(input("deepseek", "deepseek-chat", "catalog"), rate("0.28"));
    assert_eq!(input("openai", "gpt-5.4", "catalog"), rate("2.5"));
    assert_eq!(input("openai", "gpt-6-luna", "catalog"), rate("0.10"), "it is not in LiteLLM's list");
    assert_eq!(input("openai", "gpt-4o", "{ input: 1, output: 1 }"), rate("1"));
    let key = "{ litellm: together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo }";
    assert_eq!(input("openai-compatible", "whatever", key), rate("0.88"));
}

#[test]
fn what_litellms_list_knows_of_sizes_fills_in_what_is_not_stated() {
    let config = config(
        "providers: [{ name: p, kind: anthropic }]\n\
         models:\n  - { name: a, provider: p, upstream: claude-sonnet-4-5, tier: mid, price: catalog }\n  \
         - { name: b, provider: p, upstream: claude-sonnet-4-5, tier: mid, price: catalog, context: 7, max_output: 5 }\n\
         prices: { litellm: litellm.json }",
    );
    let sizes: Vec<_> = config.targets.iter().map(|target| (target.context, target.max_output)).collect();
    assert_eq!(sizes, [(Some(200_000), Some(64_000)), (Some(7), Some(5))]);
}

#[test]
fn a_list_that_cannot_be_read_is_named_once_where_it_is_named() {
    let found = errors(&one("openai", "gpt-9", "catalog", "prices: { litellm: nowhere.json }"));
    assert_eq!((found.len(), found[0].0, found[0].1), (1, 3, 20), "{found:?}");
    assert!(found[0].2.starts_with("cannot read ") && found[0].2.contains("nowhere.json"), "{found:?}");
    let found = errors(&one("openai", "gpt-9", "catalog", "prices: { litellm: README.md }"));
    assert!(found.len() == 1 && found[0].2.contains("it is not a list of models by name"), "{found:?}");
}

#[test]
fn a_name_that_no_list_has_is_an_error_with_a_guess() {
    let text = one("openai-compatible", "m", "{ litellm: together_ai/meta-llama/Llama-3.3-70B-Instruct }", LITELLM);
    let problems = read(&text).unwrap_err();
    assert!(shown(&problems).contains("has no price for `together_ai/meta-llama/Llama-3.3-70B-Instruct`"));
    let found = errors(&one("openai-compatible", "m", "{ litellm: x }", ""));
    assert_eq!(found[0].2, "no list of LiteLLM's is named that this could stand in");
    let found = errors(&one("openai", "gpt-4o", "{ litellm: gpt-4o, input: 1, output: 1 }", LITELLM));
    assert_eq!(found[0].2, "this price is both stated and looked up");
    let found = errors(&one("vllm", "gpt-4o", "catalog", LITELLM));
    assert_eq!(found[0].2, "the catalogue has no price for `gpt-4o` of kind vllm", "an own server is not OpenAI");
}

#[test]
fn a_model_without_a_price_is_a_warning_that_says_what_follows() {
    let text = one("openai", "gpt-4o", "catalog", "").replace(", price: catalog", "");
    let warnings = read(&text).unwrap().warnings;
    assert_eq!(
        warnings[0].message,
        "the price of model `m` is unknown: its cost cannot be counted, and nothing that limits cost chooses it"
    );
    assert!(warnings[0].remedy.contains("price: catalog"), "{}", warnings[0].remedy);
}
