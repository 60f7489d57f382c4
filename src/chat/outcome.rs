//! How a request ended.

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The client has its whole answer.
    Ok,
    /// Refused by the gateway.
    Denied,
    /// No answer, or one that was cut off.
    Error,
    /// The client hung up.
    Cancelled,
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The word in records, logs and labels.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }
}
