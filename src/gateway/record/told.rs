//! What the client is told of a record: in headers, and around the answer.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use super::Record;
use crate::chat::{self, Format};
use crate::config::Target;
use crate::cost;
use crate::gateway::headers::Notes;
use crate::wire::envelope::Cost;
use crate::wire::{Envelope, responses};

impl Record<'_> {
    /// What an answer's headers say of all this.
    pub(in crate::gateway) fn notes(&self) -> Notes<'_> {
        Notes {
            served_by: self.target.as_ref().map(|target| &self.gateway.served_by[target.id.index()]),
            reason: self.reason,
            attempts: (!self.attempts.is_empty()).then_some(self.attempts.len()),
            dropped: &self.dropped,
            ..self.early_notes()
        }
    }

    /// The same before it is known who will answer.
    pub(in crate::gateway) fn early_notes(&self) -> Notes<'_> {
        Notes {
            request_id: Some(&self.request_id),
            decision: Some(self.id),
            difficulty: self.difficulty(),
            cache: self.cache,
            ..Notes::default()
        }
    }

    /// What stands around an answer of this target.
    pub(in crate::gateway) fn envelope(&self, target: &Target, request: &chat::Request) -> Envelope {
        let price = target.price.clone();
        let cost = Arc::new(move |usage: &_| price.as_ref().map(|price| cost::cost(usage, price)));
        self.around(request, &target.upstream, cost)
    }

    /// The same before it is known who will answer.
    pub(in crate::gateway) fn early_envelope(&self, request: &chat::Request) -> Envelope {
        self.around(request, &request.model, Arc::new(|_| None))
    }

    fn around(&self, request: &chat::Request, model: &str, cost: Cost) -> Envelope {
        let prefix = match request.format {
            Format::Responses => "resp_",
            Format::Messages => "msg_",
            Format::Chat | Format::Gemini | Format::Completions | Format::Embeddings => "chatcmpl-",
        };
        let mut id = String::with_capacity(40);
        id.push_str(prefix);
        // A text takes whatever is written to it.
        let _ = write!(id, "{}", self.id);
        Envelope {
            id,
            model: model.to_owned(),
            created: self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
            show_usage: request.include_usage,
            echo: (request.format == Format::Responses).then(|| responses::echo::echo(request)),
            cost,
        }
    }
}
