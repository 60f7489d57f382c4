//! One kept answer, and its form in a shared store.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::chat::Usage;
use crate::id::TargetName;

/// Begins every stored entry; a later form gets another.
const MARK: &[u8; 4] = b"wpc1";

/// A whole, good answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who gave it. It may be passed on only where this target is allowed.
    pub target: TargetName,
    /// What the provider calls that model. A target that has come to stand for another one gives other answers.
    pub upstream: String,
    /// The whole `chat.completion` object, as JSON.
    pub body: Bytes,
    /// What it took to make.
    pub usage: Usage,
    /// When it was made.
    pub stored_at: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct Head {
    target: TargetName,
    upstream: String,
    usage: Usage,
    /// Milliseconds since 1970.
    at: u64,
    /// Bytes of the body: what was cut short must not be taken for an answer.
    body: usize,
}

impl Entry {
    /// Bytes it takes up in memory, roughly.
    pub(super) fn weight(&self) -> u32 {
        let fixed = size_of::<Self>() + 64;
        u32::try_from(self.body.len() + self.target.as_str().len() + self.upstream.len() + fixed).unwrap_or(u32::MAX)
    }

    /// Mark, length of the head (4 bytes, little end first), head as JSON, body.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let since_1970 = self.stored_at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let head = Head {
            target: self.target.clone(),
            upstream: self.upstream.clone(),
            usage: self.usage,
            at: u64::try_from(since_1970.as_millis()).ok()?,
            body: self.body.len(),
        };
        let head = serde_json::to_vec(&head).ok()?;
        let mut bytes = Vec::with_capacity(MARK.len() + 4 + head.len() + self.body.len());
        bytes.extend_from_slice(MARK);
        bytes.extend_from_slice(&u32::try_from(head.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&self.body);
        Some(bytes)
    }

    /// Reads what `to_bytes` wrote; `None` for anything else.
    pub(super) fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let rest = bytes.strip_prefix(MARK)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let head: Head = serde_json::from_slice(rest.get(..length)?).ok()?;
        let body = bytes.slice(MARK.len() + 4 + length..);
        let stored_at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(head.at))?;
        let Head { target, upstream, usage, .. } = head;
        (body.len() == head.body).then_some(Self { target, upstream, body, usage, stored_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            target: "m@p".into(),
            upstream: "org/m".to_owned(),
            body: Bytes::from_static(b"{\"id\":\"x\"}"),
            usage: Usage { input: 3, output: 4, ..Usage::default() },
            stored_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        }
    }

    #[test]
    fn an_entry_survives_its_stored_form() {
        let stored = Bytes::from(entry().to_bytes().unwrap());
        assert_eq!(Entry::from_bytes(&stored), Some(entry()));
    }

    #[test]
    fn a_broken_entry_is_none_wherever_it_breaks() {
        let stored = Bytes::from(entry().to_bytes().unwrap());
        for end in 0..stored.len() {
            assert_eq!(Entry::from_bytes(&stored.slice(..end)), None, "cut at {end}");
        }
        let mut longer = stored.to_vec();
        longer.push(b' ');
        let mut older = stored.to_vec();
        older[3] = b'0';
        let mut vast = stored.to_vec();
        vast[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        for broken in [longer, older, vast, b"hello".to_vec()] {
            assert_eq!(Entry::from_bytes(&broken.into()), None);
        }
    }
}
