//! One timer for a whole exchange, however many waits it has.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

/// A timer that is set anew only where a wait ends before it would ring. A wait that ends later lets it ring, and sets
/// it then: a stream of events, each of which moves its deadline on, touches it about once per deadline.
pub(super) struct Watch(Pin<Box<Sleep>>);

impl Watch {
    pub(super) fn new(by: Instant) -> Self {
        Self(Box::pin(sleep_until(TokioInstant::from_std(by))))
    }

    /// Waits for the work, until `by` at the latest; `None`: it was not done by then.
    ///
    /// The work is pinned by the caller: work that is moved in here takes its room twice in every future around it.
    pub(super) async fn within<F: Future>(&mut self, by: Instant, mut work: Pin<&mut F>) -> Option<F::Output> {
        let by = TokioInstant::from_std(by);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if self.0.deadline() > by {
                self.0.as_mut().reset(by);
            }
            while self.0.as_mut().poll(context).is_ready() {
                if TokioInstant::now() >= by {
                    return Poll::Ready(None);
                }
                self.0.as_mut().reset(by);
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_wait_ends_when_it_should_whether_the_timer_was_set_for_sooner_or_later() {
        let now = Instant::now();
        let mut watch = Watch::new(now + SHORT);
        assert_eq!(watch.within(now + SHORT, pin!(ready(1))).await, Some(1));
        assert_eq!(watch.within(now + 3 * SHORT, pin!(pending::<()>())).await, None);
        assert!(now.elapsed() >= 3 * SHORT);
        let now = Instant::now();
        let mut watch = Watch::new(now + SHORT * 1000);
        assert_eq!(watch.within(now + SHORT, pin!(pending::<()>())).await, None);
        assert!(now.elapsed() < SHORT * 900);
        // A deadline that has passed lets through what is there already.
        assert_eq!(watch.within(now, pin!(ready(1))).await, Some(1));
        assert_eq!(watch.within(now, pin!(pending::<()>())).await, None);
    }
}
