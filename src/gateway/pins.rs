//! Which target began a turn: inside an unfinished tool loop the same one goes on.
//!
//! Another model could not use the first one's signed reasoning, and would see calls it never made. The turn is known by
//! its beginning, which the client sends again with each result, so no answer has to be read for it. Pins are in memory
//! and bounded: after a restart, or at another replica, the policy chooses anew.

use std::time::Duration;

use ring::digest::{Context, SHA256};

use crate::chat::Request;
use crate::id::{TargetName, TenantName};
use crate::wire::ask;

/// How many turns are remembered; some 100 bytes each.
const TURNS: u64 = 100_000;
/// How long a turn is remembered after it was last heard of: tools that take longer are rare.
const IDLE: Duration = Duration::from_hours(1);

/// The turns under way. Targets are remembered by name: a reload may move their places. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pins(moka::sync::Cache<Turn, TargetName>);

/// One turn of one tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Turn([u8; 16]);

impl Default for Pins {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(TURNS).time_to_idle(IDLE).build())
    }
}

impl Pins {
    /// Who began this turn, if it is known.
    pub(super) fn get(&self, turn: &Turn) -> Option<TargetName> {
        self.0.get(turn)
    }

    /// A target answers in this turn.
    pub(super) fn put(&self, turn: Turn, target: TargetName) {
        self.0.insert(turn, target);
    }
}

impl Turn {
    /// The turn a request belongs to; `None` where no tool can be called.
    pub(super) fn of(tenant: &TenantName, request: &Request) -> Option<Self> {
        if request.tools == 0 && !request.in_tool_loop {
            return None;
        }
        let mut hash = Context::new(&SHA256);
        for part in [tenant.as_str().as_bytes(), request.model.as_bytes(), ask::turn(request)?] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut turn = [0; 16];
        turn.copy_from_slice(hash.finish().as_ref().get(..16)?);
        Some(Self(turn))
    }
}
