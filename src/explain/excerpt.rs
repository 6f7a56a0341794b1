//! One subject and all that its facts rest on, out of registers of any size: small registers of their own.
//!
//! Facts are followed through links to the subjects that they speak of, and no further. Dossiers built from an excerpt are
//! those that the whole registers would give for the subject, on any day.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use chrono::NaiveDate;
use tempfile::TempDir;

use crate::check::catalogue::{Catalogue, Definition, FactId};
use crate::diagnostic::{Diagnostic, code};
use crate::dossier::build::base_register;
use crate::dossier::intake::IDENTITY_LINKS;
use crate::eligibility::given_registers::{GRANTS_PAID, REFUSALS};
use crate::region::RegionTree;
use crate::register::declaration::{RegisterDeclaration, Registers, SubjectKind};
use crate::register::excerpt::{ends_of, write_excerpt};
use crate::register::{ReadOptions, Sources};

/// The registers of one subject.
pub struct Excerpt {
    /// Where files lie; removed on drop.
    #[expect(dead_code, reason = "held so that the files stay")]
    folder: TempDir,
    /// Where the small registers are.
    pub sources: Sources,
    /// What is declared of them: fresh and stale as on the first day, and perhaps empty.
    pub registers: Arc<Registers>,
    /// The registers that facts rest on.
    pub for_facts: BTreeSet<String>,
    /// Registers that are absent on purpose.
    pub allow_missing: BTreeSet<String>,
}

/// What an excerpt is taken of.
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    /// Facts, with all that links must carry.
    pub catalogue: &'a Catalogue,
    /// Regions.
    pub regions: &'a RegionTree,
    /// Where the registers are.
    pub sources: &'a Sources,
    /// Registers that are absent on purpose.
    pub allow_missing: &'a BTreeSet<String>,
    /// The day whose freshness counts.
    pub as_of: NaiveDate,
    /// Where intermediate files go.
    pub scratch: &'a Path,
}

impl Excerpt {
    /// Takes out the rows that some facts of a subject rest on.
    ///
    /// # Errors
    ///
    /// When a register cannot be read, or files cannot be written.
    pub fn take(whole: &Whole<'_>, kind: SubjectKind, id: &str, facts: &BTreeSet<FactId>) -> Result<Self, Box<Diagnostic>> {
        let mut taking = Taking { whole: *whole, aliases: aliases(whole)?, ids: HashSet::new(), by: BTreeMap::new() };
        for kind in SubjectKind::ALL {
            taking.register(base_register(kind));
        }
        taking.follow(kind, [id.to_owned()].into(), facts.iter().copied().filter(|fact| fact.kind == kind).collect())?;
        let for_facts: BTreeSet<String> = taking.by.keys().cloned().chain([IDENTITY_LINKS.to_owned()]).collect();
        // What was paid and refused is no fact, but is told beside.
        for name in [GRANTS_PAID, REFUSALS] {
            taking.register(name);
        }
        let folder = tempfile::Builder::new().prefix(".mianshen-work-").tempdir_in(whole.scratch).map_err(|error| {
            let (zh, en) = (format!("中间文件写不下: {error}"), format!("cannot write an intermediate file: {error}"));
            Box::new(Diagnostic::new(&code::OUTPUT_FAILED, zh, en))
        })?;
        let mut sources = Sources::default();
        let declared = &whole.catalogue.registers.registers;
        for (name, by) in &taking.by {
            let (Some(declaration), Some(source)) = (declared.get(name), whole.sources.get(name)) else { continue };
            let by: Vec<&str> = by.iter().map(String::as_str).collect();
            sources.sources.insert(name.clone(), write_excerpt(declaration, source, &by, &taking.ids, folder.path())?);
        }
        sources.sources.extend(whole.sources.get(IDENTITY_LINKS).map(|source| (IDENTITY_LINKS.to_owned(), source.clone())));
        let registers = Arc::new(as_on_the_first_day(&whole.catalogue.registers, whole));
        Ok(Self { folder, sources, registers, for_facts, allow_missing: whole.allow_missing.clone() })
    }
}

/// The declarations with freshness as it is on the day: looking ahead, nothing becomes stale. Registers may be empty.
fn as_on_the_first_day(registers: &Registers, whole: &Whole<'_>) -> Registers {
    let mut registers = registers.clone();
    for declaration in registers.registers.values_mut() {
        declaration.may_be_empty = true;
        let age = whole.sources.get(&declaration.name).map(|source| whole.as_of.signed_duration_since(source.data_day).num_days());
        let is_stale = age.zip(declaration.fresh_within_days).is_some_and(|(age, within)| age > within);
        if !is_stale {
            declaration.fresh_within_days = None;
        }
    }
    registers
}

/// An excerpt being taken.
struct Taking<'a> {
    whole: Whole<'a>,
    /// Other identifiers of the same subject, before and after.
    aliases: BTreeMap<String, BTreeSet<String>>,
    /// The subjects, under all their identifiers.
    ids: HashSet<String>,
    /// The registers, with the columns that must hold one of the subjects.
    by: BTreeMap<String, BTreeSet<String>>,
}

impl Taking<'_> {
    fn register(&mut self, name: &str) -> Option<Arc<RegisterDeclaration>> {
        if self.whole.allow_missing.contains(name) {
            return None;
        }
        let declaration = self.whole.catalogue.registers.registers.get(name)?;
        self.by.entry(name.to_owned()).or_default().insert(declaration.key.clone());
        Some(Arc::new(declaration.clone()))
    }

    /// Follows facts of some subjects of a kind.
    fn follow(&mut self, kind: SubjectKind, ids: BTreeSet<String>, facts: BTreeSet<FactId>) -> Result<(), Box<Diagnostic>> {
        let ids = self.with_aliases(ids);
        self.ids.extend(ids.iter().cloned());
        let catalogue = self.whole.catalogue;
        let mut by_link: BTreeMap<usize, BTreeSet<FactId>> = BTreeMap::new();
        let (mut open, mut seen): (Vec<FactId>, BTreeSet<FactId>) = (facts.into_iter().collect(), BTreeSet::new());
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match &catalogue.fact(id).definition {
                Definition::Rows { register, agrees_with, .. } => {
                    self.register(register);
                    for (other, _) in agrees_with {
                        self.register(other);
                    }
                }
                Definition::Computed(_) => open.extend(catalogue.inputs(id)),
                Definition::Linked { link, .. } | Definition::LinkedAggregate { link, .. } => {
                    by_link.entry(*link).or_default().extend(catalogue.inputs(id));
                }
                Definition::LinkEnd { link } => drop(by_link.entry(*link).or_default()),
                Definition::Pending | Definition::Given => {}
            }
        }
        for (link, facts) in by_link {
            let link = &catalogue.registers.links[link];
            debug_assert_eq!(link.from, kind, "facts of a kind are followed by its own links");
            let Some(declaration) = self.register(&link.register) else { continue };
            self.by.entry(link.register.clone()).or_default().insert(link.from_column.clone());
            let Some(source) = self.whole.sources.get(&link.register) else { continue };
            let ends = ends_of(&declaration, source, &link.from_column, &link.to_column, &ids)?;
            self.follow(link.to, ends, facts)?;
        }
        Ok(())
    }

    fn with_aliases(&self, ids: BTreeSet<String>) -> HashSet<String> {
        let (mut open, mut all): (Vec<String>, HashSet<String>) = (ids.into_iter().collect(), HashSet::new());
        while let Some(id) = open.pop() {
            open.extend(self.aliases.get(&id).into_iter().flatten().filter(|alias| !all.contains(*alias)).cloned());
            all.insert(id);
        }
        all
    }
}

/// Which identifiers were ever put in the place of which.
fn aliases(whole: &Whole<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, Box<Diagnostic>> {
    let mut aliases: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let declaration = whole.catalogue.registers.registers.get(IDENTITY_LINKS);
    let (Some(declaration), Some(source)) = (declaration, whole.sources.get(IDENTITY_LINKS)) else { return Ok(aliases) };
    for batch in crate::register::open(declaration, source, whole.regions, &ReadOptions::default())? {
        let batch = batch?;
        let column = |name: &str| batch.column_by_name(name).map(|column| column.as_string::<i32>().clone());
        let (Some(old), Some(new)) = (column("old_id"), column("new_id")) else { break };
        for (old, new) in old.iter().zip(&new) {
            let (Some(old), Some(new)) = (old, new) else { continue };
            let (old, new) = (old.trim().to_ascii_uppercase(), new.trim().to_ascii_uppercase());
            aliases.entry(old.clone()).or_default().insert(new.clone());
            aliases.entry(new).or_default().insert(old);
        }
    }
    Ok(aliases)
}
