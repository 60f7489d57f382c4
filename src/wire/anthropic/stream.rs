//! Streams of the format: a provider's events read, a client's events written.
//!
//! `message_start`, then for each block `content_block_start`, `content_block_delta`s and `content_block_stop`, then
//! `message_delta` and `message_stop` (platform.claude.com/docs/en/build-with-claude/streaming).

mod decode;
mod encode;

pub use decode::Decoder;
pub use encode::Encoder;

#[cfg(test)]
mod tests;
