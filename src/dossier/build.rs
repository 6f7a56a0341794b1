//! From a plan to dossiers: feeds, intake, then one level after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::feed::{FeedPlan, Feeds, ShardWriter};
use super::intake::Intake;
use super::levels::{Completeness, Level, Piece, PieceSource, or_none, unknown};
use super::plan::{Plan, Source};
use super::query::{aggregate, per_subject, quoted};
use super::{Cause, DossierError, Dossiers, Options, run};
use crate::check::bind::Binder;
use crate::check::catalogue::{Aggregate, Catalogue, FactId, How};
use crate::check::ir::{Expr, Kind, Ty};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::register::declaration::{Absence, ColumnType, RegisterDeclaration, SubjectKind};
use crate::register::sources::Sources;

/// What dossiers are asked for.
pub struct Request<'a> {
    /// Facts; grows by those that links must carry.
    pub catalogue: &'a mut Catalogue,
    /// The day, parameters and regions.
    pub binder: &'a Binder<'a>,
    /// Facts that the dossiers must have; none computed.
    pub facts: BTreeSet<FactId>,
    /// Kinds that must have dossiers.
    pub kinds: Vec<SubjectKind>,
    /// Rows that occasions come from.
    pub each: Vec<EachRequest>,
    /// Where registers are.
    pub sources: &'a Sources,
    /// Registers that are absent on purpose.
    pub allow_missing: &'a BTreeSet<String>,
    /// How to build.
    pub options: Options,
    /// Who hears of progress.
    pub progress: Arc<dyn Progress>,
    /// When to stop.
    pub cancel: Cancel,
}

/// Rows that occasions come from: those of a register beside the facts of a subject.
#[derive(Debug, Clone)]
pub struct EachRequest {
    /// The register.
    pub register: String,
    /// The link whose register it is, for occasions that are linked subjects.
    pub link: Option<usize>,
    /// The columns needed, by their place in the declaration.
    pub columns: BTreeSet<usize>,
    /// Whose facts stand beside them: the subject's, or the linked one's.
    pub kind: SubjectKind,
    /// The facts needed.
    pub facts: BTreeSet<FactId>,
}

/// Rows that occasions come from, planned.
#[derive(Debug, Clone)]
pub struct EachPlan {
    pub(super) feed: String,
    /// Output name and column of the feed.
    pub(super) columns: Vec<(String, String)>,
    pub(super) through_link: bool,
    pub(super) kind: SubjectKind,
    pub(super) facts: Vec<FactId>,
}

/// The register that each subject of a kind has one row in; households come from the link to their members.
#[must_use]
pub fn base_register(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Person => "population",
        SubjectKind::Household => "household_membership",
        SubjectKind::Entity => "legal_entity",
    }
}

/// A fact that aggregates rows, and the columns of other registers that must agree with it.
type RowsFact = (FactId, Aggregate, Vec<(String, String)>);

struct Builder<'a, 'r> {
    request: &'r mut Request<'a>,
    plan: Plan,
    feeds: Feeds,
    silent: BTreeMap<String, Cause>,
    /// Levels by kind and height.
    levels: BTreeMap<(SubjectKind, usize), Level>,
    /// Aggregates over linked subjects, made before their level: feed of the link, joined plan and output.
    joined: Vec<JoinedFeed>,
    conflicting: BTreeSet<FactId>,
    conflicts: Vec<ConflictQuery>,
    renumbering: bool,
}

pub(super) struct JoinedFeed {
    pub(super) kind: SubjectKind,
    pub(super) height: usize,
    pub(super) link: usize,
    /// The feed of the link that rows come from.
    pub(super) from: String,
    pub(super) to: SubjectKind,
    /// Columns of the link's rows: name in the joined schema, column of the feed.
    pub(super) row_columns: Vec<(String, String)>,
    pub(super) facts: Vec<FactId>,
    pub(super) output: FeedPlan,
}

pub(super) struct ConflictQuery {
    pub(super) fact: FactId,
    pub(super) register: String,
    pub(super) other: String,
}

/// Builds dossiers.
///
/// # Errors
///
/// When a register cannot be read, space or memory runs out, or the work is cancelled.
pub async fn build(mut request: Request<'_>) -> Result<Dossiers, DossierError> {
    let directory = tempfile::Builder::new()
        .prefix(".mianshen-work-")
        .tempdir_in(&request.options.scratch)
        .map_err(|error| DossierError::scratch(&request.options.scratch, &error))?;
    let plan = Plan::new(request.catalogue, request.binder, request.facts.iter().copied().chain(each_facts(&request.each)))?;
    let registers: BTreeSet<String> = plan
        .registers(request.catalogue)
        .into_iter()
        .chain(request.kinds.iter().map(|kind| base_register(*kind).to_owned()))
        .chain(request.each.iter().map(|each| each.register.clone()))
        .collect();
    let intake = Intake::open(&request, &registers)?;
    let silent = intake.silent().clone();
    let renumbering = intake.renumbers();
    let kinds = request.kinds.clone();
    let mut builder = Builder {
        request: &mut request,
        plan,
        feeds: Feeds::default(),
        silent,
        levels: BTreeMap::new(),
        joined: Vec::new(),
        conflicting: BTreeSet::new(),
        conflicts: Vec::new(),
        renumbering,
    };
    let every_kind = builder.kinds();
    for &kind in &every_kind {
        builder.level_zero(kind);
    }
    for &kind in &every_kind {
        for height in 1..=builder.plan.height(kind) {
            builder.level_above(kind, height);
        }
    }
    let each = builder.each_plans();
    let Builder { plan, feeds, silent, levels, joined, conflicting, conflicts, .. } = builder;
    let report = intake.read(feeds, directory.path(), &request)?;
    let names = plan.facts.keys().map(|&id| (id, Arc::clone(&request.catalogue.fact(id).name))).collect();
    let mut dossiers = Dossiers {
        directory,
        options: request.options.clone(),
        plan,
        each,
        names,
        conflicting,
        kinds,
        indices: run::Indices::new(),
        silent,
        intake: report,
        disagreements: Vec::new(),
    };
    run::levels(&mut dossiers, &levels, joined, &request).await?;
    dossiers.disagreements = run::disagreements(&dossiers, &conflicts).await?;
    Ok(dossiers)
}

fn each_facts(each: &[EachRequest]) -> Vec<FactId> {
    each.iter().flat_map(|each| each.facts.iter().copied()).collect()
}

impl Builder<'_, '_> {
    /// All kinds that must be built: those asked for, and those that links lead to.
    fn kinds(&self) -> Vec<SubjectKind> {
        let linked = self.plan.facts.keys().map(|id| id.kind);
        let all: BTreeSet<SubjectKind> =
            self.request.kinds.iter().copied().chain(linked).chain(self.request.each.iter().map(|each| each.kind)).collect();
        all.into_iter().collect()
    }

    fn declaration(&self, register: &str) -> Arc<RegisterDeclaration> {
        Arc::new(self.request.catalogue.registers.registers[register].clone())
    }

    fn type_of(&self, id: FactId) -> (Ty, u8) {
        let ty = &self.request.catalogue.fact(id).ty;
        (ty.ty, if ty.ty == Ty::Number { ty.scale } else { 0 })
    }

    fn name_of(&self, id: FactId) -> String {
        self.request.catalogue.fact(id).name.to_string()
    }

    /// Facts that registers give directly.
    fn level_zero(&mut self, kind: SubjectKind) {
        let mut level = self.base(kind);
        let facts: Vec<(FactId, Source)> = self.plan.at(kind, 0).into_iter().map(|(id, source)| (id, source.clone())).collect();
        let mut by_register: BTreeMap<String, Vec<RowsFact>> = BTreeMap::new();
        for (id, source) in facts {
            match source {
                Source::Rows { register, rows, agrees_with } => by_register.entry(register).or_default().push((id, rows, agrees_with)),
                Source::LinkEnd { link } => {
                    let piece = self.link_end(id, link);
                    level.pieces.push(piece);
                }
                Source::Linked { .. } | Source::LinkedAggregate { .. } => {}
            }
        }
        for (register, facts) in by_register {
            self.register_piece(kind, &register, facts, &mut level);
        }
        self.levels.insert((kind, 0), level);
    }

    /// The subjects of a kind, with the columns that say within which coverages they are.
    fn base(&mut self, kind: SubjectKind) -> Level {
        let mut level = Level::default();
        if kind == SubjectKind::Household {
            let registers = Arc::clone(&self.request.catalogue.registers);
            let link = registers.links.iter().position(|link| link.from == kind && link.many);
            let feed = link.map_or_else(|| "link_household_members".to_owned(), |link| self.link_feed(link).name.clone());
            level.base = format!("select distinct id from {}", quoted(&feed));
            return level;
        }
        let register = base_register(kind);
        let declaration = self.declaration(register);
        let regions: Vec<usize> =
            (0..declaration.columns.len()).filter(|&at| declaration.columns[at].column_type == ColumnType::Region).collect();
        let coverages = self.coverages(kind);
        let (binder, renumbering) = (self.request.binder, self.renumbering);
        let feed = self.feeds.of(register, &declaration.key);
        let mut select = Vec::new();
        for (name, codes) in coverages {
            let within = regions.iter().flat_map(|&at| {
                codes.iter().map(move |code| {
                    let value = Box::new(Expr::new(Kind::Fact(at), Ty::Text));
                    Expr::new(Kind::InRegion { value, region: code.as_str().into() }, Ty::Bool)
                })
            });
            let within = binder.bind(&Expr::new(Kind::Or(within.collect()), Ty::Bool));
            let column = quoted(&feed.column(&within, 0));
            let value = if renumbering { format!("first_value({column} order by renumbered)") } else { column };
            select.push(format!("{value} as {}", quoted(&name)));
            level.columns.push((name.clone(), format!("b.{}", quoted(&name))));
        }
        let columns = select.iter().map(|text| format!(", {text}")).collect::<String>();
        let group = if renumbering { " group by id" } else { "" };
        level.base = format!("select id{columns} from {}{group}", quoted(&feed.name));
        level
    }

    /// The distinct coverages of the registers that give facts of a kind, by column name.
    fn coverages(&self, kind: SubjectKind) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for (id, planned) in &self.plan.facts {
            let register = match &planned.source {
                Source::Rows { register, .. } => register,
                Source::LinkedAggregate { link, .. } => &self.request.catalogue.registers.links[*link].register,
                _ => continue,
            };
            let declaration = &self.request.catalogue.registers.registers[register];
            if id.kind == kind && declaration.absence == Absence::Complete && !declaration.coverage_regions.is_empty() {
                found.insert(coverage_name(&declaration.coverage_regions), declaration.coverage_regions.clone());
            }
        }
        found
    }

    fn completeness(&self, declaration: &RegisterDeclaration, kind: SubjectKind) -> Completeness {
        let begun = declaration.coverage_from.is_none_or(|from| from <= self.request.binder.as_of);
        if declaration.absence == Absence::Partial || !begun {
            return Completeness::Partial;
        }
        if declaration.coverage_regions.is_empty() || kind == SubjectKind::Household {
            return Completeness::Everywhere;
        }
        Completeness::Where(coverage_name(&declaration.coverage_regions))
    }

    fn register_piece(&mut self, kind: SubjectKind, register: &str, facts: Vec<RowsFact>, level: &mut Level) {
        let declaration = self.declaration(register);
        if self.silent.contains_key(register) {
            for (id, _, agrees_with) in facts {
                let (ty, scale) = self.type_of(id);
                level.columns.push((self.name_of(id), unknown(ty, scale)));
                if !agrees_with.is_empty() {
                    self.conflicting.insert(id);
                    level.columns.push((format!("{}!conflict", self.name_of(id)), "false".to_owned()));
                }
            }
            return;
        }
        let complete = self.completeness(&declaration, kind);
        let only = facts.iter().all(|(_, rows, _)| rows.how == How::Only);
        let grouped = !only || self.renumbering;
        let mut texts = Vec::new();
        let mut columns = Vec::new();
        let doubt = level.pieces.len();
        level.pieces.push(Piece {
            source: PieceSource::Query(format!("select distinct id, true as present from {}", quoted(&doubt_table(register)))),
            columns: Vec::new(),
        });
        for (id, rows, agrees_with) in facts {
            let (ty, scale) = self.type_of(id);
            let feed = self.feeds.of(register, &declaration.key);
            let text = aggregate(&rows, feed, scale, ty, complete != Completeness::Partial, grouped);
            let name = format!("a{}", texts.len());
            texts.push(text.over_rows);
            let value = or_none(&name, text.of_none, &complete, ty, scale);
            // A row of the subject lies in quarantine: what the other rows say is not the whole.
            let value = if rows.how == How::Only { value } else { format!("case when p{doubt}.present then null else {value} end") };
            columns.extend(self.agreeing(id, register, value, agrees_with, level));
        }
        let feed = self.feeds.of(register, &declaration.key).name.clone();
        level.pieces.push(Piece { source: PieceSource::Query(per_subject(&feed, &texts, grouped)), columns });
    }

    /// A fact that other registers must agree with: unknown where they do not, with a column that tells so.
    fn agreeing(
        &mut self,
        id: FactId,
        register: &str,
        value: String,
        agrees_with: Vec<(String, String)>,
        level: &mut Level,
    ) -> Vec<(String, String)> {
        let name = self.name_of(id);
        if agrees_with.is_empty() {
            return vec![(name, value)];
        }
        self.conflicting.insert(id);
        let (ty, scale) = self.type_of(id);
        let mut columns = Vec::new();
        let mut doubts = Vec::new();
        for (other, column) in agrees_with {
            let declaration = self.declaration(&other);
            let at = declaration.columns.iter().position(|known| known.name == column);
            let Some(at) = at.filter(|_| !self.silent.contains_key(&other)) else { continue };
            let feed = self.feeds.of(&other, &declaration.key);
            let column = quoted(&feed.column(&Expr::new(Kind::Fact(at), ty), scale));
            let query = per_subject(&feed.name, &[format!("min({column})"), format!("max({column})")], true);
            let index = level.pieces.len();
            level.pieces.push(Piece { source: PieceSource::Query(query), columns: Vec::new() });
            doubts.push(format!("({value} <> p{index}.a0 or p{index}.a0 <> p{index}.a1)"));
            columns.push((format!("{name}!{other}"), format!("p{index}.a0")));
            self.conflicts.push(ConflictQuery { fact: id, register: register.to_owned(), other });
        }
        let conflict = if doubts.is_empty() { "false".to_owned() } else { format!("(({}) is true)", doubts.join(" or ")) };
        columns.push((format!("{name}!own"), value.clone()));
        columns.push((name.clone(), format!("case when {conflict} then null else {value} end")));
        columns.push((format!("{name}!conflict"), conflict));
        columns
    }

    /// The feed of a link: its rows that hold, with the other end in the column that [`target_of`] names.
    fn link_feed(&mut self, link: usize) -> &mut FeedPlan {
        let registers = Arc::clone(&self.request.catalogue.registers);
        let link = &registers.links[link];
        let declaration = &registers.registers[&link.register];
        let target = declaration.columns.iter().position(|column| column.name == link.to_column).unwrap_or(0);
        let filter = self.request.catalogue.link_filter(&link.name, link.from).map(|filter| self.request.binder.bind(&filter));
        let feed = self.feeds.of_link(&link.name, link.from.name(), &link.register, &link.from_column);
        feed.filter = filter;
        feed.column(&Expr::new(Kind::Fact(target), Ty::Text), 0);
        feed
    }

    fn is_silent(&self, link: usize) -> bool {
        self.silent.contains_key(&self.request.catalogue.registers.links[link].register)
    }

    fn link_end(&mut self, id: FactId, link: usize) -> Piece {
        let name = self.name_of(id);
        let feed = self.link_feed(link).name.clone();
        Piece { source: PieceSource::Query(only_target(&feed)), columns: vec![(name, "{p}.target".to_owned())] }
    }

    /// Facts that links give.
    fn level_above(&mut self, kind: SubjectKind, height: usize) {
        let mut level = Level::default();
        let facts: Vec<(FactId, Source)> = self.plan.at(kind, height).into_iter().map(|(id, source)| (id, source.clone())).collect();
        let mut linked: BTreeMap<usize, Vec<(FactId, FactId)>> = BTreeMap::new();
        let mut aggregates: BTreeMap<usize, Vec<(FactId, Aggregate)>> = BTreeMap::new();
        for (id, source) in facts {
            match source {
                Source::Linked { link, fact } => linked.entry(link).or_default().push((id, fact)),
                Source::LinkedAggregate { link, rows } => aggregates.entry(link).or_default().push((id, rows)),
                Source::Rows { .. } | Source::LinkEnd { .. } => {}
            }
        }
        for (link, facts) in linked {
            self.linked_piece(link, &facts, &mut level);
        }
        for (link, facts) in aggregates {
            self.linked_aggregates(kind, height, link, facts, &mut level);
        }
        self.levels.insert((kind, height), level);
    }

    fn linked_piece(&mut self, link: usize, facts: &[(FactId, FactId)], level: &mut Level) {
        if self.is_silent(link) {
            for (id, _) in facts {
                let (ty, scale) = self.type_of(*id);
                level.columns.push((self.name_of(*id), unknown(ty, scale)));
            }
            return;
        }
        let to = self.request.catalogue.registers.links[link].to;
        let query = only_target(&self.link_feed(link).name);
        let mut there = Vec::new();
        let mut columns = Vec::new();
        for (id, target) in facts {
            let (name, target_name) = (self.name_of(*id), self.name_of(*target));
            columns.push((name.clone(), format!("{{p}}.{}", quoted(&target_name))));
            there.push((*target, target_name.clone()));
            if self.conflicting.contains(target) {
                self.conflicting.insert(*id);
                let conflict = format!("{target_name}!conflict");
                columns.push((format!("{name}!conflict"), format!("({{p}}.{} is true)", quoted(&conflict))));
                there.push((*target, conflict));
            }
        }
        level.pieces.push(Piece { source: PieceSource::Targets { query, kind: to, columns: there }, columns });
    }

    fn linked_aggregates(&mut self, kind: SubjectKind, height: usize, link: usize, facts: Vec<(FactId, Aggregate)>, level: &mut Level) {
        let registers = Arc::clone(&self.request.catalogue.registers);
        let declared = &registers.links[link];
        let declaration = Arc::new(registers.registers[&declared.register].clone());
        if self.is_silent(link) {
            for (id, _) in &facts {
                let (ty, scale) = self.type_of(*id);
                level.columns.push((self.name_of(*id), unknown(ty, scale)));
            }
            return;
        }
        let columns = declaration.columns.len();
        let mut row_columns: BTreeSet<usize> = BTreeSet::new();
        let mut targets: BTreeSet<FactId> = BTreeSet::new();
        for (_, rows) in &facts {
            for expr in rows.value.iter().chain(&rows.filter).chain(&rows.by) {
                expr.for_each_fact(&mut |index| match index.checked_sub(columns) {
                    None => {
                        row_columns.insert(index);
                    }
                    Some(index) => {
                        targets.insert(FactId { kind: declared.to, index });
                    }
                });
            }
        }
        let complete = self.completeness(&declaration, kind);
        let schema = self.request.catalogue.row_schema(&declared.register);
        let feed = self.link_feed(link);
        let row_columns = row_columns
            .into_iter()
            .map(|at| {
                let column = &schema.columns[at];
                (format!("row.{}", column.name), feed.column(&Expr::new(Kind::Fact(at), column.ty), column.scale))
            })
            .collect();
        let from = feed.name.clone();
        let mut output = FeedPlan::new(format!("joined_{kind}_{height}_{}", declared.name), &declared.register, "id");
        let mut texts = Vec::new();
        let mut outputs = Vec::new();
        for (id, rows) in facts {
            let (ty, scale) = self.type_of(id);
            let text = aggregate(&rows, &mut output, scale, ty, complete != Completeness::Partial, false);
            let name = format!("a{}", texts.len());
            texts.push(text.over_rows);
            outputs.push((self.name_of(id), or_none(&name, text.of_none, &complete, ty, scale)));
        }
        level.pieces.push(Piece { source: PieceSource::Query(per_subject(&output.name, &texts, true)), columns: outputs });
        self.joined.push(JoinedFeed {
            kind,
            height,
            link,
            from,
            to: declared.to,
            row_columns,
            facts: targets.into_iter().collect(),
            output,
        });
    }

    fn each_plans(&mut self) -> Vec<EachPlan> {
        let requests = self.request.each.clone();
        let mut plans = Vec::new();
        for each in requests {
            let declaration = self.declaration(&each.register);
            let schema = self.request.catalogue.row_schema(&each.register);
            let feed = match each.link {
                Some(link) => self.link_feed(link),
                None => self.feeds.of(&each.register, &declaration.key),
            };
            let columns = each
                .columns
                .iter()
                .map(|&at| {
                    let column = &schema.columns[at];
                    (format!("row.{}", column.name), feed.column(&Expr::new(Kind::Fact(at), column.ty), column.scale))
                })
                .collect();
            let feed = feed.name.clone();
            let facts = each.facts.iter().copied().collect();
            plans.push(EachPlan { feed, columns, through_link: each.link.is_some(), kind: each.kind, facts });
        }
        plans
    }
}

fn coverage_name(regions: &[String]) -> String {
    format!("!within {}", regions.join(" "))
}

/// The table of the subjects of whom a register has rows in quarantine.
pub(super) fn doubt_table(register: &str) -> String {
    format!("doubt_{register}")
}

/// The table of one level of a kind.
pub(super) fn table(kind: SubjectKind, height: usize) -> String {
    format!("facts_{kind}_{height}")
}

/// One row per subject that a link leads from to exactly one other. The first column of a link's feed is its target.
fn only_target(feed: &str) -> String {
    format!("select id, min(x0) as target, true as present from {} group by id having min(x0) = max(x0)", quoted(feed))
}

/// The feeds that intake fills, for its own use.
pub(super) fn writers(directory: &Path, feeds: &[FeedPlan], shards: usize) -> Result<Vec<ShardWriter>, DossierError> {
    feeds.iter().map(|feed| ShardWriter::create(directory, &feed.name, &feed.schema(), shards)).collect()
}
