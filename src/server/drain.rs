//! How many requests are running, so that a stopping gateway can wait for the last one and not a moment longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct InFlight {
    count: AtomicUsize,
    idle: Notify,
}

impl InFlight {
    /// Counts one request until the guard is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Running {
        self.count.fetch_add(1, Ordering::AcqRel);
        Running(Arc::clone(self))
    }

    /// Waits until nothing runs, at most `limit`. Returns how many were still running.
    pub(super) async fn wait(&self, limit: Duration) -> usize {
        let until_idle = async {
            loop {
                let notified = self.idle.notified();
                if self.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                notified.await;
            }
        };
        // On a time-out the count says what is left.
        let _ = tokio::time::timeout(limit, until_idle).await;
        self.count.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub(super) struct Running(Arc<InFlight>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_wait_ends_with_the_last_request() {
        let inflight = Arc::new(InFlight::default());
        let running = inflight.enter();
        assert_eq!(inflight.wait(Duration::from_millis(1)).await, 1, "one still runs");
        let waiting = tokio::spawn({
            let inflight = Arc::clone(&inflight);
            async move { inflight.wait(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        drop(running);
        assert_eq!(waiting.await.unwrap(), 0);
    }
}
