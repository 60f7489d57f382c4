//! A request in flight and the bytes it holds, returned to the gauges on whatever exit it takes.

use prometheus::IntGauge;

/// A request in flight.
#[derive(Debug)]
pub struct InFlight {
    requests: IntGauge,
    bytes: IntGauge,
    held: i64,
}

impl InFlight {
    /// Counts one request until dropped; it holds nothing yet.
    pub(super) fn begin(requests: &IntGauge, bytes: &IntGauge) -> Self {
        requests.inc();
        Self { requests: requests.clone(), bytes: bytes.clone(), held: 0 }
    }

    /// The request's body is held. Returns how many bytes all requests hold now.
    pub fn holds(&mut self, bytes: usize) -> u64 {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes.add(bytes);
        self.held += bytes;
        u64::try_from(self.bytes.get()).unwrap_or(0)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.requests.dec();
        self.bytes.sub(self.held);
    }
}
