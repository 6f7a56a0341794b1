//! From the open form of a condition to the form bound to a day: parameters, regions and other policies put in.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::NaiveDate;

use super::CheckedPolicy;
use super::ir::{Expr, Kind, Number, Ty, Value};
use crate::policy;
use crate::policy::document::Parameter;
use crate::region::{COUNTRY, RegionTree, RegionsOn};

/// What a condition is bound to. What regions and parameters come to is worked out once and kept: the tables of all
/// conditions that name one parameter are one table.
#[derive(Debug)]
pub struct Binder<'a> {
    /// The day that the evaluation is about.
    pub as_of: NaiveDate,
    /// Parameters announced later are not seen; none: all are.
    pub known_at: Option<NaiveDate>,
    /// Parameters.
    pub parameters: &'a [Parameter],
    /// Regions.
    pub regions: &'a RegionTree,
    /// The policies of the run, by code; others are not in force and entitle to nothing.
    pub policies: &'a BTreeMap<String, CheckedPolicy>,
    kept: Kept,
}

/// A set of texts, sorted.
type Texts = Arc<[Arc<str>]>;
/// The number that each text gives, sorted by text.
type Table = Arc<[(Arc<str>, Number)]>;

/// The number that was set for each region.
type Values = Arc<HashMap<String, Number>>;

/// What was worked out before. It borrows nothing: a binder may be lent for less time than what it was made of.
#[derive(Debug, Default)]
struct Kept {
    regions: OnceLock<RegionsOn>,
    /// By region: the codes that lie in it, and those of which that cannot be said.
    within: Mutex<HashMap<Arc<str>, (Texts, Texts)>>,
    /// By parameter: its value in each region that has one of its own.
    values: Mutex<HashMap<String, Values>>,
    /// By parameter: its value for every code.
    tables: Mutex<HashMap<Arc<str>, Table>>,
}

/// Days since 1970-01-01.
#[must_use]
pub fn days(date: NaiveDate) -> i32 {
    date.signed_duration_since(NaiveDate::default()).num_days().try_into().unwrap_or(i32::MAX)
}

impl<'a> Binder<'a> {
    /// A binder to a day, a state of the law, parameters, regions and the policies of the run.
    #[must_use]
    pub fn new(
        as_of: NaiveDate,
        known_at: Option<NaiveDate>,
        parameters: &'a [Parameter],
        regions: &'a RegionTree,
        policies: &'a BTreeMap<String, CheckedPolicy>,
    ) -> Self {
        Self { as_of, known_at, parameters, regions, policies, kept: Kept::default() }
    }

    /// The bound form of an expression.
    #[must_use]
    pub fn bind(&self, expr: &Expr) -> Expr {
        let kind = match &expr.kind {
            Kind::AsOf => Kind::Literal(Value::Date(days(self.as_of))),
            Kind::Parameter { name, region } => self.parameter(name, region.as_deref()),
            Kind::InRegion { value, region } => self.within(value, region),
            Kind::Entitled(code) => match self.policies.get(&**code) {
                Some(policy) => self.verdict(policy).kind,
                None => Kind::Literal(Value::Bool(false)),
            },
            _ => return expr.map_children(&mut |child| self.bind(child)),
        };
        Expr { kind, ty: expr.ty, range: expr.range.clone() }
    }

    /// The verdict of a policy: covered, and all criteria met.
    #[must_use]
    pub fn verdict(&self, policy: &CheckedPolicy) -> Expr {
        Expr::new(Kind::And(vec![self.bind(&policy.coverage), self.bind(&policy.criteria)]), Ty::Bool)
    }

    /// In the region, elsewhere, or, for codes split between inside and outside, unknown.
    fn within(&self, value: &Expr, region: &Arc<str>) -> Kind {
        let (members, undecided) = kept(&self.kept.within, region, || {
            let regions = self.regions_on();
            (regions.members(self.regions, region).into(), regions.undecided(self.regions, region).into())
        });
        let inside = Kind::TextIn { value: Box::new(self.bind(value)), set: members };
        if undecided.is_empty() {
            return inside;
        }
        let split = Kind::TextIn { value: Box::new(self.bind(value)), set: undecided };
        Kind::Case {
            branches: vec![(Expr::new(split, Ty::Bool), Expr::new(Kind::Unknown, Ty::Bool))],
            otherwise: Some(Box::new(Expr::new(inside, Ty::Bool))),
        }
    }

    fn parameter(&self, name: &Arc<str>, region: Option<&Expr>) -> Kind {
        let Some(region) = region else {
            return match self.value(name, COUNTRY) {
                Some(number) => Kind::Literal(Value::Number(number)),
                None => Kind::Unknown,
            };
        };
        // One value everywhere still needs the region to be known: who lives nowhere known has no standard.
        let map = kept(&self.kept.tables, name, || {
            let values = self.values(name);
            let chains = self.regions_on().chains().iter();
            chains.filter_map(|(code, chain)| Some((Arc::clone(code), nearest(&values, chain)?))).collect()
        });
        Kind::TextMap { value: Box::new(self.bind(region)), map }
    }

    /// The value of a parameter at a region on the day.
    #[must_use]
    pub fn value(&self, name: &str, region: &str) -> Option<Number> {
        let chain = self.regions.chain(region, self.as_of);
        nearest(&self.values(name), &chain)
    }

    fn regions_on(&self) -> &RegionsOn {
        self.kept.regions.get_or_init(|| RegionsOn::new(self.regions, self.as_of))
    }

    /// The values of a parameter on the day, by the region that they were set for.
    fn values(&self, name: &str) -> Values {
        let mut values = self.kept.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = values.get(name) {
            return Arc::clone(found);
        }
        let on_day = policy::values_on(self.parameters, name, self.as_of, self.known_at);
        let number = |value: &policy::document::ParameterValue| Number { digits: value.digits, scale: value.scale };
        let found: Values = Arc::new(on_day.into_iter().map(|(region, value)| (region.to_owned(), number(value))).collect());
        values.insert(name.to_owned(), Arc::clone(&found));
        found
    }
}

/// The value for a key, worked out where it is not kept yet. Whoever else asks waits: work is not done twice.
fn kept<T: Clone>(kept: &Mutex<HashMap<Arc<str>, T>>, key: &Arc<str>, work: impl FnOnce() -> T) -> T {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.entry(Arc::clone(key)).or_insert_with(work).clone()
}

/// The value of the nearest region of a chain that has one.
fn nearest(values: &HashMap<String, Number>, chain: &[impl AsRef<str>]) -> Option<Number> {
    chain.iter().find_map(|region| values.get(region.as_ref()).copied())
}

/// Every parameter that an expression names, with whether it is looked up by region.
pub fn for_each_parameter(expr: &Expr, visit: &mut impl FnMut(&Arc<str>, bool)) {
    if let Kind::Parameter { name, region } = &expr.kind {
        visit(name, region.is_some());
    }
    for child in expr.children() {
        for_each_parameter(child, visit);
    }
}

#[cfg(test)]
mod tests;
