//! Providers' whole answers, written for every client there is.

use std::sync::Arc;

use bytes::Bytes;
use waypost::chat::{Family, Format};
use waypost::money::NanoUsd;
use waypost::wire::passage::{self, Passage};
use waypost::wire::{Envelope, provider_error};

use super::{is_json, is_strict_json, shown};

/// What clients speak.
pub(super) const CLIENTS: [Format; 3] = [Format::Chat, Format::Responses, Format::Messages];

/// Bytes that an answer may gain a byte it had (a control character alone becomes six), and beyond that.
const GROWTH: (usize, usize) = (64, 8192);

pub(super) fn chat(data: &[u8]) {
    answer(Format::Chat, data);
}

pub(super) fn responses(data: &[u8]) {
    answer(Format::Responses, data);
}

pub(super) fn messages(data: &[u8]) {
    answer(Format::Messages, data);
}

pub(super) fn gemini(data: &[u8]) {
    answer(Format::Gemini, data);
}

pub(super) fn passage_of(from: Format, to: Format, flags: u8) -> Passage {
    let bit = |place: u8| flags >> place & 1 == 1;
    Passage {
        from,
        to,
        think: bit(0).then_some(bit(1)),
        show_reasoning: !bit(2),
        family: [None, Some(Family::Xai)][usize::from(bit(3))],
        choices: 1 + u32::from(bit(4)),
        base64: false,
        input_tokens: 9,
        envelope: envelope(bit(5)),
    }
}

fn envelope(show_usage: bool) -> Envelope {
    Envelope {
        id: "01fuzz".to_owned(),
        model: "m".to_owned(),
        created: 1_700_000_000,
        show_usage,
        echo: None,
        cost: Arc::new(|usage| Some(NanoUsd(i64::try_from(usage.output).unwrap_or(0)))),
    }
}

fn answer(from: Format, data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    for to in CLIENTS {
        for flags in [0, 1, 3, 4] {
            whole(&passage_of(from, to, flags), &body);
        }
    }
    let _ = provider_error::read_error(200, data);
}

fn whole(passage: &Passage, body: &Bytes) {
    let Ok(whole) = passage.whole(body.clone()) else { return };
    let way = format!("{} to {}", passage.from.as_str(), passage.to.as_str());
    let sent = &whole.body;
    let valid = if passage.from == passage.to { is_json(sent) } else { is_strict_json(sent) };
    assert!(valid, "{way} is no JSON: {} from {}", shown(sent), shown(body));
    let most = body.len() * GROWTH.0 + GROWTH.1;
    assert!(sent.len() <= most, "{way} grew from {} to {} bytes", body.len(), sent.len());
    let twice = passage.whole(body.clone()).expect("it went before");
    assert_eq!(twice.body, sent, "{way} is another one each time");
    if whole.good {
        assert!(passage::is_good(passage.to, sent), "{way}: no longer good: {} from {}", shown(sent), shown(body));
    }
    let stream = passage::replay(passage.to, sent, envelope(true));
    assert!(stream.is_ok(), "{way}: {:?} in {} from {}", stream.err(), shown(sent), shown(body));
}
