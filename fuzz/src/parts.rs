//! The small readers that all formats share.

use waypost::chat::{Family, Reasoning, Seal, SealKind};
use waypost::wire::json::{MAX_DEPTH, Members, Scanner, escaped, unescape};
use waypost::wire::think::{Splitter, split_text};
use waypost::wire::{provider_error as errors, seal as seals, sse as events};

use super::{is_json, shown};

/// The first byte says whether the model always reasons, the second where the text is cut again and again.
pub(super) fn think(data: &[u8]) {
    let [always, step, text @ ..] = data else { return };
    let (always, step) = (always % 2 == 1, usize::from(*step) + 1);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let split = |pieces: &[&str]| {
        let mut splitter = Splitter::new(always);
        let (mut reasoning, mut rest) = (String::new(), String::new());
        for split in pieces.iter().map(|piece| splitter.push(piece)).collect::<Vec<_>>() {
            reasoning += &split.reasoning;
            rest += &split.text;
        }
        let last = splitter.flush();
        (reasoning + &last.reasoning, rest + &last.text)
    };
    let whole = split(&[text]);
    let (mut pieces, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let at = (step.min(rest.len())..=rest.len()).find(|&at| rest.is_char_boundary(at)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(split(&pieces), whole, "cut every {step} of {text:?}");
    assert!(whole.0.len() + whole.1.len() <= text.len(), "more than was said: {whole:?} of {text:?}");
    assert!(text.ends_with(&whole.1), "{:?} is not how {text:?} ends", whole.1);
    for well in [false, true] {
        if let Some(split) = split_text(text, always, well) {
            assert!(split.reasoning.len() + split.text.len() <= text.len());
        }
    }
}

/// The first byte is the status.
pub(super) fn provider_error(data: &[u8]) {
    let [status, body @ ..] = data else { return };
    let status = 400 + u16::from(*status);
    for error in [errors::read_error(status, body), errors::read_error_event(body)] {
        assert!(error.message.len() <= 1000 + '…'.len_utf8(), "{} bytes of message", error.message.len());
        assert!(!error.message.contains(|c: char| c.is_control()), "{:?}", error.message);
        for word in [&error.code, &error.error_type, &error.param].into_iter().flatten() {
            assert!(word.len() <= 100 + '…'.len_utf8(), "{word}");
        }
        let clean = errors::scrub(&error.message, &["hunter2hunter2"], &["10.1.2.3"]);
        assert!(!clean.to_ascii_lowercase().contains("hunter2hunter2"), "{clean}");
        assert!(!clean.contains("10.1.2.3"), "{clean}");
    }
}

/// The first byte says how long the pieces are.
pub(super) fn sse(data: &[u8]) {
    let [step, stream @ ..] = data else { return };
    let cut = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut splitter = events::Events::default();
        let mut found = Vec::new();
        for piece in pieces {
            splitter.push(bytes::Bytes::copy_from_slice(piece));
            while let Some(raw) = splitter.next(usize::MAX).expect("none is too long") {
                let event = events::parse(&raw);
                found.push((event.name.map(<[u8]>::to_vec), event.data.map(|data| data.into_owned())));
            }
        }
        (found, splitter.rest())
    };
    let whole = cut(&mut std::iter::once(stream));
    let pieces = cut(&mut stream.chunks(usize::from(*step) + 1));
    assert_eq!(pieces, whole, "in pieces of {} bytes: {}", usize::from(*step) + 1, shown(stream));
    let _ = events::is_whole(stream);
    for (name, data) in whole.0 {
        let (Some(data), true) = (data, name.as_ref().is_none_or(|name| !name.is_empty())) else { continue };
        if is_json(&data) {
            let again = events::event(name.as_deref(), &data);
            let event = events::parse(&again);
            assert_eq!(event.name, name.as_deref());
            assert!(event.data.is_some_and(|data| is_json(&data)), "{} becomes {}", shown(&data), shown(&again));
        }
    }
}

/// Two bytes for the kind of seal, then text, NUL, and the signature as the client sends it.
pub(super) fn seal(data: &[u8]) {
    let [family, kind, rest @ ..] = data else { return };
    let Ok(rest) = std::str::from_utf8(rest) else { return };
    let (text, signature) = rest.split_once('\0').unwrap_or((rest, ""));
    if let Some(read) = seals::unsign(signature, text) {
        assert!(seals::is_ours(signature));
        let again = seals::unsign(&seals::sign(&read), &read.text());
        assert_eq!(again, Some(read), "{signature:?} beside {text:?}");
    }
    let families = [Family::Anthropic, Family::Openai, Family::Xai, Family::Gemini, Family::Details];
    let kinds = [SealKind::Text, SealKind::Hidden, SealKind::Call, SealKind::Answer];
    let parts: Vec<String> = text.split('\x01').map(str::to_owned).collect();
    let parts = if parts == [""] { Vec::new() } else { parts };
    let made = Seal {
        family: families[usize::from(*family) % families.len()],
        kind: kinds[usize::from(*kind) % kinds.len()],
        id: Some(signature.to_owned()).filter(|id| !id.is_empty()),
        data: signature.to_owned(),
    };
    for seal in [None, Some(made)] {
        let reasoning = Reasoning { parts: parts.clone(), seal };
        let signed = seals::sign(&reasoning);
        assert_eq!(seals::unsign(&signed, &reasoning.text()), Some(reasoning), "{signed:?}");
    }
}

pub(super) fn json(data: &[u8]) {
    use serde::de::IgnoredAny;

    let lenient = is_json(data);
    let strict = Scanner::strict(data).and_then(|mut scanner| {
        scanner.skip()?;
        scanner.end()
    });
    let others = serde_json::from_slice::<IgnoredAny>(data).is_ok() && std::str::from_utf8(data).is_ok();
    let depth = data.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if strict.is_ok() {
        assert!(lenient && others, "only the strict scanner takes {}", shown(data));
    }
    if others && depth < MAX_DEPTH as usize {
        assert!(lenient, "the lenient scanner does not take {}", shown(data));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert_eq!(unescape(&escaped(text)), text);
    if let Ok(members) = Members::of_text(text, "") {
        assert!(lenient);
        let _ = members.rest(|_| false);
    }
}
