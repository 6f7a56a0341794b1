//! The policies of one subject kind, bound to the day, computed facts written out, compiled into programs.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, Definition, FactId};
use crate::check::ir::{Expr, Kind, Schema, Ty};
use crate::diagnostic::{Diagnostic, code};
use crate::dossier::build::EachRequest;
use crate::policy::document::{EachSource, Payee, Rounding};
use crate::program::{CompileError, Program, Rational, ValueProgram, round_half_up, round_up};
use crate::register::declaration::SubjectKind;

/// One policy, ready to be evaluated.
#[derive(Debug)]
pub struct CompiledPolicy {
    /// Its place in the run's list.
    pub index: u32,
    /// Covered and all criteria met.
    pub verdict: Expr,
    /// Roots in [`CompiledKind::program`]: coverage, verdict, one per step (all steps up to it), one per criterion.
    pub coverage: usize,
    /// See `coverage`.
    pub root: usize,
    /// See `coverage`.
    pub steps: std::ops::Range<usize>,
    /// See `coverage`.
    pub leaves: std::ops::Range<usize>,
    /// Amount, cap, rank and occasion of a yes row; absent ones are unknown constants.
    pub values: ValueProgram,
    /// Whether the benefit has an amount.
    pub has_amount: bool,
    /// Where occasions come from.
    pub each: Option<CompiledEach>,
    /// How amounts are rounded.
    pub rounding: Rounding,
    /// Who receives a grant.
    pub payee: Payee,
    /// Whether amounts are for members.
    pub per_member: bool,
    /// The verdict as what is missing is told of it: computed facts that the subject may commit to stay whole.
    pub open_verdict: Expr,
    /// Those computed facts, written out.
    pub committed: BTreeMap<usize, Expr>,
    /// Facts that the verdict reads, for what is missing.
    pub facts: Vec<usize>,
}

/// Places in [`CompiledPolicy::values`].
pub mod value {
    /// The amount.
    pub const AMOUNT: usize = 0;
    /// The cap.
    pub const CAP: usize = 1;
    /// The rank.
    pub const RANK: usize = 2;
    /// The occasion.
    pub const OCCASION: usize = 3;
}

/// Where the occasions of a policy come from.
#[derive(Debug)]
pub struct CompiledEach {
    /// The rows that the dossiers give.
    pub request: EachRequest,
    /// Filter and amount over [`CompiledEach::schema`]; an absent amount is unknown.
    pub program: ValueProgram,
    /// Columns of the rows, then facts.
    pub schema: Schema,
    /// The column with the occasion.
    pub id: String,
    /// Whether the rows have an amount of their own.
    pub has_amount: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

/// All policies about one subject kind.
#[derive(Debug)]
pub struct CompiledKind {
    /// The kind.
    pub kind: SubjectKind,
    /// The facts of the kind.
    pub schema: Schema,
    /// All verdicts, coverages, steps and criteria.
    pub program: Program,
    /// The policies, in the order of the run's list.
    pub policies: Vec<CompiledPolicy>,
    /// Facts that programs read, and that results need.
    pub facts: BTreeSet<FactId>,
    /// Where results find what they say of each subject.
    pub about: About,
}

/// Columns that results read of each dossier.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Region facts, the first known one counts.
    pub regions: Vec<String>,
    /// The household's identifier.
    pub household: Option<String>,
    /// Guardians, the first known one counts.
    pub guardians: Vec<String>,
    /// Head of the household.
    pub head: Option<String>,
    /// Legal representative.
    pub legal_representative: Option<String>,
}

/// Compiles the policies of a kind.
///
/// # Errors
///
/// When a policy cannot be compiled, which checking should have told.
pub fn compile(
    kind: SubjectKind,
    policies: &[CheckedPolicy],
    catalogue: &mut Catalogue,
    binder: &Binder<'_>,
    given: bool,
) -> Result<CompiledKind, Box<Diagnostic>> {
    let taken = move |_: FactId| given;
    let mut roots: Vec<Expr> = Vec::new();
    let mut drafts = Vec::new();
    for (index, policy) in policies.iter().enumerate().filter(|(_, policy)| policy.document.subject == kind) {
        let mut ready = |expr: &Expr| binder.bind(&catalogue.expand(&binder.bind(expr), kind, 0, &taken));
        let coverage = ready(&policy.coverage);
        let criteria = ready(&policy.criteria);
        let verdict = Expr::new(Kind::And(vec![coverage.clone(), criteria]), Ty::Bool);
        let (open_verdict, committed) = committed(policy, &coverage, catalogue, binder);
        let mut ready = |expr: &Expr| binder.bind(&catalogue.expand(&binder.bind(expr), kind, 0, &taken));
        let steps: Vec<Expr> = policy.steps.iter().map(&mut ready).collect();
        let first = roots.len();
        roots.push(coverage.clone());
        roots.push(verdict.clone());
        for end in 1..=steps.len() {
            let up_to = std::iter::once(coverage.clone()).chain(steps[..end].iter().cloned()).collect();
            roots.push(Expr::new(Kind::And(up_to), Ty::Bool));
        }
        let leaves_start = roots.len();
        roots.extend(policy.leaves.iter().map(|(_, leaf)| ready(leaf)));
        let leaves = leaves_start..roots.len();
        let mut optional = |expr: Option<&Expr>, ty: Ty| expr.map_or_else(|| Expr::new(Kind::Unknown, ty), &mut ready);
        let values = [
            optional(policy.amount.as_ref(), Ty::Number),
            optional(policy.cap.as_ref(), Ty::Number),
            optional(policy.rank.as_ref(), Ty::Number),
            optional(policy.occasion.as_ref(), Ty::Text),
        ];
        drafts.push((index, first, steps.len(), leaves, verdict, open_verdict, committed, values));
    }
    let about = about(kind, catalogue, given);
    let mut each = BTreeMap::new();
    for (index, policy) in policies.iter().enumerate().filter(|(_, policy)| policy.document.subject == kind) {
        if policy.each.is_some() {
            each.insert(index, expand_each(policy, catalogue, binder));
        }
    }
    let schema = catalogue.schema(kind);
    let program = Program::compile(&schema, &roots).map_err(|error| internal(&error))?;
    let mut facts: BTreeSet<usize> = program.facts().into_iter().collect();
    let mut compiled = Vec::new();
    for (index, first, step_count, leaves, verdict, open_verdict, committed, values) in drafts {
        let policy = &policies[index];
        let values = ValueProgram::compile(&schema, &values).map_err(|error| internal(&error))?;
        facts.extend(values.facts());
        let mut read = BTreeSet::new();
        verdict.for_each_fact(&mut |fact| {
            read.insert(fact);
        });
        let each = match each.remove(&index) {
            Some(draft) => Some(compile_each(policy, draft, catalogue)?),
            None => None,
        };
        compiled.push(CompiledPolicy {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            coverage: first,
            root: first + 1,
            steps: first + 2..first + 2 + step_count,
            leaves,
            verdict,
            open_verdict,
            committed,
            values,
            has_amount: policy.document.benefit.amount.is_some(),
            each,
            rounding: policy.document.benefit.rounding,
            payee: policy.document.benefit.payee,
            per_member: policy.document.benefit.per_member,
            facts: read.into_iter().collect(),
        });
    }
    let mut ids: BTreeSet<FactId> = facts.into_iter().map(|index| FactId { kind, index }).collect();
    ids.extend(about.columns().filter_map(|name| catalogue.find(kind, name)));
    Ok(CompiledKind { kind, schema, program, policies: compiled, facts: ids, about })
}

/// The verdict with the computed facts that the subject may commit to left whole, and these facts written out.
fn committed(policy: &CheckedPolicy, coverage: &Expr, catalogue: &mut Catalogue, binder: &Binder<'_>) -> (Expr, BTreeMap<usize, Expr>) {
    let kind = policy.document.subject;
    let computed: Vec<usize> = policy
        .commit
        .iter()
        .copied()
        .filter(|&index| matches!(catalogue.fact(FactId { kind, index }).definition, Definition::Computed(_)))
        .collect();
    let stays = computed.clone();
    let criteria =
        binder.bind(&catalogue.expand(&binder.bind(&policy.criteria), kind, 0, &move |id| id.kind == kind && stays.contains(&id.index)));
    let verdict = Expr::new(Kind::And(vec![coverage.clone(), criteria]), Ty::Bool);
    let written_out = computed
        .into_iter()
        .map(|index| {
            let fact = Expr::new(Kind::Fact(index), catalogue.fact(FactId { kind, index }).ty.ty);
            (index, binder.bind(&catalogue.expand(&fact, kind, 0, &|_| false)))
        })
        .collect();
    (verdict, written_out)
}

/// Filter, amount, register and link of a policy's occasions, computed facts written out.
struct EachDraft {
    filter: Expr,
    amount: Option<Expr>,
    register: String,
    kind: SubjectKind,
    link: Option<usize>,
}

fn expand_each(policy: &CheckedPolicy, catalogue: &mut Catalogue, binder: &Binder<'_>) -> Option<EachDraft> {
    let each = policy.each.as_ref()?;
    let written = policy.document.each.as_ref()?;
    let offset = catalogue.rows.get(&each.register).map_or(0, Vec::len);
    let mut ready = |expr: &Expr| binder.bind(&catalogue.expand(&binder.bind(expr), each.kind, offset, &|_| false));
    let filter = each.filter.as_ref().map_or_else(|| Expr::boolean(true), &mut ready);
    let amount = each.amount.as_ref().map(&mut ready);
    let link = match &written.source {
        EachSource::Link(name) => {
            catalogue.registers.links.iter().position(|link| link.from == policy.document.subject && link.name == *name)
        }
        EachSource::Register(_) => None,
    };
    Some(EachDraft { filter, amount, register: each.register.clone(), kind: each.kind, link })
}

fn compile_each(policy: &CheckedPolicy, draft: Option<EachDraft>, catalogue: &Catalogue) -> Result<CompiledEach, Box<Diagnostic>> {
    let (Some(draft), Some(written)) = (draft, policy.document.each.as_ref()) else {
        return Err(Box::new(Diagnostic::new(&code::INTERNAL, "事由没有展开", "occasions were not expanded")));
    };
    let schema = catalogue.joined_schema(&draft.register, draft.kind);
    let offset = catalogue.rows.get(&draft.register).map_or(0, Vec::len);
    let amount = draft.amount.clone().unwrap_or_else(|| Expr::new(Kind::Unknown, Ty::Number));
    let program = ValueProgram::compile(&schema, &[draft.filter, amount]).map_err(|error| internal(&error))?;
    let mut columns = BTreeSet::new();
    let mut facts = BTreeSet::new();
    for index in program.facts() {
        match index.checked_sub(offset) {
            None => {
                columns.insert(index);
            }
            Some(index) => {
                facts.insert(FactId { kind: draft.kind, index });
            }
        }
    }
    let id_column = format!("row.{}", written.id);
    columns.extend(schema.index_of(&id_column));
    Ok(CompiledEach {
        request: EachRequest { register: draft.register, link: draft.link, columns, kind: draft.kind, facts },
        program,
        schema,
        id: id_column,
        has_amount: draft.amount.is_some(),
        limit: written.limit.and_then(|limit| usize::try_from(limit).ok()),
    })
}

/// Which columns results read of each subject; facts and links that are not declared are left out.
#[must_use]
pub fn about(kind: SubjectKind, catalogue: &mut Catalogue, given: bool) -> About {
    let known = |catalogue: &Catalogue, names: &[&str]| -> Vec<String> {
        names.iter().filter(|name| catalogue.find(kind, name).is_some()).map(|name| (*name).to_owned()).collect()
    };
    if given {
        let regions = known(catalogue, &["residence_region", "hukou_region", "registered_region", "region"]);
        return About { regions, ..About::default() };
    }
    let name = |catalogue: &Catalogue, id: Option<FactId>| id.map(|id| catalogue.fact(id).name.to_string());
    match kind {
        SubjectKind::Person => {
            let household = catalogue.link_end(kind, "household");
            let head_there = catalogue.link_end(SubjectKind::Household, "head");
            let head = head_there.and_then(|head| catalogue.linked(kind, "household", head));
            let guardians = ["mother", "father"].map(|link| catalogue.link_end(kind, link));
            let head = name(catalogue, head);
            let guardians = guardians.into_iter().filter_map(|id| name(catalogue, id)).chain(head.clone()).collect();
            About {
                regions: known(catalogue, &["residence_region", "hukou_region"]),
                household: name(catalogue, household),
                guardians,
                head,
                legal_representative: None,
            }
        }
        SubjectKind::Household => {
            let head = catalogue.link_end(kind, "head");
            let there = ["residence_region", "hukou_region"].map(|fact| catalogue.find(SubjectKind::Person, fact));
            let regions = there.into_iter().flatten().filter_map(|fact| catalogue.linked(kind, "head", fact)).collect::<Vec<_>>();
            About {
                regions: regions.into_iter().filter_map(|id| name(catalogue, Some(id))).collect(),
                head: name(catalogue, head),
                ..About::default()
            }
        }
        SubjectKind::Entity => {
            let representative = catalogue.link_end(kind, "legal_representative");
            About {
                regions: known(catalogue, &["registered_region"]),
                legal_representative: name(catalogue, representative),
                ..About::default()
            }
        }
    }
}

impl CompiledKind {
    /// The facts that evaluation reads of each dossier.
    #[must_use]
    pub fn reads(&self) -> BTreeSet<FactId> {
        let mut indices = BTreeSet::new();
        for policy in &self.policies {
            indices.extend(policy.facts.iter().copied());
            for expr in policy.committed.values().chain([&policy.open_verdict]) {
                expr.for_each_fact(&mut |index| {
                    indices.insert(index);
                });
            }
        }
        self.facts.iter().copied().chain(indices.into_iter().map(|index| FactId { kind: self.kind, index })).collect()
    }
}

impl About {
    /// All columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.regions
            .iter()
            .chain(&self.household)
            .chain(&self.guardians)
            .chain(&self.head)
            .chain(&self.legal_representative)
            .map(String::as_str)
    }
}

/// An amount in hundredths, rounded as the policy says, never below zero; none when it does not fit.
#[must_use]
pub fn hundredths(amount: &Rational, rounding: Rounding) -> Option<i64> {
    match rounding {
        Rounding::Fen => round_half_up(amount, 2),
        Rounding::Yuan => round_half_up(amount, 0)?.checked_mul(100),
        Rounding::YuanUp => round_up(amount, 0)?.checked_mul(100),
    }
}

fn internal(error: &CompileError) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(&code::INTERNAL, format!("政策编译失败: {error}"), format!("a policy does not compile: {error}")))
}
