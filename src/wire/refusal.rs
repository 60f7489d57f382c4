//! What a client is told instead of an answer, before its format gives it a shape.

/// An error of ours, or one of a provider's in our words.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// The HTTP status that goes, or would go, with it.
    pub status: u16,
    /// OpenAI's `type`: `invalid_request_error`.
    pub kind: &'a str,
    /// The contract's code: `context_length_exceeded`.
    pub code: &'a str,
    /// For people.
    pub message: &'a str,
    /// The member of the request it is about.
    pub param: Option<&'a str>,
    /// The request's id, for formats that repeat it in the body.
    pub request_id: &'a str,
}
