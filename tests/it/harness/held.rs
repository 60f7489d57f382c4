//! A provider that holds every request back until the test lets go: then each is told 503.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use super::eventually;

/// One such provider on a port of its own, for requests with a `content-length`.
pub(crate) struct Held {
    origin: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Requests that came whole, and whether they are let go.
    seen: Mutex<(u64, bool)>,
    let_go: Condvar,
}

impl Held {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        // Both kinds of thread end with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || state.serve(connection.unwrap()));
            }
        });
        Self { origin, state }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Requests that came whole.
    pub(crate) fn requests(&self) -> u64 {
        self.state.seen.lock().unwrap().0
    }

    /// Waits until so many came.
    pub(crate) fn wait_for(&self, requests: u64) {
        eventually("the held provider is asked", || (self.requests() == requests).then_some(()));
    }

    /// Lets those go that wait, and all that come.
    pub(crate) fn release(&self) {
        self.state.seen.lock().unwrap().1 = true;
        self.state.let_go.notify_all();
    }
}

impl State {
    fn serve(&self, mut connection: TcpStream) {
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim_end().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        if reader.read_exact(&mut vec![0; length]).is_err() {
            return;
        }
        let mut seen = self.seen.lock().unwrap();
        seen.0 += 1;
        drop(self.let_go.wait_while(seen, |seen| !seen.1).unwrap());
        let body = r#"{"error":{"message":"overloaded","type":"server_error"}}"#;
        let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close";
        // Whoever left is not told.
        let _ = write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    }
}
