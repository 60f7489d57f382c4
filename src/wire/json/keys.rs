//! No key twice in one object, in time that no body can make quadratic.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use super::token::Str;

/// Objects of up to this many keys are compared key by key: faster than hashing, and nearly all are.
const FEW: usize = 32;
/// Room for the keys of a usual request.
const USUAL: usize = 16;

/// The keys of all objects open at one moment, innermost last.
#[derive(Debug, Default)]
pub(super) struct OpenKeys<'a> {
    keys: Vec<SeenKey<'a>>,
}

#[derive(Debug)]
struct SeenKey<'a> {
    /// The first eight bytes: tells most keys apart without looking at them.
    tag: u64,
    name: Cow<'a, [u8]>,
    place: Packed,
}

/// The keys of one open object.
#[derive(Debug)]
pub(super) struct ObjectKeys {
    base: usize,
    many: Option<Box<ManyKeys>>,
}

/// The keys of a large object: hashes under a random key, sorted once at its end. Sixteen bytes a key, so a body of
/// nothing but keys takes a small multiple of its own size.
#[derive(Debug)]
struct ManyKeys {
    hasher: RandomState,
    keys: Vec<(u64, Packed)>,
}

/// Where a key stands; the scanner refuses bodies beyond 32 bits of length.
#[derive(Clone, Copy, Debug)]
struct Packed {
    start: u32,
    len: u32,
}

impl<'a> OpenKeys<'a> {
    pub(super) fn open(&self) -> ObjectKeys {
        ObjectKeys { base: self.keys.len(), many: None }
    }

    /// Whether `key` is new to the object. Of a large object this is told only at its [`close`](Self::close).
    #[inline]
    pub(super) fn is_new(&mut self, object: &mut ObjectKeys, key: Str<'a>) -> bool {
        if let Some(many) = &mut object.many {
            many.add(key);
            return true;
        }
        let name = key.bytes();
        let tag = tag(&name);
        let mine = self.keys.get(object.base..).unwrap_or_default();
        if mine.iter().any(|seen| seen.tag == tag && seen.name == name) {
            return false;
        }
        if mine.len() < FEW {
            if self.keys.capacity() == 0 {
                self.keys.reserve(USUAL);
            }
            self.keys.push(SeenKey { tag, name, place: Packed::of(key) });
            return true;
        }
        object.many = Some(Box::new(self.grow(object.base, key)));
        true
    }

    #[cold]
    fn grow(&mut self, base: usize, key: Str<'a>) -> ManyKeys {
        let mut many = ManyKeys { hasher: RandomState::new(), keys: Vec::with_capacity(FEW * 4) };
        for seen in self.keys.drain(base..) {
            many.keys.push((many.hasher.hash_one(&*seen.name), seen.place));
        }
        many.add(key);
        many
    }

    /// Ends the object of this body. `Some` is a key that it has twice.
    #[inline]
    pub(super) fn close(&mut self, object: ObjectKeys, body: &'a [u8]) -> Option<Str<'a>> {
        self.keys.truncate(object.base);
        object.many?.twice(body)
    }
}

impl ManyKeys {
    fn add(&mut self, key: Str<'_>) {
        self.keys.push((self.hasher.hash_one(&*key.bytes()), Packed::of(key)));
    }

    fn twice<'a>(mut self, body: &'a [u8]) -> Option<Str<'a>> {
        self.keys.sort_unstable_by_key(|(hash, _)| *hash);
        for pair in self.keys.windows(2) {
            if let [(one, first), (other, second)] = pair
                && one == other
            {
                let (first, second) = (first.unpack(body), second.unpack(body));
                if first.bytes() == second.bytes() {
                    return Some(second);
                }
            }
        }
        None
    }
}

impl Packed {
    fn of(key: Str<'_>) -> Self {
        let (start, len) = key.place();
        Self { start: u32::try_from(start).unwrap_or(u32::MAX), len: u32::try_from(len).unwrap_or(u32::MAX) }
    }

    fn unpack(self, body: &[u8]) -> Str<'_> {
        Str::placed(body, self.start as usize, self.len as usize)
    }
}

#[inline]
fn tag(name: &[u8]) -> u64 {
    if let Some(eight) = name.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    name.iter().fold(name.len() as u64, |tag, &byte| tag << 8 | u64::from(byte))
}
