//! Pictures, documents and sound, as parts.

use crate::chat::{Media, Source};
use crate::wire::dialect::Shape;
use crate::wire::json::Object;
use crate::wire::losses::{Losses, Unsupported};

/// Files kept by the Gemini API know their own type (<https://ai.google.dev/gemini-api/docs/files>).
const FILES: &str = "https://generativelanguage.googleapis.com/";

/// A part; `None`: it cannot be said and is dropped. Links go on as they are, for Google to fetch
/// (<https://ai.google.dev/gemini-api/docs/file-input-methods>), each with its type: as stated, else by its ending.
pub(super) fn part(
    media: &Media,
    path: &str,
    shape: &Shape<'_>,
    losses: &mut Losses,
) -> Result<Option<Object>, Unsupported> {
    let mut part = Object::new();
    match &media.source {
        Source::Text(text) => {
            part.put("text", text);
        }
        Source::Data(data) if !media.media_type.is_empty() => {
            let mut inline = Object::new();
            inline.put("mimeType", &media.media_type).put("data", data);
            part.raw("inlineData", &inline.finish());
        }
        Source::Url(url) if shape.dialect.image_links => {
            let stated = Some(media.media_type.as_str()).filter(|stated| !stated.is_empty());
            let known = stated.or_else(|| type_of(url));
            if known.is_none() && !(url.starts_with(FILES) && url.contains("/files/")) {
                losses.meaning(path)?;
                return Ok(None);
            }
            let mut file = Object::new();
            file.put_some("mimeType", known).put("fileUri", url);
            part.raw("fileData", &file.finish());
        }
        Source::Data(_) | Source::Url(_) | Source::File(_) => {
            losses.meaning(path)?;
            return Ok(None);
        }
    }
    if media.name.is_some() {
        losses.hint(format!("{path}.name"));
    }
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        losses.hint(format!("{path}.detail"));
    }
    Ok(Some(part))
}

/// Whether media of this type may stand inside a tool's result
/// (<https://ai.google.dev/gemini-api/docs/function-calling#multimodal>).
pub(super) fn fits_result(media: &Media) -> bool {
    matches!(media.source, Source::Data(_))
        && matches!(media.media_type.as_str(), "image/png" | "image/jpeg" | "image/webp" | "application/pdf")
}

/// The type of what a link leads to, by the ending of its path.
fn type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, file) = path.rsplit_once('/')?;
    let (_, ending) = file.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "pdf" => "application/pdf",
        "txt" | "text" => "text/plain",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "xml" => "text/xml",
        "json" => "application/json",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "ogg" => "audio/ogg",
        "aac" => "audio/aac",
        "m4a" => "audio/m4a",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_the_paths_ending_only() {
        assert_eq!(type_of("https://h.example/a/b.PNG?x=.pdf#y"), Some("image/png"));
        assert_eq!(type_of("gs://bucket/a.pdf"), Some("application/pdf"));
        for url in ["https://h.png", "https://h.example/a.png/b", "https://h.example/?a.png", "x", ""] {
            assert_eq!(type_of(url).filter(|_| url != "https://h.png"), None, "{url}");
        }
    }
}
