//! Signatures of tokens, checked by `ring`.
//!
//! `jsonwebtoken`'s own backends bring a second copy of the cryptography that is in the tree for TLS already, and one
//! of them the `rsa` crate with an open advisory (RUSTSEC-2023-0071). Only verification is here: Waypost signs nothing.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::config::JwtAlgorithm;

/// A public key; its type fixes the one algorithm it may be used with, whatever a token's header says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// Modulus and exponent, big-endian without leading zeros. `ring` refuses less than 2048 and more than 8192 bits.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// The uncompressed point: 4, x, y.
    P256(Vec<u8>),
    /// The 32 bytes of RFC 8032.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        ((256..=1024).contains(&n.len()) && !e.is_empty()).then(|| Self::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    pub(super) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        // RFC 7518, 6.2.1.2: coordinates have the full 32 bytes.
        (x.len() == 32 && y.len() == 32).then(|| Self::P256([&[4], x, y].concat()))
    }

    pub(super) fn ed25519(x: &[u8]) -> Option<Self> {
        (x.len() == 32).then(|| Self::Ed25519(x.to_vec()))
    }

    pub(super) fn algorithm(&self) -> JwtAlgorithm {
        match self {
            Self::Rsa { .. } => JwtAlgorithm::RS256,
            Self::P256(_) => JwtAlgorithm::ES256,
            Self::Ed25519(_) => JwtAlgorithm::EdDsa,
        }
    }

    /// Whether `signature` is this key's over `message`. Tens of microseconds.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let result = match self {
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        result.is_ok()
    }
}

/// Some issuers pad their numbers, which RFC 7518 forbids and `ring` refuses.
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
