//! Who serves what goes on: inside an unfinished tool loop the same target, and between the turns of a conversation the
//! one whose cache is warm, where that is worth more than another would save.
//!
//! In a tool loop another model could not use the first one's signed reasoning, and would see calls it never made. The turn
//! is known by its beginning, which the client sends again with each result, so no answer has to be read for it; a
//! conversation is known by its system texts and its first user message. Both are told by a keyed hash alone, with a key
//! of this process. They are in memory and bounded: after a restart, or at another replica, the policy chooses anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ring::hmac;

use crate::chat::{Effort, Request, Usage};
use crate::config::{Config, Target};
use crate::id::{TargetId, TargetName, TenantName};
use crate::route::Warm;
use crate::wire::ask;

/// How many turns, and how many conversations, are remembered; some 100 bytes each.
const KEPT: u64 = 100_000;
/// How long a turn is remembered after it was last heard of: tools that take longer are rare.
const IDLE: Duration = Duration::from_hours(1);
/// How long a conversation counts as cached after its last answer: what Anthropic keeps by default, and the least that
/// OpenAI does.
/// <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>,
/// <https://platform.openai.com/docs/guides/prompt-caching>
const WARM: Duration = Duration::from_mins(5);

/// What is under way.
pub(super) struct Pins {
    key: hmac::Key,
    turns: moka::sync::Cache<Known, (Model, Option<Effort>)>,
    /// With the tokens that are cached.
    conversations: moka::sync::Cache<Known, (Model, u64)>,
    places: HashMap<Model, TargetId>,
    models: Vec<Model>,
    /// Whether any price makes a warm cache worth anything.
    caches: bool,
}

/// A target by its name and the model behind it: places are one configuration's own and what is remembered outlives it,
/// but another model under the same name cannot go on with what this one began.
type Model = (TargetName, Arc<str>);

fn model(target: &Target) -> Model {
    (target.name.clone(), target.upstream.as_str().into())
}

/// How a target is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) target: TargetId,
    pub(super) effort: Option<Effort>,
}

/// A turn or a conversation of one tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Known([u8; 16]);

impl Pins {
    pub(super) fn new(config: &Config) -> Self {
        Self::with(
            hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()),
            moka::sync::Cache::builder().max_capacity(KEPT).time_to_idle(IDLE).build(),
            moka::sync::Cache::builder().max_capacity(KEPT).time_to_live(WARM).build(),
            config,
        )
    }

    /// The same for another configuration: what is under way goes on where it was, if that is still there.
    pub(super) fn renewed(&self, config: &Config) -> Self {
        Self::with(self.key.clone(), self.turns.clone(), self.conversations.clone(), config)
    }

    fn with(
        key: hmac::Key,
        turns: moka::sync::Cache<Known, (Model, Option<Effort>)>,
        conversations: moka::sync::Cache<Known, (Model, u64)>,
        config: &Config,
    ) -> Self {
        let priced = config.targets.iter().filter_map(|target| target.price.as_ref());
        let models: Vec<Model> = config.targets.iter().map(|target| model(target)).collect();
        Self {
            key,
            turns,
            conversations,
            places: models.iter().cloned().zip(config.targets.iter().map(|target| target.id)).collect(),
            models,
            caches: priced.map(|price| price.base()).any(|rates| rates.cached_input < rates.input),
        }
    }

    /// Who began this turn, and how, if it is known.
    pub(super) fn turn(&self, turn: &Known) -> Option<Way> {
        let (model, effort) = self.turns.get(turn)?;
        Some(Way { target: *self.places.get(&model)?, effort })
    }

    /// A target answers in this turn.
    pub(super) fn answers(&self, turn: Known, way: Way) {
        if let Some(model) = self.models.get(way.target.index()) {
            self.turns.insert(turn, (model.clone(), way.effort));
        }
    }

    /// Where this conversation is cached.
    pub(super) fn warm(&self, conversation: &Known) -> Option<Warm> {
        let (model, tokens) = self.conversations.get(conversation).filter(|(_, tokens)| *tokens > 0)?;
        Some(Warm { target: *self.places.get(&model)?, tokens })
    }

    /// A target has answered in this conversation.
    pub(super) fn served(&self, conversation: Known, target: &Target, usage: &Usage) {
        let Some(model) = self.models.get(target.id.index()) else { return };
        let before = self.conversations.get(&conversation).filter(|(before, _)| before == model);
        let tokens = cached(target, usage, before.is_some());
        self.conversations.insert(conversation, (model.clone(), tokens));
    }

    /// The turn a request belongs to; `None` where no tool can be called.
    pub(super) fn turn_of(&self, tenant: &TenantName, request: &Request) -> Option<Known> {
        if request.tools == 0 && !request.in_tool_loop {
            return None;
        }
        let mut name = self.name("turn", tenant);
        name.take(request.model.as_bytes());
        name.take(ask::turn(request)?);
        Some(name.known())
    }

    /// The conversation a request belongs to; `None` where it has no beginning, or no cache costs less.
    pub(super) fn conversation_of(&self, tenant: &TenantName, request: &Request) -> Option<Known> {
        if !self.caches {
            return None;
        }
        let mut name = self.name("conversation", tenant);
        ask::opening(request, &mut |bytes| name.take(bytes)).then(|| name.known())
    }

    fn name(&self, kind: &str, tenant: &TenantName) -> Name {
        let mut name = Name(hmac::Context::with_key(&self.key));
        name.take(kind.as_bytes());
        name.take(tenant.as_str().as_bytes());
        name
    }
}

/// A name in the making.
struct Name(hmac::Context);

impl Name {
    /// Each piece with its length, so that two pieces are not one.
    fn take(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn known(self) -> Known {
        let tag = self.0.sign();
        let mut known = [0; 16];
        for (byte, from) in known.iter_mut().zip(tag.as_ref()) {
            *byte = *from;
        }
        Known(known)
    }
}

/// Tokens of the conversation that the target has cached now. What it counted is believed. Where it counted nothing, a
/// price for cached input says that it keeps prompts by itself; but not where writing a cache has a price of its own, for
/// that is always counted, nor where the conversation was there before and nothing of it was found.
fn cached(target: &Target, usage: &Usage, was_there: bool) -> u64 {
    let counted = usage.cached.saturating_add(usage.cache_write);
    if counted > 0 {
        return counted.min(usage.input);
    }
    let Some(rates) = target.price.as_ref().map(|price| price.at(usage.input)) else { return 0 };
    let by_itself = rates.cached_input < rates.input && rates.cache_write <= rates.input;
    let cold = was_there && !usage.estimated;
    if by_itself && !cold { usage.input } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Format;
    use crate::config::Tier;
    use crate::money::{Price, Rate, Rates};
    use crate::policy::fixture::{config, target};

    fn rates(input: i64, cached: i64, write: i64) -> Rates {
        let plain = Rates::plain(Rate(input), Rate(input));
        Rates { cached_input: Rate(cached), cache_write: Rate(write), ..plain }
    }

    fn with(rates: Rates) -> Config {
        let mut config = config(vec![target("a", Tier::Mid)]);
        std::sync::Arc::make_mut(&mut config.targets[0]).price = Some(Price::flat(rates));
        config
    }

    fn asked(body: &str) -> Request {
        ask::judge(Format::Chat, bytes::Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    const ASKED: &str = r#"{"model":"auto","messages":[{"role":"user","content":"hi"}]}"#;

    #[test]
    fn a_conversation_is_one_tenants_and_one_processes() {
        let config = with(rates(10, 1, 10));
        let (pins, others) = (Pins::new(&config), Pins::new(&config));
        let of = |pins: &Pins, tenant: &str| pins.conversation_of(&tenant.into(), &asked(ASKED)).unwrap().0;
        assert_eq!(of(&pins, "acme"), of(&pins, "acme"));
        assert_ne!(of(&pins, "acme"), of(&pins, "globex"));
        assert_ne!(of(&pins, "acme"), of(&others, "acme"), "the key is this process's own");
        let flat = Pins::new(&with(rates(10, 10, 10)));
        assert!(flat.conversation_of(&"acme".into(), &asked(ASKED)).is_none(), "there is nothing to save");
    }

    #[test]
    fn what_was_counted_is_believed_and_else_the_price_says_whether_prompts_are_kept() {
        let openai = with(rates(10, 1, 10));
        let anthropic = with(rates(10, 1, 12));
        let usage = |cached, write| Usage { input: 5000, cached, cache_write: write, ..Usage::default() };
        let tokens = |config: &Config, usages: &[Usage]| {
            let pins = Pins::new(config);
            let conversation = pins.conversation_of(&"acme".into(), &asked(ASKED)).unwrap();
            usages.iter().for_each(|usage| pins.served(conversation, &config.targets[0], usage));
            pins.warm(&conversation).map_or(0, |warm| warm.tokens)
        };
        assert_eq!(tokens(&openai, &[usage(0, 0)]), 5000, "the first turn is kept by itself");
        assert_eq!(tokens(&openai, &[usage(0, 0), usage(4096, 0)]), 4096);
        assert_eq!(tokens(&openai, &[usage(0, 0), usage(0, 0)]), 0, "it was not");
        assert_eq!(tokens(&openai, &[usage(9000, 0)]), 5000, "never more than there was");
        assert_eq!(tokens(&anthropic, &[usage(0, 0)]), 0, "nobody asked for it to be kept");
        assert_eq!(tokens(&anthropic, &[usage(1000, 3000)]), 4000);
    }

    #[test]
    fn another_model_under_the_same_name_goes_on_with_nothing() {
        let mut config = with(rates(10, 1, 10));
        let pins = Pins::new(&config);
        let conversation = pins.conversation_of(&"acme".into(), &asked(ASKED)).unwrap();
        pins.served(conversation, &config.targets[0], &Usage { input: 5000, ..Usage::default() });
        pins.answers(conversation, Way { target: config.targets[0].id, effort: None });
        let same = pins.renewed(&config);
        assert!(same.warm(&conversation).is_some() && same.turn(&conversation).is_some());
        std::sync::Arc::make_mut(&mut config.targets[0]).upstream = "another".to_owned();
        let other = pins.renewed(&config);
        assert!(other.warm(&conversation).is_none() && other.turn(&conversation).is_none());
    }

    #[test]
    fn a_turn_is_pinned_with_its_effort() {
        let pins = Pins::new(&with(rates(1, 1, 1)));
        let tools = r#"{"model":"auto","tools":[{"type":"function"}],"messages":[{"role":"user","content":"hi"}]}"#;
        let turn = pins.turn_of(&"acme".into(), &asked(tools)).unwrap();
        assert_eq!(pins.turn(&turn), None);
        let way = Way { target: TargetId(0), effort: Some(Effort::High) };
        pins.answers(turn, way);
        assert_eq!(pins.turn(&turn), Some(way));
        assert!(pins.turn_of(&"acme".into(), &asked(ASKED)).is_none(), "no tool can be called");
    }

    #[test]
    fn a_turn_and_a_conversation_find_their_target_at_another_place_after_a_reload() {
        let old = Pins::new(&with(rates(10, 1, 10)));
        let way = Way { target: TargetId(0), effort: Some(Effort::High) };
        let (turn, conversation) = (Known([1; 16]), Known([2; 16]));
        old.answers(turn, way);
        old.served(conversation, &with(rates(10, 1, 10)).targets[0], &Usage { input: 50, ..Usage::default() });
        let new = old.renewed(&config(vec![target("newcomer", Tier::Mid), target("a", Tier::Mid)]));
        assert_eq!(new.turn(&turn), Some(Way { target: TargetId(1), ..way }));
        assert_eq!(new.warm(&conversation), Some(Warm { target: TargetId(1), tokens: 50 }));
        let gone = new.renewed(&config(vec![target("newcomer", Tier::Mid)]));
        assert_eq!((gone.turn(&turn), gone.warm(&conversation)), (None, None));
    }
}
