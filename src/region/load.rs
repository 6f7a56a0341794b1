//! Reads `regions.yaml` into the tree, and tells bad parents, overlapping periods, duplicates and cycles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::{COUNTRY, Region, RegionLevel, RegionTree};
use crate::diagnostic::{Diagnostic, Message, SourceFile, Span, code};
use crate::yaml::{self, Fields, Node, Texts};

const LEVELS: &[(&str, RegionLevel)] = &[
    ("country", RegionLevel::Country),
    ("province", RegionLevel::Province),
    ("prefecture", RegionLevel::Prefecture),
    ("county", RegionLevel::County),
    ("town", RegionLevel::Town),
];

/// Reads the tree from a file, or from `regions.yaml` and `regions/*.yaml` of a folder.
#[must_use]
pub fn load(path: &Path) -> (RegionTree, Vec<Diagnostic>) {
    load_with(path, &Texts::default())
}

/// Reads the tree as [`load`], with texts that stand in for some files.
#[must_use]
pub fn load_with(path: &Path, texts: &Texts) -> (RegionTree, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut regions = Vec::new();
    for path in files(path, texts) {
        match texts.text(&path) {
            Ok(text) => read_file(&path, text, &mut regions, &mut diagnostics),
            Err(error) => diagnostics.push(unreadable(&path, &error)),
        }
    }
    let tree = assemble(regions, &mut diagnostics);
    check_tree(&tree, &mut diagnostics);
    (tree, diagnostics)
}

fn files(path: &Path, texts: &Texts) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_path_buf()];
    }
    let (single, folder) = (path.join("regions.yaml"), path.join("regions"));
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .chain(texts.unsaved(&folder).filter(|path| path.parent() == Some(&folder)).map(Path::to_owned))
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    if texts.is_file(&single) || found.is_empty() {
        found.push(single);
    }
    found.sort();
    found
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let path = path.display();
    Diagnostic::new(&code::PATH_MISSING, format!("读不了区划文件 {path}: {error}"), format!("cannot read the regions file {path}: {error}"))
        .help("政策目录里要有 regions.yaml", "the policies folder needs a regions.yaml")
}

fn read_file(path: &Path, text: String, regions: &mut Vec<Region>, diagnostics: &mut Vec<Diagnostic>) {
    let file = SourceFile::new(path, text);
    let (node, mut found) = yaml::parse(&file);
    diagnostics.append(&mut found);
    let Some(node) = node else { return };
    let Some(mut fields) = Fields::new(&node, diagnostics) else { return };
    fields.required("regions");
    let list = fields.list("regions");
    for item in list {
        regions.extend(read_region(item, fields.diagnostics()));
    }
    fields.finish();
}

fn read_region(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Region> {
    let mut fields = Fields::new(node, diagnostics)?;
    let code_node = fields.required("code");
    let place = code_node.map_or_else(|| fields.span(), Node::span);
    let code = code_node.and_then(Node::text).map(str::to_owned);
    let name = fields.message("name");
    let parent = fields.text("parent");
    let given = fields.choice("level", LEVELS);
    fields.required("from");
    let from = fields.date("from");
    let to = fields.date("to");
    let replaced_by: Vec<String> = fields.texts("replaced_by").into_iter().map(|(code, _)| code).collect();
    if let Some(code) = code.as_deref().filter(|code| !well_formed(code)) {
        fields.report(
            Diagnostic::new(&code::UNKNOWN_REGION, format!("“{code}”不是区划代码"), format!("`{code}` is not a region code"))
                .at(place.clone())
                .help("区划代码是加引号的 6、9 或 12 位数字", "a region code has 6, 9 or 12 digits, in quotes"),
        );
    }
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        fields.report(bad_period(&place, "结束日不在开始日之后", "`to` is not after `from`"));
    }
    if to.is_none() && !replaced_by.is_empty() {
        fields.report(bad_period(&place, "有 replaced_by 而没有 to", "`replaced_by` is given but not `to`"));
    }
    fields.finish();
    let code = code.filter(|code| well_formed(code))?;
    let level = given.unwrap_or_else(|| level_of(&code));
    let parent = parent.or_else(|| implied_parent(&code, level));
    let name = name.unwrap_or_else(|| Message::new(&code, &code));
    Some(Region { code, name, parent, level, from: from?, to: to.filter(|to| from < Some(*to)), replaced_by, place: Some(place) })
}

fn well_formed(code: &str) -> bool {
    matches!(code.len(), 6 | 9 | 12) && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// GB/T 2260: two digits each for province, prefecture and county; what is longer lies below.
fn level_of(code: &str) -> RegionLevel {
    match code {
        COUNTRY => RegionLevel::Country,
        _ if code.len() > 6 => RegionLevel::Town,
        _ if code.ends_with("0000") => RegionLevel::Province,
        _ if code.ends_with("00") => RegionLevel::Prefecture,
        _ => RegionLevel::County,
    }
}

fn implied_parent(code: &str, level: RegionLevel) -> Option<String> {
    match level {
        RegionLevel::Country => None,
        RegionLevel::Province => Some(COUNTRY.to_owned()),
        RegionLevel::Prefecture => Some(format!("{}0000", &code[..2])),
        RegionLevel::County => Some(format!("{}00", &code[..4])),
        RegionLevel::Town => Some(code[..(code.len() - 3).max(6)].to_owned()),
    }
}

fn assemble(regions: Vec<Region>, diagnostics: &mut Vec<Diagnostic>) -> RegionTree {
    let mut periods: BTreeMap<String, Vec<Region>> = BTreeMap::new();
    for region in regions {
        let others = periods.entry(region.code.clone()).or_default();
        let overlapping = others.iter().find(|other| overlap(other, &region));
        if let Some(other) = overlapping {
            let kind = if other.from == region.from { &code::DUPLICATE_NAME } else { &code::BAD_PERIOD };
            let mut diagnostic = Diagnostic::new(
                kind,
                format!("区划 {} 的两段时间重叠", region.code),
                format!("two periods of region {} overlap", region.code),
            )
            .help("一个代码在同一天只能有一个含义", "a code has one meaning on a day");
            diagnostic.primary.clone_from(&region.place);
            if let Some(place) = &other.place {
                diagnostic = diagnostic.also(place.clone(), "另一段在这里", "the other period is here");
            }
            diagnostics.push(diagnostic);
        } else {
            others.push(region);
        }
    }
    for list in periods.values_mut() {
        list.sort_by_key(|region| region.from);
    }
    periods.entry(COUNTRY.to_owned()).or_insert_with(|| {
        vec![Region {
            code: COUNTRY.to_owned(),
            name: Message::new("全国", "Nationwide"),
            parent: None,
            level: RegionLevel::Country,
            from: NaiveDate::MIN,
            to: None,
            replaced_by: Vec::new(),
            place: None,
        }]
    });
    RegionTree { periods }
}

fn overlap(one: &Region, other: &Region) -> bool {
    let starts_before_end = |start: NaiveDate, end: Option<NaiveDate>| end.is_none_or(|end| start < end);
    starts_before_end(one.from, other.to) && starts_before_end(other.from, one.to)
}

fn check_tree(tree: &RegionTree, diagnostics: &mut Vec<Diagnostic>) {
    let codes: Vec<&str> = tree.all_codes().collect();
    for region in tree.regions() {
        let Some(place) = &region.place else { continue };
        for successor in &region.replaced_by {
            if !tree.is_known(successor) {
                diagnostics.push(unknown(place, successor, &codes));
            }
        }
        let Some(parent) = region.parent.as_deref() else { continue };
        if region.code == COUNTRY {
            continue;
        }
        match tree.periods.get(parent) {
            None => diagnostics.push(unknown(place, parent, &codes)),
            Some(parents) => check_parent(region, parents, place, diagnostics),
        }
    }
    for code in codes {
        check_cycle(tree, code, diagnostics);
    }
}

fn check_parent(region: &Region, parents: &[Region], place: &Span, diagnostics: &mut Vec<Diagnostic>) {
    let above =
        |parent: &&Region| parent.level < region.level || (parent.level == RegionLevel::Town && parent.code.len() < region.code.len());
    if let Some(parent) = parents.iter().find(|parent| !above(parent)) {
        diagnostics.push(
            Diagnostic::new(
                &code::UNKNOWN_REGION,
                format!("{} 不能在 {} 之下", region.code, parent.code),
                format!("{} cannot lie in {}", region.code, parent.code),
            )
            .at(place.clone())
            .help("上级的层级必须更高", "the parent must be of a higher level"),
        );
    }
    let covered = covers(parents, region);
    if !covered {
        let parent = &parents[0].code;
        diagnostics.push(
            bad_period(place, &format!("上级 {parent} 并非一直存在"), &format!("its parent {parent} does not exist all that time"))
                .help("给下级写上 to, 再写一段新的上级", "end this period with `to` and add one with the new parent"),
        );
    }
}

/// Whether the parent's periods together cover the child's.
fn covers(parents: &[Region], child: &Region) -> bool {
    let mut reached = child.from;
    for parent in parents {
        if parent.from > reached {
            return false;
        }
        match parent.to {
            None => return true,
            Some(to) => reached = reached.max(to),
        }
        if child.to.is_some_and(|end| end <= reached) {
            return true;
        }
    }
    false
}

/// Follows parents and successors of one code; a way back to it is told once, at the smallest code of the ring.
fn check_cycle(tree: &RegionTree, start: &str, diagnostics: &mut Vec<Diagnostic>) {
    let ways: [fn(&Region) -> Vec<&str>; 2] =
        [|region| region.parent.as_deref().into_iter().collect(), |region| region.replaced_by.iter().map(String::as_str).collect()];
    for way in ways {
        let mut seen: Vec<&str> = Vec::new();
        let mut open = vec![start];
        while let Some(code) = open.pop() {
            for next in tree.periods.get(code).into_iter().flatten().flat_map(way) {
                if next == start {
                    report_cycle(tree, start, &seen, diagnostics);
                    open.clear();
                    break;
                }
                if !seen.contains(&next) {
                    seen.push(next);
                    open.push(next);
                }
            }
        }
    }
}

fn report_cycle(tree: &RegionTree, start: &str, ring: &[&str], diagnostics: &mut Vec<Diagnostic>) {
    if ring.iter().any(|code| *code < start) {
        return;
    }
    let mut diagnostic = Diagnostic::new(&code::CYCLE, format!("区划 {start} 绕回了自己"), format!("region {start} leads back to itself"))
        .help("检查 parent 和 replaced_by", "look at `parent` and `replaced_by`");
    diagnostic.primary.clone_from(&tree.periods[start][0].place);
    diagnostics.push(diagnostic);
}

fn bad_period(place: &Span, zh: &str, en: &str) -> Diagnostic {
    Diagnostic::new(&code::BAD_PERIOD, zh, en).at(place.clone())
}

fn unknown(place: &Span, given: &str, codes: &[&str]) -> Diagnostic {
    Diagnostic::new(&code::UNKNOWN_REGION, format!("区划 {given} 不在表中"), format!("region {given} is not in the tree"))
        .at(place.clone())
        .did_you_mean(given, codes.iter().copied())
}
