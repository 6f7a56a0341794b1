//! A snapshot: what registers gave, kept in a folder from run to run. A register that did not change is not read again.
//!
//! ```text
//! DIR/snapshot.json ── what is held, and of which deliveries, asked how
//! DIR/parts/        ── Arrow streams: subjects, one file per column, rows of links and of occasions, what links gave; what reading found
//! ```
//!
//! What is taken is what reading would give again, to the bit: a part is found by the digest of all that it depends on (the
//! program, the regions, the declaration, the delivery's files, who is who, the subjects, the expressions bound to the day), and is
//! itself held to the digest of its bytes. Whatever is not found so is read, and kept for the next time. A day alone changes
//! nothing: where no row was left out because it is of a later day, and the expressions do not speak of the day, what was read for
//! an earlier one still holds.

mod asked;
mod linked;
mod parts;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use parts::Unfit;
use rayon::prelude::*;
use record::{BaseRecord, Delivery, FileRecord, Held, OutcomeRecord, Part, Record, RegisterRecord, files_of};

use super::DossierError;
use super::base::{Base, BasePlan};
use super::build::{Request, is_complete, is_complete_everywhere};
use super::identity::Identities;
use super::read::{Reading, RegisterFound};
use super::rows::RegisterRows;
use crate::diagnostic::{Diagnostic, SourceFile, Span, code};
use crate::register::declaration::{RegisterDeclaration, SubjectKind};
use crate::register::hash_file;

const RECORD: &str = "snapshot.json";
const LOCK: &str = "snapshot.lock";
const PARTS: &str = "parts";

/// For how many runs that ask its register for other things a part stays, though nobody asks for it.
const IDLE_AT_MOST: u32 = 8;

/// What stands for the subjects of a kind that are not listed.
const NOBODY: &str = "nobody";

/// A snapshot while a build takes from it and puts into it. No other build has it meanwhile.
pub(super) struct Snapshot {
    dir: PathBuf,
    _lock: File,
    /// What was held before.
    held: Record,
    /// What will be held.
    next: Mutex<Record>,
    /// Subjects listed anew: how, and in which part, by kind.
    listed: Mutex<BTreeMap<SubjectKind, (BasePlan, Part)>>,
    /// By which digest the subjects of each kind are known.
    indices: Mutex<HashMap<SubjectKind, String>>,
    /// By which digest the column of a kind is known that a register gave.
    columns: Mutex<HashMap<(SubjectKind, String), String>>,
    /// By which digest the rows of a link are known.
    tables: Mutex<HashMap<usize, String>>,
    /// Digests of registers' files.
    digests: Mutex<HashMap<PathBuf, Option<String>>>,
    /// Who is known under which identifier, as a digest.
    identities: String,
    /// Why it cannot be written any more.
    failed: Mutex<Option<std::io::Error>>,
}

/// What is asked of a register, in the order in which it is given.
struct Asked {
    /// By kind.
    columns: Vec<Vec<Question>>,
    links: Vec<Question>,
    kept: Option<Question>,
    counted_among: String,
}

/// One thing that is asked.
struct Question {
    /// What, as a digest.
    digest: String,
    /// Of which subjects, by kind.
    among: BTreeMap<String, String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program: another one may make something else of the same rows.
fn program() -> String {
    let file = std::env::current_exe().and_then(fs::metadata);
    let made = file.ok().and_then(|file| Some((file.len(), file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?)));
    format!("{} {made:?}", env!("CARGO_PKG_VERSION"))
}

impl Snapshot {
    /// Opens the snapshot of a folder, which is made where there is none.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written, holds something else, or is used by another run.
    pub(super) fn open(dir: &Path, identities: &Identities, request: &Request<'_>) -> Result<Self, DossierError> {
        let failed = |error: &std::io::Error| DossierError::Told(Box::new(unusable(dir, error)));
        let is_new = fs::read_dir(dir).map_or(true, |mut there| there.next().is_none());
        if !is_new && !dir.join(RECORD).exists() && !dir.join(LOCK).exists() {
            return Err(DossierError::Told(Box::new(no_snapshot(dir))));
        }
        fs::create_dir_all(dir.join(PARTS)).map_err(|error| failed(&error))?;
        let lock = File::create(dir.join(LOCK)).map_err(|error| failed(&error))?;
        lock.try_lock().map_err(|_| DossierError::Told(Box::new(in_use(dir))))?;
        let ground = asked::digest(&format!("{}\n{}", program(), asked::regions(request.binder.regions)));
        let held = match fs::read(dir.join(RECORD)) {
            Ok(bytes) => serde_json::from_slice::<Record>(&bytes).unwrap_or_else(|error| {
                request.progress.warn(unfit(&dir.join(RECORD), &error));
                Record::default()
            }),
            Err(_) => Record::default(),
        };
        let held = if held.ground == ground { held } else { Record { ground, ..Record::default() } };
        Ok(Self {
            dir: dir.to_owned(),
            _lock: lock,
            next: Mutex::new(held.clone()),
            held,
            listed: Mutex::default(),
            indices: Mutex::default(),
            columns: Mutex::default(),
            tables: Mutex::default(),
            digests: Mutex::default(),
            identities: asked::digest(&identities.described()),
            failed: Mutex::default(),
        })
    }

    fn parts(&self) -> PathBuf {
        self.dir.join(PARTS)
    }

    /// The subjects of a kind, where they are held.
    pub(super) fn base(&self, plan: &BasePlan, request: &Request<'_>) -> Option<Base> {
        let held = self.held.bases.get(plan.kind.name()).filter(|held| held.asked == asked::base(plan))?;
        let declaration = &request.catalogue.registers.registers[&plan.register];
        self.is_there(&held.delivery, declaration, request).then_some(())?;
        let base = self.taken(&held.part, parts::base, request)?;
        lock(&self.indices).insert(plan.kind, held.part.sha256.clone());
        Some(base)
    }

    /// Keeps subjects that were listed anew.
    pub(super) fn keep_base(&self, plan: &BasePlan, base: &Base) {
        let bytes = parts::of_base(base).map_err(std::io::Error::other);
        let written = self.written(|dir| parts::write(dir, &format!("subjects.{}", plan.kind), "arrow", &bytes?));
        if let Some(part) = written {
            lock(&self.indices).insert(plan.kind, part.sha256.clone());
            lock(&self.listed).insert(plan.kind, (plan.clone(), part));
        }
    }

    /// What a register gives, where all of it is held.
    pub(super) fn take(&self, reading: &Reading<'_>, request: &Request<'_>) -> Option<RegisterFound> {
        let Reading { declaration, rows, .. } = reading;
        let held = self.held.registers.get(&declaration.name)?;
        let asked = self.asked(reading, request)?;
        let part = |asked: &Question| held.parts.get(&asked.digest).map(|held| &held.part);
        let has_all = asked.all().all(|asked| part(asked).is_some());
        let renumbered = *held.renumbered.get(&asked.counted_among)?;
        if !has_all || !self.is_there(&held.delivery, declaration, request) {
            return None;
        }
        let columns = rows.subjects.iter().zip(&asked.columns).map(|(subjects, asked)| {
            let column = |((purpose, _), asked): (&(_, _), &Question)| {
                Some((Clone::clone(purpose), self.taken(part(asked)?, parts::column, request)?))
            };
            let columns = subjects.recipes.par_iter().zip(asked).map(column).collect::<Option<Vec<_>>>()?;
            Some((subjects.kind, columns))
        });
        let table = |asked: &Question| self.taken(part(asked)?, parts::table, request);
        let links = rows.links.iter().zip(&asked.links).map(|(link, asked)| Some((link.link, table(asked)?)));
        let outcome: OutcomeRecord =
            self.taken(&held.outcome, |bytes| serde_json::from_slice(bytes).map_err(|error| Unfit::Io(error.into())), request)?;
        let found = RegisterFound {
            columns: columns.collect::<Option<_>>()?,
            links: links.collect::<Option<_>>()?,
            kept: match &asked.kept {
                Some(asked) => Some(table(asked)?),
                None => None,
            },
            outcome: Some(outcome.into_outcome()),
            unseen: held.delivery.unseen,
            renumbered,
            is_taken: true,
        };
        self.know(rows, &asked, &held.parts, request);
        self.put(declaration, RegisterRecord { parts: BTreeMap::new(), ..held.clone() }, &asked);
        Some(found)
    }

    /// Keeps what a register gave when it was read.
    pub(super) fn keep(&self, reading: &Reading<'_>, found: &mut RegisterFound, request: &Request<'_>) {
        let Reading { declaration, rows, .. } = reading;
        let name = &declaration.name;
        // Until it is known otherwise, nothing is held of what was read.
        lock(&self.next).registers.remove(name);
        let Some(asked) = self.asked(reading, request) else { return };
        let Some(outcome) = &found.outcome else { return };
        let (Some(settings), Some(files), Some(record)) =
            (self.settings(declaration, request), files_of(outcome), OutcomeRecord::of(outcome))
        else {
            return;
        };
        let delivery = Delivery { settings, files, as_of: request.binder.as_of, unseen: found.unseen };
        for (_, column) in found.columns.iter_mut().flat_map(|(_, columns)| columns) {
            *column = column.narrowed();
        }
        let held = self.held.registers.get(name).filter(|held| still_holds(&held.delivery, &delivery));
        // A part that was found to be spoiled is gone.
        let is_new = |asked: &Question| held.is_none_or(|held| !held.parts.get(&asked.digest).is_some_and(|held| self.has(&held.part)));
        let held_as = |asked: &Question, part: Part| (asked.digest.clone(), Held { part, among: asked.among.clone(), idle: 0 });
        let arrow = |stem: String, bytes: Result<Vec<u8>, arrow::error::ArrowError>| {
            self.written(|dir| parts::write(dir, &stem, "arrow", &bytes.map_err(std::io::Error::other)?))
        };
        let columns = found.columns.iter().zip(&asked.columns).flat_map(|((kind, columns), asked)| {
            columns.iter().zip(asked).map(|((purpose, column), asked)| (*kind, purpose, column, asked))
        });
        let columns: Vec<_> = columns.filter(|(.., asked)| is_new(asked)).collect();
        let columns = columns.into_par_iter().map(|(kind, purpose, column, asked)| {
            let fact = asked::name(purpose, request.catalogue);
            let part = arrow(format!("{name}.{kind}.{fact}"), parts::of_column(&fact, column))?;
            Some(held_as(asked, part))
        });
        let Some(mut new_parts) = columns.collect::<Option<Vec<_>>>() else { return };
        let links = found
            .links
            .iter()
            .zip(&asked.links)
            .map(|((link, table), asked)| (format!("{name}.{}", request.catalogue.registers.links[*link].name), table, asked));
        let kept = found.kept.iter().zip(&asked.kept).map(|(table, asked)| (format!("{name}.rows"), table, asked));
        for (stem, table, asked) in links.chain(kept).filter(|(.., asked)| is_new(asked)) {
            let Some(part) = arrow(stem, parts::of_table(table)) else { return };
            new_parts.push(held_as(asked, part));
        }
        let json = serde_json::to_vec(&record).map_err(std::io::Error::other);
        let Some(outcome) = self.written(|dir| parts::write(dir, &format!("{name}.read"), "json", &json?)) else { return };
        let mut parts: BTreeMap<String, Held> = new_parts.into_iter().collect();
        for asked in asked.all() {
            if let Some(held) = held.and_then(|held| held.parts.get(&asked.digest)) {
                parts.entry(asked.digest.clone()).or_insert_with(|| held.clone());
            }
        }
        self.know(rows, &asked, &parts, request);
        let renumbered = [(asked.counted_among.clone(), found.renumbered)].into();
        self.put(declaration, RegisterRecord { delivery, outcome, renumbered, parts }, &asked);
    }

    /// Writes down what will be held, and throws away what nobody will ask for. What fails leaves the snapshot as it was, and no parts
    /// of this build, which may be what filled the disk.
    pub(super) fn close(self, request: &Request<'_>) {
        let failed = lock(&self.failed).take();
        let written = failed.map_or(Ok(()), Err).and_then(|()| self.write_record());
        if let Err(error) = written {
            request.progress.warn(not_written(&self.dir, &error));
            let _ = self.sweep(&self.held);
        }
    }

    fn write_record(&self) -> std::io::Result<()> {
        let mut next = lock(&self.next).clone();
        for (kind, (plan, part)) in std::mem::take(&mut *lock(&self.listed)) {
            if let Some(register) = next.registers.get(&plan.register) {
                let (delivery, asked) = (register.delivery.clone(), asked::base(&plan));
                next.bases.insert(kind.name().to_owned(), BaseRecord { delivery, asked, part });
            }
        }
        let mut aside = tempfile::Builder::new().prefix(".partial-").tempfile_in(&self.dir)?;
        serde_json::to_writer_pretty(&mut aside, &next)?;
        aside.as_file().sync_all()?;
        aside.persist(self.dir.join(RECORD))?;
        self.sweep(&next)
    }

    /// Throws away the parts that a record does not name.
    fn sweep(&self, record: &Record) -> std::io::Result<()> {
        let bases = record.bases.values().map(|base| &base.part);
        let of_registers =
            record.registers.values().flat_map(|register| register.parts.values().map(|held| &held.part).chain([&register.outcome]));
        let of_links = record.linked.values().flat_map(|linked| linked.conflict.iter().chain([&linked.held.part]));
        let named: BTreeSet<&str> = bases.chain(of_registers).chain(of_links).map(|part| part.file.as_str()).collect();
        for there in fs::read_dir(self.parts())? {
            let there = there?;
            if !there.file_name().to_str().is_some_and(|name| named.contains(name)) {
                fs::remove_file(there.path())?;
            }
        }
        Ok(())
    }

    /// Remembers by which digests the columns and rows of a register are known.
    fn know(&self, rows: &RegisterRows, asked: &Asked, parts: &BTreeMap<String, Held>, request: &Request<'_>) {
        let digest = |asked: &Question| parts.get(&asked.digest).map(|held| held.part.sha256.clone());
        let mut columns = lock(&self.columns);
        for (subjects, asked) in rows.subjects.iter().zip(&asked.columns) {
            for ((purpose, _), asked) in subjects.recipes.iter().zip(asked) {
                columns.extend(digest(asked).map(|digest| ((subjects.kind, asked::name(purpose, request.catalogue)), digest)));
            }
        }
        let links = rows.links.iter().zip(&asked.links);
        lock(&self.tables).extend(links.filter_map(|(link, asked)| Some((link.link, digest(asked)?))));
    }

    /// What a register's record will be: with what is held of the same delivery, but for what is of other subjects than those of
    /// today, and for what nobody asked for in a long time.
    fn put(&self, declaration: &RegisterDeclaration, mut record: RegisterRecord, asked: &Asked) {
        let used: BTreeSet<&String> = asked.all().map(|asked| &asked.digest).collect();
        let today = self.today();
        let held = self.held.registers.get(&declaration.name).filter(|held| still_holds(&held.delivery, &record.delivery));
        for (asked, held) in held.into_iter().flat_map(|held| &held.parts) {
            if let Some(held) = stays(held, used.contains(asked), &today) {
                record.parts.entry(asked.clone()).or_insert(held);
            }
        }
        let is_counted_today = |among: &str| {
            let today = declaration.subject.and_then(|kind| today.get(kind.name()));
            among == NOBODY || today.is_none_or(|today| today == among)
        };
        let counted = held.into_iter().flat_map(|held| &held.renumbered).filter(|(among, _)| is_counted_today(among));
        for (among, rows) in counted {
            record.renumbered.entry(among.clone()).or_insert(*rows);
        }
        // Since the earliest of the days, the same rows are seen.
        let since = held.map_or(record.delivery.as_of, |held| held.delivery.as_of.min(record.delivery.as_of));
        record.delivery.as_of = since;
        lock(&self.next).registers.insert(declaration.name.clone(), record);
    }

    /// By which digests the subjects of this build are known, by kind.
    fn today(&self) -> BTreeMap<String, String> {
        lock(&self.indices).iter().map(|(kind, index)| (kind.name().to_owned(), index.clone())).collect()
    }

    /// What is asked of a register; none where it is not known by what its subjects are known.
    fn asked(&self, reading: &Reading<'_>, request: &Request<'_>) -> Option<Asked> {
        let Reading { declaration, rows, bases, .. } = reading;
        let indices = lock(&self.indices).clone();
        let index = |kind: SubjectKind| {
            let is_listed = bases.contains_key(&kind);
            if is_listed { indices.get(&kind).map(String::as_str) } else { Some(NOBODY) }
        };
        let question = |digest: String, kinds: &[SubjectKind]| {
            let among = kinds.iter().map(|kind| Some((kind.name().to_owned(), index(*kind)?.to_owned())));
            Some(Question { digest, among: among.collect::<Option<_>>()? })
        };
        let columns = rows.subjects.iter().map(|subjects| {
            let kind = subjects.kind;
            let fact = |(purpose, recipe): &(_, _)| {
                let name = asked::name(purpose, request.catalogue);
                question(asked::fact(rows, recipe, &name, index(kind)?), &[kind])
            };
            subjects.recipes.iter().map(fact).collect::<Option<Vec<_>>>()
        });
        let links = rows.links.iter().map(|link| {
            let (from, to) = (link.from, link.to);
            question(asked::link(rows, link, (index(from)?, index(to)?)), &[from, to])
        });
        Some(Asked {
            columns: columns.collect::<Option<_>>()?,
            links: links.collect::<Option<_>>()?,
            kept: match &rows.kept {
                Some(kept) => Some(question(asked::kept(rows, kept, index(kept.kind)?), &[kept.kind])?),
                None => None,
            },
            counted_among: declaration.subject.map_or(Some(NOBODY), index)?.to_owned(),
        })
    }

    /// How a register is read; none where its rows are in memory, not in files.
    fn settings(&self, declaration: &RegisterDeclaration, request: &Request<'_>) -> Option<String> {
        let source = request.sources.get(&declaration.name).filter(|source| source.held.is_none())?;
        let nowhere = Span::new(&SourceFile::new("", ""), 0..0);
        let declared = RegisterDeclaration { facts: Vec::new(), place: nowhere, ..declaration.clone() };
        let as_of = request.binder.as_of;
        let everywhere = SubjectKind::ALL.map(|kind| is_complete_everywhere(declaration, kind, as_of));
        let source = crate::register::sources::RegisterSource { place: None, ..source.clone() };
        let complete = is_complete(declaration, as_of);
        Some(asked::digest(&format!("{declared:?}\n{source:?}\n{complete} {everywhere:?}\n{}", self.identities)))
    }

    /// Whether a delivery that was read is the one that is there, and says the same on the day of the build.
    fn is_there(&self, held: &Delivery, declaration: &RegisterDeclaration, request: &Request<'_>) -> bool {
        let is_same = self.settings(declaration, request).is_some_and(|settings| settings == held.settings);
        if !is_same || !says_the_same(held, request.binder.as_of) {
            return false;
        }
        let files = request.sources.get(&declaration.name).and_then(|source| source.files().ok()).unwrap_or_default();
        let looks_alike = |(there, held): (&crate::register::sources::DataFile, &FileRecord)| {
            there.path == held.path && there.path.metadata().is_ok_and(|data| data.len() == held.bytes)
        };
        files.len() == held.files.len()
            && files.iter().zip(&held.files).all(looks_alike)
            && held.files.par_iter().all(|held| self.digest_of(&held.path).as_ref() == Some(&held.sha256))
    }

    /// The digest of a file's bytes; none where it cannot be read.
    fn digest_of(&self, path: &Path) -> Option<String> {
        if let Some(known) = lock(&self.digests).get(path) {
            return known.clone();
        }
        let digest = hash_file(path).ok();
        lock(&self.digests).insert(path.to_owned(), digest.clone());
        digest
    }

    /// What a part holds; none, and the part goes, where it is not what was written.
    fn taken<T>(&self, part: &Part, of: impl Fn(&[u8]) -> Result<T, Unfit>, request: &Request<'_>) -> Option<T> {
        match parts::read(&self.parts(), part).and_then(|bytes| of(&bytes)) {
            Ok(taken) => Some(taken),
            Err(error) => {
                let path = self.parts().join(&part.file);
                request.progress.warn(unfit(&path, &error));
                let _ = fs::remove_file(path);
                None
            }
        }
    }

    /// Whether a part is still there.
    fn has(&self, part: &Part) -> bool {
        self.parts().join(&part.file).exists()
    }

    /// What was written, unless writing failed, now or before.
    fn written(&self, write: impl FnOnce(&Path) -> std::io::Result<Part>) -> Option<Part> {
        if lock(&self.failed).is_some() {
            return None;
        }
        write(&self.parts()).map_err(|error| *lock(&self.failed) = Some(error)).ok()
    }
}

impl Asked {
    fn all(&self) -> impl Iterator<Item = &Question> {
        self.columns.iter().flatten().chain(&self.links).chain(&self.kept)
    }
}

/// A held part after this run, if it stays: it does where it is of the subjects of `today`, and was used or asked for lately.
fn stays(held: &Held, is_used: bool, today: &BTreeMap<String, String>) -> Option<Held> {
    let is_of_today = held.among.iter().all(|(kind, index)| today.get(kind).is_none_or(|today| today == index));
    let idle = if is_used { 0 } else { held.idle + 1 };
    (is_of_today && idle <= IDLE_AT_MOST).then(|| Held { idle, ..held.clone() })
}

/// Whether what was read of a delivery for its day is what would be read for another: no row was left out that is seen then.
fn says_the_same(delivery: &Delivery, as_of: chrono::NaiveDate) -> bool {
    delivery.as_of == as_of || (delivery.unseen == 0 && delivery.as_of < as_of)
}

/// Whether what is held of a delivery holds beside what was read now: of the same files, for days on which the same rows are seen.
fn still_holds(held: &Delivery, now: &Delivery) -> bool {
    let sees_the_same = held.as_of == now.as_of || (held.unseen == 0 && now.unseen == 0);
    held.settings == now.settings && held.files == now.files && sees_the_same
}

fn unusable(dir: &Path, error: &std::io::Error) -> Diagnostic {
    let dir = dir.display();
    Diagnostic::new(
        &code::OUTPUT_FAILED,
        format!("用不了快照目录 {dir}: {error}"),
        format!("the snapshot folder {dir} cannot be used: {error}"),
    )
    .help("检查空间和权限", "check free space and permissions")
}

fn unfit(path: &Path, error: &dyn std::fmt::Display) -> Diagnostic {
    let path = path.display();
    Diagnostic::new(
        &code::SNAPSHOT_UNFIT,
        format!("快照的这一部分用不上, 其中的重新读取或计算: {path}: {error}"),
        format!("a part of the snapshot is of no use, what it held is read or made anew: {path}: {error}"),
    )
}

fn not_written(dir: &Path, error: &std::io::Error) -> Diagnostic {
    let dir = dir.display();
    Diagnostic::new(
        &code::SNAPSHOT_UNFIT,
        format!("快照写不下, 保持原样: {dir}: {error}"),
        format!("the snapshot cannot be written and stays as it was: {dir}: {error}"),
    )
    .help("检查空间和权限; 结果不受影响", "check free space and permissions; results are not affected")
}

fn no_snapshot(dir: &Path) -> Diagnostic {
    let dir = dir.display();
    Diagnostic::new(&code::BAD_ARGUMENT, format!("{dir} 里有别的东西, 不是档案快照"), format!("{dir} holds something else, not a snapshot"))
        .help("给一个空的或还没有的目录", "name a folder that is empty or not there yet")
}

fn in_use(dir: &Path) -> Diagnostic {
    let dir = dir.display();
    Diagnostic::new(&code::OUTPUT_FAILED, format!("另一次运行正在用快照 {dir}"), format!("another run uses the snapshot {dir}"))
        .help("等它完成, 或用别的目录", "wait for it, or name another folder")
}
