//! Pictures and documents, as this format wants them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chat::{Media, Source};
use crate::wire::Shape;
use crate::wire::json::Object;
use crate::wire::losses::{Losses, Unsupported};

const PDF: &str = "application/pdf";

/// The kinds of pictures that Claude sees, each with what its base64 begins with.
/// <https://platform.claude.com/docs/en/build-with-claude/vision>
const PICTURES: [(&str, &str); 4] =
    [("image/png", "iVBOR"), ("image/jpeg", "/9j/"), ("image/gif", "R0lG"), ("image/webp", "UklGR")];

/// An `image` block; `None`: it was dropped.
pub(super) fn image(
    image: &Media,
    shape: &Shape<'_>,
    at: &str,
    losses: &mut Losses,
) -> Result<Option<Object>, Unsupported> {
    let mut source = Object::new();
    match &image.source {
        Source::Data(data) => {
            let Some(media_type) = picture(&image.media_type, data) else {
                losses.meaning(format!("{at}.image_url"))?;
                return Ok(None);
            };
            source.put("type", "base64").put("media_type", media_type).put("data", data);
        }
        Source::Url(url) if shape.dialect.image_links => {
            source.put("type", "url").put("url", url);
        }
        Source::File(id) if is_own_file(id) => {
            source.put("type", "file").put("file_id", id);
        }
        _ => {
            losses.meaning(format!("{at}.image_url"))?;
            return Ok(None);
        }
    }
    if image.detail.as_deref().is_some_and(|detail| detail != "auto") {
        losses.hint(format!("{at}.image_url.detail"));
    }
    let mut block = Object::new();
    block.put("type", "image").raw("source", &source.finish());
    Ok(Some(block))
}

/// A `document` block; `None`: it was dropped.
pub(super) fn document(document: &Media, at: &str, losses: &mut Losses) -> Result<Option<Object>, Unsupported> {
    let mut source = Object::new();
    let media_type = document.media_type.as_str();
    match &document.source {
        Source::Data(data) if matches!(media_type, "" | PDF) => {
            source.put("type", "base64").put("media_type", PDF).put("data", data);
        }
        Source::Data(data) => match plain_text(media_type, data) {
            Some(text) => {
                source.put("type", "text").put("media_type", "text/plain").put("data", text);
            }
            None => {
                losses.meaning(format!("{at}.file"))?;
                return Ok(None);
            }
        },
        Source::Text(text) => {
            source.put("type", "text").put("media_type", "text/plain").put("data", text);
        }
        Source::Url(url) => {
            source.put("type", "url").put("url", url);
        }
        Source::File(id) if is_own_file(id) => {
            source.put("type", "file").put("file_id", id);
        }
        Source::File(_) => {
            losses.meaning(format!("{at}.file"))?;
            return Ok(None);
        }
    }
    let mut block = Object::new();
    block.put("type", "document").raw("source", &source.finish());
    block.put_some("title", document.name.as_ref());
    Ok(Some(block))
}

/// The kind of a picture, as said, else as its bytes tell; `None`: one that Claude cannot see.
fn picture(said: &str, data: &str) -> Option<&'static str> {
    let said = if said == "image/jpg" { "image/jpeg" } else { said };
    let (kind, _) = PICTURES.iter().find(|(kind, magic)| match said {
        "" => data.starts_with(magic),
        _ => said == *kind,
    })?;
    Some(kind)
}

/// Text in another wrapping than PDF, unwrapped: Claude reads it as plain text.
fn plain_text(media_type: &str, data: &str) -> Option<String> {
    let kind = media_type.split(';').next().unwrap_or_default().trim();
    let readable = kind.starts_with("text/") || matches!(kind, "application/json" | "application/xml");
    if !readable {
        return None;
    }
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// Whether a file's id is one of Anthropic's: another provider's names nothing there.
fn is_own_file(id: &str) -> bool {
    id.starts_with("file_")
}
