//! Wire formats: the bytes clients and providers speak, each a pure function or a value that takes bytes and gives bytes.
//!
//! Nothing here does I/O, awaits or reads a clock. Where client and provider speak the same format the body passes
//! through and only what must change is rewritten in place.

pub mod json;
pub mod openai;
pub mod sse;
