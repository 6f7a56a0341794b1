//! Which ways a kind's dossiers go from a subject to others, and what they read there: what decides whom a change touches.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::CheckedPolicy;
use crate::check::catalogue::{Catalogue, FactId};
use crate::dossier::build::{EachRequest, base_register};
use crate::dossier::plan::{Plan, Source};
use crate::policy::document::CapScope;
use crate::register::declaration::SubjectKind;

/// A place on the way from a subject: the subject itself, or another one that it leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stop {
    /// The registers whose rows about the one who stands here are read.
    pub registers: BTreeSet<String>,
    /// By index of the link, where it goes on to.
    pub links: BTreeMap<usize, Stop>,
}

impl Stop {
    fn merge(&mut self, other: &Self) {
        self.registers.extend(other.registers.iter().cloned());
        for (link, stop) in &other.links {
            self.links.entry(*link).or_default().merge(stop);
        }
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
        let mut ways = Ways { catalogue, plan, known: BTreeMap::new() };
        let mut of: BTreeMap<SubjectKind, Stop> = BTreeMap::new();
        for kind in SubjectKind::ALL {
            let mut stop = Stop::default();
            for fact in asked.iter().filter(|fact| fact.kind == kind) {
                let way = ways.of(*fact);
                stop.merge(&way);
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
                }
                match request.link {
                    Some(link) => {
                        there.registers.insert(base_register(request.kind).to_owned());
                        stop.links.entry(link).or_default().merge(&there);
                    }
                    None => {
                        there.registers.insert(request.register.clone());
                        stop.merge(&there);
                    }
                }
            }
            stop.registers.extend(BESIDE.map(str::to_owned));
            stop.registers.insert(base_register(kind).to_owned());
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
        let mut member = Stop { registers: BTreeSet::from([base_register(SubjectKind::Person).to_owned()]), ..Stop::default() };
        member.links.insert(household, Stop::default());
        let tied = is_tied(policies);
        if tied {
            member.merge(&person);
        }
        if let Some(home) = self.of.get_mut(&SubjectKind::Household) {
            home.links.entry(members).or_default().merge(&member);
        }
        if tied && let Some(person) = self.of.get_mut(&SubjectKind::Person) {
            let there = person.links.entry(household).or_default();
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

/// The ways of facts, each worked out once.
struct Ways<'a> {
    catalogue: &'a Catalogue,
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
        let mut stop = Stop::default();
        if let Some(planned) = self.plan.facts.get(&fact) {
            match &planned.source {
                Source::Rows { register, agrees_with, .. } => {
                    stop.registers.insert(register.clone());
                    stop.registers.extend(agrees_with.iter().map(|(other, _)| other.clone()));
                    // Whether absence means "no" follows from where the subject is.
                    stop.registers.insert(base_register(fact.kind).to_owned());
                }
                Source::Linked { link, fact } => {
                    let there = self.of(*fact);
                    self.lead(&mut stop, *link, &there);
                }
                Source::LinkedAggregate { link, rows } => {
                    let (to, columns) = {
                        let declared = &self.catalogue.registers.links[*link];
                        (declared.to, self.catalogue.rows.get(&declared.register).map_or(0, Vec::len))
                    };
                    let mut inputs = BTreeSet::new();
                    for expr in rows.value.iter().chain(&rows.filter).chain(&rows.by) {
                        expr.for_each_fact(&mut |index| {
                            inputs.extend(index.checked_sub(columns).map(|index| FactId { kind: to, index }));
                        });
                    }
                    let mut there = Stop::default();
                    for input in inputs {
                        let way = self.of(input);
                        there.merge(&way);
                    }
                    self.lead(&mut stop, *link, &there);
                    stop.registers.insert(base_register(fact.kind).to_owned());
                }
                Source::LinkEnd { link } => self.lead(&mut stop, *link, &Stop::default()),
            }
        }
        self.known.insert(fact, stop.clone());
        stop
    }

    fn lead(&self, stop: &mut Stop, link: usize, there: &Stop) {
        let next = stop.links.entry(link).or_default();
        next.registers.insert(base_register(self.catalogue.registers.links[link].to).to_owned());
        next.merge(there);
    }
}
