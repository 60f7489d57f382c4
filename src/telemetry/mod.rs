//! What operators see: metrics and the log.

pub mod line;
pub mod log;
pub mod metrics;

pub use line::RequestLine;
pub use log::RequestLog;
pub use metrics::{Metrics, Settled, Shape};
