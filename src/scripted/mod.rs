//! The scripted provider: an upstream of every wire format that answers, dawdles and fails as it is told.
//!
//! It is the upstream of the tests and of the benchmark, `waypost upstream`, and the stand-in where
//! no provider is configured. It is no model and says so in every answer: header `x-scripted: true`, in words in
//! the default text, and in the body where the format has a place for it: OpenAI's `"system_fingerprint": "scripted"`
//! (its errors too), ids that begin with `resp_scripted_` and `msg_scripted_`, Gemini's `responseId` with `scripted-`;
//! Anthropic's errors have `"request_id": "req_scripted"`, Gemini's a detail with `"requestId": "scripted"`. Gemini's
//! embeddings and Anthropic's token count have no such place: there the header alone says it.
//!
//! It uses nothing else of this crate: were it to share the gateway's notion of the format, a
//! mistake on both sides would cancel out. HTTP/1.1 is done by hand so that every byte, pause and
//! reset on the wire can be chosen.
//!
//! # Paths
//!
//! With any prefix; each in its format ([`Server::only`] leaves one of them):
//!
//! - `POST …/chat/completions`, `…/completions`, `…/embeddings`
//! - `POST …/responses`
//! - `POST …/messages`, `…/messages/count_tokens`
//! - `POST …/models/M:generateContent`, `:streamGenerateContent?alt=sse`, `:embedContent`, `:batchEmbedContents`
//! - `GET …/models`
//!
//! And its own:
//!
//! - `GET /scripted/stats` answers [`Stats`] as JSON, `POST /scripted/reset` zeroes them
//! - `GET /health`
//!
//! # Refusals
//!
//! It judges what it is sent as the providers do, with their messages in their shapes: missing members, members a
//! format does not know, calls without results, signatures it did not make. [`Behaviour::lenient`] switches that off.
//! docs/scripted.md lists what is refused.
//!
//! # Behaviours
//!
//! A [`Script`] maps model names to a [`Behaviour`]. A marker in the last user message changes it
//! for that request: `[[scripted: status=429 retry_after=1]]`. Values with blanks are JSON:
//! `[[scripted: text="two words" tool_calls=[{"name":"add","arguments":{"a":1}}]]]`. The keys are
//! the same in YAML and in a marker:
//!
//! | key | example | meaning |
//! |---|---|---|
//! | `text` | `"Hi."` | the answer |
//! | `reasoning` | `"Hm."` | reasoning before the text, in a field of its own |
//! | `reasoning_field` | `reasoning` | that field's name; default `reasoning_content` |
//! | `think` | `"Hm."` | reasoning within the text, between `<think>` and `</think>` |
//! | `tool_calls` | `["now",{"name":"add","arguments":{"a":1},"id":"c1"}]` | calls, parallel if several |
//! | `finish_reason` | `length` | default `stop` or `tool_calls`; `length`, `content_filter` and these are put in each format's own words, others stand as they are |
//! | `redacted` | `true` | Messages: the reasoning comes as a `redacted_thinking` block |
//! | `lenient` | `true` | answer also what a provider would refuse |
//! | `require_signatures` | `true` | Gemini: refuse a call of the current turn that comes back without its thought signature |
//! | `echo` | `true` | the text tells what was received: JSON with path, authorization, x-api-key, api-key, body_bytes, body_sha256, body |
//! | `usage` | `beside_choice` | `last` (default: a last chunk if asked for), `beside_choice`, `twice`, `always`, `omit` |
//! | `prompt_tokens`, `completion_tokens`, `cached_tokens`, `cache_write_tokens`, `reasoning_tokens` | `7` | instead of characters / 4 |
//! | `before_headers` | `200ms` | wait before anything is sent |
//! | `before_first_token` | `1s` | wait after headers and role event |
//! | `per_event` | `20ms` | wait between token events; a whole answer takes as long as its stream would |
//! | `events` | `100` | number of token events (times `n`); the text is repeated or cut |
//! | `event_bytes` | `256` | size each text event is padded to, `data: ` and blank line included |
//! | `answer_bytes` | `1024` | size a whole answer's body is padded to |
//! | `chunk` | `1` | bytes for each TCP write |
//! | `comment` | `keep-alive` | an SSE comment before the first event |
//! | `done` | `false` | leave out `data: [DONE]` |
//! | `stall_after` | `3` or `head` | token events before an endless silence |
//! | `fin_after` | `100` or `head` | bytes of the body before the connection is closed |
//! | `rst_after` | `100` or `head` | the same with a reset |
//! | `error_after` | `3` | token events before an error event; a whole answer becomes a 500 |
//! | `malformed_after` | `3` | token events before an event of broken JSON; a whole answer is cut in half |
//! | `status` | `429` | an error (from 300), with the format's usual message |
//! | `headers` | `{"x-a":"b"}` | further headers, sent unchecked |
//! | `retry_after` | `1` | that header |
//! | `error_message`, `error_type`, `error_code` | `context_length_exceeded` | the error object |
//! | `body` | `"{"` | a raw body instead of JSON of ours |
//! | `fail_first` | `2` | only so many requests (of this model and marker) meet the faults; default fault 500 |
//!
//! A token event is an event with reasoning, text or a part of a tool call; the event with the role,
//! the finish and the usage are not counted.
//!
//! A client that closes its side of the connection while an answer is under way is taken to be
//! gone, also if it only half-closes.

mod answer;
mod ask;
mod chat;
mod chunks;
mod completions;
mod embeddings;
mod endpoint;
mod events;
mod fields;
mod gemini;
mod head;
mod http;
mod json;
mod judge;
mod marker;
mod messages;
mod play;
mod read;
mod refusal;
mod reply;
mod responses;
mod route;
mod script;
mod seal;
mod server;
mod stats;
#[cfg(test)]
mod tests;

pub use endpoint::Format;
pub use fields::{Millis, Point, ToolCall};
pub use script::{Behaviour, Script, ScriptError, UsagePlace};
pub use server::{Handle, Server};
pub use stats::{NotSeen, Observer, Seen, Stats};

/// The `system_fingerprint` of everything sent from here.
pub const FINGERPRINT: &str = "scripted";
