//! The cache on the path: a hit counts only if its target is allowed now, and only good answers are kept.

use std::sync::Arc;

use super::Gateway;
use super::decide::Constrained;
use super::headers::{CacheWish, Wishes};
use super::relay::Whole;
use crate::cache::{Entry, Key};
use crate::chat;
use crate::config::Target;
use crate::policy::Permitted;
use crate::wire::openai;

/// What the cache says.
pub(super) enum Lookup {
    /// An answer from a target that may be asked now.
    Hit(Hit),
    /// None, but the answer to come may be kept.
    Miss(Slot),
    /// The cache has no part in this request.
    Bypass,
}

/// A kept answer and the permitted target that gave it.
pub(super) struct Hit {
    pub(super) target: Permitted<Arc<Target>>,
    pub(super) entry: Entry,
}

/// Where the answer will be kept.
pub(super) struct Slot(Key);

impl Lookup {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Hit(_) => "hit",
            Self::Miss(_) => "miss",
            Self::Bypass => "bypass",
        }
    }
}

pub(super) async fn look_up(
    gateway: &Gateway,
    constrained: &Constrained<'_>,
    wishes: &Wishes,
    request: &chat::Request,
) -> Lookup {
    let lookup = if may_cache(gateway, constrained, wishes, request) {
        ask(gateway, constrained, wishes, request).await
    } else {
        Lookup::Bypass
    };
    if gateway.cache.is_on() {
        gateway.metrics.cache(lookup.word());
    }
    lookup
}

async fn ask(gateway: &Gateway, constrained: &Constrained<'_>, wishes: &Wishes, request: &chat::Request) -> Lookup {
    let policy = constrained.asked.policy;
    let key = Key::new(constrained.tenant, &policy.name, &policy.hash, &request.model, openai::request::cache_view(request));
    if wishes.cache == CacheWish::NoCache {
        return Lookup::Miss(Slot(key));
    }
    match gateway.cache.get(&key).await {
        crate::cache::Lookup::Hit(entry) => match permitted(gateway, constrained, &entry) {
            Some(target) => Lookup::Hit(Hit { target, entry }),
            // What was allowed when it was stored is not what is allowed now.
            None => Lookup::Miss(Slot(key)),
        },
        crate::cache::Lookup::Miss => Lookup::Miss(Slot(key)),
        crate::cache::Lookup::Bypass => Lookup::Bypass,
    }
}

fn permitted(gateway: &Gateway, constrained: &Constrained<'_>, entry: &Entry) -> Option<Permitted<Arc<Target>>> {
    let target = gateway.config.targets.iter().find(|target| target.name == entry.target)?;
    constrained.allowed.permit(target.id)
}

/// Answers drawn at random would all be the first one's; classes above the limit are kept nowhere.
fn may_cache(gateway: &Gateway, constrained: &Constrained<'_>, wishes: &Wishes, request: &chat::Request) -> bool {
    let settings = &gateway.config.cache;
    if !gateway.cache.is_on() || wishes.cache == CacheWish::NoStore || (request.sampled && !settings.sampled) {
        return false;
    }
    settings.max_data_class.as_ref().is_none_or(|highest| constrained.labels.at_most("data-class", highest))
}

/// Keeps a good answer, without holding anybody up.
pub(super) fn store(gateway: &Gateway, slot: Option<Slot>, kept: Option<Whole>) {
    if let (Some(Slot(key)), Some(whole)) = (slot, kept) {
        gateway.cache.put(key, &whole.target, whole.body, whole.usage);
    }
}
