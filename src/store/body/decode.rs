//! A row of the store taken apart again.

use std::sync::Arc;

use super::FORM;
use super::bytes::{Reader, cut};
use super::layout::{FactColumn, Layout};
use super::rows::{ConflictBody, GivenBody, GrantBody, OfferBody, PayeeBody, UnknownBody};
use crate::check::ir::{Number, Ty, Value};
use crate::dossier::Cause;
use crate::eligibility::grant::GrantId;
use crate::explain::Verdict;
use crate::register::declaration::SubjectKind;
use crate::store::{
    FactState, StoreError, StoredConflict, StoredFact, StoredGiven, StoredGrant, StoredOffer, StoredSubject, StoredUnknown, StoredVerdict,
};

/// Takes a row apart.
///
/// # Errors
///
/// When it is damaged, of another form, or of another run.
pub fn decode(layout: &Layout, kind: SubjectKind, id: &str, body: &[u8]) -> Result<StoredSubject, StoreError> {
    let mut reader = Reader::new(body);
    if reader.byte()? != FORM {
        return Err(StoreError::Damaged("a row has a form that this version does not know".to_owned()));
    }
    let region = reader.word(&layout.words)?;
    let facts = facts(&mut reader, layout, kind)?;
    let verdicts = verdicts(&mut reader, layout, kind)?;
    let mut subject = StoredSubject {
        kind,
        id: id.to_owned(),
        region,
        household: None,
        members: Vec::new(),
        facts,
        verdicts,
        grants: list(&mut reader, |reader| grant(GrantBody::read(reader)?, layout, kind, id))?,
        given: list(&mut reader, |reader| given(GivenBody::read(reader)?, layout))?,
        offers: list(&mut reader, |reader| offer(OfferBody::read(reader)?, layout))?,
        unknowns: list(&mut reader, |reader| unknown(UnknownBody::read(reader)?, layout))?,
        conflicts: list(&mut reader, |reader| conflict(ConflictBody::read(reader)?))?,
        set_aside: list(&mut reader, |reader| reader.word(&layout.words))?,
    };
    subject.members = list(&mut reader, |reader| Ok(reader.text()?.to_owned()))?;
    if kind == SubjectKind::Person
        && let Some(Value::Text(household)) = layout.household.and_then(|at| match &subject.facts.get(at)?.state {
            FactState::Known(value) => Some(value),
            FactState::Unknown(_) => None,
        })
    {
        subject.household = Some(household.to_string());
    }
    Ok(subject)
}

fn list<'a, T>(reader: &mut Reader<'a>, mut read: impl FnMut(&mut Reader<'a>) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    let count = reader.count()?;
    (0..count).map(|_| read(reader)).collect()
}

fn facts(reader: &mut Reader<'_>, layout: &Layout, kind: SubjectKind) -> Result<Vec<StoredFact>, StoreError> {
    let columns = &layout.facts[kind as usize];
    let known = reader.take(columns.len().div_ceil(8))?;
    let mut facts = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let state = if known[at / 8] >> (at % 8) & 1 == 1 {
            FactState::Known(value(reader, column, layout)?)
        } else {
            FactState::Unknown(column.cause)
        };
        facts.push(StoredFact { name: Arc::clone(&column.name), state });
    }
    for _ in 0..reader.count()? {
        let fact = facts.get_mut(reader.place()?).ok_or_else(cut)?;
        if matches!(fact.state, FactState::Unknown(_)) {
            fact.state = FactState::Unknown(Cause::Conflict);
        }
    }
    Ok(facts)
}

fn value(reader: &mut Reader<'_>, column: &FactColumn, layout: &Layout) -> Result<Value, StoreError> {
    Ok(match column.ty {
        Ty::Bool => Value::Bool(reader.byte()? != 0),
        Ty::Number => Value::Number(Number { digits: reader.signed()?, scale: column.scale }),
        Ty::Date => Value::Date(i32::try_from(reader.signed()?).map_err(|_| cut())?),
        Ty::Text => Value::Text(reader.word(&layout.words)?),
    })
}

fn verdicts(reader: &mut Reader<'_>, layout: &Layout, kind: SubjectKind) -> Result<Vec<StoredVerdict>, StoreError> {
    let policies = &layout.of_kind[kind as usize];
    let bits = reader.take(policies.len().div_ceil(4))?;
    let mut verdicts = Vec::new();
    for (at, &policy) in policies.iter().enumerate() {
        let verdict = match bits[at / 4] >> (2 * (at % 4)) & 3 {
            0 => continue,
            1 => Verdict::Yes,
            2 => Verdict::No,
            _ => Verdict::Unknown,
        };
        verdicts.push(StoredVerdict { policy: code(layout, policy as usize)?, verdict });
    }
    Ok(verdicts)
}

fn code(layout: &Layout, policy: usize) -> Result<Arc<str>, StoreError> {
    layout.policies.get(policy).cloned().ok_or_else(cut)
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn grant(body: GrantBody<'_>, layout: &Layout, kind: SubjectKind, id: &str) -> Result<StoredGrant, StoreError> {
    let policy = code(layout, body.policy)?;
    let criteria = &layout.criteria[body.policy];
    let reasons = criteria.iter().take(64).enumerate().filter(|(bit, _)| body.reasons >> bit & 1 == 1);
    Ok(StoredGrant {
        grant_id: GrantId::of(kind, id, &policy, &layout.periods[body.policy], body.occasion, body.member),
        policy,
        occasion: owned(body.occasion),
        member: owned(body.member),
        payee: match body.payee {
            PayeeBody::Nobody => None,
            PayeeBody::Itself => Some(body.member.unwrap_or(id).to_owned()),
            PayeeBody::Other(other) => Some(other.to_owned()),
        },
        amount: body.amount,
        full_amount: body.full_amount,
        mode: body.mode,
        notify: body.notify,
        status: body.status,
        reasons: reasons.map(|(_, id)| Arc::clone(id)).collect(),
    })
}

fn given(body: GivenBody<'_>, layout: &Layout) -> Result<StoredGiven, StoreError> {
    let GivenBody { policy, occasion, member, amount } = body;
    Ok(StoredGiven { policy: code(layout, policy)?, occasion: owned(occasion), member: owned(member), amount })
}

fn offer(body: OfferBody, layout: &Layout) -> Result<StoredOffer, StoreError> {
    let facts = layout.commitments.get(body.commitment).ok_or_else(cut)?.clone();
    Ok(StoredOffer { policy: code(layout, body.policy)?, facts, notify: body.notify })
}

fn unknown(body: UnknownBody, layout: &Layout) -> Result<StoredUnknown, StoreError> {
    let missing = layout.missing.get(body.missing).ok_or_else(cut)?.clone();
    Ok(StoredUnknown { policy: code(layout, body.policy)?, missing, offered: body.offered, told_once: body.told_once })
}

fn conflict(body: ConflictBody<'_>) -> Result<StoredConflict, StoreError> {
    let [fact, policy, period, occasion, source, value, other_source, other_value] = body.0.map(|text| text.map(Arc::<str>::from));
    let must = |text: Option<Arc<str>>| text.ok_or_else(cut);
    Ok(StoredConflict {
        fact: must(fact)?,
        policy,
        period,
        occasion,
        source: must(source)?,
        value: must(value)?,
        other_source: must(other_source)?,
        other_value: must(other_value)?,
    })
}
