//! A large configuration: 50 targets, a calibration with 3 efforts for each, and a policy of 30 rules.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waypost::chat::Request;
use waypost::classify::{Classifier, Score, Stage};
use waypost::config;
use waypost::gateway::{Gateway, Timed, classifier_settings};
use waypost::policy::Policies;
use waypost::telemetry::RequestLog;

const PROVIDERS: usize = 10;
const MODELS: usize = 5;
/// Dimensions of the classifier's vector.
const WIDTH: usize = 384;

/// Where each provider stands, whose law binds it, and for how long it keeps prompts.
const PLACES: [(&str, &str, &str); PROVIDERS] = [
    ("FR", "FR", "0d"),
    ("DE", "DE", "0d"),
    ("NL", "NL", "0d"),
    ("SE", "SE", "30d"),
    ("IE", "US", "0d"),
    ("FR, DE", "FR", "0d"),
    ("US", "US", "30d"),
    ("US", "US", "0d"),
    ("CH", "CH", "0d"),
    ("SG", "SG", "30d"),
];

/// When rules apply: always, by labels, tenant, and what is asked.
const WHENS: [&str; 10] = [
    "true",
    "labels[\"data-class\"] in [\"personal\", \"secret\"]",
    "labels[\"data-class\"] == \"secret\"",
    "labels[\"purpose\"] == \"support\"",
    "tenant.name == \"acme\"",
    "tenant.region == \"eu\" && labels[\"data-class\"] != \"public\"",
    "request.tools",
    "request.input_tokens > 500 && request.operation == \"chat\"",
    "request.stream || request.media",
    "tenant.name in [\"acme\", \"globex\"] && labels[\"purpose\"] in [\"support\", \"dev\"] && request.model == \"auto\"",
];

/// What they want, three for each `when`.
const DEMANDS: [&str; 30] = [
    "forbid: { operator.jurisdictions: { in: [CN, RU] } }",
    "require: { data.trains: { equals: false } }",
    "forbid: { price.output: { at_least: 60 } }",
    "require: { location.countries: { in: EEA } }",
    "require: { data.retention: { at_most: 30d }, data.human_review: { equals: false } }",
    "forbid: { provenance.country: { in: [RU] } }",
    "require: { operator.jurisdictions: { not_in: [US] } }",
    "require: { data.retention: { equals: 0d } }",
    "require: { provenance.open_weights: { equals: true } }",
    "require: { model.context: { at_least: 8192 } }",
    "forbid: { provenance.licence: { in: [proprietary-x] } }",
    "require: { data.retention: { at_most: 7d } }",
    "require: { location.countries: { not_in: [SG, CN] } }",
    "require: { operator.jurisdictions: { not_in: [CN] } }",
    "forbid: { data.trains: { equals: true } }",
    "require: { location.countries: { not_in: [US, SG] }, data.retention: { at_most: 30d } }",
    "require: { data.human_review: { equals: false } }",
    "forbid: { operator.jurisdictions: { in: [SG] }, location.countries: { in: [SG] } }",
    "require: { supports: { in: [tools, json_schema, reasoning] } }",
    "require: { model.context: { at_least: 16384 } }",
    "forbid: { price.input: { at_least: 30 } }",
    "require: { model.context: { at_least: 32768 } }",
    "forbid: { price.output: { at_least: 40 } }",
    "require: { price.input: { at_most: 25 } }",
    "require: { data.trains: { equals: false }, data.retention: { at_most: 90d } }",
    "forbid: { location.countries: { in: [CN] } }",
    "require: { model.kind: { equals: chat } }",
    "require: { model.tier: { in: [weak, mid, strong] } }",
    "forbid: { provenance.country: { in: [IR, KP] } }",
    "require: { provenance.developer: { not_in: [nobody] } }",
];

/// How a calibration's curves were fitted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Curves {
    /// A line in the logit of the score.
    Lines,
    /// Rising curves through knots.
    Steps,
    /// The score and the prompt's vector.
    Vectors,
}

impl Curves {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lines => "Platt's lines",
            Self::Steps => "isotonic curves",
            Self::Vectors => "ridge over vectors",
        }
    }
}

/// The gateway that decides, of files written to `folder`.
pub(crate) fn gateway(folder: &Path, curves: Curves) -> Result<Gateway, Box<dyn Error>> {
    let policies = folder.join("policies");
    std::fs::create_dir_all(&policies)?;
    std::fs::write(policies.join("bench.yaml"), policy())?;
    let measured = folder.join("calibration.json");
    // A configuration may only name a file that is there; what it holds goes by the classifier that it names.
    std::fs::write(&measured, "")?;
    let path = folder.join("waypost.yaml");
    std::fs::write(&path, configuration())?;
    let loaded = config::load(&path).map_err(told)?;
    let settings = classifier_settings(&loaded.config).ok_or("there is no classifier")?;
    let classifier = Classifier::load(&settings)?;
    let hash = classifier.model_hash(Stage::Linear).ok_or("there is no linear head")?;
    std::fs::write(&measured, calibration(curves, hash).to_string())?;
    let (policies, _) = Policies::load(Some(&policies), &loaded.config).map_err(told)?;
    Ok(Gateway::build(loaded.config, policies, RequestLog::off())?)
}

fn told(problems: Vec<config::Problem>) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// A tenant with personal data: the rules remove half of the targets.
    Bound,
    /// A tenant with nothing to hide: they remove none.
    Free,
}

impl Asker {
    pub(crate) const ALL: [Self; 2] = [Self::Bound, Self::Free];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bound => "25 of 50 targets allowed",
            Self::Free => "50 of 50 targets allowed",
        }
    }
}

/// A request on a score of middling difficulty.
pub(crate) fn timed<'g>(gateway: &'g Gateway, request: &'g Request, asker: Asker) -> Result<Timed<'g>, Box<dyn Error>> {
    let (tenant, labels) = match asker {
        Asker::Bound => ("acme", "data-class=personal,purpose=support"),
        Asker::Free => ("globex", "purpose=dev"),
    };
    let score = Score {
        difficulty: Some(0.37),
        stage: Stage::Linear,
        elapsed: Duration::ZERO,
        reason: None,
        embedding: Some((0..WIDTH).map(|place| noise(place) as f32).collect::<Arc<[f32]>>()),
    };
    Timed::new(gateway, tenant, Some(labels.to_owned()), request, score).map_err(|error| error.message.into())
}

/// Between -1 and 1, the same in every run.
fn noise(place: usize) -> f64 {
    let mixed = (place as u32).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(40_503);
    f64::from(mixed) / f64::from(u32::MAX) * 2.0 - 1.0
}

fn configuration() -> String {
    let mut text = String::from(
        "auth: { open: loopback }\ntenants:\n  - { name: acme, region: eu, policy: bench, floor: { data-class: internal } }\n  \
         - { name: globex, region: us, policy: bench }\n  - { name: default, policy: bench }\nlabels:\n  \
         data-class: { order: [public, internal, personal, secret], default: internal }\n  \
         purpose: { values: [support, dev, batch] }\nclassifier: { model: linear }\ncalibration: calibration.json\n\
         policies: policies\nproviders:\n",
    );
    for (place, (countries, jurisdictions, retention)) in PLACES.iter().enumerate() {
        let _ = writeln!(
            text,
            "  - {{ name: p{place}, kind: vllm, endpoints: [\"http://127.0.0.1:{}\"], location: {{ countries: [{countries}] }}, \
             operator: {{ name: op{place}, jurisdictions: [{jurisdictions}] }}, data: {{ retention: {retention}, trains: \
             false, human_review: false, transfer_basis: none }} }}",
            9000 + place
        );
    }
    text.push_str("models:\n");
    for place in 0..PROVIDERS * MODELS {
        let (provider, model) = (place / MODELS, place % MODELS);
        let tier = ["weak", "weak", "mid", "mid", "strong"][model];
        let _ = writeln!(
            text,
            "  - {{ name: m{place}, provider: p{provider}, upstream: org/m{place}, tier: {tier}, kind: chat, context: 131072, \
             max_output: 16384, supports: [tools, json_schema, reasoning], reasoning: {{ style: effort }}, price: {{ input: \
             {}.{:02}, output: {}.{:02} }}, provenance: {{ developer: d{model}, country: FR, licence: Apache-2.0, \
             open_weights: true }} }}",
            model * 2,
            provider * 7 + 3,
            model * 9,
            provider * 5 + 11
        );
    }
    text
}

fn policy() -> String {
    let mut text = String::from("policy: bench\nrules:\n");
    for (place, demand) in DEMANDS.iter().enumerate() {
        let when = WHENS[place / 3];
        let when = if when == "true" { String::new() } else { format!("    when: '{when}'\n") };
        let _ = write!(text, "  - name: rule-{place}\n{when}    {demand}\n");
    }
    text.push_str("objective: { minimise: cost, quality: { at_least: 0.95, of: best-allowed } }\non_none: deny\n");
    text
}

fn calibration(curves: Curves, classifier: &str) -> Value {
    let mut targets = Vec::new();
    for place in 0..PROVIDERS * MODELS {
        for (step, effort) in [Value::Null, json!("low"), json!("high")].into_iter().enumerate() {
            let better = (place % MODELS) as f64 * 0.3 + step as f64 * 0.2 + noise(place) * 0.1;
            let line = json!({ "intercept": better, "slope": 0.9 });
            let (method, curve) = match curves {
                Curves::Lines => ("platt", json!({ "line": line })),
                Curves::Steps => {
                    let at: Vec<f64> = (0..12).map(|knot| f64::from(knot) / 2.0 - 3.0).collect();
                    let value: Vec<f64> =
                        (0..12).map(|knot| 0.2 + f64::from(knot) * 0.05 + better.clamp(0.0, 2.0) * 0.1).collect();
                    ("isotonic", json!({ "line": line, "isotonic": { "at": at, "value": value } }))
                }
                Curves::Vectors => {
                    let weights: Vec<f64> =
                        (0..WIDTH).map(|dimension| noise(place * 977 + dimension * 31 + step) / 40.0).collect();
                    (
                        "ridge",
                        json!({ "line": line, "ridge": { "intercept": better, "slope": 0.9, "weights": weights } }),
                    )
                }
            };
            targets.push(json!({
                "target": format!("m{place}@p{}", place / MODELS), "effort": effort, "routed": true, "output": 300 + step * 500,
                "labels": 400, "mean": 0.7, "method": method, "curve": curve,
            }));
        }
    }
    json!({
        "schema": 1, "made": "2026-01-01T00:00:00Z",
        "data": { "hash": "sha256:", "prompts": 400, "paired": 400 },
        "classifier": { "hash": classifier, "stage": "linear" },
        "floors": [{ "at_least": 0.95, "confidence": 0.9, "tau": 0.08, "quality": 0.97, "lower": 0.95, "saving": 0.4, "kept": 0.6 }],
        "targets": targets, "buckets": [],
    })
}
