//! Heads of the chain, signed with Ed25519, and kept elsewhere: one JSON object per line.

use std::path::Path;

use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::chain::Head;
use crate::hex;
use crate::store::StoreError;

/// Which chain a head ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chain {
    /// The access trail.
    #[default]
    Trail,
    /// The events of cases.
    Cases,
}

impl Chain {
    /// What every signature begins with, so that it can be taken for nothing else.
    fn purpose(self) -> &'static [u8] {
        match self {
            Self::Trail => b"mianshen access trail head 1\n",
            Self::Cases => b"mianshen case events head 1\n",
        }
    }
}

/// A head with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// The chain; a line without it is of the access trail.
    #[serde(default)]
    pub chain: Chain,
    /// The number of the newest record.
    pub seq: u64,
    /// Its time, in microseconds since 1970 (UTC).
    pub at: i64,
    /// Its hash, hexadecimal.
    pub hash: String,
    /// The public key that verifies the signature, hexadecimal.
    pub key: String,
    /// Hexadecimal.
    pub signature: String,
}

/// A key that signs heads.
#[derive(Debug)]
pub struct Signing(SigningKey);

impl Signing {
    /// The key of a PEM text (PKCS #8), as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    ///
    /// When it is none. The text is never repeated.
    pub fn read(pem: &str) -> Result<Self, StoreError> {
        let none = |_| StoreError::Failed("not an Ed25519 key in PEM (PKCS #8)".to_owned());
        SigningKey::from_pkcs8_pem(pem.trim()).map(Self).map_err(none)
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        self.0.verifying_key()
    }

    /// Signs the head of a chain.
    #[must_use]
    pub fn sign(&self, chain: Chain, head: &Head) -> SignedHead {
        let signature = self.0.sign(&message(chain, head));
        SignedHead {
            chain,
            seq: head.seq,
            at: head.at,
            hash: hex::digits(&head.hash),
            key: hex::digits(self.public().as_bytes()),
            signature: hex::digits(&signature.to_bytes()),
        }
    }
}

/// A public key of a PEM text.
///
/// # Errors
///
/// When it is none.
pub fn read_public_key(pem: &str) -> Result<VerifyingKey, StoreError> {
    VerifyingKey::from_public_key_pem(pem.trim()).map_err(|_| StoreError::Failed("not an Ed25519 public key in PEM".to_owned()))
}

impl SignedHead {
    /// The head, if the signature is that of `trusted`, or, without one, of the key that stands beside it.
    #[must_use]
    pub fn open(&self, trusted: Option<&VerifyingKey>) -> Option<Head> {
        let head = Head { seq: self.seq, at: self.at, hash: hex::exactly(&self.hash)? };
        let own = VerifyingKey::from_bytes(&hex::exactly(&self.key)?).ok()?;
        let signature = Signature::from_bytes(&hex::exactly(&self.signature)?);
        let key = trusted.unwrap_or(&own);
        key.verify_strict(&message(self.chain, &head), &signature).is_ok().then_some(head)
    }
}

/// The heads of a file.
///
/// # Errors
///
/// When the file cannot be read, or a line is no head.
pub fn read_heads(path: &Path) -> Result<Vec<SignedHead>, StoreError> {
    let text = std::fs::read_to_string(path).map_err(|error| StoreError::Failed(format!("{}: {error}", path.display())))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let head = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| StoreError::Failed(format!("{}:{}: {error}", path.display(), at + 1)))
    };
    lines.map(head).collect()
}

fn message(chain: Chain, head: &Head) -> Vec<u8> {
    [chain.purpose(), &head.seq.to_be_bytes(), &head.at.to_be_bytes(), &head.hash].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (Signing, SignedHead) {
        let signing = Signing(SigningKey::from_bytes(&[3; 32]));
        let head = signing.sign(Chain::Trail, &Head { seq: 7, at: 1_000, hash: [9; 32] });
        (signing, head)
    }

    #[test]
    fn a_signed_head_opens_with_its_key_only() {
        let (signing, head) = signed();
        assert_eq!(head.open(None), Some(Head { seq: 7, at: 1_000, hash: [9; 32] }));
        assert!(head.open(Some(&signing.public())).is_some());
        let other = SigningKey::from_bytes(&[4; 32]).verifying_key();
        assert!(head.open(Some(&other)).is_none());
    }

    #[test]
    fn a_head_that_was_changed_does_not_open() {
        let (_, head) = signed();
        assert!(SignedHead { seq: 8, ..head.clone() }.open(None).is_none());
        assert!(SignedHead { at: 1_001, ..head.clone() }.open(None).is_none());
        assert!(SignedHead { hash: "00".repeat(32), ..head.clone() }.open(None).is_none());
        assert!(SignedHead { signature: "zz".repeat(64), ..head.clone() }.open(None).is_none());
        assert!(SignedHead { chain: Chain::Cases, ..head.clone() }.open(None).is_none(), "a head of one chain is none of another");
        assert!(SignedHead { key: String::new(), ..head }.open(None).is_none());
    }

    #[test]
    fn what_is_no_key_is_told_without_its_text() {
        let told = Signing::read("secret").unwrap_err().to_string();
        assert!(!told.contains("secret"), "{told}");
    }
}
