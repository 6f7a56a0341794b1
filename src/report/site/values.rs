//! Words of choices, and values as people read them.

use maud::{Markup, html};

use super::Site;
use crate::check::ir::{Kind, Number};
use crate::diagnostic::Message;
use crate::explain::value::{decimal, with_unit};
use crate::policy::Standing;
use crate::policy::document::{BasisStatus, Mode, ParameterType, Payee, Period};
use crate::program::Rational;
use crate::register::declaration::SubjectKind;

/// What kind of benefit.
pub(super) fn kind(word: &str) -> Message {
    let (zh, en) = match word {
        "cash" => ("现金补贴", "cash"),
        "refund" => ("返还", "refund"),
        "waiver" => ("费用减免", "fees waived"),
        "service" => ("服务", "service"),
        "insurance" => ("社会保险待遇", "social insurance"),
        "tax" => ("税费优惠", "tax relief"),
        other => (other, other),
    };
    Message::new(zh, en)
}

pub(super) fn period(period: Period) -> Message {
    let (zh, en) = match period {
        Period::Once => ("一次性", "once"),
        Period::Month => ("按月", "by the month"),
        Period::Year => ("按年", "by the year"),
        Period::Day => ("按天", "by the day"),
    };
    Message::new(zh, en)
}

/// The unit of an amount: `元/月`.
pub(super) fn per(unit: &str, period: Period) -> Message {
    let unit = match period {
        Period::Once => unit.to_owned(),
        Period::Month => format!("{unit}/month"),
        Period::Year => format!("{unit}/year"),
        Period::Day => format!("{unit}/day"),
    };
    let trim = |text: String| text.trim().to_owned();
    let Message { zh, en } = with_unit("", Some(&unit));
    Message::new(trim(zh), trim(en))
}

pub(super) fn payee(payee: Payee) -> Message {
    let (zh, en) = match payee {
        Payee::Itself => ("本人 (本单位)", "the subject"),
        Payee::Guardian => ("监护人: 母亲, 其次父亲, 再次户主", "a guardian: mother, else father, else the head of the household"),
        Payee::Head => ("户主", "the head of the household"),
        Payee::LegalRepresentative => ("法定代表人", "the legal representative"),
    };
    Message::new(zh, en)
}

pub(super) fn subject(kind: SubjectKind) -> Message {
    let (zh, en) = match kind {
        SubjectKind::Person => ("个人", "Persons"),
        SubjectKind::Household => ("家庭", "Households"),
        SubjectKind::Entity => ("企业和其他单位", "Companies and other entities"),
    };
    Message::new(zh, en)
}

/// How it reaches people, in a few words.
pub(super) fn mode(mode: Mode) -> Message {
    let (zh, en) = match mode {
        Mode::Automatic => ("免申即享", "given without asking"),
        Mode::Confirm => ("一次确认", "one confirmation"),
        Mode::Commit => ("告知承诺", "a commitment"),
        Mode::Review => ("人工复核", "an official decides"),
    };
    Message::new(zh, en)
}

pub(super) fn standing_badge(site: &Site<'_>, standing: Standing) -> Markup {
    let class = match standing {
        Standing::InForce => "badge ok",
        Standing::NotYet => "badge wait",
        Standing::Ended | Standing::Replaced => "badge off",
    };
    html! { span class=(class) { (site.say(&standing.label())) } }
}

/// How sure a text or a value is, plainly.
pub(super) fn status_badge(site: &Site<'_>, status: BasisStatus) -> Markup {
    let (class, zh, en) = match status {
        BasisStatus::Text => ("badge ok", "依原文", "from the printed text"),
        BasisStatus::Memory => ("badge wait", "未核对原文", "not checked against the text"),
        BasisStatus::Sample => ("badge off", "样例, 虚构", "invented sample"),
    };
    html! { span class=(class) { (site.pick(zh, en)) } }
}

/// A number of a parameter with its unit.
pub(super) fn parameter_value(number: Number, parameter: ParameterType, unit: Option<&str>) -> Message {
    let places = if parameter == ParameterType::Money { 2 } else { 0 };
    let Some(number) = rational(number) else { return Message::default() };
    with_unit(&decimal(&number, places), unit)
}

pub(super) fn rational(number: Number) -> Option<Rational> {
    Rational::new(i128::from(number.digits), 10_i128.checked_pow(u32::from(number.scale))?)
}

/// Whether an expression is a number written out.
pub(super) fn is_number(kind: &Kind) -> bool {
    matches!(kind, Kind::Literal(_))
}
