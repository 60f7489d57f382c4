//! What a client says of its labels, and why it may be refused.

use super::SetBy;

/// Longest piece of a client's header that an error repeats, in characters.
pub(super) const SHOWN: usize = 40;

/// Why labels were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The header is no list of `name=value`.
    #[error("`{0}` is not of the form name=value")]
    Malformed(String),
    /// The same label twice in the header.
    #[error("label `{0}` is given twice")]
    Twice(String),
    /// Not declared.
    #[error("label `{name}` is not declared; declared are: {declared}")]
    Undeclared {
        /// As written.
        name: String,
        /// The declared names.
        declared: String,
    },
    /// Declared, but not this value.
    #[error("label `{name}` has no value `{value}`; its values are: {declared}")]
    Value {
        /// The label.
        name: String,
        /// As written.
        value: String,
        /// The declared values.
        declared: String,
    },
    /// Declared, but not for this source to set.
    #[error("label `{name}` may not be set by this {}", .by.as_str())]
    NotSettable {
        /// The label.
        name: String,
        /// Who tried.
        by: SetBy,
    },
}

impl LabelError {
    /// Whether this is a matter of permission (403 `permission_denied`) rather than of form (400 `label_invalid`).
    #[must_use]
    pub const fn is_permission(&self) -> bool {
        matches!(self, Self::NotSettable { .. })
    }
}

/// Reads `x-waypost-labels`: `data-class=personal,purpose=support`. Whether the labels exist is asked by [`resolve`].
///
/// # Errors
/// [`LabelError::Malformed`] and [`LabelError::Twice`].
pub fn parse_header(header: &str) -> Result<Vec<(String, String)>, LabelError> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for part in header.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(LabelError::Malformed(cut(part)));
        };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() {
            return Err(LabelError::Malformed(cut(part)));
        }
        if labels.iter().any(|(seen, _)| seen == name) {
            return Err(LabelError::Twice(cut(name)));
        }
        labels.push((name.to_owned(), value.to_owned()));
    }
    Ok(labels)
}

/// As much of a stranger's text as an error repeats.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
