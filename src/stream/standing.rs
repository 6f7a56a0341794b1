//! What stands of a subject, as bytes that can be read without any run; equal subjects of a generation are equal bytes.
//!
//! Every name and code is written out, and the whole is compressed against the [`Dictionary`] of the generation.

mod dictionary;

use std::sync::Arc;

pub use dictionary::Dictionary;

use crate::check::ir::{Number, Ty, Value};
use crate::dossier::Cause;
use crate::eligibility::grant::{GrantId, Status};
use crate::explain::Verdict;
use crate::policy::document::Mode;
use crate::register::declaration::SubjectKind;
use crate::store::body::{FactColumn, Layout, Reader, Writer};
use crate::store::{
    FactState, RunPolicy, StoreError, StoredConflict, StoredFact, StoredGiven, StoredGrant, StoredOffer, StoredSubject, StoredUnknown,
    StoredVerdict,
};

const CAUSES: [Cause; 3] = [Cause::Missing, Cause::Stale, Cause::Conflict];
const VERDICTS: [Verdict; 4] = [Verdict::Yes, Verdict::No, Verdict::Unknown, Verdict::Outside];
const MODES: [Mode; 4] = [Mode::Automatic, Mode::Confirm, Mode::Commit, Mode::Review];
const STATUSES: [Status; 3] = [Status::Granted, Status::Waitlisted, Status::Refused];

/// The bytes of what stands of a subject.
///
/// # Errors
///
/// When it cannot be compressed.
pub fn write(subject: &StoredSubject, dictionary: &Dictionary) -> Result<Vec<u8>, StoreError> {
    dictionary.compress(&plain(subject))
}

/// The bytes of what stands of a subject, where something else stood before; none where it is the same.
///
/// # Errors
///
/// When what stood is damaged, or it cannot be compressed.
pub fn write_if_other(subject: &StoredSubject, stood: Option<&[u8]>, dictionary: &Dictionary) -> Result<Option<Vec<u8>>, StoreError> {
    let plain = plain(subject);
    match stood {
        Some(stood) if dictionary.uncompress(stood)? == plain => Ok(None),
        _ => dictionary.compress(&plain).map(Some),
    }
}

/// What the subjects that are judged by some policies have in common: of each kind one that is nobody, with the names of all facts and
/// policies. People are the most: what is theirs comes last, where it is found at the least cost.
#[must_use]
pub fn dictionary(policies: &[RunPolicy], layout: &Layout) -> Dictionary {
    let kinds = [SubjectKind::Entity, SubjectKind::Household, SubjectKind::Person];
    Dictionary::new(kinds.into_iter().flat_map(|kind| plain(&nobody(kind, policies, layout))).collect())
}

fn nobody(kind: SubjectKind, policies: &[RunPolicy], layout: &Layout) -> StoredSubject {
    let policies = || policies.iter().filter(|policy| policy.kind == kind);
    let grant = |policy: &RunPolicy| StoredGrant {
        policy: Arc::clone(&policy.code),
        grant_id: GrantId(0),
        occasion: None,
        member: None,
        payee: None,
        amount: None,
        full_amount: None,
        mode: Mode::Automatic,
        notify: true,
        status: Status::Granted,
        reasons: policy.criteria.clone(),
    };
    let state = |ty: Ty, cause: Cause| match ty {
        Ty::Bool => FactState::Known(Value::Bool(false)),
        Ty::Number | Ty::Date | Ty::Text => FactState::Unknown(cause),
    };
    let fact = |fact: &FactColumn| StoredFact { name: Arc::clone(&fact.name), state: state(fact.ty, fact.cause) };
    StoredSubject {
        kind,
        id: String::new(),
        region: "".into(),
        household: None,
        members: Vec::new(),
        facts: layout.facts[kind as usize].iter().map(fact).collect(),
        verdicts: policies().map(|policy| StoredVerdict { policy: Arc::clone(&policy.code), verdict: Verdict::No }).collect(),
        grants: policies().map(grant).collect(),
        given: Vec::new(),
        offers: Vec::new(),
        unknowns: Vec::new(),
        conflicts: Vec::new(),
        set_aside: Vec::new(),
    }
}

fn plain(subject: &StoredSubject) -> Vec<u8> {
    let mut writer = Writer::default();
    let to = &mut writer;
    to.text(&subject.region);
    to.maybe(subject.household.as_deref());
    list(to, &subject.members, |to, member| to.text(member));
    list(to, &subject.facts, |to, fact| {
        to.text(&fact.name);
        state(to, &fact.state);
    });
    list(to, &subject.verdicts, |to, verdict| {
        to.text(&verdict.policy);
        place(to, &VERDICTS, &verdict.verdict);
    });
    list(to, &subject.grants, grant);
    list(to, &subject.given, |to, given| {
        to.text(&given.policy);
        to.maybe(given.occasion.as_deref());
        to.maybe(given.member.as_deref());
        amount(to, given.amount);
    });
    list(to, &subject.offers, |to, offer| {
        to.text(&offer.policy);
        list(to, &offer.facts, lacking);
        to.byte(u8::from(offer.notify));
    });
    list(to, &subject.unknowns, |to, unknown| {
        to.text(&unknown.policy);
        list(to, &unknown.missing, |to, set| list(to, set, lacking));
        to.byte(u8::from(unknown.offered));
        to.byte(u8::from(unknown.told_once));
    });
    list(to, &subject.conflicts, |to, conflict| {
        to.text(&conflict.fact);
        for text in [&conflict.policy, &conflict.period, &conflict.occasion] {
            to.maybe(text.as_deref());
        }
        for text in [&conflict.source, &conflict.value, &conflict.other_source, &conflict.other_value] {
            to.text(text);
        }
    });
    list(to, &subject.set_aside, |to, register| to.text(register));
    writer.bytes
}

/// What stands of a subject, of bytes that [`write()`] made.
///
/// # Errors
///
/// When they are damaged, or of another form; [`StoreError::Fenced`] when they are of another generation.
pub fn read(kind: SubjectKind, id: &str, body: &[u8], dictionary: &Dictionary) -> Result<StoredSubject, StoreError> {
    let bytes = dictionary.uncompress(body)?;
    let from = &mut Reader::new(&bytes);
    Ok(StoredSubject {
        kind,
        id: id.to_owned(),
        region: from.text()?.into(),
        household: from.maybe()?.map(str::to_owned),
        members: items(from, |from| Ok(from.text()?.to_owned()))?,
        facts: items(from, |from| Ok(StoredFact { name: from.text()?.into(), state: read_state(from)? }))?,
        verdicts: items(from, |from| Ok(StoredVerdict { policy: from.text()?.into(), verdict: at(from, &VERDICTS)? }))?,
        grants: items(from, read_grant)?,
        given: items(from, |from| {
            Ok(StoredGiven {
                policy: from.text()?.into(),
                occasion: from.maybe()?.map(str::to_owned),
                member: from.maybe()?.map(str::to_owned),
                amount: read_amount(from)?,
            })
        })?,
        offers: items(from, |from| {
            Ok(StoredOffer { policy: from.text()?.into(), facts: items(from, read_lacking)?, notify: from.byte()? != 0 })
        })?,
        unknowns: items(from, |from| {
            Ok(StoredUnknown {
                policy: from.text()?.into(),
                missing: items(from, |from| items(from, read_lacking))?,
                offered: from.byte()? != 0,
                told_once: from.byte()? != 0,
            })
        })?,
        conflicts: items(from, |from| {
            Ok(StoredConflict {
                fact: from.text()?.into(),
                policy: from.maybe()?.map(Into::into),
                period: from.maybe()?.map(Into::into),
                occasion: from.maybe()?.map(Into::into),
                source: from.text()?.into(),
                value: from.text()?.into(),
                other_source: from.text()?.into(),
                other_value: from.text()?.into(),
            })
        })?,
        set_aside: items(from, |from| Ok(from.text()?.into()))?,
    })
}

fn list<T>(to: &mut Writer, items: &[T], write: impl Fn(&mut Writer, &T)) {
    to.count(items.len());
    for item in items {
        write(to, item);
    }
}

fn items<'a, T>(from: &mut Reader<'a>, read: impl Fn(&mut Reader<'a>) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    let count = from.count()?;
    (0..count).map(|_| read(from)).collect()
}

/// A word by its place among all.
fn place<T: PartialEq>(to: &mut Writer, all: &[T], word: &T) {
    to.count(all.iter().position(|known| known == word).unwrap_or(all.len()));
}

fn at<T: Copy>(from: &mut Reader<'_>, all: &[T]) -> Result<T, StoreError> {
    let place = from.place()?;
    all.get(place).copied().ok_or_else(|| StoreError::Damaged(format!("no word {place} in what stands of a subject")))
}

fn amount(to: &mut Writer, amount: Option<i64>) {
    to.byte(u8::from(amount.is_some()));
    if let Some(amount) = amount {
        to.signed(amount);
    }
}

fn read_amount(from: &mut Reader<'_>) -> Result<Option<i64>, StoreError> {
    Ok(if from.byte()? == 0 { None } else { Some(from.signed()?) })
}

fn lacking(to: &mut Writer, (name, cause): &(Arc<str>, Cause)) {
    to.text(name);
    place(to, &CAUSES, cause);
}

fn read_lacking(from: &mut Reader<'_>) -> Result<(Arc<str>, Cause), StoreError> {
    Ok((from.text()?.into(), at(from, &CAUSES)?))
}

fn state(to: &mut Writer, state: &FactState) {
    match state {
        FactState::Unknown(cause) => {
            to.byte(0);
            place(to, &CAUSES, cause);
        }
        FactState::Known(Value::Bool(value)) => {
            to.byte(1);
            to.byte(u8::from(*value));
        }
        FactState::Known(Value::Number(number)) => {
            to.byte(2);
            to.signed(number.digits);
            to.byte(number.scale);
        }
        FactState::Known(Value::Date(days)) => {
            to.byte(3);
            to.signed(i64::from(*days));
        }
        FactState::Known(Value::Text(text)) => {
            to.byte(4);
            to.text(text);
        }
    }
}

fn read_state(from: &mut Reader<'_>) -> Result<FactState, StoreError> {
    let damaged = || StoreError::Damaged("a fact of what stands of a subject".to_owned());
    Ok(FactState::Known(match from.byte()? {
        0 => return Ok(FactState::Unknown(at(from, &CAUSES)?)),
        1 => Value::Bool(from.byte()? != 0),
        2 => Value::Number(Number { digits: from.signed()?, scale: from.byte()? }),
        3 => Value::Date(i32::try_from(from.signed()?).map_err(|_| damaged())?),
        4 => Value::Text(from.text()?.into()),
        _ => return Err(damaged()),
    }))
}

fn grant(to: &mut Writer, grant: &StoredGrant) {
    to.text(&grant.policy);
    to.bytes.extend(grant.grant_id.0.to_be_bytes());
    for text in [&grant.occasion, &grant.member, &grant.payee] {
        to.maybe(text.as_deref());
    }
    amount(to, grant.amount);
    amount(to, grant.full_amount);
    place(to, &MODES, &grant.mode);
    to.byte(u8::from(grant.notify));
    place(to, &STATUSES, &grant.status);
    list(to, &grant.reasons, |to, reason| to.text(reason));
}

fn read_grant(from: &mut Reader<'_>) -> Result<StoredGrant, StoreError> {
    Ok(StoredGrant {
        policy: from.text()?.into(),
        grant_id: GrantId(from.take(16)?.iter().fold(0, |id, byte| id << 8 | u128::from(*byte))),
        occasion: from.maybe()?.map(str::to_owned),
        member: from.maybe()?.map(str::to_owned),
        payee: from.maybe()?.map(str::to_owned),
        amount: read_amount(from)?,
        full_amount: read_amount(from)?,
        mode: at(from, &MODES)?,
        notify: from.byte()? != 0,
        status: at(from, &STATUSES)?,
        reasons: items(from, |from| Ok(from.text()?.into()))?,
    })
}
