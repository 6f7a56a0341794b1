//! The chain of events of cases: salted digests of case, version and content, each record bound to the one before as the
//! access trail binds its own.

use super::{CaseEvent, CaseStep};
use crate::store::StoreError;
use crate::store::trail::{Digest, Head, Record, Salted, digest_of, link, salts};

/// Case, version and content as they are digested: the case's length in four bytes, the case, the version in eight bytes
/// (both highest first), the content. Two different events never give the same bytes.
fn framed(case: &str, version: u64, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(case.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), case.as_bytes(), &version.to_be_bytes(), content].concat()
}

/// The events of some steps, chained behind a head, all of one time, which is never before that of the head.
pub(in crate::store) fn chained(before: Option<Head>, at: i64, steps: &[CaseStep]) -> Result<Vec<CaseEvent>, StoreError> {
    let versions =
        steps.iter().flat_map(|step| step.events.iter().zip(step.expect + 1..).map(move |(content, version)| (step, version, content)));
    let events: Vec<_> = versions.collect();
    let salted = events.iter().zip(salts(events.len())?);
    let contents = salted.map(|((step, version, content), salt)| Salted { salt, text: framed(&step.row.id, *version, content) }).collect();
    let records = link(before, at, contents);
    let event = |((step, version, content), record): (&(&CaseStep, u64, &Vec<u8>), Record)| CaseEvent {
        seq: record.seq,
        case: step.row.id.clone(),
        version: *version,
        at: record.at,
        digest: record.digest,
        hash: record.hash,
        content: record.content.map(|salted| (salted.salt, (*content).clone())),
    };
    Ok(events.iter().zip(records).map(event).collect())
}

impl CaseEvent {
    /// The digest that its case, version and content have now; none once the content was erased.
    #[must_use]
    pub fn digest_now(&self) -> Option<Digest> {
        let (salt, content) = self.content.as_ref()?;
        Some(digest_of(&Salted { salt: *salt, text: framed(&self.case, self.version, content) }))
    }

    /// What the chain says of it.
    pub(in crate::store) fn record(&self) -> Record {
        Record { seq: self.seq, at: self.at, digest: self.digest, hash: self.hash, content: None }
    }

    /// The end of the chain, where it is the newest.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { seq: self.seq, at: self.at, hash: self.hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_digested_has_one_reading() {
        assert_ne!(framed("a", 1, b"bc"), framed("ab", 1, b"c"));
        assert_ne!(framed("a", 1, b""), framed("a", 2, b""));
        assert_eq!(framed("ab", 258, b"x"), b"\0\0\0\x02ab\0\0\0\0\0\0\x01\x02x");
    }
}
