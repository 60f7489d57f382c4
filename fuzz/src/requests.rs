//! Clients' requests: judged, read whole, and written for every provider there is.

use bytes::Bytes;
use waypost::catalog::KINDS;
use waypost::chat::{Effort, Format};
use waypost::wire::Shape;
use waypost::wire::ask::{self, Asking};
use waypost::wire::dialect::{ReasoningModel, Style};

use super::{is_strict_json, shown};

/// Bytes that a body may gain a byte it had, and beyond that.
const GROWTH: (usize, usize) = (12, 4096);

pub(super) fn chat(data: &[u8]) {
    request(Format::Chat, data);
}

pub(super) fn responses(data: &[u8]) {
    request(Format::Responses, data);
}

pub(super) fn messages(data: &[u8]) {
    request(Format::Messages, data);
}

pub(super) fn completions(data: &[u8]) {
    request(Format::Completions, data);
}

pub(super) fn embeddings(data: &[u8]) {
    request(Format::Embeddings, data);
}

fn request(format: Format, data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let Ok(request) = ask::judge(format, body.clone()) else { return };
    assert!(is_strict_json(data), "judged, and no JSON: {}", shown(data));
    assert_eq!(request.body, body);
    let _ = ask::prompt(&request);
    let _ = ask::turn(&request);
    let seen: usize = ask::cache_view(&request).map(<[u8]>::len).sum();
    assert!(seen <= data.len(), "the cache sees {seen} of {} bytes", data.len());
    let asking = Asking::new(&request);
    let models = [
        ReasoningModel::default(),
        ReasoningModel { style: Some(Style::Effort), efforts: vec![(Effort::Low, 7)], ..ReasoningModel::default() },
        ReasoningModel { style: Some(Style::Budget), ..ReasoningModel::default() },
        ReasoningModel { style: Some(Style::Toggle), ..ReasoningModel::default() },
    ];
    for (place, kind) in KINDS.iter().enumerate() {
        for (format, _) in kind.formats.iter().chain(kind.on_request) {
            for drop_unsupported in [false, true] {
                let shape = Shape {
                    format: *format,
                    dialect: &kind.dialect,
                    model: ["m", "gemini-2.5-pro", "claude-opus-4-7", "gpt-5"][place % 4],
                    max_output: [None, Some(1000)][place % 2],
                    reasoning: &models[(place + usize::from(drop_unsupported)) % models.len()],
                    effort: [None, Some(Effort::High)][(place / 2) % 2],
                    drop_unsupported,
                    keeps_nothing: drop_unsupported,
                };
                sent(&asking, &shape, data);
            }
        }
    }
}

fn sent(asking: &Asking<'_>, shape: &Shape<'_>, data: &[u8]) {
    let format = asking.request().format;
    let plain = matches!(format, Format::Completions | Format::Embeddings);
    // Asked for otherwise, these are not routed to such a target.
    if plain != matches!(shape.format, Format::Completions | Format::Embeddings) || (plain && format != shape.format) {
        return;
    }
    let Ok(encoded) = asking.body(shape) else { return };
    let whom = format!("{} for {}", format.as_str(), shape.format.as_str());
    assert!(is_strict_json(&encoded.body), "{whom} is no JSON: {} from {}", shown(&encoded.body), shown(data));
    assert!(
        encoded.body.len() <= data.len() * GROWTH.0 + GROWTH.1,
        "{whom} grew from {} to {} bytes",
        data.len(),
        encoded.body.len()
    );
    assert_eq!(asking.body(shape).expect("it went before"), encoded, "{whom} is another one each time");
    // With parts dropped there may be nothing left to say, which the provider is to refuse.
    if shape.format != Format::Gemini && !shape.drop_unsupported {
        let again = ask::judge(shape.format, encoded.body.clone());
        assert!(again.is_ok(), "{whom}: {:?} in {} from {}", again.err(), shown(&encoded.body), shown(data));
    }
}
