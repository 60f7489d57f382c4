//! The parts of a message's content.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use super::dotted;
use crate::chat::{Content, Family, Json, Media, Named, Part, Reasoning, Seal, SealKind, Source};
use crate::wire::json::{Members, Misshapen, as_text, elements};
use crate::wire::seal;

/// Members of a part that cannot change what an answer says.
const HINTS: [&str; 5] = ["cache_control", "prompt_cache_breakpoint", "annotations", "citations", "closed"];

/// Takes out a content: a text, or a list of parts.
pub(super) fn content(members: &mut Members<'_>, name: &str) -> Result<Vec<Part>, Misshapen> {
    let Some(raw) = members.raw(name) else { return Ok(Vec::new()) };
    if let Some(text) = as_text(raw) {
        return Ok(vec![Content::Text(text).into()]);
    }
    elements(raw, &members.place(name))?.into_iter().map(|(path, raw)| part(path, raw)).collect()
}

fn part(path: String, raw: &RawValue) -> Result<Part, Misshapen> {
    let mut members = Members::read(raw, path)?;
    let mut others = Vec::new();
    let content = match members.required_text("type")?.as_str() {
        "text" | "input_text" | "output_text" => Content::Text(members.required_text("text")?),
        "refusal" => Content::Refusal(members.required_text("refusal")?),
        "image_url" => Content::Image(image(&mut members, &mut others)?),
        "input_audio" => Content::Audio(audio(&mut members, &mut others)?),
        "file" => Content::Document(file(&mut members, &mut others)?),
        "thinking" => Content::Reasoning(thinking(&mut members)?),
        "redacted_thinking" => {
            let data = members.required_text("data")?;
            let seal = Seal { family: Family::Anthropic, kind: SealKind::Hidden, id: None, data };
            Content::Reasoning(Reasoning { parts: Vec::new(), seal: Some(seal) })
        }
        _ => return Ok(Content::Opaque(Json::from(raw)).into()),
    };
    others.extend(members.rest(|name| HINTS.contains(&name)));
    Ok(Part { content, others })
}

fn image(members: &mut Members<'_>, others: &mut Vec<Named>) -> Result<Media, Misshapen> {
    let Some(raw) = members.raw("image_url") else {
        return Err(Misshapen::new(members.place("image_url"), "is missing; it must be an object with a `url`"));
    };
    // Some clients send the link itself.
    if let Some(url) = as_text(raw) {
        return Ok(media(&url));
    }
    let mut object = Members::read(raw, members.place("image_url"))?;
    let mut media = media(&object.required_text("url")?);
    media.detail = object.text("detail")?;
    dotted(object, "image_url", false, others);
    Ok(media)
}

fn audio(members: &mut Members<'_>, others: &mut Vec<Named>) -> Result<Media, Misshapen> {
    let Some(mut object) = members.object("input_audio")? else {
        return Err(Misshapen::new(members.place("input_audio"), "is missing; it must be an object with `data`"));
    };
    let mut media = media(&object.required_text("data")?);
    if let Source::Url(data) = media.source {
        media.source = Source::Data(data);
    }
    if let Some(format) = object.text("format")? {
        media.media_type = format!("audio/{format}");
    }
    dotted(object, "input_audio", false, others);
    Ok(media)
}

fn file(members: &mut Members<'_>, others: &mut Vec<Named>) -> Result<Media, Misshapen> {
    let Some(mut object) = members.object("file")? else {
        return Err(Misshapen::new(members.place("file"), "is missing; it must be an object"));
    };
    let name = object.text("filename")?;
    let mut found = match (object.text("file_data")?, object.text("file_id")?) {
        (Some(data), _) => media(&data),
        (None, Some(id)) => Media { source: Source::File(id), media_type: String::new(), name: None, detail: None },
        (None, None) => return Err(Misshapen::new(object.path(), "must have `file_data` or `file_id`")),
    };
    if let Source::Url(data) = &found.source
        && !data.contains("://")
    {
        // Bare base64; the name is all that tells what it is.
        let pdf = name.as_ref().is_some_and(|name| name.to_ascii_lowercase().ends_with(".pdf"));
        found.media_type = if pdf { "application/pdf".to_owned() } else { String::new() };
        found.source = Source::Data(data.clone());
    }
    found.name = name;
    dotted(object, "file", false, others);
    Ok(found)
}

/// Mistral's thinking (a list of texts, <https://docs.mistral.ai/capabilities/reasoning>), or Anthropic's block.
fn thinking(members: &mut Members<'_>) -> Result<Reasoning, Misshapen> {
    let Some(raw) = members.raw("thinking") else {
        return Err(Misshapen::new(members.place("thinking"), "is missing; it must be a text or a list of texts"));
    };
    let Some(text) = as_text(raw) else {
        let mut parts = Vec::new();
        for (path, raw) in elements(raw, &members.place("thinking"))? {
            let mut piece = Members::read(raw, path)?;
            parts.extend(piece.text("text")?);
        }
        return Ok(Reasoning { parts, seal: None });
    };
    Ok(signed(text, members.text("signature")?))
}

/// A text and Anthropic's signature of it, or one of ours that stands for another's.
pub(super) fn signed(text: String, signature: Option<String>) -> Reasoning {
    let Some(data) = signature.filter(|data| !data.is_empty()) else {
        return Reasoning { parts: vec![text], seal: None };
    };
    if let Some(ours) = seal::unsign(&data, &text) {
        return ours;
    }
    let seal =
        (!seal::is_ours(&data)).then_some(Seal { family: Family::Anthropic, kind: SealKind::Text, id: None, data });
    Reasoning { parts: vec![text], seal }
}

/// A link, or the data that a `data:` link holds.
fn media(link: &str) -> Media {
    let of = |source, media_type: &str| Media { source, media_type: media_type.to_owned(), name: None, detail: None };
    let Some(inline) = link.strip_prefix("data:") else { return of(Source::Url(link.to_owned()), "") };
    let Some((head, data)) = inline.split_once(',') else { return of(Source::Url(link.to_owned()), "") };
    let media_type = head.split(';').next().unwrap_or_default();
    if head.split(';').any(|word| word == "base64") {
        return of(Source::Data(data.to_owned()), media_type);
    }
    let bytes: Vec<u8> = percent_decode_str(data).collect();
    of(Source::Data(STANDARD.encode(bytes)), media_type)
}
