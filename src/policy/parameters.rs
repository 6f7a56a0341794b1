//! Dated values by region that policies share, read and looked up.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::document::{BasisStatus, Parameter, ParameterType, ParameterValue};
use super::period::{date, days, holds, overlap};
use super::read_basis::STATUSES;
use crate::diagnostic::{Diagnostic, Message, code};
use crate::yaml::{Fields, Node, message, wrong_shape};

pub(super) const TYPES: [(&str, ParameterType); 3] =
    [("money", ParameterType::Money), ("int", ParameterType::Int), ("number", ParameterType::Number)];

/// Reads the file of `parameters:`.
#[must_use]
pub fn read_parameters(root: &Node) -> (Vec<Parameter>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let Some(mut fields) = Fields::new(root, &mut diagnostics) else { return (Vec::new(), diagnostics) };
    fields.required("parameters");
    let items = fields.list("parameters");
    let read = items.iter().filter_map(|item| parameter(item, fields.diagnostics())).collect();
    fields.finish();
    (read, diagnostics)
}

/// The value that holds on `day` in the nearest region of the chain that has one, as it was known at `known_at`.
///
/// `region_chain` begins with the region itself and ends with the country. Where several announced values hold, the
/// latest announced wins; a value without an announcement was always known.
#[must_use]
pub fn lookup<'a, R: AsRef<str>>(
    parameters: &'a [Parameter],
    name: &str,
    region_chain: &[R],
    day: NaiveDate,
    known_at: Option<NaiveDate>,
) -> Option<&'a ParameterValue> {
    let values = values_on(parameters, name, day, known_at);
    region_chain.iter().find_map(|region| values.get(region.as_ref()).copied())
}

/// The values that hold on `day`, as they were known at `known_at`, by the region that each was set for.
///
/// Where several announced values of one region hold, the latest announced wins; a value without an announcement was
/// always known.
#[must_use]
pub fn values_on<'a>(
    parameters: &'a [Parameter],
    name: &str,
    day: NaiveDate,
    known_at: Option<NaiveDate>,
) -> HashMap<&'a str, &'a ParameterValue> {
    let mut found: HashMap<&str, &ParameterValue> = HashMap::new();
    let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else { return found };
    let known = |value: &ParameterValue| match (value.announced, known_at) {
        (Some(announced), Some(known_at)) => announced <= known_at,
        _ => true,
    };
    for value in parameter.values.iter().filter(|value| holds(value.from, value.to, day) && known(value)) {
        let slot = found.entry(&value.region).or_insert(value);
        // Of equals, the last in the file.
        if (value.announced, value.from) >= (slot.announced, slot.from) {
            *slot = value;
        }
    }
    found
}

/// Tells of names that two parameters have, and keeps the first of them.
#[must_use]
pub fn unique_names(parameters: Vec<Parameter>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Parameter> {
    let mut kept: Vec<Parameter> = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let Some(first) = kept.iter().find(|other| other.name == parameter.name) else {
            kept.push(parameter);
            continue;
        };
        let name = &parameter.name;
        diagnostics.push(
            Diagnostic::new(&code::DUPLICATE_NAME, format!("标准“{name}”写了两次"), format!("parameter `{name}` is given twice"))
                .at(parameter.place.clone())
                .also(first.place.clone(), "第一次在这里", "first given here")
                .help("同一标准的各地区、各时期的值写在一处", "values of all regions and periods stand under one parameter"),
        );
    }
    kept.sort_by(|one, other| one.name.cmp(&other.name));
    kept
}

fn parameter(item: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Parameter> {
    let mut fields = Fields::new(item, diagnostics)?;
    let name = fields.required("name");
    let label = fields.required("label").and_then(|node| message(node, fields.diagnostics()));
    fields.required("type");
    let parameter_type = fields.choice("type", &TYPES);
    let unit = fields.text("unit");
    let given = fields.required("values").is_some();
    let items = fields.list("values");
    // Without a type the numbers cannot be judged, but the rest of each value can.
    let assumed = parameter_type.unwrap_or(ParameterType::Number);
    let values: Vec<ParameterValue> = items.iter().filter_map(|item| value(item, assumed, fields.diagnostics())).collect();
    if let Some(name) = name.filter(|name| name.text().is_none()) {
        fields.report(wrong_shape(name, "一个名字", "a name"));
    }
    let name = name.and_then(|name| Some((name.text()?.to_owned(), name.span())));
    if let Some((text, place)) = &name
        && given
        && items.is_empty()
    {
        fields.report(
            Diagnostic::new(&code::PARAMETER_WITHOUT_VALUE, format!("标准“{text}”没有值"), format!("parameter `{text}` has no value"))
                .at(place.clone())
                .help("加上 {region: …, from: …, value: …}", "add {region: …, from: …, value: …}"),
        );
    }
    fields.finish();
    let (name, place) = name?;
    overlaps(&name, &values, diagnostics);
    Some(Parameter { name, place, label: label.unwrap_or_else(Message::default), parameter_type: parameter_type?, unit, values })
}

fn value(item: &Node, parameter_type: ParameterType, diagnostics: &mut Vec<Diagnostic>) -> Option<ParameterValue> {
    let mut fields = Fields::new(item, diagnostics)?;
    let region = fields.required("region");
    if let Some(region) = region.filter(|region| region.text().is_none()) {
        fields.report(wrong_shape(region, "一个地区代码", "the code of a region"));
    }
    let days = days(&mut fields);
    let announced = fields.optional("announced").and_then(|node| date(node, fields.diagnostics()));
    let number = fields.required("value").and_then(|node| number(node, parameter_type, fields.diagnostics()));
    fields.required("status");
    let status = fields.choice("status", &STATUSES);
    let source = if status == Some(BasisStatus::Text) { fields.required_text("source") } else { fields.text("source") };
    fields.finish();
    let (region, days) = (region?, days?);
    let (digits, scale) = number?;
    Some(ParameterValue {
        region: region.text()?.to_owned(),
        region_place: region.span(),
        from: days.from,
        to: days.to,
        announced,
        digits,
        scale,
        status: status.unwrap_or(BasisStatus::Memory),
        source,
        place: days.place,
    })
}

/// Two values of one region may hold on the same day only if one was announced later than the other.
fn overlaps(name: &str, values: &[ParameterValue], diagnostics: &mut Vec<Diagnostic>) {
    for (at, later) in values.iter().enumerate() {
        let clash = values[..at].iter().find(|earlier| {
            earlier.region == later.region
                && overlap((earlier.from, earlier.to), (later.from, later.to))
                && (earlier.announced.is_none() || later.announced.is_none() || earlier.announced == later.announced)
        });
        let Some(earlier) = clash else { continue };
        let region = &later.region;
        diagnostics.push(
            Diagnostic::new(
                &code::OVERLAPPING_PARAMETER,
                format!("标准“{name}”在地区 {region} 有两个期间重叠"),
                format!("two periods of parameter `{name}` overlap in region {region}"),
            )
            .at(later.place.clone())
            .also(earlier.place.clone(), "与这一期间重叠", "overlaps with the period from here")
            .help(
                "给较早的值写上 to (停止有效的第一天); 事后调整的, 两个值都写 announced",
                "end the earlier value with `to`, the first day no longer valid; where a value was revised, give both `announced`",
            ),
        );
    }
}

/// The digits and the digits behind the point of a parameter's value, exact; what is wrong with it is told.
#[must_use]
pub fn read_value(node: &Node, parameter_type: ParameterType) -> (Option<(i64, u8)>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    (number(node, parameter_type, &mut diagnostics), diagnostics)
}

/// The digits and the digits behind the point of a number, exact.
fn number(node: &Node, parameter_type: ParameterType, diagnostics: &mut Vec<Diagnostic>) -> Option<(i64, u8)> {
    let (places, zh, en) = match parameter_type {
        ParameterType::Money => (Some(2), "金额, 至多两位小数", "an amount of money with at most two places"),
        ParameterType::Int => (Some(0), "一个整数", "a whole number"),
        ParameterType::Number => (None, "一个数, 如 0.055 或 5.5%", "a number such as 0.055 or 5.5%"),
    };
    let Some((digits, scale)) = node.text().and_then(decimal) else {
        diagnostics.push(wrong_shape(node, zh, en));
        return None;
    };
    let (mut digits, mut scale) = (digits, scale);
    if let Some(places) = places {
        while scale > places && digits % 10 == 0 {
            (digits, scale) = (digits / 10, scale - 1);
        }
        if scale > places {
            diagnostics.push(wrong_shape(node, zh, en));
            return None;
        }
        digits *= 10_i128.pow(places - scale);
        scale = places;
    }
    let exact = i64::try_from(digits).ok().zip(u8::try_from(scale).ok().filter(|scale| *scale <= 18));
    if exact.is_none() {
        let text = node.text().unwrap_or_default();
        diagnostics.push(
            Diagnostic::new(&code::NUMBER_OUT_OF_RANGE, format!("数太大或太细: {text}"), format!("number out of range: {text}"))
                .at(node.span())
                .help("至多 18 位数字", "at most 18 digits"),
        );
    }
    exact
}

/// `-1_234.50` and `5.5%` as digits and digits behind the point; none when it is no number.
fn decimal(text: &str) -> Option<(i128, u32)> {
    let text = text.trim();
    let (text, percent) = text.strip_suffix(['%', '％']).map_or((text, 0), |rest| (rest.trim_end(), 2));
    let (unsigned, sign) = text.strip_prefix('-').map_or((text, 1), |rest| (rest, -1));
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, fraction)| (whole, Some(fraction)));
    let plain = |part: &str| part.starts_with(|first: char| first.is_ascii_digit()) && !part.ends_with('_');
    if !plain(whole) || fraction.is_some_and(|fraction| !plain(fraction)) {
        return None;
    }
    let mut digits: i128 = 0;
    for character in whole.chars().chain(fraction.unwrap_or("").chars()).filter(|character| *character != '_') {
        // Beyond 10^30 it is out of range anyway; stopping there leaves room to scale.
        digits = (digits * 10 + i128::from(character.to_digit(10)?)).min(10_i128.pow(30));
    }
    let places = fraction.map_or(0, |fraction| fraction.matches(|character: char| character.is_ascii_digit()).count());
    Some((sign * digits, u32::try_from(places).ok()? + percent))
}

#[cfg(test)]
mod tests;
