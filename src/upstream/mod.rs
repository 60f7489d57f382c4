//! Calls to providers: the one outbound HTTP client, one attempt at one target, and whether to try again.

pub mod client;
pub mod error;
mod resolve;
mod roots;

pub use client::{Call, Client, Incoming};
pub use error::{CallError, ClientError, GetError};
