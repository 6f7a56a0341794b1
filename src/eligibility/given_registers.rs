//! What is already given and what subjects refused, read from the registers `grants_paid` and `refusals`.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type};
use chrono::NaiveDate;

use super::input::{Paid, Payment, RefusalKind, RefusalRow, Refusals};
use crate::check::bind::{Binder, days};
use crate::diagnostic::Diagnostic;
use crate::dossier::identity::Identities;
use crate::register::declaration::{Registers, SubjectKind};
use crate::register::sources::Sources;
use crate::register::{ReadOptions, ReadOutcome};

/// The register of payments.
pub const GRANTS_PAID: &str = "grants_paid";
/// The register of refusals and objections.
pub const REFUSALS: &str = "refusals";

/// What was read of one of the two.
pub type Outcome = (String, ReadOutcome);

/// Reads payments up to the day.
///
/// # Errors
///
/// When the register cannot be read.
pub fn read_paid(
    registers: &Registers,
    sources: &Sources,
    binder: &Binder<'_>,
    identities: &Identities,
) -> Result<(Paid, Option<Outcome>), Box<Diagnostic>> {
    let mut paid = Paid::default();
    let today = days(binder.as_of);
    let outcome = each_batch(GRANTS_PAID, registers, sources, binder, |batch| {
        let (kinds, ids, policies) = (text(batch, "subject_kind"), text(batch, "subject_id"), text(batch, "policy"));
        let (periods, occasions) = (text(batch, "period"), text(batch, "occasion"));
        let Some(paid_on) = batch.column_by_name("paid_on").map(|column| column.as_primitive::<Date32Type>().clone()) else { return };
        let amounts = batch.column_by_name("amount").and_then(|column| cast(column, &DataType::Decimal128(38, 2)).ok());
        let Some(amounts) = amounts.map(|column| column.as_primitive::<Decimal128Type>().clone()) else { return };
        for row in 0..batch.num_rows() {
            let (Some(kind), Some(id), Some(policy)) = (kind_of(at(&kinds, row)), at(&ids, row), at(&policies, row)) else { continue };
            if paid_on.is_null(row) || paid_on.value(row) > today || amounts.is_null(row) {
                continue;
            }
            paid.push(&Payment {
                kind,
                subject_id: identities.today(id).unwrap_or(id),
                policy,
                period: at(&periods, row).unwrap_or(""),
                occasion: at(&occasions, row),
                amount: i64::try_from(amounts.value(row)).unwrap_or(i64::MAX),
                paid_on: NaiveDate::default() + chrono::TimeDelta::days(i64::from(paid_on.value(row))),
            });
        }
    })?;
    Ok((paid, outcome))
}

/// Reads refusals and objections up to the day.
///
/// # Errors
///
/// When the register cannot be read.
pub fn read_refusals(
    registers: &Registers,
    sources: &Sources,
    binder: &Binder<'_>,
    identities: &Identities,
) -> Result<(Refusals, Option<Outcome>), Box<Diagnostic>> {
    let mut refusals = Refusals::default();
    let today = days(binder.as_of);
    let outcome = each_batch(REFUSALS, registers, sources, binder, |batch| {
        let (kinds, ids, words) = (text(batch, "subject_kind"), text(batch, "subject_id"), text(batch, "kind"));
        let policies = text(batch, "policy");
        let Some(on) = batch.column_by_name("on_date").map(|column| column.as_primitive::<Date32Type>().clone()) else { return };
        for row in 0..batch.num_rows() {
            let (Some(kind), Some(id)) = (kind_of(at(&kinds, row)), at(&ids, row)) else { continue };
            let refusal = match at(&words, row) {
                Some("push_opt_out") => RefusalKind::PushOptOut,
                Some("refused_benefit") => RefusalKind::RefusedBenefit,
                Some("objected_automation") => RefusalKind::ObjectedAutomation,
                _ => continue,
            };
            if on.is_valid(row) && on.value(row) > today {
                continue;
            }
            let subject_id = identities.today(id).unwrap_or(id).into();
            refusals.rows.push(RefusalRow { kind, subject_id, refusal, policy: at(&policies, row).map(Arc::from) });
        }
    })?;
    Ok((refusals, outcome))
}

/// Reads a register that need not be there.
fn each_batch(
    name: &str,
    registers: &Registers,
    sources: &Sources,
    binder: &Binder<'_>,
    mut take: impl FnMut(&RecordBatch),
) -> Result<Option<Outcome>, Box<Diagnostic>> {
    let (Some(declaration), Some(source)) = (registers.registers.get(name), sources.get(name)) else { return Ok(None) };
    let mut reader = crate::register::open(declaration, source, binder.regions, &ReadOptions::default())?;
    for batch in reader.by_ref() {
        take(&batch?);
    }
    Ok(Some((name.to_owned(), reader.into_outcome())))
}

fn kind_of(word: Option<&str>) -> Option<SubjectKind> {
    SubjectKind::ALL.into_iter().find(|kind| Some(kind.name()) == word)
}

fn text(batch: &RecordBatch, name: &str) -> Option<StringArray> {
    let column = cast(batch.column_by_name(name)?, &DataType::Utf8).ok()?;
    Some(column.as_string::<i32>().clone())
}

#[expect(clippy::ref_option, reason = "columns that may be absent are asked row by row")]
fn at(array: &Option<StringArray>, row: usize) -> Option<&str> {
    array.as_ref().filter(|array| array.is_valid(row)).map(|array| array.value(row))
}
