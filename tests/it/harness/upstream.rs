//! Scripted upstreams inside the test's own process, so that a test sees exactly what reached them.

use std::net::SocketAddr;
use std::sync::LazyLock;

use tokio::runtime::Runtime;
use waypost::scripted::{Handle, Script, Server, Stats};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// The runtime that upstreams run on. Tests themselves are plain functions.
pub(crate) fn runtime() -> &'static Runtime {
    &RUNTIME
}

/// One scripted provider on a port of its own.
pub(crate) struct Upstream {
    handle: Handle,
}

impl Upstream {
    /// Says `Hello there.` to everybody.
    pub(crate) fn plain() -> Self {
        Self::that("text: Hello there.")
    }

    /// Does what the YAML of a behaviour says: `status: 503, fail_first: 1`.
    pub(crate) fn that(behaviour: &str) -> Self {
        Self::script(&format!("default: {{ {behaviour} }}"))
    }

    /// Plays a whole script.
    pub(crate) fn script(yaml: &str) -> Self {
        Self::at(0, yaml).unwrap()
    }

    /// The same on a port of the test's choice, if that is free.
    pub(crate) fn at(port: u16, yaml: &str) -> std::io::Result<Self> {
        let script = Script::from_yaml(yaml).unwrap_or_else(|error| panic!("{error} in\n{yaml}"));
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], port)), script)?;
        let _on_the_runtime = RUNTIME.enter();
        Ok(Self { handle: server.spawn() })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> String {
        self.handle.origin()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// Requests whose head came.
    pub(crate) fn requests(&self) -> u64 {
        self.stats().requests
    }

    /// Waits until the counts are as wanted.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl FnMut(&Stats) -> bool) -> Stats {
        RUNTIME.block_on(self.handle.wait_for(wanted)).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Fails unless not one byte ever came here.
    pub(crate) fn must_be_untouched(&self) {
        let stats = self.stats();
        assert_eq!((stats.requests, stats.bytes_in, stats.connections), (0, 0, 0), "nothing may reach this upstream");
    }

    /// The last request's body, as it came.
    pub(crate) fn last_body(&self) -> String {
        self.stats().last_request.expect("a request came").body
    }
}
