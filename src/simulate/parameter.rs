//! `--set`: a parameter given another value, in every region that has one of its own or in one region.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::diagnostic::{Diagnostic, Message, SourceFile, Span, code};
use crate::policy::document::{BasisStatus, Parameter, ParameterValue};
use crate::policy::read_value;
use crate::region::RegionTree;
use crate::yaml;

/// One value that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetValue {
    /// The parameter.
    pub name: String,
    /// What it is called.
    pub label: Message,
    /// The region whose value it is.
    pub region: String,
    /// The value before, as text; none where the region had no value of its own.
    pub before: Option<String>,
    /// The value after, as text.
    pub after: String,
}

/// Sets a parameter as `name=value`, `name[region]=value` or, relative to what it is, `name=+5%` says. The value holds
/// from the day on; values of later periods are set too. Without a region, every region that has a value of its own gets
/// the new one; with a region, only that one, and regions below it keep theirs.
///
/// # Errors
///
/// `bad-argument`, `unknown-parameter`, `unknown-region`, or what is wrong with the value.
pub fn set_parameter(
    parameters: &mut [Parameter],
    text: &str,
    as_of: NaiveDate,
    regions: &RegionTree,
) -> Result<Vec<SetValue>, Vec<Diagnostic>> {
    let written = Written::read(text)?;
    let names: Vec<String> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    let Some(parameter) = parameters.iter_mut().find(|parameter| parameter.name == written.name) else {
        let name = &written.name;
        let told = Diagnostic::new(&code::UNKNOWN_PARAMETER, format!("没有标准“{name}”"), format!("unknown parameter `{name}`"))
            .at(written.place(&written.name))
            .did_you_mean(name, names.iter().map(String::as_str))
            .help("标准在 policies/parameters/ 里", "parameters are in policies/parameters/");
        return Err(vec![told]);
    };
    if let Some(region) = written.region.as_deref().filter(|region| !regions.is_known(region)) {
        let told =
            Diagnostic::new(&code::UNKNOWN_REGION, format!("区划树里没有“{region}”"), format!("region `{region}` is not in the tree"))
                .at(written.place(region))
                .did_you_mean(region, parameter.values.iter().map(|value| value.region.as_str()))
                .help("区划代码见 policies/regions.yaml", "region codes are in policies/regions.yaml");
        return Err(vec![told]);
    }
    let change = written.change(parameter)?;
    let set = apply(parameter, &written, &change, as_of);
    if set.is_empty() {
        let (zh, en) = (
            format!("标准“{}”在 {as_of} 没有可变动的值", written.name),
            format!("parameter `{}` has no value to change on {as_of}", written.name),
        );
        return Err(vec![
            Diagnostic::new(&code::BAD_ARGUMENT, zh, en).at(written.place(&written.value)).help("写出新的值", "write the new value itself"),
        ]);
    }
    Ok(set)
}

/// What becomes of a value.
enum Change {
    /// It is put in the place of the old one: digits, and digits behind the point.
    To(i64, u8),
    /// It grows by so many parts of a scale: 5 % are 5 at 2.
    By(i64, u8),
}

/// `name[region]=value`, taken apart.
struct Written {
    file: Arc<SourceFile>,
    name: String,
    region: Option<String>,
    value: String,
}

impl Written {
    fn read(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let fault = || {
            let told = Diagnostic::new(&code::BAD_ARGUMENT, format!("读不懂 --set {text}"), format!("cannot read --set {text}"));
            vec![told.help(
                "如 --set subsistence_line=1100 或 --set 'subsistence_line[990102]=+5%'",
                "such as --set subsistence_line=1100 or --set 'subsistence_line[990102]=+5%'",
            )]
        };
        let (left, value) = text.split_once('=').ok_or_else(fault)?;
        let (name, region) = match left.trim().split_once('[') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(']').ok_or_else(fault)?.trim().trim_matches('"').to_owned())),
            None => (left, None),
        };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        if name.is_empty() || value.is_empty() || region.as_deref() == Some("") {
            return Err(fault());
        }
        Ok(Self { file: SourceFile::new("--set", text), name, region, value })
    }

    fn place(&self, part: &str) -> Span {
        let start = self.file.text.find(part).unwrap_or(0);
        Span::new(&self.file, start..start + part.len())
    }

    fn change(&self, parameter: &Parameter) -> Result<Change, Vec<Diagnostic>> {
        let relative = self.value.strip_suffix(['%', '％']).filter(|text| text.starts_with(['+', '-']));
        if let Some(percent) = relative {
            let (digits, places) = percent.split_once('.').unwrap_or((percent, ""));
            let number =
                format!("{digits}{places}").parse::<i64>().ok().zip(u8::try_from(places.len() + 2).ok().filter(|scale| *scale <= 9));
            return number.map(|(digits, scale)| Change::By(digits, scale)).ok_or_else(|| {
                let told = Diagnostic::new(&code::BAD_ARGUMENT, "应为如 +5% 的变动", "expected a change such as +5%");
                vec![told.at(self.place(&self.value)).help("如 +5% 或 -2.5%", "such as +5% or -2.5%")]
            });
        }
        let (node, mut told) = yaml::parse(&SourceFile::new(format!("--set {}", self.name), self.value.as_str()));
        let (value, more) = node.map_or((None, Vec::new()), |node| read_value(&node, parameter.parameter_type));
        told.extend(more);
        value.map(|(digits, scale)| Change::To(digits, scale)).ok_or(told)
    }
}

fn apply(parameter: &mut Parameter, written: &Written, change: &Change, as_of: NaiveDate) -> Vec<SetValue> {
    let (name, label) = (parameter.name.clone(), parameter.label.clone());
    let mut set = Vec::new();
    for value in &mut parameter.values {
        let is_past = value.to.is_some_and(|to| to <= as_of);
        if is_past || written.region.as_deref().is_some_and(|region| region != value.region) {
            continue;
        }
        let before = number_text(value.digits, value.scale);
        match *change {
            Change::To(digits, scale) => (value.digits, value.scale) = (digits, scale),
            Change::By(part, scale) => value.digits = grown(value.digits, part, scale),
        }
        let after = number_text(value.digits, value.scale);
        if value.from <= as_of {
            set.push(SetValue { name: name.clone(), label: label.clone(), region: value.region.clone(), before: Some(before), after });
        }
    }
    if let (true, Some(region), Change::To(digits, scale)) = (set.is_empty(), &written.region, change) {
        parameter.values.push(ParameterValue {
            region: region.clone(),
            region_place: written.place(region),
            from: as_of,
            to: None,
            announced: None,
            digits: *digits,
            scale: *scale,
            status: BasisStatus::Sample,
            source: None,
            place: written.place(&written.value),
        });
        set.push(SetValue { name, label, region: region.clone(), before: None, after: number_text(*digits, *scale) });
    }
    set
}

/// Digits with a part of themselves more, half up.
fn grown(digits: i64, part: i64, scale: u8) -> i64 {
    let unit = 10_i128.pow(u32::from(scale));
    let product = i128::from(digits) * (unit + i128::from(part));
    i64::try_from((2 * product + unit).div_euclid(2 * unit)).unwrap_or(i64::MAX)
}

/// A number as text, without zeros that say nothing.
fn number_text(digits: i64, scale: u8) -> String {
    let unit = 10_u64.pow(u32::from(scale));
    let sign = if digits < 0 { "-" } else { "" };
    let (whole, rest) = (digits.unsigned_abs() / unit, digits.unsigned_abs() % unit);
    let text = format!("{sign}{whole}.{rest:0width$}", width = usize::from(scale));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    //! Settings on two regions and a value of before.

    use super::*;
    use crate::policy::document::ParameterType;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn line() -> Vec<Parameter> {
        let place = Span::new(&SourceFile::new("lines.yaml", "lines"), 0..1);
        let value = |region: &str, from: &str, to: Option<&str>, digits| ParameterValue {
            region: region.to_owned(),
            region_place: place.clone(),
            from: day(from),
            to: to.map(day),
            announced: None,
            digits,
            scale: 2,
            status: BasisStatus::Sample,
            source: None,
            place: place.clone(),
        };
        let values = vec![
            value("990100", "2025-01-01", Some("2026-01-01"), 96_000),
            value("990100", "2026-01-01", None, 102_000),
            value("990102", "2026-01-01", None, 92_050),
        ];
        let label = Message::new("低保标准", "Subsistence line");
        vec![Parameter { name: "subsistence_line".to_owned(), place, label, parameter_type: ParameterType::Money, unit: None, values }]
    }

    #[track_caller]
    fn check(setting: &str, expected: &[(&str, Option<&str>, &str)]) {
        let mut parameters = line();
        let regions = crate::region::load(std::path::Path::new("policies")).0;
        let set = set_parameter(&mut parameters, setting, day("2026-06-30"), &regions).expect("it can be set");
        let found: Vec<_> = set.iter().map(|set| (set.region.as_str(), set.before.as_deref(), set.after.as_str())).collect();
        assert_eq!(found, expected);
        assert_eq!(parameters[0].values[0].digits, 96_000, "the past stays");
    }

    #[test]
    fn every_region_or_one() {
        check("subsistence_line=1100", &[("990100", Some("1020"), "1100"), ("990102", Some("920.5"), "1100")]);
        check("subsistence_line[990102]=900.25", &[("990102", Some("920.5"), "900.25")]);
        check("subsistence_line[990103] = 900", &[("990103", None, "900")]);
        check("subsistence_line=+5%", &[("990100", Some("1020"), "1071"), ("990102", Some("920.5"), "966.53")]);
        check("subsistence_line=-2.5%", &[("990100", Some("1020"), "994.5"), ("990102", Some("920.5"), "897.49")]);
    }

    #[track_caller]
    fn check_fault(setting: &str, name: &str, words: &str) {
        let regions = crate::region::load(std::path::Path::new("policies")).0;
        let told = set_parameter(&mut line(), setting, day("2026-06-30"), &regions).expect_err("it cannot be set");
        assert_eq!(told[0].code.name, name, "{setting}");
        let text = crate::diagnostic::render(&told, crate::diagnostic::Format::Full, crate::diagnostic::Lang::En, false);
        assert!(text.contains(words), "{text}");
    }

    #[test]
    fn faults_are_named() {
        check_fault("subsistance_line=1", "unknown-parameter", "did you mean `subsistence_line`");
        check_fault("subsistence_line[990199]=1", "unknown-region", "990199");
        check_fault("subsistence_line", "bad-argument", "such as");
        check_fault("subsistence_line=much", "wrong-shape", "amount of money");
        check_fault("subsistence_line=+x%", "bad-argument", "+5%");
    }
}
