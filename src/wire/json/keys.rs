//! No key twice in one object, in time that no body can make quadratic.

use std::hash::{BuildHasher, RandomState};

use super::text::unescape;
use super::token::Str;

/// Objects of up to this many keys are compared key by key: faster than hashing, and nearly all are.
const FEW: usize = 32;
/// Room for the keys of a usual request.
const USUAL: usize = 16;

/// The keys of all objects open at one moment, innermost last.
#[derive(Debug, Default)]
pub(super) struct OpenKeys {
    keys: Vec<SeenKey>,
    /// Those of the large objects, which have none in `keys`.
    many: Vec<ManyKeys>,
}

#[derive(Clone, Copy, Debug)]
struct SeenKey {
    /// Made of length and first bytes: tells most keys apart without looking at them.
    tag: u64,
    place: Packed,
}

/// The keys of one open object.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectKeys {
    base: usize,
    large: bool,
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

impl OpenKeys {
    #[inline]
    pub(super) fn open(&self) -> ObjectKeys {
        ObjectKeys { base: self.keys.len(), large: false }
    }

    /// Whether the key `raw`, which stands at `start` of this body, is new to the object. Of a large object this is told
    /// only at its [`close`](Self::close).
    #[inline]
    pub(super) fn is_new(
        &mut self,
        object: &mut ObjectKeys,
        raw: &[u8],
        start: usize,
        escaped: bool,
        body: &[u8],
    ) -> bool {
        let tag = if escaped { tag(unescape(raw).as_bytes()) } else { tag(raw) };
        let place = Packed::of(start, raw.len());
        let mine = self.keys.get(object.base..).unwrap_or_default();
        if mine.iter().any(|seen| seen.tag == tag && seen.place.same(place, body)) {
            return false;
        }
        if mine.len() >= FEW || object.large {
            self.add_to_many(object, place, body);
        } else if self.keys.len() < self.keys.capacity() {
            self.keys.push(SeenKey { tag, place });
        } else {
            self.add_with_room(SeenKey { tag, place });
        }
        true
    }

    #[cold]
    fn add_with_room(&mut self, key: SeenKey) {
        self.keys.reserve(USUAL);
        self.keys.push(key);
    }

    #[cold]
    fn add_to_many(&mut self, object: &mut ObjectKeys, place: Packed, body: &[u8]) {
        if !object.large {
            object.large = true;
            let mut many = ManyKeys { hasher: RandomState::new(), keys: Vec::with_capacity(FEW * 4) };
            for seen in self.keys.drain(object.base..) {
                many.add(seen.place, body);
            }
            self.many.push(many);
        }
        if let Some(many) = self.many.last_mut() {
            many.add(place, body);
        }
    }

    /// Ends the object of this body, the innermost one. `Some` is a key that it has twice.
    #[inline]
    pub(super) fn close<'a>(&mut self, object: ObjectKeys, body: &'a [u8]) -> Option<Str<'a>> {
        self.keys.truncate(object.base);
        if object.large { self.close_large(body) } else { None }
    }

    #[cold]
    fn close_large<'a>(&mut self, body: &'a [u8]) -> Option<Str<'a>> {
        self.many.pop()?.twice(body)
    }
}

impl ManyKeys {
    fn add(&mut self, place: Packed, body: &[u8]) {
        self.keys.push((self.hasher.hash_one(&*place.unpack(body).bytes()), place));
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
    #[inline]
    fn of(start: usize, len: usize) -> Self {
        Self { start: u32::try_from(start).unwrap_or(u32::MAX), len: u32::try_from(len).unwrap_or(u32::MAX) }
    }

    #[cold]
    fn same(self, other: Self, body: &[u8]) -> bool {
        self.unpack(body).bytes() == other.unpack(body).bytes()
    }

    fn unpack(self, body: &[u8]) -> Str<'_> {
        Str::placed(body, self.start as usize, self.len as usize)
    }
}

/// The same for the same name, and seldom the same for two.
#[inline]
fn tag(name: &[u8]) -> u64 {
    let bytes = if let Some(eight) = name.first_chunk::<8>() {
        u64::from_le_bytes(*eight)
    } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
    } else {
        name.iter().fold(0, |tag, &byte| tag << 8 | u64::from(byte))
    };
    bytes ^ (name.len() as u64).rotate_right(8)
}
