//! Sending one answer: its head, its body in pieces, and the cut the script may ask for.

use std::io::Write;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::http::{Connection, Ending, Stop};

/// What every answer has.
const SCRIPTED: &[u8] = b"x-scripted: true\r\n";
/// A stream that never waits lets others run after so many writes.
const WRITES_PER_TURN: u32 = 32;

/// How a body's end is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Chunks,
    /// By closing the connection, for HTTP/1.0.
    Close,
    Length(usize),
}

/// Where the script ends the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) ending: Ending,
    /// Bytes of the body, chunk framing not counted.
    pub(super) after: u64,
}

/// One answer on its way. The head waits in the buffer for the first piece of the body, so that a
/// whole answer is one write.
#[derive(Debug)]
pub(super) struct Reply<'c> {
    connection: &'c mut Connection,
    pending: Vec<u8>,
    framing: Framing,
    bytes_per_write: Option<NonZeroUsize>,
    cut: Option<Cut>,
    sent: u64,
    writes: u32,
}

impl<'c> Reply<'c> {
    /// `buffer` is scratch space, given back by [`Reply::end`].
    pub(super) fn new(
        connection: &'c mut Connection,
        mut buffer: Vec<u8>,
        bytes_per_write: Option<NonZeroUsize>,
        cut: Option<Cut>,
    ) -> Reply<'c> {
        buffer.clear();
        Reply { connection, pending: buffer, framing: Framing::Close, bytes_per_write, cut, sent: 0, writes: 0 }
    }

    /// Puts the head into the buffer. `headers` are lines of their own, each with its CRLF.
    pub(super) fn head(&mut self, status: u16, headers: &[u8], framing: Framing, keep_alive: bool) {
        self.framing = framing;
        let out = &mut self.pending;
        if status == 200 {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            let known = http::StatusCode::from_u16(status).ok();
            let reason = known.and_then(|code| code.canonical_reason());
            // Writing to a vector does not fail; so everywhere in this file.
            let _ = write!(out, "HTTP/1.1 {status} {}\r\n", reason.unwrap_or("Scripted"));
        }
        out.extend_from_slice(headers);
        out.extend_from_slice(SCRIPTED);
        match framing {
            Framing::Chunks => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Framing::Close => {}
            Framing::Length(length) => {
                let _ = write!(out, "content-length: {length}\r\n");
            }
        }
        if !keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Sends a piece of the body in one write, as one chunk if the body is chunked.
    pub(super) async fn piece(&mut self, piece: &[u8]) -> Result<(), Stop> {
        self.add(piece).await?;
        self.flush().await
    }

    /// Ends the body and gives the buffer back. `last` is sent in one write with the end.
    ///
    /// A cut that lies beyond the body comes at its end, before a chunked body's last chunk.
    pub(super) async fn end(mut self, last: &[u8]) -> Result<Vec<u8>, Stop> {
        if !last.is_empty() {
            self.add(last).await?;
        }
        if let Some(cut) = self.cut {
            self.flush().await?;
            return Err(Stop::Cut(cut.ending));
        }
        if self.framing == Framing::Chunks {
            self.pending.extend_from_slice(b"0\r\n\r\n");
        }
        self.flush().await?;
        Ok(self.pending)
    }

    /// Puts a piece into the buffer; if the cut lies within it or right behind it, sends up to
    /// there.
    async fn add(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let kept = match self.cut {
            Some(cut) => usize::try_from(cut.after - self.sent).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        if self.framing == Framing::Chunks && kept > 0 {
            let _ = write!(self.pending, "{:x}\r\n", piece.len());
        }
        self.pending.extend_from_slice(&piece[..kept.min(piece.len())]);
        if self.framing == Framing::Chunks && kept >= piece.len() {
            self.pending.extend_from_slice(b"\r\n");
        }
        self.sent += piece.len() as u64;
        match self.cut {
            Some(cut) if kept <= piece.len() => {
                self.flush().await?;
                Err(Stop::Cut(cut.ending))
            }
            _ => Ok(()),
        }
    }

    /// Sends what is waiting, then waits.
    pub(super) async fn pause(&mut self, wait: Duration) -> Result<(), Stop> {
        if wait.is_zero() {
            return Ok(());
        }
        self.flush().await?;
        self.connection.pause(wait).await
    }

    /// Sends what is waiting, then nothing more until the client goes.
    pub(super) async fn stall(&mut self) -> Stop {
        if let Err(stop) = self.flush().await {
            return stop;
        }
        self.connection.stall().await
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        match self.bytes_per_write {
            None if self.pending.is_empty() => {}
            None => self.connection.write_all(&self.pending).await?,
            Some(count) => {
                for part in self.pending.chunks(count.get()) {
                    self.connection.write_all(part).await?;
                    // The reader's turn: else its side would join the parts again.
                    tokio::task::yield_now().await;
                }
            }
        }
        self.pending.clear();
        self.writes += 1;
        if self.writes.is_multiple_of(WRITES_PER_TURN) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
