//! Whether a client says how much to reason, in whatever format's words.

use super::json::{JsonResult, Kind, Scanner};
use crate::chat::{Effort, OwnEffort};

/// Reads the value of a member that speaks of reasoning: a degree's word, a switch, a budget, or an object of these.
/// Its very presence counts, for a second member of that name would break the body.
pub(super) fn read(scanner: &mut Scanner<'_>, own: &mut OwnEffort) -> JsonResult<()> {
    let said = match scanner.kind()? {
        Kind::String => Effort::of(&scanner.string()?.text()),
        Kind::Object => {
            let mut said = None;
            scanner.object(|scanner, key| {
                let degree = matches!(key.name, b"effort" | b"reasoning_effort");
                if degree && scanner.is(Kind::String) {
                    said = Effort::of(&scanner.string()?.text());
                    return Ok(());
                }
                scanner.skip()
            })?;
            said
        }
        _ => {
            scanner.skip()?;
            None
        }
    };
    let before = match *own {
        OwnEffort::Said(before) => before,
        OwnEffort::Unsaid => None,
    };
    *own = OwnEffort::Said(before.or(said));
    Ok(())
}

/// Reads a `tool_choice`: whether some tool must be called.
pub(super) fn forces(scanner: &mut Scanner<'_>) -> JsonResult<bool> {
    let free = |word: &[u8]| matches!(word, b"auto" | b"none");
    match scanner.kind()? {
        Kind::String => Ok(!free(scanner.string()?.raw())),
        Kind::Object => {
            let mut forced = true;
            scanner.object(|scanner, key| {
                if key.name == b"type" && scanner.is(Kind::String) {
                    forced = !free(scanner.string()?.raw());
                    return Ok(());
                }
                scanner.skip()
            })?;
            Ok(forced)
        }
        _ => {
            scanner.skip()?;
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(values: &[&str]) -> OwnEffort {
        let mut own = OwnEffort::Unsaid;
        for value in values {
            read(&mut Scanner::lenient(value.as_bytes()), &mut own).unwrap();
        }
        own
    }

    #[test]
    fn a_degree_is_read_wherever_it_stands_and_anything_else_is_kept_as_said() {
        assert_eq!(own(&[]), OwnEffort::Unsaid);
        assert_eq!(own(&[r#""high""#]), OwnEffort::Said(Some(Effort::High)));
        assert_eq!(own(&[r#"{"summary":"auto","effort":"low"}"#]), OwnEffort::Said(Some(Effort::Low)));
        assert_eq!(
            own(&[r#"{"type":"enabled","budget_tokens":2048}"#, r#""low""#]),
            OwnEffort::Said(Some(Effort::Low))
        );
        for other in ["null", "true", "4096", r#""sometimes""#, r#"{"effort":3}"#] {
            assert_eq!(own(&[other]), OwnEffort::Said(None), "{other}");
        }
    }

    #[test]
    fn a_tool_choice_that_leaves_it_open_forces_nothing() {
        for (choice, forced) in [
            (r#""auto""#, false),
            (r#""none""#, false),
            ("null", false),
            (r#"{"type":"auto"}"#, false),
            (r#""required""#, true),
            (r#"{"type":"any"}"#, true),
            (r#"{"type":"function","function":{"name":"f"}}"#, true),
        ] {
            assert_eq!(forces(&mut Scanner::lenient(choice.as_bytes())).unwrap(), forced, "{choice}");
        }
    }
}
