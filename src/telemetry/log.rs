//! The log: `tracing` for the life of the process, and one structured line per request.
//!
//! Request lines take a way of their own. They are rendered into a shared buffer that a thread writes out, so a request
//! pays for no system call and never waits for whoever reads the log.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime as LogTime;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::line::{RequestLine, Second};
use crate::config::LogFormat;

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
    second: Second,
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
        let Buffer { bytes, second, .. } = &mut *buffer;
        if self.shared.text {
            line.write_text(bytes);
        } else {
            line.write_json(second, bytes);
        }
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
    let (bytes, dropped) = {
        let mut buffer = shared.buffer.lock();
        // As large as the last one was, so that it need not grow again.
        let empty = Vec::with_capacity(buffer.bytes.len());
        (std::mem::replace(&mut buffer.bytes, empty), std::mem::take(&mut buffer.dropped))
    };
    if !bytes.is_empty() {
        // A closed stderr leaves no place to report to.
        let _ = std::io::stderr().lock().write_all(&bytes);
    }
    if dropped > 0 {
        tracing::warn!(dropped, "request lines were dropped: the log is not being read fast enough");
    }
}
