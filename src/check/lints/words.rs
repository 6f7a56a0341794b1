//! What a lint knows, in words: the values that a side of a comparison can have.

use super::domain::{Cut, Domain, Fraction, Known, Ranges, Term, TermId, Values, Worlds, date};
use crate::check::ir::Ty;

/// What each side of a comparison can be, where that is short to say.
pub(super) fn sides(domain: Domain<'_>, worlds: &Worlds, id: TermId) -> Option<(String, String)> {
    let (Term::Compare(_, left, right), ..) = (domain.terms.term(id), ()) else { return None };
    let say = |id: TermId| match domain.terms.term(id) {
        Term::Literal(_) => None,
        _ => values(&domain.values(worlds, id), domain.terms.ty(id)),
    };
    let said: Vec<(String, String)> = [*left, *right].into_iter().filter_map(say).collect();
    let [(zh, en)] = said.as_slice() else { return None };
    Some((format!("可能的值: {zh}"), format!("possible values: {en}")))
}

/// The known values; none where they are any, or too many to say.
pub(super) fn values(values: &Values, ty: Ty) -> Option<(String, String)> {
    match &values.known {
        Known::Range(set) => ranges(set, ty),
        Known::In(texts) if (1..=6).contains(&texts.len()) => {
            let list = texts.iter().map(|text| &**text).collect::<Vec<_>>().join(", ");
            Some((list.clone(), list))
        }
        _ => None,
    }
}

/// Ranges in words: `60 至 80`; none where they hold every number.
pub(super) fn ranges(set: &Ranges, ty: Ty) -> Option<(String, String)> {
    let (mut zh, mut en) = (Vec::new(), Vec::new());
    for (low, high) in set.ranges().iter().take(4) {
        let (one_zh, one_en) = range(*low, *high, ty)?;
        zh.push(one_zh);
        en.push(one_en);
    }
    if set.ranges().len() > 4 {
        zh.push("…".to_owned());
        en.push("…".to_owned());
    }
    (!zh.is_empty()).then(|| (zh.join(", "), en.join(", ")))
}

fn range(low: Cut, high: Cut, ty: Ty) -> Option<(String, String)> {
    let say = |value: Fraction| number(value, ty);
    Some(match (low, high) {
        (Cut::At(low, false), Cut::At(high, true)) if low == high => (say(low), say(low)),
        (Cut::At(low, open), Cut::At(high, closed)) => {
            let (from, to) = (say(low), say(high));
            let zh_low = if open { "超过" } else { "" };
            let zh_high = if closed { "" } else { "不满" };
            (format!("{zh_low} {from} 至{zh_high} {to}").trim().to_owned(), {
                let (after, before) = (if open { "above " } else { "" }, if closed { "" } else { "below " });
                format!("{after}{from} to {before}{to}")
            })
        }
        (Cut::At(low, open), _) => {
            let low = say(low);
            if open { (format!("超过 {low}"), format!("above {low}")) } else { (format!("{low} 以上"), format!("{low} or more")) }
        }
        (_, Cut::At(high, closed)) => {
            let high = say(high);
            if closed { (format!("{high} 以下"), format!("{high} or less")) } else { (format!("不满 {high}"), format!("below {high}")) }
        }
        _ => return None,
    })
}

/// A number, or a day as it is written.
pub(super) fn number(value: Fraction, ty: Ty) -> String {
    match (ty, value.as_whole().and_then(date)) {
        (Ty::Date, Some(day)) => day.to_string(),
        _ => value.to_string(),
    }
}
