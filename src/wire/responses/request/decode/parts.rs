//! Parts of messages and of tools' results.

use serde_json::value::RawValue;

use crate::chat::{Content, Media, Named, Part, Source};
use crate::wire::json::{Members, Misshapen, as_text, elements};

/// A text, or a list of parts.
pub(super) fn content(raw: &RawValue, path: &str) -> Result<Vec<Part>, Misshapen> {
    if let Some(text) = as_text(raw) {
        return Ok(vec![Content::Text(text).into()]);
    }
    let Ok(list) = elements(raw, path) else {
        return Err(Misshapen::new(path, "must be a text or a list of parts"));
    };
    list.into_iter().map(|(path, part)| read(part, path)).collect()
}

fn read(raw: &RawValue, path: String) -> Result<Part, Misshapen> {
    let mut members = Members::read(raw, path)?;
    let content = match members.required_text("type")?.as_str() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            Content::Text(members.required_text("text")?)
        }
        "refusal" => Content::Refusal(members.required_text("refusal")?),
        "input_image" => Content::Image(image(&mut members)?),
        "input_file" => Content::Document(file(&mut members)?),
        "input_audio" => Content::Audio(audio(&mut members)?),
        _ => return Ok(Content::Opaque(raw.into()).into()),
    };
    Ok(Part { content, others: rest(members) })
}

/// Members without a neutral name that say something: not the empty lists that the server writes.
fn rest(members: Members<'_>) -> Vec<Named> {
    let written = |name: &str| matches!(name, "annotations" | "logprobs");
    let others = members.rest(|name| written(name) || name == "prompt_cache_breakpoint");
    others.into_iter().filter(|other| !(written(&other.name) && other.value.text() == "[]")).collect()
}

fn image(members: &mut Members<'_>) -> Result<Media, Misshapen> {
    let detail = members.text("detail")?.filter(|detail| detail != "auto");
    if let Some(url) = members.text("image_url")? {
        let (source, media_type) = link(url);
        return Ok(Media { source, media_type, name: None, detail });
    }
    match members.text("file_id")? {
        Some(id) => Ok(Media { source: Source::File(id), media_type: String::new(), name: None, detail }),
        None => Err(Misshapen::new(members.place("image_url"), "is missing; it must be a link or a data URL")),
    }
}

fn file(members: &mut Members<'_>) -> Result<Media, Misshapen> {
    let name = members.text("filename")?;
    let detail = members.text("detail")?.filter(|detail| detail != "auto");
    let (source, media_type) = if let Some(data) = members.text("file_data")? {
        match data.starts_with("data:") {
            true => link(data),
            false => (Source::Data(data), String::new()),
        }
    } else if let Some(url) = members.text("file_url")? {
        link(url)
    } else if let Some(id) = members.text("file_id")? {
        (Source::File(id), String::new())
    } else {
        return Err(Misshapen::new(
            members.path(),
            "must have one of 'file_data', 'file_url' and 'file_id', each of them a text",
        ));
    };
    Ok(Media { source, media_type, name, detail })
}

fn audio(members: &mut Members<'_>) -> Result<Media, Misshapen> {
    let Some(mut audio) = members.object("input_audio")? else {
        return Err(Misshapen::new(members.place("input_audio"), "is missing; it must be an object"));
    };
    let data = audio.required_text("data")?;
    let media_type = match audio.text("format")?.as_deref() {
        Some("mp3") => "audio/mpeg".to_owned(),
        Some(format) => format!("audio/{format}"),
        None => String::new(),
    };
    Ok(Media { source: Source::Data(data), media_type, name: None, detail: None })
}

/// A link, or what a data URL in base64 holds.
fn link(url: String) -> (Source, String) {
    let inside = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match inside {
        Some((media_type, data)) => (Source::Data(data.to_owned()), media_type.to_owned()),
        None => (Source::Url(url), String::new()),
    }
}
