//! Whole answers, read from any OpenAI-compatible provider and written for a chat client; what streams share with them.

pub(crate) mod calls;
mod decode;
pub(crate) mod details;
mod encode;
pub(crate) mod said;
mod value;
pub(crate) mod voice;
pub(crate) mod words;

pub use decode::decode;
pub use encode::encode;

#[cfg(test)]
pub(crate) mod tests;
