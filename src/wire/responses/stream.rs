//! Streams of the Responses format.

mod decode;
mod encode;
mod frame;
mod known;

pub use decode::Decoder;
pub use encode::Encoder;
pub(super) use frame::Frame;

#[cfg(test)]
mod tests;
