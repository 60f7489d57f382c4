//! What the scripted provider has seen: counts, credentials and the last requests.
//!
//! Invariant: `requests = open + finished + cancelled`. A request counts as soon as its head is
//! read. `/scripted/…`, `/health` and lists of models are not counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use tokio::sync::Notify;

/// How many bodies are kept.
const KEPT_REQUESTS: usize = 100;
/// And how many bytes of them, so that a load of large prompts does not fill the memory.
const KEPT_BYTES: usize = 64 << 20;
/// How many distinct credentials are kept.
const KEPT_CREDENTIALS: usize = 1000;
/// How long [`Observer::wait_for`] waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A snapshot; also what `GET /scripted/stats` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests begun and neither finished nor cancelled.
    pub open: u64,
    /// Requests whose head was read.
    pub requests: u64,
    /// Requests for which everything was sent that the script says, errors and cuts included.
    pub finished: u64,
    /// Requests whose client went before that.
    pub cancelled: u64,
    /// Bytes of requests, heads included.
    pub bytes_in: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now. A reset leaves this one alone.
    pub connections_open: u64,
    /// Distinct values of `authorization`, `x-api-key`, `api-key` and `x-goog-api-key`, in order of
    /// appearance.
    pub credentials: Vec<String>,
    /// The last request that was read whole.
    pub last_request: Option<Seen>,
    /// The last 100 bodies, the oldest first. What is not UTF-8 is replaced.
    pub requests_seen: Vec<String>,
}

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// As sent.
    pub method: String,
    /// With its query, as sent.
    pub path: String,
    /// Names in lower case, in the order sent. In JSON an object; a name that stands twice has its
    /// values joined by a comma.
    #[serde(serialize_with = "headers_as_object")]
    pub headers: Vec<(String, String)>,
    /// What is not UTF-8 is replaced.
    pub body: String,
}

impl Seen {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn headers_as_object<S: Serializer>(headers: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut joined: Vec<(&str, String)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        match joined.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => {
                values.push_str(", ");
                values.push_str(value);
            }
            None => joined.push((name, value.clone())),
        }
    }
    let mut map = serializer.serialize_map(Some(joined.len()))?;
    for (name, value) in joined {
        map.serialize_entry(name, &value)?;
    }
    map.end()
}

/// Looks at a running server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Observer(pub(super) Arc<Board>);

/// [`Observer::wait_for`] gave up after ten seconds.
#[derive(Debug, thiserror::Error)]
#[error("not seen within {PATIENCE:?}; the stats are {stats:?}")]
pub struct NotSeen {
    /// How things stood then.
    pub stats: Box<Stats>,
}

impl Observer {
    /// How things stand.
    pub fn stats(&self) -> Stats {
        self.0.snapshot()
    }

    /// Waits until the stats are as wanted, at most ten seconds.
    pub async fn wait_for(&self, wanted: impl FnMut(&Stats) -> bool) -> Result<Stats, NotSeen> {
        let waiting = tokio::time::timeout(PATIENCE, self.0.wait_for(wanted));
        match waiting.await {
            Ok(stats) => Ok(stats),
            Err(_) => Err(NotSeen { stats: Box::new(self.stats()) }),
        }
    }

    /// Zeroes everything but the open connections. Requests under way are not counted any more.
    pub fn reset(&self) {
        self.0.reset();
    }
}

/// The live counts, shared by all connections of a server.
#[derive(Debug, Default)]
pub(super) struct Board {
    counts: Mutex<Counts>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    /// Goes up with each reset, so that a request from before it changes nothing after it.
    epoch: u64,
    requests: u64,
    finished: u64,
    cancelled: u64,
    open: u64,
    bytes_in: u64,
    connections: u64,
    connections_open: u64,
    credentials: Vec<Box<[u8]>>,
    kept: VecDeque<Raw>,
    kept_bytes: usize,
}

/// A request as it came off the wire: its head is only taken apart when somebody looks.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) head: Bytes,
    pub(super) body: Bytes,
}

impl Board {
    /// Counts a request whose head has been read.
    pub(super) fn open(self: &Arc<Board>) -> OpenRequest {
        let mut counts = self.counts.lock();
        counts.requests += 1;
        counts.open += 1;
        let epoch = counts.epoch;
        drop(counts);
        self.changed.notify_waiters();
        OpenRequest { board: Arc::clone(self), epoch, ended: false }
    }

    /// Counts a connection until the guard drops.
    pub(super) fn connect(self: &Arc<Board>) -> OpenConnection {
        let mut counts = self.counts.lock();
        counts.connections += 1;
        counts.connections_open += 1;
        drop(counts);
        self.changed.notify_waiters();
        OpenConnection(Arc::clone(self))
    }

    /// Remembers a credential.
    pub(super) fn credential(&self, value: &[u8]) {
        let mut counts = self.counts.lock();
        let known = counts.credentials.iter().any(|known| **known == *value);
        if !known && counts.credentials.len() < KEPT_CREDENTIALS {
            counts.credentials.push(value.into());
        }
    }

    fn reset(&self) {
        let mut counts = self.counts.lock();
        *counts = Counts { epoch: counts.epoch + 1, connections_open: counts.connections_open, ..Counts::default() };
        drop(counts);
        self.changed.notify_waiters();
    }

    async fn wait_for(&self, mut wanted: impl FnMut(&Stats) -> bool) -> Stats {
        loop {
            // Registered before looking: a change between the look and the wait is not missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let stats = self.snapshot();
            if wanted(&stats) {
                return stats;
            }
            changed.await;
        }
    }

    fn snapshot(&self) -> Stats {
        let counts = self.counts.lock();
        let mut stats = Stats {
            open: counts.open,
            requests: counts.requests,
            finished: counts.finished,
            cancelled: counts.cancelled,
            bytes_in: counts.bytes_in,
            connections: counts.connections,
            connections_open: counts.connections_open,
            ..Stats::default()
        };
        let credentials: Vec<String> = counts.credentials.iter().map(|v| text(v)).collect();
        let kept: Vec<Raw> = counts.kept.iter().cloned().collect();
        drop(counts);
        stats.credentials = credentials;
        stats.last_request = kept.last().map(take_apart);
        stats.requests_seen = kept.iter().map(|raw| text(&raw.body)).collect();
        stats
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn take_apart(raw: &Raw) -> Seen {
    let mut slots = [httparse::EMPTY_HEADER; super::head::MAX_HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    // The head was parsed before, so this cannot fail; if it did, the fields would be empty.
    let _parsed_before = request.parse(&raw.head);
    let mut headers = Vec::with_capacity(request.headers.len());
    for header in request.headers.iter() {
        headers.push((header.name.to_ascii_lowercase(), text(header.value)));
    }
    Seen {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().to_owned(),
        headers,
        body: text(&raw.body),
    }
}

/// A request under way. Dropped before [`OpenRequest::finish`], it was cancelled.
#[derive(Debug)]
pub(super) struct OpenRequest {
    board: Arc<Board>,
    epoch: u64,
    ended: bool,
}

impl OpenRequest {
    /// Remembers the request, now that its body is here. `wire_bytes` is its length on the wire.
    pub(super) fn received(&self, raw: Raw, wire_bytes: usize) {
        let mut counts = self.board.counts.lock();
        if counts.epoch != self.epoch {
            return;
        }
        counts.bytes_in += wire_bytes as u64;
        counts.kept_bytes += raw.head.len() + raw.body.len();
        counts.kept.push_back(raw);
        while counts.kept.len() > KEPT_REQUESTS || (counts.kept_bytes > KEPT_BYTES && counts.kept.len() > 1) {
            let Some(oldest) = counts.kept.pop_front() else {
                break;
            };
            counts.kept_bytes -= oldest.head.len() + oldest.body.len();
        }
        drop(counts);
        self.board.changed.notify_waiters();
    }

    /// Counts bytes of a request that was never read whole.
    pub(super) fn broke_off(&self, wire_bytes: usize) {
        let mut counts = self.board.counts.lock();
        if counts.epoch == self.epoch {
            counts.bytes_in += wire_bytes as u64;
        }
    }

    /// Everything was sent.
    pub(super) fn finish(mut self) {
        self.end(true);
    }

    fn end(&mut self, finished: bool) {
        self.ended = true;
        let mut counts = self.board.counts.lock();
        if counts.epoch != self.epoch {
            return;
        }
        counts.open -= 1;
        if finished {
            counts.finished += 1;
        } else {
            counts.cancelled += 1;
        }
        drop(counts);
        self.board.changed.notify_waiters();
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if !self.ended {
            self.end(false);
        }
    }
}

/// A connection, until dropped.
#[derive(Debug)]
pub(super) struct OpenConnection(Arc<Board>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.counts.lock().connections_open -= 1;
        self.0.changed.notify_waiters();
    }
}
