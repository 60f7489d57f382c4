//! What operators see: metrics and the log.

pub mod log;
pub mod metrics;

pub use log::{RequestLine, RequestLog};
pub use metrics::{Metrics, Settled, Shape};
