//! One row of the store put together.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::StringArray;
use rayon::prelude::*;

use super::batch::{Columns, Place};
use super::by_subject::BySubject;
use super::{Filling, RowPlaces};
use crate::eligibility::finding::SubjectIdx;
use crate::eligibility::grant::{ConflictRow, Grant};
use crate::program::Verdicts;
use crate::program::bitmap::is_set;
use crate::register::declaration::SubjectKind;
use crate::store::EncodedSubject;
use crate::store::body::{ConflictBody, FORM, GivenBody, GrantBody, Layout, OfferBody, PayeeBody, UnknownBody, Writer};

/// Codes of verdicts, two bits each; 0 is a policy that does not cover the subject.
const YES: u8 = 1;
const NO: u8 = 2;
const UNKNOWN: u8 = 3;

/// The rows of one batch.
pub(super) struct Rows<'a> {
    pub(super) filling: &'a Filling<'a>,
    pub(super) layout: &'a Layout,
    pub(super) kind: SubjectKind,
    pub(super) columns: &'a Columns,
    /// Where each row is counted.
    pub(super) regions: Vec<Place>,
    /// By policy of the kind that is stored.
    pub(super) covered: &'a Verdicts,
    pub(super) ids: &'a StringArray,
    /// The subject of each row, where findings speak of it.
    pub(super) subjects: Vec<Option<SubjectIdx>>,
    pub(super) conflicts: HashMap<usize, &'a [ConflictRow]>,
    pub(super) found: &'a BySubject<'a>,
    pub(super) set_aside: &'a HashMap<String, BTreeSet<Arc<str>>>,
    /// The place of each row among all of its kind.
    pub(super) places: RowPlaces<'a>,
    /// Households with their members, by place, sorted.
    pub(super) members: &'a [(u32, u32)],
}

/// A list whose length is written before it.
fn list<T>(writer: &mut Writer, items: &[T], mut write: impl FnMut(&T, &mut Writer)) {
    writer.count(items.len());
    for item in items {
        write(item, writer);
    }
}

impl Rows<'_> {
    /// All rows that the run is about.
    pub(super) fn encode(&self) -> Vec<EncodedSubject> {
        let is_wanted = |row: usize| self.filling.wanted.is_none_or(|wanted| wanted(self.ids.value(row)));
        let rows = (0..self.columns.n_rows).into_par_iter().with_min_len(512);
        rows.filter(|row| self.regions[*row].is_inside && is_wanted(*row)).map(|row| self.row(row)).collect()
    }

    fn row(&self, row: usize) -> EncodedSubject {
        let id = self.ids.value(row);
        let mut writer = Writer::default();
        writer.bytes.reserve(384);
        writer.byte(FORM);
        let region = &self.regions[row].served;
        writer.word(self.layout.words.find(region), region);
        self.columns.write(row, &mut writer);
        self.verdicts(row, &mut writer);
        match self.subjects[row] {
            Some(subject) => self.lists(subject, &mut writer),
            // Grants, given, offers, unknowns.
            None => (0..4).for_each(|_| writer.count(0)),
        }
        list(&mut writer, self.conflicts.get(&row).copied().unwrap_or_default(), |conflict, writer| conflict_body(conflict).write(writer));
        let registers: Vec<&Arc<str>> = self.set_aside.get(id).into_iter().flatten().collect();
        list(&mut writer, &registers, |register, writer| writer.word(self.layout.words.find(register), register));
        let members = self.members_of(row);
        list(&mut writer, &members, |member, writer| writer.text(member));
        EncodedSubject { id: id.to_owned(), body: writer.bytes }
    }

    fn verdicts(&self, row: usize, writer: &mut Writer) {
        let policies = self.layout.of_kind[self.kind as usize].len();
        let start = writer.bytes.len();
        writer.bytes.resize(start + policies.div_ceil(4), 0);
        let mut set = |at: usize, code: u8| {
            let byte = &mut writer.bytes[start + at / 4];
            let shift = 2 * (at % 4);
            *byte = *byte & !(3 << shift) | code << shift;
        };
        for at in 0..policies {
            // Where coverage is in doubt, the verdict is told.
            if is_set(self.covered.yes(at), row) || is_set(self.covered.unknown(at), row) {
                set(at, NO);
            }
        }
        let Some(subject) = self.subjects[row] else { return };
        let findings = self.filling.resolution.findings;
        for policy in self.found.yes(subject, |finding| findings.yes[finding].policy) {
            self.found.among(policy).into_iter().for_each(|at| set(at, YES));
        }
        for (policy, _) in self.found.open(subject) {
            self.found.among(policy).into_iter().for_each(|at| set(at, UNKNOWN));
        }
    }

    fn lists(&self, subject: SubjectIdx, writer: &mut Writer) {
        let (resolution, found) = (self.filling.resolution, self.found);
        let grants: Vec<GrantBody<'_>> = found.grants(subject).filter_map(|at| self.grant(&resolution.grants[at])).collect();
        list(writer, &grants, GrantBody::write);
        let given = found.given(subject).map(|at| &resolution.given[at]).filter_map(|row| {
            let as_grant = row.as_grant();
            let (occasion, member) = (as_grant.occasion(resolution), as_grant.member(resolution));
            Some(GivenBody { policy: found.policy(row.policy)?, occasion, member, amount: row.amount.get() })
        });
        list(writer, &given.collect::<Vec<_>>(), GivenBody::write);
        let offers = found.offers(subject).map(|at| &resolution.offers[at]);
        let offers: Vec<OfferBody> = offers
            .filter_map(|row| Some(OfferBody { policy: found.policy(row.policy)?, commitment: row.facts as usize, notify: row.notify }))
            .collect();
        list(writer, &offers, OfferBody::write);
        let mut unknowns: Vec<UnknownBody> = found
            .open(subject)
            .filter_map(|(policy, missing)| {
                let policy = found.policy(policy)?;
                let offered = offers.iter().any(|offer| offer.policy == policy);
                Some(UnknownBody { policy, missing: missing as usize, offered, told_once: found.is_told_once(missing) })
            })
            .collect();
        unknowns.sort_by_key(|unknown| unknown.policy);
        list(writer, &unknowns, UnknownBody::write);
    }

    fn grant(&self, row: &Grant) -> Option<GrantBody<'_>> {
        let resolution = self.filling.resolution;
        let member = row.member(resolution);
        let payee = match row.payee_id(resolution) {
            None => PayeeBody::Nobody,
            Some(payee) if payee == member.unwrap_or_else(|| row.subject_id(resolution)) => PayeeBody::Itself,
            Some(payee) => PayeeBody::Other(payee),
        };
        Some(GrantBody {
            policy: self.found.policy(row.policy)?,
            occasion: row.occasion(resolution),
            member,
            payee,
            amount: row.amount.get(),
            full_amount: row.full_amount(resolution),
            mode: row.mode,
            notify: row.notify,
            status: row.status,
            reasons: row.reasons(resolution),
        })
    }

    fn members_of(&self, row: usize) -> Vec<String> {
        let Some(household) = self.places.of(row) else { return Vec::new() };
        let start = self.members.partition_point(|(other, _)| *other < household);
        let own = self.members[start..].iter().take_while(|(other, _)| *other == household);
        own.filter_map(|(_, person)| self.filling.dossiers.id(SubjectKind::Person, *person)).collect()
    }
}

fn conflict_body(row: &ConflictRow) -> ConflictBody<'_> {
    ConflictBody([
        Some(&*row.fact),
        row.policy.as_deref(),
        row.period.as_deref(),
        row.occasion.as_deref(),
        Some(&*row.source),
        Some(&*row.value),
        Some(&*row.other_source),
        Some(&*row.other_value),
    ])
}
