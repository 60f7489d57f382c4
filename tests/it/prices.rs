//! Usage and cost of every recorded answer agree with genai-prices, but for what docs/prices.md explains.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use waypost::catalog;
use waypost::chat::{Format, Usage};
use waypost::cost::cost;
use waypost::wire::Envelope;
use waypost::wire::passage::Passage;

use crate::harness::{python, repository};

/// The day and hour the answers are priced at: a peak hour, as the catalogue takes peak prices.
const DAY: &str = "2026-11-24";
const HOUR: &str = "02:00";

/// A recorded answer with status 200 in a format that Waypost speaks.
struct Recorded {
    name: String,
    provider: String,
    model: String,
    from: Format,
    body: Bytes,
    stream: bool,
}

fn folder() -> PathBuf {
    repository().join("tests/fixtures/exchanges")
}

fn recorded() -> Vec<Recorded> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let exchange: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let provider = text(&exchange["provider"]);
        let from = match (provider.as_str(), exchange["endpoint"].as_str().unwrap()) {
            (_, "chat") => Format::Chat,
            (_, "responses") => Format::Responses,
            (_, "messages") | ("vertex", "raw") => Format::Messages,
            (_, "gen" | "gen-stream") => Format::Gemini,
            (_, "completions") => Format::Completions,
            ("openai", "embeddings") => Format::Embeddings,
            // Gemini's embeddings come without usage; the rest are formats that no kind has.
            _ => continue,
        };
        let (request, response) = (&exchange["request"], &exchange["response"]);
        if response["status"] != 200 {
            continue;
        }
        let file = response["body_file"].as_str();
        let body = match file {
            Some(file) => std::fs::read(folder().join(file)).unwrap(),
            None => serde_json::to_vec(&response["body"]).unwrap(),
        };
        let url = text(&request["url"]);
        let in_url = url.split("/models/").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or_default();
        found.push(Recorded {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            provider,
            model: request["body"]["model"].as_str().unwrap_or(in_url).to_owned(),
            from,
            body: body.into(),
            stream: file.is_some_and(|file| file.ends_with(".sse")),
        });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

impl Recorded {
    /// The provider's count, as the gateway takes it on the way to a client of this format; `None`: it gave none.
    fn usage(&self, to: Format) -> Option<Usage> {
        let passage = Passage {
            from: self.from,
            to,
            think: None,
            show_reasoning: true,
            family: None,
            choices: 1,
            input_tokens: 0,
            base64: false,
            envelope: Envelope {
                id: "id".to_owned(),
                model: self.model.clone(),
                created: 0,
                show_usage: true,
                echo: None,
                cost: Arc::new(|_| None),
            },
        };
        if !self.stream {
            let whole = passage.whole(self.body.clone()).unwrap_or_else(|error| panic!("{}: {error}", self.name));
            return Some(whole.usage).filter(|usage| !usage.estimated);
        }
        let (mut relay, mut out) = (passage.stream(), Vec::new());
        // A stream that fails has been counted as far as it went.
        if relay.push(self.body.clone(), &mut out).is_ok() {
            let _ = relay.finish(&mut out);
        }
        relay.usage().filter(|usage| !usage.estimated)
    }

    fn line(&self) -> Value {
        let ways: &[Format] = match self.from {
            Format::Completions => &[Format::Completions],
            Format::Embeddings => &[Format::Embeddings],
            _ => &[Format::Chat, Format::Responses, Format::Messages],
        };
        let counts: Vec<_> = ways.iter().map(|to| self.usage(*to)).collect();
        assert!(counts.iter().all(|usage| *usage == counts[0]), "{}: {counts:?}", self.name);
        let price = catalog::price(&self.provider, &self.model, DAY);
        let cost = counts[0].zip(price).map(|(usage, price)| cost(&usage, &price).0);
        json!({
            "name": self.name,
            "provider": self.provider,
            "model": self.model,
            "format": self.from.as_str(),
            "usage": counts[0],
            "cost_nusd": cost,
        })
    }
}

#[test]
fn usage_and_cost_agree_with_genai_prices_but_for_what_is_explained() {
    let recorded = recorded();
    assert!(recorded.len() > 90, "{}", recorded.len());
    let mut ours = tempfile::NamedTempFile::new().unwrap();
    for answer in &recorded {
        writeln!(ours, "{}", answer.line()).unwrap();
    }
    let ran = Command::new(python())
        .arg(repository().join("tests/sdk/prices.py"))
        .arg(ours.path())
        .arg(folder())
        .arg(repository().join("docs/prices.md"))
        .arg(format!("{DAY}T{HOUR}:00+00:00"))
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}{}", said(&ran.stdout), said(&ran.stderr));
    assert!(said(&ran.stdout).contains(&format!("{} answers", recorded.len())), "{}", said(&ran.stdout));
}
