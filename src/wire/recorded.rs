//! Recorded exchanges with providers, for the tests of every format. Source and licence: tests/fixtures/README.md.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;

/// One exchange.
pub(crate) struct Exchange {
    pub(crate) name: String,
    /// `provider`, `endpoint`, `request`, `response`, …
    pub(crate) meta: Value,
    /// The raw stream, if the answer is one.
    pub(crate) stream: Option<Bytes>,
}

impl Exchange {
    pub(crate) fn status(&self) -> u64 {
        self.meta["response"]["status"].as_u64().unwrap()
    }

    /// The body that was sent, as JSON.
    pub(crate) fn sent(&self) -> Bytes {
        serde_json::to_vec(&self.meta["request"]["body"]).unwrap().into()
    }

    /// The body of a whole answer; `None` for a stream.
    pub(crate) fn answered(&self) -> Option<Bytes> {
        let body = self.meta["response"].get("body")?;
        Some(serde_json::to_vec(body).unwrap().into())
    }
}

/// The folder of all fixtures.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The exchanges at endpoints of this sort (`chat`, `responses`, `messages`, `gen`, `gen-stream`, …), in order.
pub(crate) fn exchanges(endpoint: &str) -> Vec<Exchange> {
    let folder = folder().join("exchanges");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let meta: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if meta["endpoint"] != endpoint {
            continue;
        }
        let stream =
            meta["response"]["body_file"].as_str().map(|file| std::fs::read(folder.join(file)).unwrap().into());
        found.push(Exchange { name: path.file_stem().unwrap().to_string_lossy().into_owned(), meta, stream });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!found.is_empty(), "there are recordings of {endpoint}");
    found
}
