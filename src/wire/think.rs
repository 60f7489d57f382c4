//! The `<think>` block that open reasoning models begin their text with.
//!
//! What counts is one block, at the very beginning (white space before it is nothing): from `<think>` to the first
//! `</think>`. Tags anywhere else are the model's words and stay. Some templates (DeepSeek R1's) put `<think>` into the
//! prompt, so the answer begins inside the block and shows a lone `</think>`. That cannot be told while it comes, and what
//! has gone out cannot be called back; so it depends on what is known of the model:
//!
//! * it *always* reasons (`reasoning: {style: always, parser: think}`): an answer that does not begin with `<think>` begins
//!   inside the block;
//! * otherwise a stream that does not begin with `<think>` is text, a lone `</think>` included. In a whole answer a lone
//!   `</think>` outside code ends the block all the same.
//!
//! A block without end is reasoning to the end. Where a model that always reasons does not after all, a stream gives its
//! text as reasoning, for want of a sign; a whole answer that ended well and has no tag is given as text.
//!
//! Trimmed much as llama.cpp does (github.com/ggml-org/llama.cpp, `common/chat-parser.cpp`; vLLM and SGLang leave the white
//! space in): white space after `<think>` and before `</think>`, the rest of the line of `</think>` and blank lines after
//! it. The indentation of the text's first line stays.

mod splitter;
mod stream;
#[cfg(test)]
mod tests;
mod whole;

pub use splitter::{Split, Splitter};
pub use stream::Thinking;
pub use whole::{split_answer, split_text};
