//! How deeply a `when` nests, read off its text: CEL's own parser goes as deep as the text does, until the stack is gone.

/// Deepest nesting of a `when`: brackets, and operators in a row that nothing breaks up.
pub(super) const MAX: usize = 64;

/// No less than the depth of the tree that the parser makes of a text. `&&`, `||` and commas set things side by side; all
/// else builds upon what stands before it. `None` for a text in three quotes, which is not taken apart here.
pub(super) fn of(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // Levels above this bracket, and operators since the last thing that set things side by side.
    let (mut above, mut here, mut deepest) = (0_usize, 0_usize, 0_usize);
    let mut opened: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        match byte {
            b'"' | b'\'' => {
                if next == Some(byte) && bytes.get(at + 2) == Some(&byte) {
                    return None;
                }
                let raw = at > 0 && matches!(bytes.get(at - 1), Some(b'r' | b'R'))
                    || at > 1 && matches!(bytes.get(at - 2..at), Some([b'r' | b'R', b'b' | b'B']));
                at = end_of_text(bytes, at, byte, raw);
                continue;
            }
            b'/' if next == Some(b'/') => {
                at +=
                    bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n')).unwrap_or(bytes.len());
                continue;
            }
            b'(' | b'[' | b'{' => {
                opened.push((above, here));
                above += here + 1;
                here = 0;
            }
            b')' | b']' | b'}' => {
                (above, here) = opened.pop().unwrap_or((above, here));
                here += 1;
            }
            b'&' | b'|' if next == Some(byte) => {
                here = 0;
                at += 1;
            }
            b',' => here = 0,
            // `a ? b : c ? d : e`: each stands within the one before, whatever stands between.
            b'?' => above += 1,
            b'!' | b'-' | b'+' | b'*' | b'/' | b'%' | b'.' | b'<' | b'>' | b'=' => here += 1,
            b'i' if next == Some(b'n') => here += 1,
            _ => {}
        }
        deepest = deepest.max(above + here);
        at += 1;
    }
    Some(deepest)
}

/// Where a text that begins at a quote is over.
fn end_of_text(bytes: &[u8], quote_at: usize, quote: u8, raw: bool) -> usize {
    let mut at = quote_at + 1;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte == quote {
            break;
        }
        if byte == b'\\' && !raw {
            at += 1;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn what_stands_side_by_side_is_not_deep_and_what_builds_on_the_rest_is() {
        for (text, depth) in [
            ("a", 0),
            ("((a))", 2),
            ("!!!a", 3),
            ("a.b.c", 2),
            ("a || b || c && d", 0),
            ("f(a, b, c)", 1),
            (r#"a == "((((" && b == '!!!!\'....'"#, 2),
            (r"a == r'\' && ((b))", 2),
            ("a // ((((\n", 0),
            ("a ? b : c ? d : e", 2),
            ("(a)(b)(c)", 3),
        ] {
            assert_eq!(of(text), Some(depth), "{text}");
        }
        assert_eq!(of(r#"a == """x""""#), None);
        assert!(of(&"x[".repeat(2000)).is_some_and(|depth| depth >= 2000));
        assert!(of(&")".repeat(9)).is_some());
    }
}
