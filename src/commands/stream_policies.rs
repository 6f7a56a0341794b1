//! Policies that change while a stream runs: the folder is looked at now and then, loaded and checked aside, and judged by in the
//! background of the stream that serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::Context;
use super::folder::PolicyFolder;
use super::progress::Bar;
use super::stream::{Faults, failed, sound};
use crate::diagnostic::progress::Progress;
use crate::diagnostic::{Diagnostic, Message};
use crate::hex;
use crate::policy::yaml_files;
use crate::report::count;
use crate::serve::clock;
use crate::store::StoreError;
use crate::store::live::Fence;
use crate::stream::background::{Background, Stage, Switched};
use crate::stream::follow::Between;
use crate::stream::policies::{Difference, PolicyDigests};
use crate::stream::turn::TurnError;
use crate::stream::turns::Stream;

/// How soon a folder that has changed is looked at once more: it is loaded when it has come to rest.
const AT_REST: Duration = Duration::from_secs(1);

/// A policies folder without errors, as it was at a moment.
pub(super) struct Version {
    pub(super) folder: PolicyFolder,
    /// By which what is judged can be told from what is judged by others.
    pub(super) digests: PolicyDigests,
}

impl Version {
    /// Of a folder, where it has no errors.
    pub(super) fn of(folder: PolicyFolder) -> Result<Self, Faults> {
        let folder = sound(folder)?;
        let digests = PolicyDigests::of(&folder.rules(&std::collections::BTreeMap::new()));
        Ok(Self { folder, digests })
    }
}

/// Looks at a folder now and then.
pub(super) struct Watch<'w> {
    dir: PathBuf,
    /// None: never.
    every: Option<Duration>,
    context: &'w Context,
    /// What was there when it was looked at last, and when it was loaded last.
    seen: String,
    loaded: String,
    next: Instant,
    loading: Option<JoinHandle<Result<Version, Faults>>>,
}

impl<'w> Watch<'w> {
    /// Looks at a folder every so many seconds (0: never), which is loaded right after this.
    pub(super) fn new(dir: &Path, every: u64, context: &'w Context) -> Self {
        let every = (every > 0).then(|| Duration::from_secs(every));
        let now = listing(dir);
        let next = clock::moment() + every.unwrap_or_default();
        Self { dir: dir.to_owned(), every, context, seen: now.clone(), loaded: now, next, loading: None }
    }

    fn is_due(&self) -> bool {
        self.every.is_some() && self.loading.as_ref().map_or_else(|| clock::moment() >= self.next, JoinHandle::is_finished)
    }

    /// The folder as it is now, where it has changed since it was last loaded, and has no errors; these are told once.
    async fn look(&mut self) -> Option<Arc<Version>> {
        if let Some(loading) = self.loading.take_if(|loading| loading.is_finished()) {
            match loading.await {
                Ok(Ok(version)) => return Some(Arc::new(version)),
                Ok(Err(faults)) => self.refuse(&faults),
                Err(error) => tracing::error!(%error, "the policies could not be loaded"),
            }
        }
        let every = self.every?;
        if self.loading.is_some() || clock::moment() < self.next {
            return None;
        }
        let now = listing(&self.dir);
        self.next = clock::moment() + every;
        if now != self.loaded && now == self.seen {
            self.loaded.clone_from(&now);
            let dir = self.dir.clone();
            self.loading = Some(tokio::task::spawn_blocking(move || Version::of(PolicyFolder::load(&dir))));
        } else if now != self.loaded {
            self.next = clock::moment() + every.min(AT_REST);
        }
        self.seen = now;
        None
    }

    /// Tells that policies which have changed are not taken.
    pub(super) fn refuse(&self, faults: &[Diagnostic]) {
        let zh = format!("政策有变, 但有 {} 处错误, 仍按原来的政策判定; 第一处:", count(faults.len() as u64));
        let en = format!("the policies have changed, with {} errors: those of before stay; the first:", count(faults.len() as u64));
        self.say(&Message::new(zh, en));
        self.context.tell(&faults[..faults.len().min(1)]);
    }

    /// A line on stderr.
    pub(super) fn say(&self, message: &Message) {
        eprintln!("{}", self.context.say(message));
    }
}

/// Stands for the names, sizes and times of the files of a folder.
fn listing(dir: &Path) -> String {
    let mut hash = Sha256::new();
    for path in yaml_files(dir) {
        let Ok(file) = path.metadata() else { continue };
        let changed = file.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        hash.update(format!("{}\0{} {}\0", path.display(), file.len(), changed.as_nanos()));
    }
    hex::digits(&hash.finalize())
}

/// How it went on with policies.
pub(super) enum Outcome {
    /// Nothing was seen of them.
    Nothing,
    /// They are others now.
    Seen(Arc<Version>),
    /// They are again those that serve.
    Back,
    /// What stands is what the new ones find.
    Switched(Switched),
    /// So many stand otherwise that the turn is to be made in parts.
    Full,
    /// Everything is to be begun anew.
    Elsewhere,
    /// By the new ones nobody can be judged.
    Refused(Faults),
}

/// Looks for policies that change, between turns.
pub(super) struct Watching<'a, 'w> {
    pub(super) watch: &'a mut Watch<'w>,
    /// Those that serve.
    pub(super) serving: &'a Version,
    pub(super) outcome: Outcome,
}

impl Between for Watching<'_, '_> {
    fn is_due(&mut self) -> bool {
        self.watch.is_due()
    }

    async fn work(&mut self, _: &mut Stream<'_>, _: &Fence, _: i64) -> Result<bool, TurnError> {
        let Some(version) = self.watch.look().await.filter(|version| version.digests != self.serving.digests) else { return Ok(false) };
        self.outcome = Outcome::Seen(version);
        Ok(true)
    }
}

/// Judges by policies that have changed, between turns by those that serve.
pub(super) struct Beside<'a, 'w> {
    pub(super) watch: &'a mut Watch<'w>,
    pub(super) serving: &'a Version,
    pub(super) new: &'a Version,
    pub(super) background: Background<'a>,
    pub(super) bar: &'a Bar,
    /// How people call the store.
    pub(super) place: &'a str,
    pub(super) outcome: Outcome,
}

impl Between for Beside<'_, '_> {
    fn is_due(&mut self) -> bool {
        true
    }

    async fn work(&mut self, stream: &mut Stream<'_>, fence: &Fence, at: i64) -> Result<bool, TurnError> {
        if self.watch.is_due()
            && let Some(version) = self.watch.look().await
            && version.digests != self.new.digests
        {
            self.outcome = if version.digests == self.serving.digests { Outcome::Back } else { Outcome::Seen(version) };
            return Ok(true);
        }
        let before = self.background.judged();
        self.outcome = match self.background.go_on(stream, fence, at).await {
            Ok(Stage::Working) => {
                self.bar.rows(self.background.judged() - before);
                return Ok(false);
            }
            Ok(Stage::Switched(switched)) => Outcome::Switched(switched),
            Ok(Stage::Full) => Outcome::Full,
            Ok(Stage::Elsewhere) => Outcome::Elsewhere,
            Err(error @ (TurnError::Dossiers(_) | TurnError::Rows(_) | TurnError::Store(StoreError::Damaged(_)))) => {
                Outcome::Refused(failed(error, self.place))
            }
            Err(error) => return Err(error),
        };
        Ok(true)
    }
}

/// Says that policies differ from those by which everybody stands.
pub(super) fn judged_anew(difference: &Difference) -> Message {
    if difference.is_unknown {
        return Message::new(
            "存储没有记下现有结论是按哪些政策判定的: 所有对象先重判一遍",
            "the store does not say by which policies everybody was judged: all are judged anew first",
        );
    }
    let policies = count(difference.policies.len() as u64);
    Message::new(
        format!("政策与现有结论所依据的不同 ({policies} 项): 有关的对象先重判一遍"),
        format!(
            "the policies are not those by which everybody was judged ({policies} differ): all whom they concern are judged anew first"
        ),
    )
}

/// Says that policies have changed, and that they are judged by aside.
pub(super) fn seen(difference: &Difference) -> Message {
    let policies = count(difference.policies.len() as u64);
    Message::new(
        format!("政策有变 ({policies} 项): 在后台按新的重判, 其间仍按原来的判定"),
        format!("the policies have changed ({policies} of them): judged by in the background, those of before serve until then"),
    )
}

/// Says how the policies were switched.
pub(super) fn switched(done: &Switched) -> Message {
    let [judged, standing, cases] = [done.judged, done.standing, done.cases].map(count);
    Message::new(
        format!("已换用新的政策: 重判 {judged}, 结论有变 {standing}, 办件步骤 {cases}"),
        format!("switched to the new policies: judged anew {judged}, standing changed {standing}, steps of cases {cases}"),
    )
}
