//! Newtypes for everything that is "a string, but which one?".

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use bytes::BufMut;
use rand::RngExt as _;
use serde::{Deserialize, Serialize, Serializer};

/// Makes a cheaply cloned name type over `Arc<str>`.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// A tenant, as the configuration names it.
    TenantName
);
name!(
    /// A team within a tenant.
    TeamName
);
name!(
    /// The id of a virtual key (never the key itself).
    KeyId
);
name!(
    /// A model as the operator names it: `r1-distill-32b`.
    ModelName
);
name!(
    /// An operator's endpoint: `gpu-paris`.
    ProviderName
);
name!(
    /// One model at one provider: `r1-distill-32b@gpu-paris`.
    TargetName
);
name!(
    /// A policy file's name.
    PolicyName
);
name!(
    /// A rule within a policy; `max_cost` and the like for ceilings of the objective.
    RuleName
);

/// The place of a target in the running configuration. Valid only with the configuration it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(pub u16);

impl TargetId {
    /// As an index into `Config::targets`.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Crockford's base 32 without vowels that could spell words: unambiguous in a log and safe in a URL.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The last id's first 64 bits.
static LAST: AtomicU64 = AtomicU64::new(0);

/// The milliseconds since 1970 and 16 bits that count within one: greater with every call, also of other threads, and
/// where the clock goes back.
fn later() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = u64::try_from(now).unwrap_or_default() << 16;
    let next = |last: u64| now.max(last + 1);
    let (Ok(last) | Err(last)) = LAST.fetch_update(Relaxed, Relaxed, |last| Some(next(last)));
    next(last)
}

/// 26 characters: 48 bits of milliseconds since 1970 and 16 that count within one, so ids sort in the order they were made
/// by this process, then 64 random bits (the ULID layout, <https://github.com/ulid/spec>), in lower case.
fn ulid() -> [u8; 26] {
    let random: u64 = rand::rng().random();
    let mut bits = (u128::from(later()) << 64) | u128::from(random);
    let mut text = [0; 26];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    text
}

/// The id of one decision record: `dec_` and 26 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId([u8; 26]);

impl DecisionId {
    /// A fresh id.
    #[must_use]
    pub fn new() -> Self {
        Self(ulid())
    }

    /// Appends `dec_` and the 26 characters.
    pub fn write(&self, into: &mut impl BufMut) {
        into.put_slice(b"dec_");
        into.put_slice(&self.0);
    }

    /// Reads what `Display` wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest: [u8; 26] = text.strip_prefix("dec_")?.as_bytes().try_into().ok()?;
        rest.iter().all(|byte| ALPHABET.contains(byte)).then_some(Self(rest))
    }

    /// A number that differs between ids made in the same millisecond, for spreading them over shards.
    pub(crate) fn spread(&self) -> usize {
        usize::from(self.0[25]) ^ (usize::from(self.0[24]) << 3)
    }

    fn as_str(&self) -> &str {
        // The bytes come from ALPHABET alone, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Default for DecisionId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dec_")?;
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DecisionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The id of one request: the client's own `x-request-id` where it is sane, else a fresh one.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl Clone for RequestId {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    /// In the room that there is.
    fn clone_from(&mut self, other: &Self) {
        self.0.clone_from(&other.0);
    }
}

impl RequestId {
    /// Longest id taken from a client, in bytes.
    const MAX: usize = 128;

    /// Takes the client's id if it is 1 to 128 visible ASCII characters, else makes one. Ids end up in headers and
    /// logs, so nothing that could break a line is let in.
    #[must_use]
    pub fn from_client(given: Option<&[u8]>) -> Self {
        given
            .filter(|id| (1..=Self::MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic))
            .and_then(|id| std::str::from_utf8(id).ok())
            .map_or_else(Self::new, |id| Self(id.to_owned()))
    }

    /// Stands where an id has been moved on.
    #[must_use]
    pub const fn unknown() -> Self {
        Self(String::new())
    }

    /// A fresh id.
    #[must_use]
    pub fn new() -> Self {
        let mut id = String::with_capacity(30);
        id.push_str("req_");
        // The bytes come from ALPHABET alone, so this never falls back.
        id.push_str(std::str::from_utf8(&ulid()).unwrap_or_default());
        Self(id)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_id_survives_its_text() {
        let id = DecisionId::new();
        assert_eq!(DecisionId::parse(&id.to_string()), Some(id));
        assert_eq!(DecisionId::parse("dec_../../etc/passwd0000000000"), None);
    }

    #[test]
    fn ids_sort_in_the_order_they_were_made() {
        let ids: Vec<DecisionId> = (0..100_000).map(|_| DecisionId::new()).collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]), "also within a millisecond");
        let mut of_all = Vec::new();
        std::thread::scope(|scope| {
            let makers: Vec<_> = (0..4).map(|_| scope.spawn(|| Vec::from_iter((0..10_000).map(|_| later())))).collect();
            for maker in makers {
                let made = maker.join().unwrap();
                assert!(made.is_sorted());
                of_all.extend(made);
            }
        });
        of_all.sort_unstable();
        of_all.dedup();
        assert_eq!(of_all.len(), 40_000, "no two threads get the same");
    }

    #[test]
    fn a_client_cannot_break_a_line_with_its_request_id() {
        assert_eq!(RequestId::from_client(Some(b"trace-1")).as_str(), "trace-1");
        for bad in [&b"a\r\nset-cookie: x"[..], b"", &[b'a'; 129], "ü".as_bytes(), b"a b"] {
            assert!(RequestId::from_client(Some(bad)).as_str().starts_with("req_"));
        }
    }
}
