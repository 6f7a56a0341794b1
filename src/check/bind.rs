//! From the open form of a condition to the form bound to a day: parameters, regions and other policies put in.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;

use super::CheckedPolicy;
use super::ir::{Expr, Kind, Number, Ty, Value};
use crate::policy;
use crate::policy::document::Parameter;
use crate::region::{COUNTRY, RegionTree};

/// What a condition is bound to.
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
}

/// Days since 1970-01-01.
#[must_use]
pub fn days(date: NaiveDate) -> i32 {
    date.signed_duration_since(NaiveDate::default()).num_days().try_into().unwrap_or(i32::MAX)
}

impl Binder<'_> {
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
    fn within(&self, value: &Expr, region: &str) -> Kind {
        let set = |codes: Vec<String>| -> Arc<[Arc<str>]> { codes.into_iter().map(Into::into).collect() };
        let inside = Kind::TextIn { value: Box::new(self.bind(value)), set: set(self.regions.members(region, self.as_of)) };
        let undecided = self.regions.undecided(region, self.as_of);
        if undecided.is_empty() {
            return inside;
        }
        let split = Kind::TextIn { value: Box::new(self.bind(value)), set: set(undecided) };
        Kind::Case {
            branches: vec![(Expr::new(split, Ty::Bool), Expr::new(Kind::Unknown, Ty::Bool))],
            otherwise: Some(Box::new(Expr::new(inside, Ty::Bool))),
        }
    }

    fn parameter(&self, name: &str, region: Option<&Expr>) -> Kind {
        let Some(region) = region else {
            return match self.value(name, COUNTRY) {
                Some(number) => Kind::Literal(Value::Number(number)),
                None => Kind::Unknown,
            };
        };
        let mut map: Vec<(Arc<str>, Number)> =
            self.regions.all_codes().filter_map(|code| self.value(name, code).map(|number| (Arc::from(code), number))).collect();
        map.sort();
        // One value everywhere still needs the region to be known: who lives nowhere known has no standard.
        Kind::TextMap { value: Box::new(self.bind(region)), map: map.into() }
    }

    /// The value of a parameter at a region on the day.
    #[must_use]
    pub fn value(&self, name: &str, region: &str) -> Option<Number> {
        let mut chain: Vec<String> = self.regions.successor(region, self.as_of).map(str::to_owned).into_iter().collect();
        chain.extend(self.regions.ancestors(region, self.as_of));
        policy::lookup(self.parameters, name, &chain, self.as_of, self.known_at)
            .map(|value| Number { digits: value.digits, scale: value.scale })
    }
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
