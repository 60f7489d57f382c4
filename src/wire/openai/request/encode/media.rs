//! Pictures, documents and sound.

use super::{Writer, rest_of};
use crate::chat::{Content, Media, Part, Role, Source};
use crate::wire::json::Object;
use crate::wire::losses::Unsupported;

/// Writes the part into `object`; `false`: it cannot be said, and that is accounted for.
pub(super) fn put(
    writer: &mut Writer<'_>,
    role: Role,
    part: &Part,
    path: &str,
    object: &mut Object,
) -> Result<bool, Unsupported> {
    // The format has them in the user's messages only; what a client of this format writes elsewhere is its own affair.
    let sayable = role == Role::User || writer.own;
    let done = match &part.content {
        Content::Image(media) if sayable => image(writer, media, part, object),
        Content::Document(media) => document(writer, media, part, object, sayable),
        Content::Audio(media) if sayable => audio(writer, media, part, object),
        _ => None,
    };
    match done {
        Some(()) => Ok(true),
        None => writer.losses.meaning(path).map(|()| false),
    }
}

fn image(writer: &Writer<'_>, media: &Media, part: &Part, object: &mut Object) -> Option<()> {
    let url = match &media.source {
        Source::Data(data) => {
            let media_type = if media.media_type.is_empty() { picture_type(data) } else { &media.media_type };
            format!("data:{media_type};base64,{data}")
        }
        Source::Url(url) if writer.dialect().image_links => url.clone(),
        Source::Url(_) | Source::Text(_) | Source::File(_) => return None,
    };
    let mut inner = Object::new();
    inner.put("url", url).put_some("detail", media.detail.as_ref());
    finish(writer, "image_url", inner, part, object)
}

/// What a picture is, by how its base64 begins.
fn picture_type(data: &str) -> &'static str {
    let known = [("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp")];
    known.iter().find(|(start, _)| data.starts_with(start)).map_or("image/png", |(_, media_type)| media_type)
}

fn document(writer: &Writer<'_>, media: &Media, part: &Part, object: &mut Object, sayable: bool) -> Option<()> {
    let mut inner = Object::new();
    match &media.source {
        // The format has no documents of plain text, but text can be read as such.
        Source::Text(text) => {
            let text = media.name.as_ref().map_or_else(|| text.clone(), |name| format!("{name}\n\n{text}"));
            object.put("type", "text").put("text", text);
            return Some(());
        }
        _ if !sayable => return None,
        Source::Data(data) => {
            // OpenAI wants a name beside data.
            let unnamed = (!writer.own).then_some(if media.media_type.is_empty() || media.media_type == PDF {
                "document.pdf"
            } else {
                "document"
            });
            inner.put_some("filename", media.name.as_deref().or(unnamed));
            let bare = media.media_type.is_empty() && writer.own;
            let media_type = if media.media_type.is_empty() { PDF } else { &media.media_type };
            let link = if bare { data.clone() } else { format!("data:{media_type};base64,{data}") };
            inner.put("file_data", link);
        }
        // OpenRouter takes links (https://openrouter.ai/docs/features/multimodal/pdfs), OpenAI does not.
        Source::Url(url) if writer.own => {
            inner.put_some("filename", media.name.as_ref()).put("file_data", url);
        }
        Source::File(id) if writer.own => {
            inner.put_some("filename", media.name.as_ref()).put("file_id", id);
        }
        Source::Url(_) | Source::File(_) => return None,
    }
    finish(writer, "file", inner, part, object)
}

const PDF: &str = "application/pdf";

fn audio(writer: &Writer<'_>, media: &Media, part: &Part, object: &mut Object) -> Option<()> {
    let Source::Data(data) = &media.source else { return None };
    let format = match media.media_type.as_str() {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mp3" | "audio/mpeg" => Some("mp3"),
        "" if writer.own => None,
        other if writer.own => other.strip_prefix("audio/"),
        _ => return None,
    };
    let mut inner = Object::new();
    inner.put("data", data).put_some("format", format);
    finish(writer, "input_audio", inner, part, object)
}

fn finish(writer: &Writer<'_>, kind: &str, mut inner: Object, part: &Part, object: &mut Object) -> Option<()> {
    if writer.own {
        inner.put_named(&rest_of(&part.others, kind));
    }
    object.put("type", kind).put(kind, inner);
    Some(())
}
