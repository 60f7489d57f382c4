//! The cache on the path: a hit counts only if its target is allowed now, and only good answers are kept.

use std::sync::Arc;

use super::Gateway;
use super::decide::Constrained;
use super::decode::aside;
use super::headers::{CacheWish, Wishes};
use super::relay::Whole;
use crate::cache::{self, Entry, Key};
use crate::chat::{self, Format};
use crate::config::Target;
use crate::id::TargetName;
use crate::policy::Permitted;
use crate::wire::{self, passage};

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

/// Looks for a kept answer where one may be used. Resolves at once where none may: most gateways run without a cache,
/// and their requests need not carry its future along.
pub(super) async fn look_up(
    gateway: &Gateway,
    constrained: &Constrained<'_>,
    wishes: &Wishes,
    request: &chat::Request,
) -> Lookup {
    let lookup = if may_cache(gateway, constrained, wishes, request) {
        Box::pin(ask(gateway, constrained, wishes, request)).await
    } else {
        Lookup::Bypass
    };
    if !gateway.cache.is_off() {
        gateway.metrics.cache(lookup.word());
    }
    lookup
}

async fn ask(gateway: &Gateway, constrained: &Constrained<'_>, wishes: &Wishes, request: &chat::Request) -> Lookup {
    let policy = constrained.asked.policy;
    // Bodies of two formats may be the same to the byte, and their answers are not.
    let mut view = vec![request.format.as_str().as_bytes()];
    view.extend(wire::ask::cache_view(request));
    let key =
        aside(request.body.len(), || Key::new(&constrained.tenant, &policy.name, &policy.hash, &request.model, &view));
    if wishes.cache == CacheWish::NoCache {
        return Lookup::Miss(Slot(key));
    }
    // What was allowed when it was stored need not be allowed now. And a shared store may have been written to by others:
    // one broken entry would fail every request for it until it expires.
    let permit = |name: &TargetName| {
        let target = gateway.config.targets.iter().find(|target| target.name == *name)?;
        constrained.allowed.permit(target.id)
    };
    match gateway.cache.get(&key, permit).await {
        cache::Lookup::Hit { entry, permitted }
            if entry.upstream == permitted.upstream
                && aside(entry.body.len(), || passage::is_good(request.format, &entry.body)) =>
        {
            Lookup::Hit(Hit { target: permitted, entry })
        }
        cache::Lookup::Hit { .. } | cache::Lookup::Miss => Lookup::Miss(Slot(key)),
        cache::Lookup::Bypass(_) => Lookup::Bypass,
    }
}

/// Answers drawn at random would all be the first one's; classes above the limit are kept nowhere.
fn may_cache(gateway: &Gateway, constrained: &Constrained<'_>, wishes: &Wishes, request: &chat::Request) -> bool {
    let settings = &gateway.config.cache;
    if gateway.cache.is_off() || wishes.cache == CacheWish::NoStore || (request.sampled && !settings.sampled) {
        return false;
    }
    // A kept answer is told as a stream in the formats that are translated, and this one is only passed through.
    if request.format == Format::Completions && request.stream {
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
