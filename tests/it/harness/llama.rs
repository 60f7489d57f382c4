//! The real llama.cpp server, with weights that are a script (tests/upstreams).

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;

use super::{eventually, free_port};
use crate::harness::http::Connection;

/// What the scripted weights say to `SCRIPT=text`.
pub(crate) const TEXT: &str = "Hello! I am a tiny model. 你好, naïve café 👋🏽 done.";

/// One server for all tests of this process, of each kind. It ends with the process that started it.
pub(crate) struct LlamaCpp {
    port: u16,
    log: PathBuf,
    /// Kept so that the server is not orphaned before its time.
    _process: Child,
}

static SERVER: OnceLock<LlamaCpp> = OnceLock::new();
static IN_THE_TEXT: OnceLock<LlamaCpp> = OnceLock::new();

/// The Python that `make test` has prepared.
pub(crate) fn python() -> String {
    set_by_make("WAYPOST_TEST_PYTHON")
}

fn set_by_make(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests by `make test`, which prepares it"))
}

impl LlamaCpp {
    pub(crate) fn start() -> &'static Self {
        SERVER.get_or_init(|| Self::launch("field"))
    }

    /// One that leaves `<think>` in the text, as servers do that know nothing of the model.
    pub(crate) fn start_with_thoughts_in_the_text() -> &'static Self {
        IN_THE_TEXT.get_or_init(|| Self::launch("text"))
    }

    fn launch(reasoning: &str) -> Self {
        let port = free_port();
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("llama-{port}.log"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quickstart/serve_model.py");
        let process = Command::new(python())
            .arg(&script)
            .args(["serve", &set_by_make("WAYPOST_TEST_GGUF"), "--port", &port.to_string(), "--log"])
            .arg(&log)
            .args(["--context", "8192", "--slots", "4", "--reasoning", reasoning])
            .spawn()
            .unwrap();
        let ready = Command::new(python())
            .arg(&script)
            .args(["wait", "--port", &port.to_string(), "--pid", &process.id().to_string()])
            .status()
            .unwrap();
        let server = Self { port, log, _process: process };
        assert!(ready.success(), "llama.cpp did not come up:\n{}", server.log());
        server
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// How many requests it is generating for, by its own metrics.
    pub(crate) fn requests_processing(&self) -> u64 {
        let mut connection = Connection::open(([127, 0, 0, 1], self.port).into());
        connection.send(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let text = connection.answer().text();
        let line = text.lines().find(|line| line.starts_with("llamacpp:requests_processing "));
        let value = line.and_then(|line| line.split(' ').nth(1)).expect("the metric is there");
        value.parse().expect("a whole number")
    }

    /// Waits until it generates for so many requests.
    pub(crate) fn wait_until_processing(&self, wanted: u64) {
        eventually(&format!("{wanted} requests in llama.cpp"), || (self.requests_processing() == wanted).then_some(()));
    }
}
