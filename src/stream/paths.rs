//! Which ways a kind's dossiers go from a subject to others, and what they read there, register by register and column by column:
//! what decides whom a change touches.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::CheckedPolicy;
use crate::check::catalogue::{Aggregate, Catalogue, FactId};
use crate::check::ir::Expr;
use crate::dossier::build::{EachRequest, base_register};
use crate::dossier::plan::{Plan, Source};
use crate::policy::document::CapScope;
use crate::register::declaration::{ColumnType, RegisterDeclaration, RegisterTime, SubjectKind};

/// Columns of a register, by their places among the declared ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Columns {
    /// All of them.
    All,
    /// Some; whether a row is there at all counts in any case.
    These(BTreeSet<usize>),
}

impl Default for Columns {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Columns {
    /// With others.
    pub(super) fn merge(&mut self, others: &Self) {
        match (&mut *self, others) {
            (Self::These(these), Self::These(others)) => these.extend(others),
            _ => *self = Self::All,
        }
    }

    /// Whether some of them are among others.
    #[must_use]
    pub fn meet(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::These(these), Self::These(others)) => !these.is_disjoint(others),
            _ => true,
        }
    }
}

/// A place on the way from a subject: the subject itself, or another one that it leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stop {
    /// What is read of the link's register on the way here.
    pub by: Columns,
    /// The registers whose rows about the one who stands here are read, and what of them.
    pub registers: BTreeMap<String, Columns>,
    /// By index of the link, where it goes on to.
    pub links: BTreeMap<usize, Stop>,
    /// The facts of the one who stands here that are read.
    pub facts: BTreeSet<FactId>,
    /// Whether the one who stands here is looked at beside the one who is judged: what both get hangs together, or one lists the
    /// other.
    pub beside: bool,
}

impl Stop {
    fn reads(&mut self, register: &str, columns: &Columns) {
        self.registers.entry(register.to_owned()).or_default().merge(columns);
    }

    fn merge(&mut self, other: &Self) {
        self.by.merge(&other.by);
        for (register, columns) in &other.registers {
            self.reads(register, columns);
        }
        for (link, stop) in &other.links {
            self.links.entry(*link).or_default().merge(stop);
        }
        self.facts.extend(&other.facts);
        self.beside |= other.beside;
    }
}

/// The ways of each kind.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// By kind.
    pub of: BTreeMap<SubjectKind, Stop>,
}

/// Registers of which every subject's own rows are read beside its dossier.
const BESIDE: [&str; 2] = [crate::eligibility::given_registers::GRANTS_PAID, crate::eligibility::given_registers::REFUSALS];

impl Paths {
    /// The ways of planned facts, of the rows that occasions come from, and of rules between policies.
    #[must_use]
    pub fn new(catalogue: &Catalogue, plan: &Plan, asked: &BTreeSet<FactId>, each: &[EachRequest], policies: &[CheckedPolicy]) -> Self {
        let reading = Reading { catalogue };
        let mut ways = Ways { reading, plan, known: BTreeMap::new() };
        let mut of: BTreeMap<SubjectKind, Stop> = BTreeMap::new();
        for kind in SubjectKind::ALL {
            let mut stop = Stop::default();
            for fact in asked.iter().filter(|fact| fact.kind == kind) {
                let way = ways.of(*fact);
                stop.merge(&way);
                stop.facts.insert(*fact);
            }
            for request in each {
                let from = request.link.map_or(request.kind, |link| catalogue.registers.links[link].from);
                if from != kind {
                    continue;
                }
                let mut there = Stop::default();
                for fact in &request.facts {
                    let way = ways.of(*fact);
                    there.merge(&way);
                    there.facts.insert(*fact);
                }
                match request.link {
                    Some(link) => {
                        reading.lists(&mut there, request.kind);
                        there.by = Columns::All;
                        stop.links.entry(link).or_default().merge(&there);
                    }
                    None => {
                        there.reads(&request.register, &Columns::All);
                        stop.merge(&there);
                    }
                }
            }
            for register in BESIDE {
                stop.reads(register, &Columns::All);
            }
            reading.lists(&mut stop, kind);
            of.insert(kind, stop);
        }
        let mut paths = Self { of };
        paths.households(catalogue, policies);
        paths
    }

    /// Households list their members; and where rules tie what members get, all of a household are judged together.
    fn households(&mut self, catalogue: &Catalogue, policies: &[CheckedPolicy]) {
        let links = &catalogue.registers.links;
        let link = |from, name: &str| links.iter().position(|link| link.from == from && link.name == name);
        let (Some(household), Some(members)) = (link(SubjectKind::Person, "household"), link(SubjectKind::Household, "members")) else {
            return;
        };
        let [person, home] = [SubjectKind::Person, SubjectKind::Household].map(|kind| self.of.get(&kind).cloned().unwrap_or_default());
        let reading = Reading { catalogue };
        let mut member = Stop { by: reading.link(members), beside: true, ..Stop::default() };
        reading.lists(&mut member, SubjectKind::Person);
        member.links.insert(household, Stop { by: reading.link(household), ..Stop::default() });
        let tied = is_tied(policies);
        if tied {
            member.merge(&person);
        }
        if let Some(home) = self.of.get_mut(&SubjectKind::Household) {
            home.links.entry(members).or_default().merge(&member);
        }
        if tied && let Some(person) = self.of.get_mut(&SubjectKind::Person) {
            let there = person.links.entry(household).or_default();
            there.beside = true;
            there.by.merge(&reading.link(household));
            there.merge(&home);
            there.links.entry(members).or_default().merge(&member);
        }
    }

    /// All kinds in one: where a subject's kind is not known.
    #[must_use]
    pub fn all(&self) -> Stop {
        let mut all = Stop::default();
        self.of.values().for_each(|stop| all.merge(stop));
        all
    }
}

/// Whether what a person gets may depend on the verdicts of its household, or of others in it.
fn is_tied(policies: &[CheckedPolicy]) -> bool {
    let kinds: BTreeMap<&str, SubjectKind> =
        policies.iter().map(|policy| (policy.document.code.as_str(), policy.document.subject)).collect();
    policies.iter().any(|policy| {
        let document = &policy.document;
        let named =
            document.requires.iter().map(|(code, _)| code.as_str()).chain(document.excludes.iter().map(|other| other.policy.as_str()));
        let mut kinds = named.filter_map(|code| kinds.get(code));
        let of_household = document.cap.as_ref().is_some_and(|cap| cap.per == CapScope::Household);
        of_household || kinds.any(|kind| *kind != document.subject)
    })
}

/// Which columns of registers are read.
#[derive(Clone, Copy)]
struct Reading<'a> {
    catalogue: &'a Catalogue,
}

impl Reading<'_> {
    fn declared(&self, register: &str) -> Option<&RegisterDeclaration> {
        self.catalogue.registers.registers.get(register)
    }

    /// Columns by their names, with whom a row is about and when it is seen.
    fn named<'n>(&self, register: &str, names: impl IntoIterator<Item = &'n str>) -> Columns {
        let Some(declared) = self.declared(register) else { return Columns::All };
        let times = match &declared.time {
            RegisterTime::State => [None, None],
            RegisterTime::Event(on) => [Some(on), None],
            RegisterTime::Valid(from, to) => [Some(from), Some(to)],
        };
        let place = |name: &str| declared.columns.iter().position(|column| column.name == name);
        let mut places: BTreeSet<usize> = names.into_iter().filter_map(place).collect();
        let of_row = times.into_iter().flatten().chain(&declared.recorded_at).chain([&declared.key]);
        places.extend(of_row.filter_map(|name| place(name)));
        Columns::These(places)
    }

    /// What expressions over the rows of a register read; places behind its columns are facts.
    fn expressions<'e>(&self, register: &str, expressions: impl IntoIterator<Item = &'e Expr>) -> Columns {
        let columns = self.catalogue.rows.get(register).map_or(0, Vec::len);
        let mut read = BTreeSet::new();
        for expr in expressions {
            expr.for_each_fact(&mut |index| read.extend((index < columns).then_some(index)));
        }
        let mut all = self.named(register, []);
        all.merge(&Columns::These(read));
        all
    }

    /// What a link reads of its register.
    fn link(&self, link: usize) -> Columns {
        let declared = &self.catalogue.registers.links[link];
        let mut columns = self.named(&declared.register, [declared.from_column.as_str(), declared.to_column.as_str()]);
        columns.merge(&self.expressions(&declared.register, &self.catalogue.link_filter(&declared.name, declared.from)));
        columns
    }

    /// Whether there is somebody at all.
    fn lists(&self, stop: &mut Stop, kind: SubjectKind) {
        // Households are there while they have members: what makes one is among what the link reads.
        let columns = if kind == SubjectKind::Household { Columns::All } else { self.named(base_register(kind), []) };
        stop.reads(base_register(kind), &columns);
    }

    /// Where somebody is, for registers that are complete in some regions only: there, absence means "no".
    fn places(&self, stop: &mut Stop, kind: SubjectKind, register: &str) {
        self.lists(stop, kind);
        if let Some(base) = self.declared(base_register(kind))
            && self.declared(register).is_none_or(|declared| !declared.coverage_regions.is_empty())
        {
            let regions = base.columns.iter().filter(|column| column.column_type == ColumnType::Region);
            stop.reads(&base.name, &self.named(&base.name, regions.map(|column| column.name.as_str())));
        }
    }
}

fn parts(rows: &Aggregate) -> impl Iterator<Item = &Expr> {
    rows.value.iter().chain(&rows.filter).chain(&rows.by)
}

/// The ways of facts, each worked out once.
struct Ways<'a> {
    reading: Reading<'a>,
    plan: &'a Plan,
    known: BTreeMap<FactId, Stop>,
}

impl Ways<'_> {
    fn of(&mut self, fact: FactId) -> Stop {
        if let Some(known) = self.known.get(&fact) {
            return known.clone();
        }
        // A cycle was told by checking; here it must only not loop.
        self.known.insert(fact, Stop::default());
        let reading = self.reading;
        let mut stop = Stop::default();
        if let Some(planned) = self.plan.facts.get(&fact) {
            match &planned.source {
                Source::Rows { register, rows, agrees_with } => {
                    stop.reads(register, &reading.expressions(register, parts(rows)));
                    for (other, column) in agrees_with {
                        stop.reads(other, &reading.named(other, [column.as_str()]));
                    }
                    reading.places(&mut stop, fact.kind, register);
                }
                Source::Linked { link, fact } => {
                    let mut there = self.of(*fact);
                    there.facts.insert(*fact);
                    self.lead(&mut stop, *link, &there);
                }
                Source::LinkedAggregate { link, rows } => {
                    let declared = &reading.catalogue.registers.links[*link];
                    let columns = reading.catalogue.rows.get(&declared.register).map_or(0, Vec::len);
                    let mut inputs = BTreeSet::new();
                    for expr in parts(rows) {
                        expr.for_each_fact(&mut |index| {
                            inputs.extend(index.checked_sub(columns).map(|index| FactId { kind: declared.to, index }));
                        });
                    }
                    let mut there = Stop { by: reading.expressions(&declared.register, parts(rows)), ..Stop::default() };
                    for input in inputs {
                        let way = self.of(input);
                        there.merge(&way);
                        there.facts.insert(input);
                    }
                    self.lead(&mut stop, *link, &there);
                    reading.places(&mut stop, fact.kind, &declared.register);
                }
                Source::LinkEnd { link } => self.lead(&mut stop, *link, &Stop::default()),
            }
        }
        self.known.insert(fact, stop.clone());
        stop
    }

    fn lead(&self, stop: &mut Stop, link: usize, there: &Stop) {
        let next = stop.links.entry(link).or_default();
        next.by.merge(&self.reading.link(link));
        self.reading.lists(next, self.reading.catalogue.registers.links[link].to);
        next.merge(there);
    }
}
