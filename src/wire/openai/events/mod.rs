//! Streamed answers, read from any OpenAI-compatible provider and written for a chat client.
//!
//! Where client and provider both speak this format, `stream` passes the bytes on instead.

mod decode;
mod encode;

pub use decode::Decoder;
pub use encode::Encoder;

#[cfg(test)]
mod tests;
