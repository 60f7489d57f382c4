//! Parts of messages and of tools' results: text, pictures, files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::chat::{Content, Json, Media, Part, Source};
use crate::wire::dialect::Shape;
use crate::wire::json::{List, Members, Object};
use crate::wire::losses::{Losses, Unsupported};

/// Members of a part without a neutral name.
const KNOWN: &str = "prompt_cache_breakpoint";
const DETAILS: [&str; 4] = ["low", "high", "auto", "original"];

/// Adds a part of what a user, the application or a tool said.
pub(super) fn put(
    part: &Part,
    path: &str,
    shape: &Shape<'_>,
    list: &mut List,
    losses: &mut Losses,
) -> Result<(), Unsupported> {
    let mut object = Object::new();
    match &part.content {
        Content::Text(text) => _ = object.put("type", "input_text").put("text", text),
        Content::Image(media) => image(media, path, shape, &mut object, losses)?,
        Content::Document(media) => file(media, path, &mut object, losses)?,
        Content::Opaque(json) if is_known(json) => {
            list.raw(json.text());
            return Ok(());
        }
        Content::Reasoning(_) => losses.hint(path),
        Content::Audio(_)
        | Content::Refusal(_)
        | Content::Opaque(_)
        | Content::ToolCall(_)
        | Content::ToolResult(_) => losses.meaning(path)?,
    }
    if object.is_empty() {
        return Ok(());
    }
    for other in &part.others {
        if other.name == KNOWN {
            object.raw(KNOWN, other.value.text());
        } else {
            losses.members(path, std::slice::from_ref(other))?;
        }
    }
    list.raw(&object.finish());
    Ok(())
}

/// Whether a part is a text that can stand without the object around it.
pub(super) fn plain(part: &Part) -> Option<&str> {
    match &part.content {
        Content::Text(text) if part.others.iter().all(|other| other.name != KNOWN) => Some(text),
        _ => None,
    }
}

fn is_known(json: &Json) -> bool {
    let kind = Members::of_text(json.text(), "").ok().and_then(|mut members| members.text("type").ok().flatten());
    kind.as_deref() == Some("computer_screenshot")
}

fn image(
    media: &Media,
    path: &str,
    shape: &Shape<'_>,
    object: &mut Object,
    losses: &mut Losses,
) -> Result<(), Unsupported> {
    let (member, value) = match &media.source {
        Source::Data(data) => ("image_url", data_url(&media.media_type, data)),
        Source::Url(url) if shape.dialect.image_links || url.starts_with("data:") => ("image_url", url.clone()),
        Source::File(id) => ("file_id", id.clone()),
        Source::Url(_) | Source::Text(_) => return losses.meaning(format!("{path}.image_url")),
    };
    object.put("type", "input_image").put(member, value);
    let detail = media.detail.as_deref().filter(|detail| DETAILS.contains(detail));
    object.put("detail", detail.unwrap_or("auto"));
    Ok(())
}

fn file(media: &Media, path: &str, object: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    let (member, value) = match &media.source {
        Source::Data(data) if media.media_type.is_empty() => ("file_data", data.clone()),
        Source::Data(data) => ("file_data", data_url(&media.media_type, data)),
        Source::Text(text) => ("file_data", data_url("text/plain", &STANDARD.encode(text))),
        Source::Url(url) if url.starts_with("data:") => ("file_data", url.clone()),
        Source::Url(url) => ("file_url", url.clone()),
        Source::File(id) => ("file_id", id.clone()),
    };
    object.put("type", "input_file").put(member, value);
    // Bytes without a name are refused.
    let made_up = match (&media.source, media.media_type.as_str()) {
        (Source::Text(_), _) => "document.txt",
        (_, "application/pdf") => "document.pdf",
        _ => "document",
    };
    let name = media.name.as_deref().or((member == "file_data").then_some(made_up));
    object.put_some("filename", name);
    match media.detail.as_deref() {
        Some("original") => losses.hint(format!("{path}.detail")),
        detail => _ = object.put_some("detail", detail.filter(|detail| DETAILS.contains(detail))),
    }
    Ok(())
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}
