//! Puts the environment's values where the configuration says `${VAR}` or `${VAR:-default}`.
//!
//! Only scalar values, never keys; `$${` stands for a literal `${`. What comes from the environment is text in its
//! place and can add no structure.

use super::document::{Node, Value};
use super::report::{Place, Report};

/// Looks a variable up.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Fills in the whole tree; a variable that is unset and has no default is an error.
pub(super) fn fill(node: &mut Node, lookup: Lookup<'_>, report: &Report<'_>) {
    match &mut node.value {
        Value::Null => {}
        Value::Scalar(text) => {
            if text.contains("${") {
                *text = filled(text, node.place, lookup, report);
            }
        }
        Value::List(members) => members.iter_mut().for_each(|member| fill(member, lookup, report)),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| fill(value, lookup, report)),
    }
}

fn filled(text: &str, place: Place, lookup: Lookup<'_>, report: &Report<'_>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if let Some(escaped) = rest[..start].strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        out.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('}') else {
            report.error(place, "`${` has no closing `}`", "write `${NAME}`, or `$${` for a literal `${`");
            return out;
        };
        let inside = &rest[start + 2..start + end];
        rest = &rest[start + end + 1..];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_name(name) {
            report.error(
                place,
                format!("`{name}` is no name of an environment variable"),
                "write `${NAME}` or `${NAME:-default}`, or `$${` for a literal `${`",
            );
            continue;
        }
        // As in a shell, `:-` also stands in for a variable that is set but empty.
        match (lookup(name), default) {
            (Some(value), None) => out.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => out.push_str(&value),
            (_, Some(default)) => out.push_str(default),
            (None, None) => report.error(
                place,
                format!("the environment variable {name} is not set"),
                format!("set {name}, or give a default: `${{{name}:-…}}`"),
            ),
        }
    }
    out.push_str(rest);
    out
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
