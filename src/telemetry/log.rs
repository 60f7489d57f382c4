//! The log: `tracing` for the life of the process, and one structured line per request.
//!
//! Request lines take a way of their own. They are rendered into a shared buffer that a thread writes out, so a request
//! pays for no system call and never waits for whoever reads the log.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime as LogTime;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;
use crate::id::DecisionId;

/// How long a line may wait to be written.
const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// Unwritten bytes that are held while whoever reads the log is stuck; beyond it lines are dropped, counted and reported.
const MAX_BUFFER: usize = 8 << 20;

/// Starts `tracing` on stderr. `WAYPOST_LOG` filters (`debug`, `waypost=trace`); the default is `info`.
/// Returns whether the lines are text (as opposed to JSON).
pub fn init(format: LogFormat) -> bool {
    let text = match format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let filter = EnvFilter::try_from_env("WAYPOST_LOG").unwrap_or_else(|_| EnvFilter::new("info,pingora_core=off"));
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_timer(LogTime);
    // An embedding process may have set its own subscriber; then that one is used.
    let _ = if text {
        base.with_target(false).with_ansi(std::io::stderr().is_terminal()).finish().try_init()
    } else {
        base.json().flatten_event(true).finish().try_init()
    };
    text
}

/// One request's line. Field names are those of decision records and metrics; content is not among them.
#[derive(Debug, Serialize)]
pub struct RequestLine<'a> {
    /// RFC 3339, UTC.
    #[serde(serialize_with = "crate::clock::rfc3339")]
    pub at: std::time::SystemTime,
    pub request_id: &'a str,
    pub decision: DecisionId,
    pub tenant: &'a str,
    pub key: Option<&'a str>,
    pub operation: &'static str,
    pub model: &'a str,
    pub target: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub status: u16,
    pub outcome: &'static str,
    pub error: Option<&'a str>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost_nusd: i64,
    #[serde(serialize_with = "crate::clock::millis")]
    pub ms: Duration,
    #[serde(serialize_with = "crate::clock::some_millis")]
    pub ttft_ms: Option<Duration>,
    pub attempts: usize,
    pub cache: Option<&'a str>,
}

/// Where request lines go.
#[derive(Clone, Debug)]
pub struct RequestLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    text: bool,
    enabled: bool,
    buffer: Mutex<Buffer>,
    /// Dropping the sender ends the writer.
    writer: Mutex<Option<(Sender<()>, std::thread::JoinHandle<()>)>>,
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    dropped: u64,
}

impl RequestLog {
    /// Starts the writer thread. Lines are written unless the filter shuts out `info`.
    #[must_use]
    pub fn start(text: bool) -> Self {
        let enabled = tracing::enabled!(tracing::Level::INFO);
        let shared = Arc::new(Shared { text, enabled, buffer: Mutex::default(), writer: Mutex::new(None) });
        if enabled {
            let (alive, ended) = channel();
            let for_thread = Arc::downgrade(&shared);
            let spawned = std::thread::Builder::new()
                .name("request-log".to_owned())
                .spawn(move || write_out(&for_thread, &ended));
            match spawned {
                Ok(thread) => *shared.writer.lock() = Some((alive, thread)),
                Err(error) => tracing::error!(%error, "the request log has no thread; its lines are lost"),
            }
        }
        Self { shared }
    }

    /// A log that takes nothing, for commands that serve nobody.
    #[must_use]
    pub fn off() -> Self {
        let shared = Shared { text: true, enabled: false, buffer: Mutex::default(), writer: Mutex::new(None) };
        Self { shared: Arc::new(shared) }
    }

    /// Whether anybody reads the lines, so that none is made for nobody.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.shared.enabled
    }

    /// Takes one line.
    pub fn write(&self, line: &RequestLine<'_>) {
        let mut buffer = self.shared.buffer.lock();
        if buffer.bytes.len() > MAX_BUFFER {
            buffer.dropped += 1;
            return;
        }
        if self.shared.text {
            render_text(line, &mut buffer.bytes);
        } else if let Err(error) = serde_json::to_writer(&mut buffer.bytes, line) {
            tracing::error!(%error, "a request line cannot be rendered");
        }
        buffer.bytes.push(b'\n');
    }

    /// Writes what is left and ends the writer; for the end of the process.
    pub fn close(&self) {
        if let Some((alive, thread)) = self.shared.writer.lock().take() {
            drop(alive);
            // A writer that panicked has nothing left to write.
            let _ = thread.join();
        }
        flush(&self.shared);
    }
}

fn write_out(shared: &std::sync::Weak<Shared>, ended: &Receiver<()>) {
    while matches!(ended.recv_timeout(FLUSH_EVERY), Err(RecvTimeoutError::Timeout)) {
        let Some(shared) = shared.upgrade() else { return };
        flush(&shared);
    }
}

fn flush(shared: &Shared) {
    let taken = std::mem::take(&mut *shared.buffer.lock());
    if !taken.bytes.is_empty() {
        // A closed stderr leaves no place to report to.
        let _ = std::io::stderr().lock().write_all(&taken.bytes);
    }
    if taken.dropped > 0 {
        tracing::warn!(dropped = taken.dropped, "request lines were dropped: the log is not being read fast enough");
    }
}

fn render_text(line: &RequestLine<'_>, into: &mut Vec<u8>) {
    let mut text = format!(
        "{:.3} {} {} {} -> {}",
        jiff::Timestamp::try_from(line.at).unwrap_or_default(),
        line.status,
        line.outcome,
        line.model,
        line.target.unwrap_or("-"),
    );
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        " reason={} tenant={} tokens={}+{} usd={} ms={:.1} attempts={} decision={} request={}",
        line.error.or(line.reason).unwrap_or("-"),
        line.tenant,
        line.input_tokens,
        line.output_tokens,
        crate::money::NanoUsd(line.cost_nusd),
        line.ms.as_secs_f64() * 1e3,
        line.attempts,
        line.decision,
        line.request_id,
    );
    into.extend_from_slice(text.as_bytes());
}
