//! Content as a list of parts, made the text that the format has.

use crate::wire::json::{JsonError, JsonResult, Kind, Scanner};

/// What a list of parts says.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Of the parts that are thoughts.
    pub(super) reasoning: String,
    /// Of all others.
    pub(super) text: String,
}

/// Reads Mistral's parts (docs.mistral.ai/capabilities/reasoning): `{type: thinking, thinking: [{type: text, text}]}` and
/// `{type: text, text}`. Parts without a text, such as references, have no place in the format.
pub(super) fn read(scanner: &mut Scanner<'_>) -> JsonResult<Parts> {
    let mut parts = Parts::default();
    gather(scanner, false, &mut parts)?;
    Ok(parts)
}

fn gather(scanner: &mut Scanner<'_>, thought: bool, parts: &mut Parts) -> JsonResult<()> {
    match scanner.kind()? {
        Kind::String => {
            let text = scanner.string()?.text();
            if thought {
                parts.reasoning.push_str(&text)
            } else {
                parts.text.push_str(&text)
            }
            Ok(())
        }
        Kind::Array => scanner.array(|scanner, _| gather(scanner, thought, parts)),
        Kind::Object => scanner.object(|scanner, key| {
            match key.name {
                b"thinking" => gather(scanner, true, parts)?,
                b"text" => gather(scanner, thought, parts)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        }),
        _ => scanner.skip(),
    }
}
