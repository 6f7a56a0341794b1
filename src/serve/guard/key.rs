//! Keys of programs: made once, shown once, kept as digests.

use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};

use crate::hex;

/// How a key begins, so that one that leaks is known for what it is.
const PREFIX: &str = "ms_";

/// A new key of 256 random bits.
///
/// # Errors
///
/// When the system gives no random numbers.
pub fn new() -> Result<String, String> {
    let mut bytes = [0_u8; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| error.to_string())?;
    Ok(format!("{PREFIX}{}", hex::digits(&bytes)))
}

/// What is kept of a key. It is as long as its digest and random, so that nobody finds it by trying.
#[must_use]
pub fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_are_kept_as_digests() {
        let (one, other) = (new().expect("a key"), new().expect("a key"));
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + 64);
        assert_eq!(hex::digits(&digest("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
