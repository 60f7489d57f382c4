//! What comes back for a request: when it came, what it took, and where its conversation is cached from now on.

use std::sync::Arc;
use std::time::Instant;

use super::Record;
use crate::chat::Usage;
use crate::config::Target;
use crate::gateway::call::Content;
use crate::gateway::pins::Known;
use crate::wire::passage::Relay;

impl Record<'_> {
    /// A stream has begun that was asked for then.
    pub(in crate::gateway) fn awaits_answer(&mut self, sent: Instant, content: &Content) {
        self.answer_awaited = Some(sent);
        if let Content::Stream { relay, .. } = content {
            self.answer_may_have_come(relay);
        }
    }

    fn answer_may_have_come(&mut self, relay: &Relay) {
        if relay.seen().answer
            && let (Some(sent), Some(target)) = (self.answer_awaited.take(), &self.target)
            && self.effort_known
        {
            self.gateway.latency.record_answer(target.id, self.effort, sent.elapsed(), Instant::now());
        }
    }

    /// A whole answer has come.
    pub(in crate::gateway) fn used(&mut self, usage: Usage) {
        self.sent_at = None;
        self.usage = Some(usage);
        self.remember();
    }

    /// The conversation that the request goes on with, if it is to be remembered where it is cached.
    pub(in crate::gateway) fn converses(&mut self, conversation: Option<Known>) {
        self.conversation = conversation;
    }

    /// Remembers where the conversation is cached now: before the client has all of the answer, and can go on with it.
    pub(super) fn remember(&mut self) {
        if let (Some(target), Some(usage), Some(conversation)) = (&self.target, &self.usage, self.conversation.take()) {
            self.gateway.pins.served(conversation, target, usage);
        }
    }

    /// Tokens, as far as they are known.
    pub(in crate::gateway) fn usage(&self) -> Usage {
        self.usage.unwrap_or_default()
    }

    /// A stream has come so far, and may be cut here: what the provider counted, else one token for each piece.
    pub(in crate::gateway) fn streaming(&mut self, relay: &Relay) {
        if self.answer_awaited.is_some() {
            self.answer_may_have_come(relay);
        }
        self.streamed(relay, Relay::events);
        if relay.seen().done && self.conversation.is_some() {
            self.remember();
        }
    }

    /// A stream has ended: what the provider counted, else an estimate of what was passed on.
    pub(in crate::gateway) fn streamed(&mut self, relay: &Relay, estimate: impl FnOnce(&Relay) -> u64) {
        self.sent_at = None;
        let usage = self.usage.unwrap_or_default();
        let estimated = || Usage { output: estimate(relay), estimated: true, ..usage };
        self.usage = Some(relay.usage().unwrap_or_else(estimated));
    }

    /// Answered from the cache: nothing is paid, and what it would have cost is saved.
    pub(in crate::gateway) fn served_from_cache(&mut self, target: &Arc<Target>, usage: Usage) {
        self.target = Some(Arc::clone(target));
        self.best = Some(target.id);
        self.usage = Some(usage);
        self.free = true;
    }
}
