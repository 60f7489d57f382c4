//! However a recorded stream is cut, each client gets the same bytes.

use std::sync::Arc;

use bytes::Bytes;
use waypost::chat::{Family, Format};
use waypost::wire::Envelope;
use waypost::wire::passage::Passage;

use crate::harness::{Cut, Exchange, exchanges};

/// How many times each stream is cut for each client.
const CUTS: u64 = 1000;

fn passage(from: Format, to: Format, family: Option<Family>) -> Passage {
    let envelope = Envelope {
        id: "dec_1".to_owned(),
        model: "a-model".to_owned(),
        created: 1_700_000_000,
        show_usage: true,
        echo: None,
        cost: Arc::new(|_| None),
    };
    Passage {
        from,
        to,
        think: None,
        show_reasoning: true,
        family,
        choices: 1,
        input_tokens: 10,
        base64: false,
        envelope,
    }
}

/// All that a client gets, and how the stream ended.
fn played(passage: Passage, pieces: Vec<&[u8]>) -> (Vec<u8>, String) {
    let mut relay = passage.stream();
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(error) = relay.push(Bytes::copy_from_slice(piece), &mut out) {
            return (out.concat(), error.to_string());
        }
    }
    let end = match relay.finish(&mut out) {
        Ok(end) => format!("{:?} {}", end.usage, end.good),
        Err(error) => error.to_string(),
    };
    (out.concat(), end)
}

fn must_not_depend_on_cuts(exchange: &Exchange, from: Format, family: Option<Family>) {
    for to in [Format::Chat, Format::Responses, Format::Messages] {
        let passage = passage(from, to, family);
        let whole = played(passage.clone(), Cut::Whole.pieces(&exchange.body));
        assert!(!whole.0.is_empty(), "{}", exchange.name);
        let single = played(passage.clone(), Cut::Bytes.pieces(&exchange.body));
        assert_eq!(text(&whole), text(&single), "{} to {to:?}, one byte a piece", exchange.name);
        for seed in 0..CUTS {
            // Mostly a few places; now and then very many.
            let pieces = 2 + usize::try_from(seed % 9).unwrap() * usize::try_from(seed % 11).unwrap();
            let cut = played(passage.clone(), Cut::Random { pieces, seed }.pieces(&exchange.body));
            assert!(cut == whole, "{} to {to:?} with seed {seed}: {}\n{}", exchange.name, text(&whole), text(&cut));
        }
    }
}

fn text((bytes, end): &(Vec<u8>, String)) -> String {
    format!("{}\n--- {end}", String::from_utf8_lossy(bytes))
}

#[test]
fn the_same_bytes_come_out_wherever_a_stream_is_cut() {
    let streams: Vec<Exchange> = exchanges().into_iter().filter(|exchange| exchange.stream).collect();
    assert!(streams.len() > 30, "the recorded streams are there");
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(exchange) = streams.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let (from, family) = match (exchange.endpoint.as_str(), exchange.provider.as_str()) {
                        ("responses", "xai") => (Format::Responses, Some(Family::Xai)),
                        ("responses", _) => (Format::Responses, Some(Family::Openai)),
                        ("messages", _) => (Format::Messages, Some(Family::Anthropic)),
                        ("gen-stream", _) => (Format::Gemini, Some(Family::Gemini)),
                        ("chat", "openrouter") => (Format::Chat, Some(Family::Details)),
                        _ => (Format::Chat, None),
                    };
                    must_not_depend_on_cuts(exchange, from, family);
                }
            });
        }
    });
}
