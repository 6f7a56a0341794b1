//! The reasons for one subject of the registers: one policy, or all of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{Args, Explained, law};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::commands::Context;
use crate::commands::folder::PolicyFolder;
use crate::commands::match_registers::{all_cores, newest, start};
use crate::diagnostic::{Diagnostic, code};
use crate::eligibility::given_registers::read_paid;
use crate::eligibility::grant::amount_text;
use crate::eligibility::input::{Paid, period_text};
use crate::explain::excerpt::{Excerpt, Whole};
use crate::explain::facts::facts_read;
use crate::explain::overview::{Overview, Payment};
use crate::explain::story::{Telling, story};
use crate::explain::when::turns;
use crate::explain::why::{Built, Sources as Origins};
use crate::explain::{self, Known, Law, Reason};
use crate::policy::document::Period;
use crate::register::Sources;
use crate::register::declaration::SubjectKind;
use crate::register::identifier::{mask, one_form, subject_of};

/// Explains one policy, or all, for a subject of the registers.
///
/// # Errors
///
/// When the policy is not in force, a register cannot be read, or nobody has the identifier.
pub(super) fn explain(folder: &PolicyFolder, args: &Args, context: &Context) -> Result<Explained, Vec<Diagnostic>> {
    let sources = Sources::load(&args.sources)?;
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let as_of = as_of(args, &sources)?;
    let until = args.until(as_of)?;
    let law = law(folder, (as_of, until));
    let (kind, id) = subject(folder, args, &law)?;
    let mut catalogue = folder.checked.catalogue.clone();
    let facts = facts_of(&law, &mut catalogue, kind, args.wanted());
    let allow_missing = args.absent();
    let scratch = std::env::temp_dir();
    let whole = Whole {
        catalogue: &catalogue,
        regions: &folder.regions,
        sources: &sources,
        allow_missing: &allow_missing,
        as_of,
        scratch: &scratch,
    };
    let excerpt = Excerpt::take(&whole, kind, &id, &facts).map_err(|told| one(*told))?;
    let (runtime, cancel) =
        start(all_cores(), context).map_err(|_| one(Diagnostic::new(&code::INTERNAL, "开不了线程", "threads cannot be started")))?;
    let telling = Telling { excerpt: &excerpt, law: &law, facts: &facts, kind, id: &id, scratch: scratch.clone(), cancel };
    let told = runtime.block_on(story(&telling, &catalogue)).map_err(|error| one(error.into_diagnostic()))?;
    let (story, dossiers) = told.ok_or_else(|| one(nobody(&id)))?;
    let known_facts = story.on(as_of).cloned().unwrap_or_default();
    let today = dossiers.intake.identities.today(&id).unwrap_or(&id);
    let deliveries = Built { dossiers: &dossiers, id: today };
    let origins = Origins { catalogue: &catalogue, deliveries: &deliveries, regions: &folder.regions, as_of, facts: &known_facts };
    let known = Known {
        value: &|fact| known_facts.value(fact),
        taken: &|_| false,
        cause: &|fact| Some(origins.why(fact)),
        data_day: &|register| origins.data_day(register),
    };
    let binder = law.binder(as_of);
    let reason = |policy: &CheckedPolicy| -> Reason {
        let turns = turns(&law, &catalogue, &story, &policy.document.code);
        explain::explain(&catalogue, policy, &binder, known).with_turns(turns, until)
    };
    let in_force = law.on(as_of);
    if let Some(code) = args.wanted() {
        return Ok(Explained::One(Box::new(reason(in_force.get(code).ok_or_else(|| not_in_force(code, as_of, &law))?))));
    }
    let reasons = in_force.values().filter(|policy| policy.document.subject == kind).map(reason).collect();
    let (paid, _) = read_paid(&excerpt.registers, &excerpt.sources, &binder, &dossiers.intake.identities).map_err(|told| one(*told))?;
    let paid = payments(&paid, in_force, kind, today, &binder);
    Ok(Explained::Overview(Box::new(Overview::new(kind, mask(&id), (as_of, until), reasons, paid))))
}

/// The day that is asked for, else the newest data day.
pub(super) fn as_of(args: &Args, sources: &Sources) -> Result<NaiveDate, Vec<Diagnostic>> {
    args.as_of.or_else(|| newest(sources)).ok_or_else(|| {
        vec![
            Diagnostic::new(&code::BAD_ARGUMENT, "缺少 --as-of", "--as-of is missing")
                .help("如 --as-of 2026-06-30", "such as --as-of 2026-06-30"),
        ]
    })
}

/// The policy is not in force on the day, or there is none.
pub(super) fn not_in_force(code: &str, as_of: NaiveDate, law: &Law<'_>) -> Vec<Diagnostic> {
    let (zh, en) =
        (format!("政策 {code} 在 {as_of} 不在有效期内, 或不存在"), format!("policy {code} is not in force on {as_of}, or unknown"));
    vec![Diagnostic::new(&code::BAD_ARGUMENT, zh, en).did_you_mean(code, law.on(as_of).keys().map(String::as_str))]
}

/// The subject in the one form of its identifier, and of which kind it is: that of the policy, else as its identifier says.
fn subject(folder: &PolicyFolder, args: &Args, law: &Law<'_>) -> Result<(SubjectKind, String), Vec<Diagnostic>> {
    let written = args.subject.as_deref().unwrap_or_default();
    match args.wanted() {
        Some(code) => {
            let documents = &folder.set.policies;
            let found = documents.iter().find(|document| document.code == code);
            let kind = found.ok_or_else(|| not_in_force(code, law.span().0, law))?.subject;
            Ok((kind, one_form(kind, written)))
        }
        None => Ok(subject_of(written)),
    }
}

/// The facts that policies of a kind read over the span of the law; those of one policy where one is asked for.
fn facts_of(law: &Law<'_>, catalogue: &mut Catalogue, kind: SubjectKind, wanted: Option<&str>) -> BTreeSet<FactId> {
    let mut facts = BTreeSet::new();
    for (from, policies) in law.spans() {
        let chosen = policies.values().filter(|policy| policy.document.subject == kind);
        let chosen = chosen.filter(|policy| wanted.is_none_or(|code| policy.document.code == code));
        facts.extend(facts_read(catalogue, &law.binder(from), chosen));
    }
    facts
}

fn nobody(id: &str) -> Diagnostic {
    let masked = mask(id);
    Diagnostic::new(&code::BAD_ARGUMENT, format!("登记库里没有 {masked}"), format!("nobody in the registers has the identifier {masked}"))
        .help("检查标识和政策的服务对象", "check the identifier, and whose policy it is")
}

/// What a subject was paid for the period that holds the day, by code of the policy.
fn payments(
    paid: &Paid,
    policies: &BTreeMap<String, CheckedPolicy>,
    kind: SubjectKind,
    id: &str,
    binder: &Binder<'_>,
) -> BTreeMap<String, Vec<Payment>> {
    let mut found: BTreeMap<String, Vec<Payment>> = BTreeMap::new();
    for row in paid.rows.iter().filter(|row| row.kind == kind && paid.subjects[kind as usize].get(row.subject) == id) {
        let (code, period) = (paid.words.get(row.policy), paid.words.get(row.period));
        let Some(policy) = policies.get(code) else { continue };
        let span: Period = policy.document.benefit.period;
        if period == period_text(span, binder.as_of) {
            found.entry(code.to_owned()).or_default().push(Payment {
                amount: amount_text(row.amount),
                period: period.to_owned(),
                occasion: row.occasion.map(|occasion| paid.words.get(occasion).to_owned()),
                paid_on: row.paid_on.to_string(),
            });
        }
    }
    found
}
