//! Links that only the told subject has: the case with a token that cannot be guessed and ends on a day.
//!
//! The token is `<seconds since 1970 until which it holds, hexadecimal>.<the first 128 bits of an HMAC-SHA-256, hexadecimal>`;
//! what is signed is `mianshen-link`, the case and the end, each closed by a zero byte.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use url::Url;

use crate::hex;
use crate::settings::Secret;

/// The length of the signed part of a token, in bytes.
const LENGTH: usize = 16;

/// What links are made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// Where the subject is sent.
    pub base: Url,
    /// What tokens are signed with.
    pub key: Secret,
    /// For how many days a token holds.
    pub days: u32,
}

impl Links {
    /// Where a subject sees its case and confirms, or refuses and objects. `at` in microseconds since 1970 (UTC).
    #[must_use]
    pub fn to(&self, case: &str, page: Page, at: i64) -> String {
        let until = at.div_euclid(1_000_000) + i64::from(self.days) * 86_400;
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("cases").push(case);
            if page == Page::Object {
                path.push("object");
            }
        }
        url.query_pairs_mut().append_pair("t", &token(&self.key, case, until));
        url.into()
    }
}

/// Where a link leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// To the case, where it can be confirmed.
    Case,
    /// To where it can be refused or objected to.
    Object,
}

/// A token for a case that holds until a moment, in seconds since 1970 (UTC).
#[must_use]
pub fn token(key: &Secret, case: &str, until: i64) -> String {
    format!("{until:x}.{}", hex::digits(&signed(key, case, until).finalize().into_bytes()[..LENGTH]))
}

/// Whether a token was made for a case, and still holds at a moment, in microseconds since 1970 (UTC).
#[must_use]
pub fn holds(key: &Secret, case: &str, token: &str, at: i64) -> bool {
    let Some((until, signature)) = token.split_once('.') else { return false };
    let (Ok(until), Some(signature)) = (i64::from_str_radix(until, 16), hex::bytes(signature)) else { return false };
    // Compared in a time that does not depend on how much of it is right.
    signature.len() == LENGTH && signed(key, case, until).verify_truncated_left(&signature).is_ok() && at.div_euclid(1_000_000) <= until
}

fn signed(key: &Secret, case: &str, until: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("a key of any length");
    for part in ["mianshen-link", case, &until.to_string()] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_800_000_000_000_000;

    #[test]
    fn a_link_leads_to_its_case_alone_and_ends() {
        let key = Secret::new("a key of the settings");
        let links = Links { base: Url::parse("https://fw.example/mianshen/").expect("an address"), key: key.clone(), days: 30 };
        let link = Url::parse(&links.to("0af1", Page::Case, AT)).expect("an address");
        assert!(link.as_str().starts_with("https://fw.example/mianshen/cases/0af1?t="), "{link}");
        assert!(links.to("0af1", Page::Object, AT).contains("/cases/0af1/object?t="));
        let token = link.query_pairs().next().expect("a token").1.into_owned();
        let end = AT + 30 * 86_400_000_000;
        assert!(holds(&key, "0af1", &token, AT) && holds(&key, "0af1", &token, end));
        assert!(!holds(&key, "0af1", &token, end + 1_000_000), "it has ended");
        assert!(!holds(&key, "0af2", &token, AT), "another case");
        assert!(!holds(&Secret::new("another key"), "0af1", &token, AT));
        let later = token.replacen(|sign: char| sign.is_ascii_hexdigit(), "f", 1);
        for wrong in [&later, "", ".", "1.2", &token[..token.len() - 1], &token[..token.len() - 2], &format!("{token}00"), "zz.00"] {
            assert!(!holds(&key, "0af1", wrong, AT), "{wrong}");
        }
    }
}
