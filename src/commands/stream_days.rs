//! The days of the stream: what policies make of each, the turn to the next, and changes followed from day to day.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Days, NaiveDate};

use super::folder::PolicyFolder;
use super::progress::Bar;
use super::stream::{Faults, TurnArgs, failed, followed, not_followed, open, policies, told};
use super::stream_policies::{Beside, Outcome, Version, Watch, Watching, judged_anew, seen, switched};
use super::{Context, Exit};
use crate::check::CheckedPolicy;
use crate::diagnostic::progress::{Cancel, Progress};
use crate::diagnostic::{Diagnostic, Message, code};
use crate::report::count;
use crate::serve::clock;
use crate::store::live::Live;
use crate::store::{Held, StoreError};
use crate::stream::background::Background;
use crate::stream::change::Decoder;
use crate::stream::day::{Means, Turned, next_turn};
use crate::stream::follow::{Follower, Leased, Rest};
use crate::stream::holder;
use crate::stream::judge::{Ground, Judge, before_allocation};
use crate::stream::policies::Difference;
use crate::stream::policy_turn::next_policy_turn;
use crate::stream::source::Clock;
use crate::stream::state::State;
use crate::stream::turns::Stream;

/// How long a turn of its own waits for the lease: one that was killed holds it no longer.
const WAIT: Duration = Duration::from_secs(40);

/// The policies of a day, before allocation.
pub(super) struct OfDay {
    in_force: BTreeMap<String, CheckedPolicy>,
    held: BTreeSet<String>,
    chosen: Vec<CheckedPolicy>,
    day: NaiveDate,
}

impl OfDay {
    pub(super) fn new(folder: &PolicyFolder, day: NaiveDate) -> Self {
        let (in_force, held) = before_allocation(folder.in_force(day, None));
        let chosen = in_force.values().cloned().collect();
        Self { in_force, held, chosen, day }
    }
}

/// What streams of all days are made of.
pub(super) struct Places {
    /// The policies, as they are at the beginning.
    pub(super) version: Arc<Version>,
    /// The store, and how people call it.
    pub(super) live: Arc<dyn Live>,
    pub(super) place: String,
    /// Where files may lie.
    pub(super) scratch: PathBuf,
    pub(super) threads: usize,
    /// The registers that are followed, where they are named.
    pub(super) followed: Option<BTreeSet<String>>,
}

impl Places {
    /// Does something with a judge of a day.
    pub(super) async fn judging<T>(
        &self,
        folder: &PolicyFolder,
        of: &OfDay,
        state: State,
        work: impl AsyncFnOnce(Judge<'_>) -> Result<T, Faults>,
    ) -> Result<T, Faults> {
        let binder = folder.binder(of.day, None, &of.in_force);
        let State { data_days, allow_missing, .. } = state;
        let ground = Ground {
            policies: &of.chosen,
            catalogue: folder.checked.catalogue.clone(),
            binder: &binder,
            data_days,
            allow_missing,
            held: of.held.clone(),
            scratch: self.scratch.clone(),
            threads: self.threads,
        };
        work(Judge::new(ground).map_err(told)?).await
    }

    fn store(&self, error: StoreError) -> Faults {
        vec![error.into_diagnostic(&self.place)]
    }

    /// The day and the state of the store.
    pub(super) async fn state(&self) -> Result<(NaiveDate, State), Faults> {
        let state = self.live.state().await.map_err(|error| self.store(error))?;
        state.and_then(|state| Some((state.as_of, State::read(&state.body)?))).ok_or_else(|| {
            let place = &self.place;
            let (zh, en) = (format!("{place} 的实时部分还没有登记库"), format!("the live part of {place} holds no registers yet"));
            let told = Diagnostic::new(&code::STORE_FAILED, zh, en);
            vec![told.help("先运行 mianshen stream load", "run mianshen stream load first")]
        })
    }

    /// Makes the turn to these policies where what stands was judged by others, and the turns up to a day; one that is under way in
    /// any case.
    async fn turn(&self, version: &Version, until: NaiveDate, held: &mut Leased, means: &TurnMeans<'_>) -> Result<Turns, Faults> {
        let mut turns = Turns::default();
        let nothing = BTreeMap::new();
        let rules = version.folder.rules(&nothing);
        loop {
            let to_policies = next_policy_turn(&*self.live, &version.digests).await.map_err(|error| self.store(error))?;
            let turn = if let Some((turn, difference)) = to_policies {
                eprintln!("{}", means.context.say(&judged_anew(&difference)));
                turn
            } else {
                let next = next_turn(&*self.live, &rules, self.followed.as_ref(), until).await;
                let Some(turn) = next.map_err(|error| self.store(error))? else { return Ok(turns) };
                turn
            };
            let began = clock::moment();
            held.renew_in_time().await.map_err(|error| self.store(error))?;
            let fence = held.fence().clone();
            let (clock, cancel) = (Arc::clone(means.clock), means.cancel.clone());
            let of = OfDay::new(&version.folder, turn.to);
            let turned = self.judging(&version.folder, &of, turn.state.clone(), async |judge| {
                let mut stream = Stream::new(Arc::clone(&self.live), judge).map_err(|error| failed(error, &self.place))?;
                let means = Means { fence, clock, progress: means.bar, cancel };
                stream.turn_day(&turn, &means).await.map_err(|error| failed(error, &self.place))
            });
            let turned = held.during(Box::pin(turned)).await.map_err(|error| self.store(error))??;
            means.bar.clear();
            let seconds = began.elapsed().as_secs_f64();
            let policies = turn.policies.is_some();
            tracing::info!(to = %turn.to, policies, judged = turned.judged, standing = turned.standing, whole = turned.whole, seconds, "day");
            turns.add(&turned, policies);
            if !turned.complete {
                return Ok(turns);
            }
        }
    }

    /// Follows sources; with `turns`, from day to day by the clock. Policies that change are judged by in the background, and then
    /// take the place of those that serve.
    pub(super) async fn follow(
        &self,
        follower: &mut Follower<'_>,
        turns: bool,
        decoder: &dyn Fn(&PolicyFolder) -> Decoder,
        watch: &mut Watch<'_>,
        means: &TurnMeans<'_>,
    ) -> Result<(), Faults> {
        let (mut serving, mut new) = (Arc::clone(&self.version), None::<Arc<Version>>);
        loop {
            let (as_of, state) = self.state().await?;
            // A generation that was loaded meanwhile may be of the new ones already.
            if let Some(version) = new.take_if(|version| state.policies.as_ref() == Some(&version.digests)) {
                serving = version;
            }
            let until = if turns { clock::beijing() } else { as_of };
            self.turn(&serving, until, follower.held(), means).await?;
            if means.cancel.is_cancelled() {
                return Ok(());
            }
            follower.decode_by(decoder(&serving.folder));
            let (as_of, state) = self.state().await?;
            let midnight = turns.then(|| end_of(as_of));
            let of = OfDay::new(&serving.folder, as_of);
            let (rest, outcome) = self
                .judging(&serving.folder, &of, state.clone(), async |judge| {
                    let stream = Stream::new(Arc::clone(&self.live), judge).map_err(|error| failed(error, &self.place))?;
                    let mut stream = stream.following(self.followed.clone());
                    let Some(new) = &new else {
                        let mut watching = Watching { watch: &mut *watch, serving: &serving, outcome: Outcome::Nothing };
                        let rest = follower.run_with(&mut stream, midnight, &mut watching).await;
                        return Ok((rest.map_err(|error| not_followed(error, &self.place))?, watching.outcome));
                    };
                    let versions = (&*serving, &**new);
                    Box::pin(self.beside(versions, &mut stream, state, (&mut *follower, midnight), &mut *watch, means)).await
                })
                .await?;
            if rest == Rest::Ended {
                return Ok(());
            }
            match outcome {
                Outcome::Nothing | Outcome::Elsewhere => {}
                Outcome::Seen(version) => {
                    watch.say(&seen(&version.digests.differ_from(Some(&serving.digests))));
                    new = Some(version);
                }
                Outcome::Back => new = None,
                Outcome::Switched(done) => {
                    watch.say(&switched(&done));
                    serving = new.take().unwrap_or(serving);
                }
                // The turn to the new ones comes first, in parts.
                Outcome::Full => serving = new.take().unwrap_or(serving),
                Outcome::Refused(faults) => {
                    watch.refuse(&faults);
                    new = None;
                }
            }
        }
    }

    /// Follows sources by the policies that serve, while those that are new are judged by between turns.
    async fn beside(
        &self,
        (serving, new): (&Version, &Version),
        stream: &mut Stream<'_>,
        state: State,
        (follower, midnight): (&mut Follower<'_>, Option<i64>),
        watch: &mut Watch<'_>,
        means: &TurnMeans<'_>,
    ) -> Result<(Rest, Outcome), Faults> {
        // Whoever was judged by those that serve, and whoever was loaded by others meanwhile.
        let mut difference: Difference = new.digests.differ_from(Some(&serving.digests));
        difference.add(new.digests.differ_from(state.policies.as_ref()));
        if serving.digests.lack_kinds_of(&new.digests) {
            return Ok((Rest::Asked, Outcome::Full));
        }
        let of = OfDay::new(&new.folder, stream.as_of());
        let followed = self
            .judging(&new.folder, &of, state, async |judge| {
                let of_new = match Stream::new(Arc::clone(&self.live), judge) {
                    Ok(of_new) => of_new,
                    Err(error) => return Ok(Ok((Rest::Asked, Outcome::Refused(failed(error, &self.place))))),
                };
                let background = Background::new(of_new, new.digests.clone(), &difference);
                means.bar.stage(Message::new("后台按新的政策重判", "judged by the new policies"), None);
                let mut beside = Beside { watch, serving, new, background, bar: means.bar, place: &self.place, outcome: Outcome::Nothing };
                let rest = follower.run_with(stream, midnight, &mut beside).await;
                means.bar.clear();
                // What fails here is not to be told as a fault of the new policies.
                Ok(rest.map(|rest| (rest, beside.outcome)).map_err(|error| not_followed(error, &self.place)))
            })
            .await;
        // A judge that cannot be made of them is.
        followed.unwrap_or_else(|faults| Ok((Rest::Asked, Outcome::Refused(faults))))
    }
}

/// What turns are made with, whoever asks for them.
pub(super) struct TurnMeans<'t> {
    pub(super) clock: &'t Clock,
    pub(super) bar: &'t Bar,
    pub(super) cancel: &'t Cancel,
    pub(super) context: &'t Context,
}

/// What turns did.
#[derive(Default)]
struct Turns {
    days: u64,
    sum: Turned,
}

impl Turns {
    fn add(&mut self, turned: &Turned, policies: bool) {
        self.days += u64::from(turned.complete && !policies);
        self.sum.judged += turned.judged;
        self.sum.standing += turned.standing;
        self.sum.cases += turned.cases;
        self.sum.parts += turned.parts;
    }
}

/// When a day ends in Beijing, in microseconds since 1970 (UTC).
fn end_of(day: NaiveDate) -> i64 {
    const EIGHT_HOURS: i64 = 8 * 3_600 * 1_000_000;
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    next.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros() - EIGHT_HOURS
}

/// Runs `stream turn`.
pub(super) async fn turn(args: &TurnArgs, context: &Context, threads: usize, cancel: Cancel) -> Result<(String, Exit), Faults> {
    let folder = policies(&args.common.policies)?;
    let followed = followed(&args.followed, args.settings.as_deref(), &folder)?;
    let (place, scratch, live) = open(&args.common.store, false).await?;
    let places = Places { version: Arc::new(Version::of(folder)?), live, place, scratch, threads, followed };
    let (before, _) = places.state().await?;
    let until = args.to.unwrap_or_else(clock::beijing);
    if until < before {
        let (zh, en) = (format!("--to {until} 早于现在的判定日 {before}"), format!("--to {until} is before the day that stands, {before}"));
        let told = Diagnostic::new(&code::BAD_ARGUMENT, zh, en);
        return Err(vec![
            told.help("日子不能倒退; 要退回, 重新运行 mianshen stream load", "days do not go back; load again, with mianshen stream load"),
        ]);
    }
    let clock: Clock = Arc::new(clock::now);
    let holder = holder::own();
    let held = tokio::time::timeout(WAIT, Leased::take(&places.live, &holder, &clock, &cancel)).await;
    let held = held.unwrap_or(Err(StoreError::Busy(Held::Lease))).map_err(|error| places.store(error))?;
    let bar = Bar::new(context);
    let turns = match held {
        Some(mut held) => {
            let means = TurnMeans { clock: &clock, bar: &bar, cancel: &cancel, context };
            let turns = places.turn(&places.version, until, &mut held, &means).await?;
            held.release().await.map_err(|error| places.store(error))?;
            turns
        }
        None => Turns::default(),
    };
    let (now, state) = places.state().await?;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let parts = [
        (pick("转日", "turns"), turns.days),
        (pick("重判对象", "judged anew"), turns.sum.judged),
        (pick("结论有变", "standing changed"), turns.sum.standing),
        (pick("办件步骤", "steps of cases"), turns.sum.cases),
        (pick("提交", "commits"), turns.sum.parts),
    ];
    let parts: Vec<String> = parts.iter().map(|(label, number)| format!("{label} {}", count(*number))).collect();
    let mut summary = format!("{} {before} → {now} · {}\n", pick("判定日", "as of"), parts.join(" · "));
    if let Some(turning) = state.turning {
        let unfinished = match turning.policies {
            Some(_) => Message::new("按新的政策重判还没有做完, 再运行一次", "not all are judged by the new policies yet, run it again"),
            None => Message::new(
                format!("转入 {} 还没有做完, 再运行一次", turning.to),
                format!("the turn to {} is not done yet, run it again", turning.to),
            ),
        };
        summary.push_str(context.say(&unfinished));
        summary.push('\n');
        return Ok((summary, Exit::Findings));
    }
    Ok((summary, Exit::Clean))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_end_at_midnight_in_beijing() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        assert_eq!(clock::told(end_of(day("2026-06-30"))), "2026-06-30T16:00:00.000000Z");
        assert_eq!(clock::told(end_of(day("2024-02-28"))), "2024-02-28T16:00:00.000000Z");
    }
}
