//! The blocks of a message, in neutral words.

use serde_json::value::RawValue;

use super::kinds;
use crate::chat::{Content, Family, Media, Named, Part, Reasoning, Seal, SealKind, Source, ToolCall, ToolResult};
use crate::wire::json::{Members, Misshapen, as_text, elements};
use crate::wire::seal;

/// Content that is a text or a list of blocks. An empty text is no part.
pub(super) fn text_or_blocks(raw: &RawValue, path: &str) -> Result<Vec<Part>, Misshapen> {
    if let Some(text) = as_text(raw) {
        return Ok(if text.is_empty() { Vec::new() } else { vec![Content::Text(text).into()] });
    }
    let listed = elements(raw, path).map_err(|_| Misshapen::new(path, "must be a text or a list of blocks"))?;
    listed.into_iter().map(|(path, raw)| block(raw, path)).collect()
}

fn block(raw: &RawValue, path: String) -> Result<Part, Misshapen> {
    let mut members = Members::read(raw, path)?;
    let content = match members.required_text("type")?.as_str() {
        "text" => Content::Text(members.required_text("text")?),
        "image" => Content::Image(media(&mut members)?.ok_or_else(|| source_unknown(&members))?),
        "document" => match media(&mut members)? {
            Some(mut media) => {
                media.name = members.text("title")?;
                Content::Document(media)
            }
            // Pictures among its text: no other format has the like.
            None => return Ok(Content::Opaque(raw.into()).into()),
        },
        "tool_use" => Content::ToolCall(tool_use(&mut members)?),
        "tool_result" => Content::ToolResult(tool_result(&mut members)?),
        "thinking" => Content::Reasoning(thinking(&mut members)?),
        "redacted_thinking" => Content::Reasoning(redacted(&mut members)?),
        _ => return Ok(Content::Opaque(raw.into()).into()),
    };
    let mut others = members.rest(kinds::block_hint);
    if matches!(content, Content::Document(_)) {
        for other in &mut others {
            other.hint &= other.name != "citations" || !asks(other);
        }
    }
    Ok(Part { content, others })
}

/// Whether a document's `citations` ask for them: the answer has them then.
fn asks(citations: &Named) -> bool {
    let enabled = Members::of_text(citations.value.text(), "").and_then(|mut members| members.typed("enabled", ""));
    !matches!(enabled, Ok(None | Some(false)))
}

fn source_unknown(members: &Members<'_>) -> Misshapen {
    Misshapen::new(format!("{}.type", members.place("source")), "must be `base64`, `url`, `file` or `text`")
}

/// Where a picture or document is; `None`: in blocks that are not all text.
fn media(members: &mut Members<'_>) -> Result<Option<Media>, Misshapen> {
    let Some(mut source) = members.object("source")? else {
        return Err(Misshapen::new(members.place("source"), "is missing; it must be an object"));
    };
    let kind = source.required_text("type")?;
    let mut media_type = source.text("media_type")?.unwrap_or_default();
    let found = match kind.as_str() {
        "base64" => Source::Data(source.required_text("data")?),
        "url" => Source::Url(source.required_text("url")?),
        "file" => Source::File(source.required_text("file_id")?),
        "text" => Source::Text(source.required_text("data")?),
        "content" => {
            let place = source.place("content");
            let raw = source.raw("content").ok_or_else(|| Misshapen::new(&place, "is missing"))?;
            let mut texts = Vec::new();
            for part in text_or_blocks(raw, &place)? {
                let Content::Text(text) = part.content else { return Ok(None) };
                texts.push(text);
            }
            media_type = "text/plain".to_owned();
            Source::Text(texts.join("\n\n"))
        }
        _ => return Err(Misshapen::new(source.place("type"), "must be `base64`, `url`, `file`, `text` or `content`")),
    };
    Ok(Some(Media { source: found, media_type, name: None, detail: None }))
}

fn tool_use(members: &mut Members<'_>) -> Result<ToolCall, Misshapen> {
    let (id, name) = (members.required_text("id")?, members.required_text("name")?);
    let place = members.place("input");
    let input = members.raw("input").ok_or_else(|| Misshapen::new(&place, "is missing; it must be an object"))?;
    Members::read(input, place)?;
    Ok(ToolCall { id, name, arguments: input.get().to_owned(), seal: None })
}

fn tool_result(members: &mut Members<'_>) -> Result<ToolResult, Misshapen> {
    let id = members.required_text("tool_use_id")?;
    let place = members.place("content");
    let parts = members.raw("content").map(|raw| text_or_blocks(raw, &place)).transpose()?;
    let is_error = members.typed("is_error", "true or false")?.unwrap_or(false);
    Ok(ToolResult { id, parts: parts.unwrap_or_default(), is_error })
}

/// A signature of ours stands for the block it was made from; one we cannot read is no one's.
fn thinking(members: &mut Members<'_>) -> Result<Reasoning, Misshapen> {
    let text = members.text("thinking")?.unwrap_or_default();
    let signature = members.text("signature")?.unwrap_or_default();
    if let Some(reasoning) = seal::unsign(&signature, &text) {
        return Ok(reasoning);
    }
    let signed = !signature.is_empty() && !seal::is_ours(&signature);
    let anthropics = Seal { family: Family::Anthropic, kind: SealKind::Text, id: None, data: signature };
    let parts = if text.is_empty() { Vec::new() } else { vec![text] };
    Ok(Reasoning { parts, seal: signed.then_some(anthropics) })
}

fn redacted(members: &mut Members<'_>) -> Result<Reasoning, Misshapen> {
    let data = members.required_text("data")?;
    if let Some(reasoning) = seal::unsign(&data, "") {
        return Ok(reasoning);
    }
    let signed = !seal::is_ours(&data);
    let anthropics = Seal { family: Family::Anthropic, kind: SealKind::Hidden, id: None, data };
    Ok(Reasoning { parts: Vec::new(), seal: signed.then_some(anthropics) })
}
