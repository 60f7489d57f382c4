//! The chunk that shows the usage: the provider's own count, or where it has none, ours.

use bytes::Bytes;

use super::{Relay, as_event, chunk};
use crate::chat::Usage;

impl Relay {
    /// Shows an estimate to a client that asked for usage where the provider counts none. The prompt has `input_tokens`;
    /// of the answer each event counts as one, since its words are not read.
    #[must_use]
    pub fn counting(mut self, input_tokens: u64) -> Self {
        self.counting = Some(input_tokens);
        self
    }

    /// Puts out what was held back, and the chunk that shows the usage, with its cost.
    pub(super) fn say_last_word(&mut self, out: &mut Vec<Bytes>) {
        if let Some(rest) = self.mending.as_mut().and_then(|mending| mending.mender.rest()) {
            out.push(as_event(rest));
        }
        let Some(mut json) = self.last_word.take() else { return };
        let usage = match (self.usage, self.counting) {
            (Some(usage), _) => usage,
            (None, Some(input)) => {
                let usage = Usage { input, output: self.events, estimated: true, ..Usage::default() };
                self.usage = Some(usage);
                json = filled(json, &usage);
                usage
            }
            (None, None) => return,
        };
        if let Some(cost) = (self.cost)(&usage) {
            json = chunk::with_cost(&json, cost);
        }
        out.push(as_event(json));
    }
}

/// The chunk with this usage in the place that was kept for it.
fn filled(mut json: Vec<u8>, usage: &Usage) -> Vec<u8> {
    if json.ends_with(b"null}") {
        json.truncate(json.len() - b"null}".len());
    }
    let total = usage.input.saturating_add(usage.output);
    let figures =
        format!(r#"{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{total}}}}}"#, usage.input, usage.output);
    json.extend_from_slice(figures.as_bytes());
    json
}
