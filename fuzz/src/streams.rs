//! Providers' streams, in any pieces, passed on to every client there is.
//!
//! The first byte says whose client it is and how the passage is set, the second how the stream is cut.

use bytes::Bytes;
use waypost::chat::Format;
use waypost::wire::openai::stream::End;
use waypost::wire::{Refusal, StreamError};

use super::answers::{CLIENTS, passage_of};
use super::shown;

/// Bytes that a stream may gain a byte it had, beyond what each piece of text costs.
const GROWTH: usize = 64;
/// What one step of an answer costs at most beside its words, the answer's id and the model's name.
const FRAME: usize = 1024;

pub(super) fn chat(data: &[u8]) {
    stream(Format::Chat, data);
}

pub(super) fn responses(data: &[u8]) {
    stream(Format::Responses, data);
}

pub(super) fn messages(data: &[u8]) {
    stream(Format::Messages, data);
}

pub(super) fn gemini(data: &[u8]) {
    stream(Format::Gemini, data);
}

fn stream(from: Format, data: &[u8]) {
    let [settings, cut, data @ ..] = data else { return };
    let to = CLIENTS[usize::from(settings % 3)];
    let flags = settings / 3;
    let whole = passed(from, to, flags, &[Bytes::copy_from_slice(data)]);
    let way = format!("{} to {}, {flags}", from.as_str(), to.as_str());
    let most = data.len() * (GROWTH + FRAME / 8) + 8 * FRAME;
    assert!(whole.sent.len() <= most, "{way} grew from {} to {} bytes", data.len(), whole.sent.len());
    let again = passed(from, to, flags, &pieces(data, *cut));
    if again != whole {
        let (one, other) = (shown(&whole.sent), shown(&again.sent));
        panic!(
            "{way} depends on the cut {cut} of {}\n whole {one}\n {:?}\n in pieces {other}\n {:?}",
            shown(data),
            whole.end,
            again.end
        );
    }
    if let Some(body) = &whole.collected {
        assert!(super::is_json(body), "{way} was kept as no JSON: {}", shown(body));
    }
}

/// All that a client got, and how it ended.
#[derive(PartialEq, Eq, Debug)]
struct Passed {
    sent: Vec<u8>,
    end: Result<End, StreamError>,
    content: bool,
    collected: Option<Bytes>,
}

fn passed(from: Format, to: Format, flags: u8, pieces: &[Bytes]) -> Passed {
    let mut relay = passage_of(from, to, flags).stream();
    relay.collect();
    let mut out = Vec::new();
    let mut failed = None;
    for piece in pieces {
        if let Err(error) = relay.push(piece.clone(), &mut out) {
            failed = Some(error);
            break;
        }
    }
    let end = failed.map_or_else(|| relay.finish(&mut out), Err);
    let _ = (relay.usage(), relay.estimate());
    if end.is_err() {
        out.push(relay.fail(&REFUSAL));
    }
    let content = relay.seen().content;
    let collected = end.is_ok().then(|| relay.whole()).flatten();
    Passed { sent: out.concat(), end, content, collected }
}

const REFUSAL: Refusal<'static> = Refusal {
    status: 502,
    kind: "server_error",
    code: "provider_error",
    message: "broken",
    param: None,
    request_id: "r1",
};

/// The stream in pieces whose lengths follow from `cut`: all of one byte for 0.
fn pieces(data: &[u8], cut: u8) -> Vec<Bytes> {
    let (mut pieces, mut at, mut state) = (Vec::new(), 0, u32::from(cut));
    while at < data.len() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(u32::from(cut));
        let length = 1 + (state >> 16) as usize % (1 + usize::from(cut));
        let end = (at + length).min(data.len());
        pieces.push(Bytes::copy_from_slice(&data[at..end]));
        at = end;
    }
    pieces
}
