//! Connections that wait for the next request of the same way.
//!
//! Pingora's own pool watches each idle connection with a task of its own, which costs about as much as the rest of a
//! small exchange. Here nobody watches: a connection is looked at when it is taken, which costs no system call as long
//! as nothing has come on it, and whatever is left over is swept now and then.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pingora_core::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};

/// How long an idle connection is kept. Servers usually close first (uvicorn and llama.cpp after 5 s, nginx after 75 s).
pub(super) const POOL_IDLE: Duration = Duration::from_secs(60);

/// Most connections kept per endpoint: as many requests as one endpoint is likely to serve at a time.
const MOST: usize = 512;

/// Time between two sweeps.
const SWEEP: Duration = Duration::from_secs(20);

/// The idle connections of one way, the one that was used last at the back.
#[derive(Default)]
pub(super) struct Idle {
    kept: Mutex<VecDeque<Kept>>,
    /// Whether a task sweeps. One does while there is something to sweep.
    swept: AtomicBool,
}

struct Kept {
    stream: Stream,
    address: SocketAddr,
    since: Instant,
}

impl Idle {
    /// The connection that was used last, if it leads to one of these addresses and nothing has come on it.
    pub(super) fn take(&self, addresses: &[IpAddr], now: Instant) -> Option<(Stream, SocketAddr)> {
        loop {
            let mut last = self.kept.lock().pop_back()?;
            let young = now.saturating_duration_since(last.since) < POOL_IDLE;
            if young && addresses.contains(&last.address.ip()) && is_quiet(&mut last.stream) {
                return Some((last.stream, last.address));
            }
        }
    }

    /// Keeps a connection that has no request under way.
    pub(super) fn put(self: &Arc<Self>, stream: Stream, address: SocketAddr, now: Instant) {
        let mut kept = self.kept.lock();
        kept.push_back(Kept { stream, address, since: now });
        // The oldest goes; it is closed only after the lock is.
        let surplus = if kept.len() > MOST { kept.pop_front() } else { None };
        drop(kept);
        drop(surplus);
        if !self.swept.load(Ordering::Relaxed) && !self.swept.swap(true, Ordering::Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what is too old, or closed by the server. Returns whether anything is left.
    fn sweep(&self, now: Instant) -> bool {
        let mut over = Vec::new();
        let mut kept = self.kept.lock();
        for mut one in std::mem::take(&mut *kept) {
            if now.saturating_duration_since(one.since) < POOL_IDLE && is_quiet(&mut one.stream) {
                kept.push_back(one);
            } else {
                over.push(one);
            }
        }
        let left = !kept.is_empty();
        drop(kept);
        drop(over);
        left
    }
}

async fn sweep(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(idle) = idle.upgrade() else {
            return;
        };
        if !idle.sweep(Instant::now()) {
            // What is put in just now waits for the next one that is put in to be swept.
            idle.swept.store(false, Ordering::Relaxed);
            return;
        }
    }
}

/// Whether the server has neither closed an idle connection nor said anything on it: bytes that nobody asked for would
/// be read as the answer to the next request.
fn is_quiet(stream: &mut Stream) -> bool {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    let read = poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer));
    // Without `unconstrained`, a task that has done much already is told to wait whatever there is to read.
    let read = pin!(tokio::task::unconstrained(read));
    read.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    fn put(idle: &Arc<Idle>, address: SocketAddr, now: Instant) -> DuplexStream {
        let (ours, theirs) = duplex(64);
        idle.put(Box::new(ours), address, now);
        theirs
    }

    #[tokio::test]
    async fn the_connection_used_last_is_taken_first_and_none_twice() {
        let (idle, now) = (Arc::new(Idle::default()), Instant::now());
        let other = SocketAddr::new(HERE.ip(), 2);
        let _servers = (put(&idle, HERE, now), put(&idle, other, now));
        assert_eq!(idle.take(&[HERE.ip()], now).unwrap().1, other);
        assert_eq!(idle.take(&[HERE.ip()], now).unwrap().1, HERE);
        assert!(idle.take(&[HERE.ip()], now).is_none());
    }

    #[tokio::test]
    async fn what_is_old_closed_noisy_or_moved_is_never_taken() {
        let (idle, now) = (Arc::new(Idle::default()), Instant::now());
        let _old = put(&idle, HERE, now);
        assert!(idle.take(&[HERE.ip()], now + POOL_IDLE).is_none());
        drop(put(&idle, HERE, now));
        assert!(idle.take(&[HERE.ip()], now).is_none());
        let mut noisy = put(&idle, HERE, now);
        noisy.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        assert!(idle.take(&[HERE.ip()], now).is_none());
        let _moved = put(&idle, HERE, now);
        assert!(idle.take(&[IpAddr::from([127, 0, 0, 2])], now).is_none());
    }

    #[tokio::test]
    async fn a_sweep_closes_the_old_and_the_closed_and_says_whether_any_is_left() {
        let (idle, now) = (Arc::new(Idle::default()), Instant::now());
        let _old = put(&idle, HERE, now);
        let _young = put(&idle, HERE, now + POOL_IDLE);
        drop(put(&idle, HERE, now + POOL_IDLE));
        assert!(idle.sweep(now + POOL_IDLE));
        assert_eq!(idle.kept.lock().len(), 1);
        assert!(!idle.sweep(now + POOL_IDLE * 2));
    }

    #[tokio::test]
    async fn the_number_of_idle_connections_is_bounded() {
        let (idle, now) = (Arc::new(Idle::default()), Instant::now());
        let servers: Vec<_> = (0..MOST + 5).map(|_| put(&idle, HERE, now)).collect();
        assert_eq!(idle.kept.lock().len(), MOST);
        drop(servers);
    }
}
