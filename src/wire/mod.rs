//! Wire formats: the bytes clients and providers speak, each a pure function or a value that takes bytes and gives bytes.
//!
//! Nothing here does I/O, awaits or reads a clock. Where client and provider speak the same format the body passes
//! through and only what must change is rewritten in place. Elsewhere both sides meet in the neutral words of `chat`: a
//! format is read into them and written from them, so N formats need 2N translations.
//!
//! Every format has the same verbs. For what a client says: `request::judge` (bytes → what the gateway judges),
//! `request::decode` (→ the whole conversation), `request::pass` (→ the body for a target of the same format) and
//! `request::encode` (conversation → the body for a target of this format). For what a model says: `answer::decode` and
//! `answer::encode`, `stream::Decoder` and `stream::Encoder`.

pub mod anthropic;
pub mod ask;
pub mod dialect;
pub mod envelope;
mod fault;
pub mod gemini;
pub mod json;
pub mod losses;
pub mod openai;
mod own_effort;
pub mod passage;
pub mod provider_error;
#[cfg(test)]
pub(crate) mod recorded;
pub mod refusal;
pub mod request_error;
pub mod responses;
pub mod seal;
pub mod spelling;
pub mod sse;
pub mod stream;
pub mod texts;
pub mod think;
pub mod tokens;
pub mod tool_ids;

pub use dialect::{Dialect, Shape};
pub use envelope::Envelope;
pub use losses::{Encoded, Losses, Unsupported};
pub use refusal::Refusal;
pub use request_error::RequestError;
pub use stream::{AnswerError, Decoder, Encoder, StreamError};
