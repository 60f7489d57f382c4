//! Calls to providers: the one outbound HTTP client, one attempt at one target, and whether to try again.

pub mod call;
pub mod client;
pub mod error;
pub mod failure;
mod forwarded;
mod line;
mod resolve;
pub mod retry;
mod roots;

pub use call::{Exchange, Upstreams, upstream_id};
pub use client::{Call, Client, Incoming};
pub use error::{CallError, ClientError, GetError};
pub use failure::{Failure, FailureKind};
pub use forwarded::{Passed, forwarded, suited};
