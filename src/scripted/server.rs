//! Listening, and the way of a request from its head to its answer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::ask::Ask;
use super::endpoint::{Endpoint, Format, Line};
use super::gemini;
use super::head::Head;
use super::http::{Connection, Ending, ReadError, Received, Stop};
use super::marker;
use super::play::{self, Part, Scratch, Terms};
use super::read;
use super::refusal::Refusal;
use super::route::Route;
use super::script::{Behaviour, Script};
use super::stats::{Board, NotSeen, Observer, OpenRequest, Raw, Stats};

/// Wait before accepting again when the process has no file descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Markers whose failures are counted; beyond it the counts begin anew.
const MAX_FAILURE_COUNTS: usize = 10_000;

/// A bound, not yet running scripted provider.
#[derive(Debug)]
pub struct Server {
    listener: StdListener,
    address: SocketAddr,
    shared: Shared,
}

#[derive(Debug)]
struct Shared {
    script: Script,
    /// `None`: every format.
    only: Option<Format>,
    board: Arc<Board>,
    /// Number of the last answer.
    serial: AtomicU64,
    /// For `fail_first`: requests so far, by model and marker.
    failures: Mutex<HashMap<String, u64>>,
}

impl Server {
    /// Binds; port 0 picks a free one. Connections queue from here on, before the server runs.
    pub fn bind(address: SocketAddr, script: Script) -> io::Result<Server> {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Server {
            address: listener.local_addr()?,
            listener,
            shared: Shared {
                script,
                only: None,
                board: Arc::default(),
                serial: AtomicU64::new(0),
                failures: Mutex::default(),
            },
        })
    }

    /// Speaks this format only: the paths of the others are not found.
    #[must_use]
    pub fn only(mut self, format: Format) -> Server {
        self.shared.only = Some(format);
        self
    }

    /// The address bound, with the port picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Looks at the counts, also after the server was moved into its task.
    pub fn observer(&self) -> Observer {
        Observer(Arc::clone(&self.shared.board))
    }

    /// Serves until the future is dropped, which ends all connections. Runs on the caller's tokio
    /// runtime, which needs I/O and time; each connection is a task of its own.
    pub async fn run(self) -> io::Result<()> {
        let listener = TcpListener::from_std(self.listener)?;
        let shared = Arc::new(self.shared);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(&shared);
                        connections.spawn(serve(stream, shared));
                    }
                    // A connection that failed while queueing concerns nobody else.
                    Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Runs in a task of the current runtime.
    pub fn spawn(self) -> Handle {
        let (address, observer) = (self.address, self.observer());
        let task = tokio::spawn(self.run());
        Handle { address, observer, task }
    }
}

/// A running scripted provider. Stops with all its connections when dropped.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    observer: Observer,
    task: JoinHandle<io::Result<()>>,
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address, without a path.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A view that outlives the handle.
    pub fn observer(&self) -> Observer {
        self.observer.clone()
    }

    /// See [`Observer::stats`].
    pub fn stats(&self) -> Stats {
        self.observer.stats()
    }

    /// See [`Observer::wait_for`].
    pub async fn wait_for(&self, wanted: impl FnMut(&Stats) -> bool) -> Result<Stats, NotSeen> {
        self.observer.wait_for(wanted).await
    }

    /// See [`Observer::reset`].
    pub fn reset(&self) {
        self.observer.reset();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _counted = shared.board.connect();
    let _slower_without = stream.set_nodelay(true);
    let mut connection = Connection::new(stream);
    let mut scratch = Scratch::default();
    loop {
        match exchange(&mut connection, &mut scratch, &shared).await {
            Ok(true) => {}
            Ok(false) => return connection.end(Ending::Fin).await,
            Err(Stop::Gone) => return,
            Err(Stop::Cut(ending)) => return connection.end(ending).await,
        }
    }
}

/// One request and its answer. `false`: the connection is to be closed.
async fn exchange(connection: &mut Connection, scratch: &mut Scratch, shared: &Shared) -> Result<bool, Stop> {
    let head = match connection.read_head().await {
        Ok(Some(head)) => head,
        Ok(None) | Err(ReadError::Gone) => return Err(Stop::Gone),
        Err(ReadError::Refused(refusal)) => {
            // What cannot be read is a request all the same: nothing of the kind should arrive.
            let open = shared.board.open();
            open.broke_off(connection.input().len());
            return refuse_and_close(connection, scratch, &refusal, Some(open)).await;
        }
    };
    let route = Route::of(&head, connection.input(), shared.only);
    let counted = matches!(route, Route::Ask(_) | Route::Nothing(_));
    let open = counted.then(|| shared.board.open());
    let received = match connection.read_body(&head).await {
        Ok(received) => received,
        Err(error) => {
            if let Some(open) = &open {
                open.broke_off(connection.input().len());
            }
            let ReadError::Refused(refusal) = error else {
                return Err(Stop::Gone);
            };
            return refuse_and_close(connection, scratch, &refusal, open).await;
        }
    };
    if route != Route::Stats && route != Route::Reset {
        for credential in head.credentials.iter().flatten() {
            shared.board.credential(&received.head[credential.clone()]);
        }
    }
    if let Some(open) = &open {
        let raw = Raw { head: received.head.clone(), body: received.body.clone() };
        open.received(raw, received.wire_bytes);
    }
    let terms = Terms { keep_alive: head.keep_alive, knows_chunks: head.knows_chunks };
    let answered = answer(connection, scratch, shared, terms, route, &head, &received).await;
    // A scripted cut is what was wanted, so it counts as finished.
    if let (Some(open), Ok(_) | Err(Stop::Cut(_))) = (open, &answered) {
        open.finish();
    }
    answered
}

async fn refuse_and_close(
    connection: &mut Connection,
    scratch: &mut Scratch,
    refusal: &Refusal,
    open: Option<OpenRequest>,
) -> Result<bool, Stop> {
    let terms = Terms { keep_alive: false, knows_chunks: false };
    play::refuse(connection, scratch, terms, refusal, Format::Openai).await?;
    if let Some(open) = open {
        open.finish();
    }
    Ok(false)
}

async fn answer(
    connection: &mut Connection,
    scratch: &mut Scratch,
    shared: &Shared,
    terms: Terms,
    route: Route,
    head: &Head,
    received: &Received,
) -> Result<bool, Stop> {
    let observer = || Observer(Arc::clone(&shared.board));
    let body = match route {
        Route::Ask(endpoint) => {
            return act(connection, scratch, shared, terms, endpoint, head, received).await;
        }
        Route::Nothing(format) => {
            let message = "Unknown request URL. The scripted provider has no such path.";
            let refusal = Refusal::new(404, message);
            play::refuse(connection, scratch, terms, &refusal, format).await?;
            return Ok(terms.keep_alive);
        }
        Route::Models(format) => read::models(&shared.script, format),
        Route::Health => r#"{"status":"ok","system_fingerprint":"scripted"}"#.to_owned(),
        Route::Stats => json!(observer().stats()).to_string(),
        Route::Reset => {
            observer().reset();
            shared.failures.lock().clear();
            "{}".to_owned()
        }
    };
    play::json(connection, scratch, terms, 200, &body).await?;
    Ok(terms.keep_alive)
}

async fn act(
    connection: &mut Connection,
    scratch: &mut Scratch,
    shared: &Shared,
    terms: Terms,
    endpoint: Endpoint,
    head: &Head,
    received: &Received,
) -> Result<bool, Stop> {
    let path = String::from_utf8_lossy(received.head.get(head.path.clone()).unwrap_or_default());
    let line = Line { path: &path, anthropic_version: head.anthropic_version };
    let read = read::read(endpoint, &line, &received.body);
    let chosen = read.and_then(|ask| Ok((shared.choose(&ask, endpoint)?, ask)));
    let (behaviour, ask) = match chosen {
        Ok(chosen) => chosen,
        Err(refusal) => {
            play::refuse(connection, scratch, terms, &refusal, endpoint.format()).await?;
            return Ok(terms.keep_alive);
        }
    };
    let id = shared.serial.fetch_add(1, Ordering::Relaxed) + 1;
    let echoed = behaviour.echo.then(|| echo(head, received));
    let part = Part { behaviour: &behaviour, ask: &ask, endpoint, id, echoed };
    play::part(connection, scratch, terms, part).await?;
    Ok(terms.keep_alive && (terms.knows_chunks || !ask.stream))
}

impl Shared {
    fn choose(&self, ask: &Ask<'_>, endpoint: Endpoint) -> Result<Cow<'_, Behaviour>, Refusal> {
        let Some(base) = self.script.behaviour(&ask.model) else {
            return Err(read::no_model(&ask.model, endpoint.format()));
        };
        let mut marked = None;
        if self.script.markers {
            marked = marker::find(&ask.last_user);
        }
        let behaviour = match marked {
            Some(text) => {
                let changed = marker::apply(text, base);
                Cow::Owned(changed.map_err(|error| Refusal::new(400, error.to_string()))?)
            }
            None => Cow::Borrowed(base),
        };
        if !behaviour.lenient {
            if let Some(complaint) = &ask.complaint {
                return Err(complaint.clone());
            }
            if behaviour.require_signatures
                && let Some(complaint) = gemini::unsigned(&ask.body)
            {
                return Err(complaint);
            }
        }
        if behaviour.fail_first == 0 {
            return Ok(behaviour);
        }
        let before = self.count_failure(&ask.model, marked.unwrap_or_default());
        Ok(Cow::Owned(if before < behaviour.fail_first { behaviour.failing() } else { behaviour.recovered() }))
    }

    /// Requests of this model and marker before this one.
    fn count_failure(&self, model: &str, marked: &str) -> u64 {
        let mut failures = self.failures.lock();
        if failures.len() >= MAX_FAILURE_COUNTS {
            failures.clear();
        }
        let count = failures.entry(format!("{model} {marked}")).or_default();
        *count += 1;
        *count - 1
    }
}

/// What was received, as a JSON text.
fn echo(head: &Head, received: &Received) -> String {
    let header = |at: &Option<std::ops::Range<usize>>| {
        let range = at.clone()?;
        Some(String::from_utf8_lossy(&received.head[range]).into_owned())
    };
    let [authorization, x_api_key, api_key, x_goog_api_key] = &head.credentials;
    let digest = ring::digest::digest(&ring::digest::SHA256, &received.body);
    let mut sha256 = String::with_capacity(64);
    for byte in digest.as_ref() {
        sha256.push_str(&format!("{byte:02x}"));
    }
    json!({
        "scripted": true,
        "path": String::from_utf8_lossy(&received.head[head.path.clone()]),
        "authorization": header(authorization),
        "x-api-key": header(x_api_key),
        "api-key": header(api_key),
        "x-goog-api-key": header(x_goog_api_key),
        "body_bytes": received.body.len(),
        "body_sha256": sha256,
        "body": String::from_utf8_lossy(&received.body),
    })
    .to_string()
}
