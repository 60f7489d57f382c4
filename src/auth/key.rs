//! Virtual keys: what they look like, how one is made, how one is recognised without asking anybody.
//!
//! `wp-` + 32 base62 characters + 6 characters of checksum. 32 characters drawn evenly from 62 are 190 random bits.
//! The checksum is the CRC-32 of everything before it in base62, as GitHub's tokens have it
//! (<https://github.blog/engineering/behind-githubs-new-authentication-token-formats/>). It is no secret and guards
//! nothing: it lets a typo, a cut paste or a random guess be refused by arithmetic alone, and secret scanners tell a
//! real key from a lookalike.
//!
//! The configuration knows a key by `hmac-sha256:<64 hex digits>`. A slow password hash would be wrong here: it makes
//! guessing dear where secrets are few, and 2^190 keys cannot be guessed at any speed, while every request would pay.
//! The HMAC key is fixed and public; it only keeps these hashes apart from any other SHA-256 of the same text.

use std::fmt;
use std::sync::LazyLock;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// What every virtual key begins with.
pub const PREFIX: &str = "wp-";

const RANDOM: usize = 32;
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static DOMAIN: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, b"waypost virtual key v1"));

/// A whole, well-formed virtual key. No `Debug` or `Display` prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VirtualKey([u8; LENGTH]);

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct NoRandomness;

impl VirtualKey {
    /// A fresh key from the system's generator.
    pub fn generate() -> Result<Self, NoRandomness> {
        // 248 is the largest multiple of 62 below 256: bytes above would favour the first eight characters.
        const EVEN: u8 = 248;
        let random = SystemRandom::new();
        let mut key = [0; LENGTH];
        key[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        let mut place = PREFIX.len();
        while place < LENGTH - CHECKSUM {
            let mut bytes = [0; RANDOM];
            random.fill(&mut bytes).map_err(|_| NoRandomness)?;
            for byte in bytes.into_iter().filter(|byte| *byte < EVEN) {
                if place < LENGTH - CHECKSUM {
                    key[place] = BASE62[usize::from(byte % 62)];
                    place += 1;
                }
            }
        }
        let (text, checksum) = key.split_at_mut(LENGTH - CHECKSUM);
        checksum.copy_from_slice(&checksum_of(text));
        Ok(Self(key))
    }

    /// Reads a key; `None` for the wrong length, a foreign character or a wrong checksum. Nothing is hashed or looked
    /// up: see `a_malformed_key_costs_less_than_a_microsecond` for the price.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let key: [u8; LENGTH] = text.try_into().ok()?;
        let (text, checksum) = key.split_at(LENGTH - CHECKSUM);
        let random = text.strip_prefix(PREFIX.as_bytes())?;
        (random.iter().all(u8::is_ascii_alphanumeric) && checksum_of(text) == checksum).then_some(Self(key))
    }

    /// The 32 bytes by which the configuration knows this key.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(&DOMAIN, &self.0).as_ref());
        hash
    }

    /// The hash as `auth.keys[].hash` wants it: `hmac-sha256:` and 64 hex digits.
    #[must_use]
    pub fn hash_text(&self) -> String {
        use fmt::Write as _;
        let mut text = String::from("hmac-sha256:");
        for byte in self.hash() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// The key itself; only for the one time it is shown to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        // Made of ASCII alone, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for VirtualKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VirtualKey(…)")
    }
}

/// CRC-32 in base62, most significant character first. 62^6 is above 2^32, so six characters hold every sum.
fn checksum_of(text: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = crc32(text);
    let mut checksum = [0; CHECKSUM];
    for place in checksum.iter_mut().rev() {
        *place = BASE62[(sum % 62) as usize];
        sum /= 62;
    }
    checksum
}

/// The CRC-32 of zip and PNG (polynomial 0x04C11DB7, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc32_table();
    let mut crc = u32::MAX;
    for byte in bytes {
        crc = (crc >> 8) ^ TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize];
    }
    !crc
}

const fn crc32_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_checksum_is_the_common_crc_32() {
        // The check value of the CRC catalogue, <https://reveng.sourceforge.io/crc-catalogue/17plus.htm#crc.cat.crc-32-iso-hdlc>.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_generated_key_reads_back_and_hashes_the_same() {
        let key = VirtualKey::generate().unwrap();
        assert_eq!(key.expose().len(), 41);
        let read = VirtualKey::parse(key.expose().as_bytes()).unwrap();
        assert_eq!(read.hash(), key.hash());
        assert_ne!(VirtualKey::generate().unwrap().hash(), key.hash());
        assert_eq!(key.hash_text().len(), "hmac-sha256:".len() + 64);
    }

    #[test]
    fn the_hash_never_changes_or_every_configuration_breaks() {
        let text = b"wp-00000000000000000000000000000000";
        let key = [&text[..], &checksum_of(text)].concat();
        let key = VirtualKey::parse(&key).unwrap();
        // Told by `openssl dgst -sha256 -hmac "waypost virtual key v1"` over the same text.
        assert_eq!(key.expose(), EXPECTED.0);
        assert_eq!(key.hash_text(), EXPECTED.1);
    }

    const EXPECTED: (&str, &str) = (
        "wp-000000000000000000000000000000002lKuCJ",
        "hmac-sha256:318e4be89114db9f7e7e99a32a1c71464e3bd72ae1f5e39c549ca189807c028d",
    );

    #[test]
    fn any_one_wrong_character_is_seen() {
        let key = VirtualKey::generate().unwrap();
        for place in 0..LENGTH {
            for wrong in [b'0', b'Z', b'-', b'\n', 0x80] {
                let mut text = key.0;
                if text[place] != wrong {
                    text[place] = wrong;
                    assert!(VirtualKey::parse(&text).is_none(), "place {place}");
                }
            }
        }
        assert!(VirtualKey::parse(&key.0[..40]).is_none());
        assert!(VirtualKey::parse(b"").is_none());
    }

    #[test]
    fn all_characters_are_equally_likely() {
        let mut seen = [0_u32; 256];
        for _ in 0..2000 {
            for byte in &VirtualKey::generate().unwrap().0[3..35] {
                seen[usize::from(*byte)] += 1;
            }
        }
        // 64,000 draws: 1032 each, with a standard deviation of 32; six of them is the bound.
        for character in BASE62 {
            assert!((840..1225).contains(&seen[usize::from(*character)]), "{}", char::from(*character));
        }
    }

    #[test]
    fn a_malformed_key_costs_less_than_a_microsecond() {
        let mut text = VirtualKey::generate().unwrap().0;
        text[40] = if text[40] == b'0' { b'1' } else { b'0' };
        // The best of many rounds, so that a busy machine does not fail the test; unoptimised builds get ten times.
        let limit = if cfg!(debug_assertions) { Duration::from_micros(10) } else { Duration::from_micros(1) };
        let best = (0..200)
            .map(|_| {
                let start = Instant::now();
                assert!(VirtualKey::parse(std::hint::black_box(&text)).is_none());
                start.elapsed()
            })
            .min()
            .unwrap();
        assert!(best < limit, "{best:?}");
    }

    #[test]
    fn no_key_is_printed_by_debug() {
        assert_eq!(format!("{:?}", VirtualKey::generate().unwrap()), "VirtualKey(…)");
    }
}
