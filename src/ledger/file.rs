//! Appends decision records to a file as JSON lines, from a thread of its own.

use std::io::{BufWriter, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Decision, Feedback};

/// One line of the file.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub(super) enum Line {
    Decision(Arc<Decision>),
    Feedback(Feedback),
}

/// Records that may wait for the disk. Beyond it they are counted and reported: an async worker never waits for a disk.
const QUEUE: usize = 65_536;

/// The way to the thread, and the thread.
type Writer = (SyncSender<Line>, JoinHandle<()>);

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// Device and inode: what the path led to when it was opened.
    identity: (u64, u64),
    writer: Mutex<Option<Writer>>,
    lost: AtomicU64,
}

impl File {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        let identity = identity(&file.metadata()?);
        let (sender, receiver) = sync_channel(QUEUE);
        let shown = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("decisions".to_owned())
            .spawn(move || write_all(BufWriter::new(file), &receiver, &shown))?;
        let writer = Mutex::new(Some((sender, thread)));
        Ok(Self { path: path.to_owned(), identity, writer, lost: AtomicU64::new(0) })
    }

    /// Whether this path leads here, still.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.path == path && std::fs::metadata(path).is_ok_and(|found| identity(&found) == self.identity)
    }

    pub(super) fn append(&self, line: Line) {
        let sent = match &*self.writer.lock() {
            Some((sender, _)) => sender.try_send(line),
            None => Err(TrySendError::Disconnected(line)),
        };
        if sent.is_err() {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            // The first loss and then every thousandth: loud, but no flood.
            if lost % 1000 == 1 {
                tracing::error!(lost, path = %self.path.display(), "decision records are lost: the disk is too slow or full");
            }
        }
    }

    pub(super) fn close(&self) {
        let taken = self.writer.lock().take();
        if let Some(writer) = taken {
            finish(writer);
        }
    }
}

impl Drop for File {
    /// What is queued is written out also where a reload puts another file in its place. The last request that used it may
    /// end on an async worker: that one hands its other tasks on first, for they do not wait for a disk.
    fn drop(&mut self) {
        let Some(writer) = self.writer.get_mut().take() else { return };
        let others = Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        if others { tokio::task::block_in_place(|| finish(writer)) } else { finish(writer) }
    }
}

/// Waits until everything queued is written.
fn finish((sender, thread): Writer) {
    drop(sender);
    // A writer that panicked has nothing left to write.
    let _ = thread.join();
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn write_all(mut file: BufWriter<std::fs::File>, queue: &Receiver<Line>, path: &Path) {
    while let Ok(first) = queue.recv() {
        let mut result = write_one(&mut file, &first);
        while let Ok(next) = queue.try_recv() {
            result = result.and(write_one(&mut file, &next));
        }
        if let Err(error) = result.and_then(|()| file.flush()) {
            tracing::error!(%error, path = %path.display(), "decision records cannot be written");
        }
    }
}

fn write_one(file: &mut BufWriter<std::fs::File>, line: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}
