//! What could not be said in the target's format: refused by name, or dropped and named.

/// What the target's format cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{field}` cannot be said in the format of the chosen model ({target}): leave it out, choose another model, or set `on_unsupported: drop`"
)]
pub struct Unsupported {
    /// Where it stands in the client's body: `messages[2].content[0].image_url`.
    pub field: String,
    /// The target's format.
    pub target: &'static str,
}

/// Keeps account of what an encoder leaves out.
#[derive(Clone, Debug)]
pub struct Losses {
    drop: bool,
    target: &'static str,
    dropped: Vec<String>,
}

impl Losses {
    /// An account for an encoder of the format named `target`; with `drop` nothing is refused.
    #[must_use]
    pub fn new(drop: bool, target: &'static str) -> Self {
        Self { drop, target, dropped: Vec::new() }
    }

    /// Notes that something without effect on the answer is left out.
    pub fn hint(&mut self, field: impl Into<String>) {
        let field = field.into();
        if !self.dropped.contains(&field) {
            self.dropped.push(field);
        }
    }

    /// Notes that something is left out that the client may count on.
    ///
    /// # Errors
    /// It is to be refused.
    pub fn meaning(&mut self, field: impl Into<String>) -> Result<(), Unsupported> {
        if self.drop {
            self.hint(field);
            return Ok(());
        }
        Err(Unsupported { field: field.into(), target: self.target })
    }

    /// Notes members without a neutral name, below `path` (empty at the top, else like `messages[0]`).
    ///
    /// # Errors
    /// One of them is no hint, and is to be refused.
    pub fn members(&mut self, path: &str, others: &[crate::chat::Named]) -> Result<(), Unsupported> {
        for other in others {
            // Its content stands in the message's parts as well, and who leaves those out names them.
            if other.name == "reasoning_details" {
                continue;
            }
            let field = if path.is_empty() { other.name.clone() } else { format!("{path}.{}", other.name) };
            if other.hint || other.value.is_null() { self.hint(field) } else { self.meaning(field)? }
        }
        Ok(())
    }

    /// What was left out, each once, in order.
    #[must_use]
    pub fn into_dropped(self) -> Vec<String> {
        self.dropped
    }
}

/// A body for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// JSON.
    pub body: bytes::Bytes,
    /// What was left out, for `x-waypost-dropped`.
    pub dropped: Vec<String>,
}
