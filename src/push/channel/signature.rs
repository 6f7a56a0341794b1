//! The signature of a request: HMAC over the timestamp, a full stop, and the body.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use sm3::Sm3;

use crate::hex;
use crate::settings::Secret;

/// What the HMAC is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SM3 (GB/T 32905).
    Sm3,
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

impl Algorithm {
    /// All, with the words of settings and headers.
    pub const WORDS: &'static [(&'static str, Self)] = &[("hmac-sm3", Self::Sm3), ("hmac-sha256", Self::Sha256)];

    /// The word in settings and headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sm3 => "hmac-sm3",
            Self::Sha256 => "hmac-sha256",
        }
    }
}

/// The signature of a body sent at a time, in seconds since 1970 (UTC): `hmac-sm3=` and 64 hexadecimal digits.
#[must_use]
pub fn sign(algorithm: Algorithm, secret: &Secret, timestamp: i64, body: &[u8]) -> String {
    let digest = match algorithm {
        Algorithm::Sm3 => signed::<Hmac<Sm3>>(secret, timestamp, body),
        Algorithm::Sha256 => signed::<Hmac<Sha256>>(secret, timestamp, body),
    };
    format!("{}={digest}", algorithm.name())
}

fn signed<M: Mac + hmac::digest::KeyInit>(secret: &Secret, timestamp: i64, body: &[u8]) -> String {
    let mut mac = <M as Mac>::new_from_slice(secret.bytes()).expect("a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::digits(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::*;

    /// RFC 2104 by hand, for hashes with blocks of 64 bytes.
    fn by_hand<D: Digest>(key: &[u8], text: &[u8]) -> String {
        let mut block = [0_u8; 64];
        if key.len() > 64 {
            block[..32].copy_from_slice(&D::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let (inner, outer) = (block.map(|byte| byte ^ 0x36), block.map(|byte| byte ^ 0x5c));
        let inner = D::new().chain_update(inner).chain_update(text).finalize();
        hex::digits(&D::new().chain_update(outer).chain_update(inner).finalize())
    }

    #[test]
    fn signatures_are_those_of_rfc_2104() {
        for secret in ["key", "a secret of thirty-two characters", &"long".repeat(40)] {
            let text = "1800000000.{\"id\":\"津贴\"}";
            let (timestamp, body) = text.split_once('.').expect("a full stop");
            let sign = |algorithm| sign(algorithm, &Secret::new(secret), timestamp.parse().expect("a number"), body.as_bytes());
            assert_eq!(sign(Algorithm::Sha256), format!("hmac-sha256={}", by_hand::<Sha256>(secret.as_bytes(), text.as_bytes())));
            assert_eq!(sign(Algorithm::Sm3), format!("hmac-sm3={}", by_hand::<Sm3>(secret.as_bytes(), text.as_bytes())));
        }
    }
}
