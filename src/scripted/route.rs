//! Where a request goes, by its method and its path.

use super::endpoint::{Endpoint, Format};
use super::head::{Head, Method};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Ask(Endpoint),
    Models(Format),
    Health,
    Stats,
    Reset,
    /// Said in the shape of this format.
    Nothing(Format),
}

impl Route {
    /// `input` has the head in it; `only` is the one format spoken, if there is but one.
    pub(super) fn of(head: &Head, input: &[u8], only: Option<Format>) -> Route {
        let path = input.get(head.path.clone()).unwrap_or_default();
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let gemini = memchr::memmem::find(path, b"/v1beta/models").is_some();
        let guessed = match (gemini, head.anthropic_version) {
            (true, _) => Format::Gemini,
            (_, true) => Format::Anthropic,
            _ => Format::Openai,
        };
        let likely = only.unwrap_or(guessed);
        match head.method {
            Method::Post if path == b"/scripted/reset" => Route::Reset,
            Method::Post => match Endpoint::find(path) {
                Some(endpoint) if only.is_none_or(|only| only == endpoint.format()) => Route::Ask(endpoint),
                _ => Route::Nothing(likely),
            },
            Method::Get if path == b"/scripted/stats" => Route::Stats,
            Method::Get if path == b"/health" => Route::Health,
            Method::Get if path.ends_with(b"/models") => Route::Models(likely),
            _ => Route::Nothing(likely),
        }
    }
}
