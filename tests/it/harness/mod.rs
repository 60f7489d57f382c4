//! What the tests arrange with: real processes on loopback, and a client that can also misbehave.

mod command;
mod curl;
mod gateway;
mod held;
mod http;
mod llama;
mod outcomes;
mod poll;
mod recorded;
mod redis;
mod setup;
mod upstream;

pub(crate) use self::command::{Ran, VirtualKey, waypost, waypost_in};
pub(crate) use self::curl::{Curl, curl};
pub(crate) use self::gateway::{Gateway, repository, timed};
pub(crate) use self::held::Held;
pub(crate) use self::http::{Answer, Connection, Gone, data, error_in, is_done, said};
pub(crate) use self::llama::{LlamaCpp, TEXT, python};
pub(crate) use self::outcomes::{prompt, text};
pub(crate) use self::poll::{PATIENCE, eventually};
pub(crate) use self::recorded::{Cut, Exchange, Replay, exchanges, fixtures};
pub(crate) use self::redis::Redis;
pub(crate) use self::setup::{ABROAD, Setup};
pub(crate) use self::upstream::{Upstream, runtime};

use serde_json::{Value, json};

/// A chat body: one user message to one model.
pub(crate) fn chat(model: &str, prompt: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": prompt }] })
}

/// The same as a stream.
pub(crate) fn chat_stream(model: &str, prompt: &str) -> Value {
    with(chat(model, prompt), "stream", json!(true))
}

/// A body with one more field.
pub(crate) fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

/// A port that was free a moment ago, and where nothing listens.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
