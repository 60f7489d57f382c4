//! The real binary, `waypost serve`, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;

use super::http::{Answer, Connection, Events};
use super::{PATIENCE, eventually, redis};

/// A running gateway; killed when dropped.
pub(crate) struct Gateway {
    process: Child,
    /// Where clients connect.
    pub(crate) data: SocketAddr,
    /// Where metrics and readiness are.
    pub(crate) admin: SocketAddr,
    printed: Arc<Mutex<String>>,
    log: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

impl Gateway {
    /// Runs `config.yaml` of this folder.
    pub(crate) fn run(folder: tempfile::TempDir, environment: &[(String, String)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .args(["serve", "--config"])
            .arg(folder.path().join("config.yaml"))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let lines = Arc::clone(&log);
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| lines.lock().push(line)));

        let (told, lines) = channel();
        let printed = Arc::new(Mutex::new(String::new()));
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let kept = Arc::clone(&printed);
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| {
                kept.lock().push_str(&format!("{line}\n"));
                // Goes on when nobody listens any more, so that the gateway never blocks on a full pipe.
                let _ = told.send(line);
            });
        });
        let (mut data, mut admin) = (None, None);
        while data.is_none() || admin.is_none() {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                let ended = process.try_wait().unwrap().map_or("still running".to_owned(), |status| status.to_string());
                let _ = process.kill();
                let _ = process.wait();
                panic!("the gateway did not start ({ended}).\n{}\n{}", printed.lock(), log.lock().join("\n"));
            };
            data = data.or_else(|| address(&line, "listening"));
            admin = admin.or_else(|| address(&line, "metrics"));
        }
        Self { process, data: data.unwrap(), admin: admin.unwrap(), printed, log, folder }
    }

    /// Waits until it has printed this.
    pub(crate) fn must_print(&self, wanted: &str) {
        eventually(&format!("`{wanted}` in the banner"), || self.printed.lock().contains(wanted).then_some(()));
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A URL of the data listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.data)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.data)
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        Request::new(self.data, "GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Request {
        Request::new(self.data, "POST", path).json(body.to_string())
    }

    /// A chat request.
    pub(crate) fn chat(&self, body: &Value) -> Request {
        self.post("/v1/chat/completions", body)
    }

    /// A chat request with exactly this body.
    pub(crate) fn chat_raw(&self, body: impl Into<Vec<u8>>) -> Request {
        Request::new(self.data, "POST", "/v1/chat/completions").json(body)
    }

    pub(crate) fn admin_get(&self, path: &str) -> Answer {
        self.admin("GET", path).send()
    }

    /// A request to the admin listener.
    pub(crate) fn admin(&self, method: &'static str, path: &str) -> Request {
        Request::new(self.admin, method, path)
    }

    /// Puts another file in the place of the configuration, as an editor does that saves by renaming.
    pub(crate) fn rewrite(&self, text: &str) {
        std::fs::write(self.file(".config.yaml.swp"), text).unwrap();
        std::fs::rename(self.file(".config.yaml.swp"), self.file("config.yaml")).unwrap();
    }

    /// The same, and asks for a reload. Returns what that brought.
    pub(crate) fn reload(&self, text: &str) -> Answer {
        self.rewrite(text);
        self.admin("POST", "/admin/reload").send()
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        redis::signal("-HUP", self.process.id());
    }

    /// A figure that the system knows of the process: `Threads`, `VmRSS` (in KiB).
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The record of the decision that this answer names, as soon as it is kept.
    pub(crate) fn decision_of(&self, answer: &Answer) -> Value {
        self.decision(answer.expect_header("x-waypost-decision"))
    }

    /// The record of a decision, as soon as it is kept. Needs open mode.
    pub(crate) fn decision(&self, id: &str) -> Value {
        eventually(&format!("the record {id}"), || {
            let answer = self.get(&format!("/v1/decisions/{id}")).send();
            (answer.status == 200).then(|| answer.json())
        })
    }

    /// A metric's value, for the first series that has these labels.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let text = self.admin_get("/metrics").text();
        let line = text.lines().find(|line| {
            let Some(rest) = line.strip_prefix(name) else { return false };
            let labelled = labels.iter().all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")));
            (rest.starts_with('{') || rest.starts_with(' ')) && labelled
        })?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    /// Everything it has written to stderr.
    pub(crate) fn log(&self) -> String {
        self.log.lock().join("\n")
    }

    /// The log lines of requests that carry this request id.
    pub(crate) fn lines_of(&self, request_id: &str) -> Vec<Value> {
        let lines = self.log.lock();
        let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed.filter(|line| line["request_id"] == request_id && line.get("outcome").is_some()).collect()
    }

    /// The one log line of the request with this id, as soon as it is written.
    pub(crate) fn line_of(&self, request_id: &str) -> Value {
        eventually(&format!("the log line of {request_id}"), || self.lines_of(request_id).pop())
    }

    /// Sends SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        redis::signal("-TERM", self.process.id());
    }

    /// Waits for the process to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        eventually("the gateway ends", || self.process.try_wait().unwrap())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.ended()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state =
                self.process.try_wait().ok().flatten().map_or("running".to_owned(), |status| status.to_string());
            eprintln!("--- log of the gateway on {} ({state})\n{}", self.data, self.log());
        }
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address in `listening  http://127.0.0.1:4000/v1   (…)`.
fn address(line: &str, word: &str) -> Option<SocketAddr> {
    let rest = line.strip_prefix(word)?;
    let url = rest.split_whitespace().next()?;
    let authority = url.split_once("://")?.1.split('/').next()?;
    authority.parse().ok()
}

/// One request, made step by step.
#[derive(Clone)]
pub(crate) struct Request {
    to: SocketAddr,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(to: SocketAddr, method: &'static str, path: &str) -> Self {
        Self { to, method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    fn json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    /// Sets a header, in place of one of the same name.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends this virtual key or token.
    #[must_use]
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    #[must_use]
    pub(crate) fn labels(self, labels: &str) -> Self {
        self.header("x-waypost-labels", labels)
    }

    fn bytes(&self) -> Vec<u8> {
        let host = if self.headers.iter().any(|(name, _)| name == "host") { "" } else { "host: localhost\r\n" };
        let mut bytes =
            format!("{} {} HTTP/1.1\r\n{host}content-length: {}\r\n", self.method, self.path, self.body.len());
        for (name, value) in &self.headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        [bytes.as_bytes(), &self.body].concat()
    }

    /// Sends it over a connection that is already there.
    pub(crate) fn over(&self, connection: &mut Connection) -> Answer {
        connection.send(&self.bytes());
        connection.answer()
    }

    /// Sends it and does not wait for an answer.
    pub(crate) fn begin(&self) -> Connection {
        let mut connection = Connection::open(self.to);
        connection.send(&self.bytes());
        connection
    }

    /// Sends it and reads the whole answer.
    pub(crate) fn send(&self) -> Answer {
        self.begin().answer()
    }

    /// Sends it and reads the answer's head; the events follow as they come.
    pub(crate) fn stream(&self) -> Events {
        self.begin().events()
    }
}

/// The repository's folder.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// How long something took.
pub(crate) fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let began = std::time::Instant::now();
    let done = act();
    (done, began.elapsed())
}
