//! What makes two requests the same: everything that can change the answer, and who asks under which rules.

use std::fmt;

use ring::digest::{Context, SHA256};

use crate::id::{PolicyName, TenantName};

/// Changes when what is hashed, or how, changes: old entries are then never found.
const VERSION: &[u8] = b"waypost exact cache 1";

/// SHA-256 over all of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of one request. `model` is the name the client asked for (`auto` and an alias may lead elsewhere than
    /// the target's own name); `request` is the body without what cannot change the answer, in any number of slices
    /// at fixed places. Each part is hashed with its length, so that no two lists of parts are taken for one another.
    #[must_use]
    pub fn new(tenant: &TenantName, policy: &PolicyName, policy_hash: &str, model: &str, request: &[&[u8]]) -> Self {
        let mut hash = Context::new(&SHA256);
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(VERSION);
        part(tenant.as_str().as_bytes());
        part(policy.as_str().as_bytes());
        part(policy_hash.as_bytes());
        part(model.as_bytes());
        for slice in request {
            part(slice);
        }
        let mut key = [0; 32];
        key.copy_from_slice(hash.finish().as_ref());
        Self(key)
    }

    /// The bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A hash of a short prompt can be guessed back.
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, policy: &str, hash: &str, model: &str, request: &[&[u8]]) -> Key {
        Key::new(&tenant.into(), &policy.into(), hash, model, request)
    }

    #[test]
    fn every_part_counts_and_none_runs_into_the_next() {
        let same = key("a", "b", "c", "d", &[b"e", b"f"]);
        assert_eq!(same, key("a", "b", "c", "d", &[b"e", b"f"]));
        for other in [
            key("x", "b", "c", "d", &[b"e", b"f"]),
            key("a", "x", "c", "d", &[b"e", b"f"]),
            key("a", "b", "x", "d", &[b"e", b"f"]),
            key("a", "b", "c", "x", &[b"e", b"f"]),
            key("a", "b", "c", "d", &[b"x", b"f"]),
            key("a", "b", "c", "d", &[b"ef"]),
            key("a", "b", "c", "d", &[b"ef", b""]),
            key("a", "b", "c", "d", &[b"", b"ef"]),
            key("ab", "", "c", "d", &[b"e", b"f"]),
            key("a", "b", "cd", "", &[b"e", b"f"]),
        ] {
            assert_ne!(same, other);
        }
    }
}
