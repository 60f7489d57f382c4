//! HTTP/1.1 over a raw TCP stream: requests in, every byte of the answer under control.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use httparse::Status;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::head::{self, Framing, Head};
use super::refusal::Refusal;

/// A longer head is refused.
const MAX_HEAD: usize = 64 << 10;
/// A longer body is refused. 256 MiB.
const MAX_BODY: u64 = 256 << 20;
/// What the read buffer is enlarged by.
const READ_STEP: usize = 16 << 10;
/// With so much of the next requests read ahead, a connection is no longer watched for its end.
const MAX_AHEAD: usize = 1 << 20;

/// Why an answer ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The client has gone.
    Gone,
    /// The script says to end the connection here.
    Cut(Ending),
}

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Fin,
    Rst,
}

/// Why no request could be read.
#[derive(Debug)]
pub(super) enum ReadError {
    Gone,
    Refused(Refusal),
}

/// A request read whole.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) head: Bytes,
    pub(super) body: Bytes,
    pub(super) wire_bytes: usize,
}

/// One client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    input: BytesMut,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        Connection { stream, input: BytesMut::with_capacity(READ_STEP) }
    }

    /// The bytes read so far of requests to come.
    pub(super) fn input(&self) -> &[u8] {
        &self.input
    }

    /// Reads the next request's head, which stays in the input. `None`: the client closed the
    /// connection between two requests.
    pub(super) async fn read_head(&mut self) -> Result<Option<Head>, ReadError> {
        loop {
            if !self.input.is_empty() {
                match head::parse(&self.input) {
                    Ok(Some(head)) if head.length <= MAX_HEAD => return Ok(Some(head)),
                    Ok(None) if self.input.len() <= MAX_HEAD => {}
                    Ok(_) => {
                        let message = "the request's head is too long";
                        return Err(ReadError::Refused(Refusal::new(431, message)));
                    }
                    Err(message) => return Err(ReadError::Refused(Refusal::new(400, message))),
                }
            }
            match self.fill().await {
                Ok(()) => {}
                Err(ReadError::Gone) if self.input.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the body that belongs to the head and takes both out of the input.
    pub(super) async fn read_body(&mut self, head: &Head) -> Result<Received, ReadError> {
        if head.expects_continue {
            let go_on = self.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
            go_on.map_err(|_| ReadError::Gone)?;
        }
        match head.framing {
            Framing::Length(length) if length > MAX_BODY => Err(too_large()),
            Framing::Length(length) => {
                let whole = head.length + usize::try_from(length).map_err(|_| too_large())?;
                while self.input.len() < whole {
                    self.fill().await?;
                }
                let mut head_bytes = self.input.split_to(whole).freeze();
                let body = head_bytes.split_off(head.length);
                Ok(Received { head: head_bytes, body, wire_bytes: whole })
            }
            Framing::Chunked => self.read_chunks(head.length).await,
        }
    }

    async fn read_chunks(&mut self, head_length: usize) -> Result<Received, ReadError> {
        let mut body = Vec::new();
        let mut at = head_length;
        loop {
            let rest = &self.input[at..];
            let (size_line, size) = match httparse::parse_chunk_size(rest) {
                Ok(Status::Complete((line, size))) => (line, size),
                Ok(Status::Partial) if rest.len() <= MAX_HEAD => {
                    self.fill().await?;
                    continue;
                }
                Ok(Status::Partial) | Err(_) => return Err(bad_chunk()),
            };
            at += size_line;
            if size == 0 {
                break;
            }
            if size > MAX_BODY - body.len() as u64 {
                return Err(too_large());
            }
            let size = usize::try_from(size).map_err(|_| too_large())?;
            while self.input.len() < at + size + 2 {
                self.fill().await?;
            }
            body.extend_from_slice(&self.input[at..at + size]);
            if &self.input[at + size..at + size + 2] != b"\r\n" {
                return Err(bad_chunk());
            }
            at += size + 2;
        }
        // Trailers, up to the empty line.
        loop {
            let rest = &self.input[at..];
            let Some(end) = memchr::memmem::find(rest, b"\r\n") else {
                if rest.len() > MAX_HEAD {
                    return Err(bad_chunk());
                }
                self.fill().await?;
                continue;
            };
            at += end + 2;
            if end == 0 {
                break;
            }
        }
        let wire = self.input.split_to(at).freeze();
        Ok(Received { head: wire.slice(..head_length), body: Bytes::from(body), wire_bytes: at })
    }

    /// Reads what is there, waiting for at least one byte.
    async fn fill(&mut self) -> Result<(), ReadError> {
        make_room(&mut self.input);
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) | Err(_) => Err(ReadError::Gone),
            Ok(_) => Ok(()),
        }
    }

    /// Writes in one call if the socket takes it; notices meanwhile that the client has gone.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(0) => return Err(Stop::Gone),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Connection { stream, input } = self;
                    tokio::select! {
                        writable = stream.writable() => writable.map_err(|_| Stop::Gone)?,
                        () = gone(stream, input) => return Err(Stop::Gone),
                    }
                }
                Err(_) => return Err(Stop::Gone),
            }
        }
        Ok(())
    }

    /// Waits, unless the client goes.
    pub(super) async fn pause(&mut self, wait: Duration) -> Result<(), Stop> {
        let Connection { stream, input } = self;
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = gone(stream, input) => Err(Stop::Gone),
        }
    }

    /// Waits until the client goes.
    pub(super) async fn stall(&mut self) -> Stop {
        gone(&self.stream, &mut self.input).await;
        Stop::Gone
    }

    /// Ends the connection.
    pub(super) async fn end(mut self, ending: Ending) {
        match ending {
            Ending::Rst => {
                let _closed_either_way = self.stream.set_zero_linger();
            }
            Ending::Fin => self.close().await,
        }
    }

    /// Closes such that the client can still read everything: a socket closed with unread input
    /// sends a reset, which would throw away what the client has not read yet.
    async fn close(&mut self) {
        if tokio::io::AsyncWriteExt::shutdown(&mut self.stream).await.is_err() {
            return;
        }
        let mut dropped = vec![0; READ_STEP];
        let drain = async {
            while let Ok(read) = self.stream.read(&mut dropped).await
                && read > 0
            {}
        };
        let _enough = tokio::time::timeout(Duration::from_secs(1), drain).await;
    }
}

/// Done when the client has closed its side. What it sends before is kept for the next request.
async fn gone(stream: &TcpStream, input: &mut BytesMut) {
    while input.len() < MAX_AHEAD {
        if stream.readable().await.is_err() {
            return;
        }
        make_room(input);
        match stream.try_read_buf(input) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
    std::future::pending().await
}

/// A nearly full buffer would mean many small reads.
fn make_room(input: &mut BytesMut) {
    if input.capacity() - input.len() < READ_STEP / 4 {
        input.reserve(READ_STEP.max(input.len() / 2));
    }
}

fn too_large() -> ReadError {
    ReadError::Refused(Refusal::new(413, "the request's body is too large"))
}

fn bad_chunk() -> ReadError {
    ReadError::Refused(Refusal::new(400, "the request's chunks are malformed"))
}
