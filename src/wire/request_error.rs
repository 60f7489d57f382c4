//! Why a client's body was refused.

use super::json::Misshapen;

/// Why a request was refused. Fit for the client: it repeats no value, only places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// What is wrong and what would be right.
    pub message: String,
    /// The member in question, such as `messages[2].role`.
    pub param: Option<String>,
    /// The code for the client.
    pub code: &'static str,
}

impl From<Misshapen> for RequestError {
    fn from(fault: Misshapen) -> Self {
        let param = (!fault.path.is_empty()).then_some(fault.path);
        let of = param.as_deref().unwrap_or("body");
        Self { message: format!("Invalid value for '{of}': it {}.", fault.what), param, code: "invalid_request" }
    }
}
