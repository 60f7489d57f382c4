//! Turns round each operator of a CEL expression, in its text.
//!
//! A small reading of the text is enough: operators outside of quotes, and for `in` the extent of its two sides.

/// An expression with one operator turned round.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flip {
    pub(super) text: String,
    /// What was done: ``"`==` became `!=`"``.
    pub(super) what: String,
    /// Byte at which the operator stood.
    pub(super) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// An operator that can be turned round.
    Operator(&'static str, &'static str),
    In,
    Open,
    Close,
    /// What ends the side of a comparison: `?`, `:`, `,`.
    Bound,
    Not,
}

/// Longest first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, &str); 8] =
    [("==", "!="), ("!=", "=="), ("<=", ">"), (">=", "<"), ("&&", "||"), ("||", "&&"), ("<", ">="), (">", "<=")];

/// Every way to turn one operator round.
pub(super) fn flips(expression: &str) -> Vec<Flip> {
    let tokens = tokens(expression);
    let mut flips = Vec::new();
    for (index, &(at, token)) in tokens.iter().enumerate() {
        match token {
            Token::Operator(was, is) => {
                let (before, rest) = expression.split_at(at);
                let text = format!("{before}{is}{}", rest.strip_prefix(was).unwrap_or(rest));
                flips.push(Flip { text, what: format!("`{was}` became `{is}`"), at });
            }
            Token::In => {
                let (from, to) = (left_end(&tokens, index), right_end(&tokens, index, expression.len()));
                let (before, inner, after) = (&expression[..from], &expression[from..to], &expression[to..]);
                let text = format!("{before} !({}) {after}", inner.trim());
                flips.push(Flip { text: text.trim().to_owned(), what: "`in` was negated".to_owned(), at });
            }
            // Taken away, a `!` turns round what it stands before.
            Token::Not => {
                let text = format!("{}{}", &expression[..at], &expression[at + 1..]);
                flips.push(Flip { text, what: "`!` was removed".to_owned(), at });
            }
            Token::Open | Token::Close | Token::Bound => {}
        }
    }
    flips
}

fn tokens(expression: &str) -> Vec<(usize, Token)> {
    let bytes = expression.as_bytes();
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        if byte == b'"' || byte == b'\'' {
            let raw = at > 0
                && matches!(bytes.get(at - 1), Some(b'r' | b'R'))
                && !is_word(at.checked_sub(2).and_then(|b| bytes.get(b)));
            at += quoted(rest, raw);
            continue;
        }
        if rest.starts_with(b"//") {
            at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            continue;
        }
        if let Some(&(was, is)) = OPERATORS.iter().find(|(was, _)| rest.starts_with(was.as_bytes())) {
            tokens.push((at, Token::Operator(was, is)));
            at += was.len();
            continue;
        }
        let stands_alone =
            !is_word(at.checked_sub(1).and_then(|before| bytes.get(before))) && !is_word(bytes.get(at + 2));
        match byte {
            b'(' | b'[' | b'{' => tokens.push((at, Token::Open)),
            b')' | b']' | b'}' => tokens.push((at, Token::Close)),
            b'?' | b':' | b',' => tokens.push((at, Token::Bound)),
            b'!' => tokens.push((at, Token::Not)),
            b'i' if rest.starts_with(b"in") && stands_alone => tokens.push((at, Token::In)),
            _ => {}
        }
        at += 1;
    }
    tokens
}

/// How many bytes a quoted text takes, quotes included; up to the end where it is not closed.
fn quoted(text: &[u8], raw: bool) -> usize {
    let Some(&quote) = text.first() else { return 0 };
    let triple = text.get(1) == Some(&quote) && text.get(2) == Some(&quote);
    let end: &[u8] = if triple { &[quote, quote, quote] } else { &[quote] };
    let mut at = end.len();
    while at < text.len() {
        if !raw && text.get(at) == Some(&b'\\') {
            at += 2;
        } else if text[at..].starts_with(end) {
            return at + end.len();
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Where the left side of an `in` begins: after what binds less, or the bracket it is in.
fn left_end(tokens: &[(usize, Token)], index: usize) -> usize {
    let mut depth = 0;
    for &(at, token) in tokens.iter().take(index).rev() {
        match token {
            Token::Close => depth += 1,
            Token::Open if depth == 0 => return at + 1,
            Token::Open => depth -= 1,
            Token::Bound if depth == 0 => return at + 1,
            Token::Operator("&&" | "||", _) if depth == 0 => return at + 2,
            _ => {}
        }
    }
    0
}

fn right_end(tokens: &[(usize, Token)], index: usize, end: usize) -> usize {
    let mut depth = 0;
    for &(at, token) in tokens.iter().skip(index + 1) {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth == 0 => return at,
            Token::Close => depth -= 1,
            Token::Bound | Token::Operator("&&" | "||", _) if depth == 0 => return at,
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(expression: &str) -> Vec<String> {
        flips(expression).into_iter().map(|flip| flip.text).collect()
    }

    #[test]
    fn every_operator_is_turned_round_once() {
        assert_eq!(texts("a == b && c != d"), ["a != b && c != d", "a == b || c != d", "a == b && c == d"]);
        assert_eq!(texts("a <= 1 || b > 2"), ["a > 1 || b > 2", "a <= 1 && b > 2", "a <= 1 || b <= 2"]);
        assert_eq!(texts("!request.stream"), ["request.stream"]);
    }

    #[test]
    fn what_is_quoted_is_no_operator() {
        assert_eq!(texts(r#"a == "x && y == 'z' in" "#), [r#"a != "x && y == 'z' in" "#]);
        assert_eq!(texts(r#"a == "\"==" "#), [r#"a != "\"==" "#]);
        assert_eq!(texts(r"a == r'\' && b"), [r"a != r'\' && b", r"a == r'\' || b"]);
        assert_eq!(texts("size(a.b) == 1 // && c"), ["size(a.b) != 1 // && c"]);
        assert!(texts("a.inner").is_empty(), "a word that begins with in");
    }

    #[test]
    fn a_negated_in_takes_both_its_sides_and_no_more() {
        assert_eq!(texts(r#"l["x"] in ["a", "b"]"#), [r#"!(l["x"] in ["a", "b"])"#]);
        assert_eq!(
            texts(r#"a || (l["x"] in ["a"] && b)"#),
            [r#"a && (l["x"] in ["a"] && b)"#, r#"a || ( !(l["x"] in ["a"]) && b)"#, r#"a || (l["x"] in ["a"] || b)"#]
        );
    }

    #[test]
    fn every_flip_is_an_expression_again() {
        for expression in [
            r#"labels["data-class"] in ["personal", "secret"] || tenant.region == "eu""#,
            r#"["a", "b"].exists(x, x == labels.purpose) && !(tenant.name in ["x"])"#,
            r#"tenant.region == "eu" ? labels.a in ["b"] : size(labels.a) > 3"#,
        ] {
            let flips = flips(expression);
            assert!(flips.len() >= 3, "{flips:#?}");
            for flip in flips {
                assert_ne!(flip.text, expression);
                assert!(balanced(&flip.text), "{}", flip.text);
            }
        }
    }

    fn balanced(expression: &str) -> bool {
        let depth = tokens(expression).iter().fold(0_i32, |depth, (_, token)| match token {
            Token::Open => depth + 1,
            Token::Close => depth - 1,
            _ => depth,
        });
        depth == 0
    }
}
