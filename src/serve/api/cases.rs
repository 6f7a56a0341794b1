//! Cases: a department's queue, one with all that happened, and the steps that are the caller's to take.
//!
//! A handler has the cases of his departments in his regions; a citizen his own, and of their steps only to confirm, to
//! decline, to object and to rate; auditors and administrators read. What is shown of somebody leaves an entry in the trail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answers::{PostRefused, Refused};
use super::asked_day;
use crate::diagnostic::Message;
use crate::eligibility::grant::amount_text;
use crate::ledger::{self, Actor, Case, Command, Event, What, amount_of, possible};
use crate::register::declaration::SubjectKind;
use crate::register::identifier::mask_name;
use crate::serve::clock;
use crate::serve::dto::cases::{CaseDetail, CaseOf, EventOf, MessageOf, StepAsked, StepName};
use crate::serve::dto::diagnostics::Text;
use crate::serve::extract::{Asked, Named, Posted};
use crate::serve::guard::access::Access;
use crate::serve::guard::{Caller, mask};
use crate::serve::pages::{Page, PageOf, cursor_of};
use crate::serve::problem::Problem;
use crate::serve::rules::Rules;
use crate::serve::settings::Role;
use crate::serve::state::Serving;
use crate::serve::trail;
use crate::store::StoreError;
use crate::store::live::{Batch, CaseCursor, CaseFilter, CasePages, CaseRow, Live};
use crate::store::trail::Action;

/// Rows that are read at a time, and at most for one page: who has few cases among many is given what there is, and a cursor.
const READ: usize = 500;
const MOST_READ: usize = 20_000;

/// The longest note.
const LONGEST_NOTE: usize = 2_000;

/// Which cases.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CasesAsked {
    /// Only of this policy.
    pub policy: Option<String>,
    /// Only at this step.
    pub step: Option<String>,
    /// Only those in review, or only the others.
    pub in_review: Option<bool>,
    /// Only those due on or before this day.
    #[param(format = Date)]
    pub due_until: Option<String>,
    /// At most so many entries.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<usize>,
    /// Where to go on: `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

impl CasesAsked {
    fn page(&self) -> PageOf {
        PageOf { limit: self.limit, cursor: self.cursor.clone() }
    }

    /// What is asked for, as the store filters.
    pub fn filter(&self) -> Result<CaseFilter, Problem> {
        let known = |step: &String| ledger::Step::named(step).is_some();
        if self.step.as_ref().is_some_and(|step| !known(step)) {
            let all = ledger::Step::ALL.map(ledger::Step::name).join(", ");
            return Err(Problem::bad_request(format!("没有这个步骤; 有: {all}"), format!("no such step; there are: {all}")));
        }
        Ok(CaseFilter {
            policy: self.policy.clone(),
            steps: self.step.iter().cloned().collect(),
            in_review: self.in_review,
            due_until: self.due_until.as_deref().map(asked_day).transpose()?,
            ..CaseFilter::default()
        })
    }
}

/// Cases within reach, by identifier.
#[utoipa::path(get, path = "/cases", tag = "cases", operation_id = "listCases",
    params(("Purpose" = String, Header, description = "What the request is for"), CasesAsked),
    responses((status = 200, description = "A page of cases", body = Page<CaseOf>), Refused))]
pub async fn cases(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Asked(asked): Asked<CasesAsked>,
) -> Result<Json<Page<CaseOf>>, Problem> {
    let desk = Desk::new(&serving, &caller, &headers).await?;
    desk.page(asked.filter()?, &asked.page()).await.map(Json)
}

/// The cases of the caller's departments and regions that are not over: what is due first, first.
#[utoipa::path(get, path = "/cases/queue", tag = "cases", operation_id = "listQueue",
    params(("Purpose" = String, Header, description = "What the request is for"), CasesAsked),
    responses((status = 200, description = "A page of cases", body = Page<CaseOf>), Refused))]
pub async fn queue(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Asked(asked): Asked<CasesAsked>,
) -> Result<Json<Page<CaseOf>>, Problem> {
    let desk = Desk::new(&serving, &caller, &headers).await?;
    desk.page(queued(asked.filter()?), &asked.page()).await.map(Json)
}

/// What waits for somebody: cases that are not over, those due first, first.
#[must_use]
pub fn queued(filter: CaseFilter) -> CaseFilter {
    let open = || ledger::Step::ALL.into_iter().filter(|step| !step.is_over());
    let steps = if filter.steps.is_empty() { open().map(|step| step.name().to_owned()).collect() } else { filter.steps };
    CaseFilter { steps, by_due: true, ..filter }
}

/// One case with all that happened. `ETag` is its version.
#[utoipa::path(get, path = "/cases/{id}", tag = "cases", operation_id = "getCase",
    params(("id" = String, Path, description = "Its identifier"), ("Purpose" = String, Header, description = "What the request is for")),
    responses((status = 200, description = "The case", body = CaseDetail), Refused))]
pub async fn case(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let desk = Desk::new(&serving, &caller, &headers).await?;
    let row = desk.reached(&id).await?;
    desk.note(std::slice::from_ref(&row)).await?;
    desk.detail(&row).await.map(|detail| tagged(&detail))
}

/// Takes a step. The same `Idempotency-Key` again changes nothing; with `If-Match`, nothing is done on another version.
#[utoipa::path(post, path = "/cases/{id}/steps", tag = "cases", operation_id = "takeStep", request_body = StepAsked,
    params(("id" = String, Path, description = "The case"), ("Purpose" = String, Header, description = "What the request is for"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key of the caller's own"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the case as the caller saw it")),
    responses((status = 200, description = "The case afterwards", body = CaseDetail),
        (status = 409, description = "Not possible now; says what is", content_type = "application/problem+json", body = crate::serve::problem::ProblemBody),
        (status = 412, description = "Another moved it on meanwhile", content_type = "application/problem+json", body = crate::serve::problem::ProblemBody),
        Refused, PostRefused))]
pub async fn step(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named(id): Named<String>,
    Posted(asked): Posted<StepAsked>,
) -> Result<Response, Problem> {
    let desk = Desk::new(&serving, &caller, &headers).await?;
    let row = desk.reached(&id).await?;
    let named = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seen = named(header::IF_MATCH).filter(|tag| *tag != "*");
    let key = named(header::HeaderName::from_static("idempotency-key")).unwrap_or_default();
    let row = desk.act(row, &asked, seen, key).await?;
    desk.detail(&row).await.map(|detail| tagged(&detail))
}

fn tagged(detail: &CaseDetail) -> Response {
    ([(header::ETAG, tag(detail.case.version))], Json(detail)).into_response()
}

fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

fn unknown_case() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown-case", "没有这个办件, 或不在您的范围内", "no such case, or not within your reach")
}

/// A caller at work on cases.
pub struct Desk {
    serving: Serving,
    access: Access,
    rules: Arc<Rules>,
    /// The subjects that a citizen is, under every identifier that they have or had.
    own: Vec<(SubjectKind, String)>,
}

impl Desk {
    /// A caller, for a purpose.
    pub async fn new(serving: &Serving, caller: &Arc<Caller>, headers: &HeaderMap) -> Result<Self, Problem> {
        let access = Access::new(caller, headers, &serving.settings())?;
        let mut desk = Self { serving: serving.clone(), access, rules: serving.rules(), own: Vec::new() };
        if desk.access.role == Role::Citizen {
            for (kind, id) in &desk.access.caller.grant.subjects {
                let ids = desk.identifiers(*kind, id).await?;
                desk.own.extend(ids.into_iter().map(|id| (*kind, id)));
            }
        }
        Ok(desk)
    }

    /// The identifiers that a subject has or had: a case keeps the one that it began under.
    async fn identifiers(&self, kind: SubjectKind, id: &str) -> Result<Vec<String>, Problem> {
        let failed = |error: StoreError| self.serving.store_failed(&error);
        let Some(run) = self.serving.store().current().await.map_err(failed)? else { return Ok(vec![id.to_owned()]) };
        self.serving.looking(&*run, &self.rules).identifiers(kind, id).await.map_err(failed)
    }

    async fn live(&self) -> Result<Option<Arc<dyn Live>>, Problem> {
        self.serving.store().live_if_there().await.map_err(|error| self.serving.store_failed(&error))
    }

    /// Whether a case is the caller's to see.
    fn reaches(&self, row: &CaseRow) -> bool {
        if self.access.role == Role::Citizen {
            return self.own.iter().any(|(kind, id)| *kind == row.kind && *id == row.subject);
        }
        let departments = &self.access.caller.grant.departments;
        let handles = self.access.role != Role::Handler || departments.iter().any(|own| own == "*" || *own == row.department);
        handles && self.access.reaches(row.kind, &row.subject, &row.region, &self.rules.workspace.regions, clock::beijing())
    }

    /// A filter that leaves out nothing within reach, and as much else as one can.
    fn narrowed(&self, mut filter: CaseFilter) -> CaseFilter {
        let grant = &self.access.caller.grant;
        match self.access.role {
            Role::Citizen => filter.subjects.clone_from(&self.own),
            role => {
                if let ([own], Role::Handler) = (grant.departments.as_slice(), role)
                    && own != "*"
                {
                    filter.department = Some(own.clone());
                }
                if let [own] = grant.regions.as_slice()
                    && own != "*"
                {
                    filter.region = self.begin_of(own);
                }
            }
        }
        filter
    }

    /// How the codes of a region and of all below it begin: its own without the ending zeros; none where one begins otherwise.
    fn begin_of(&self, region: &str) -> Option<String> {
        let regions = &self.rules.workspace.regions;
        let begin = region.trim_end_matches('0').len().next_multiple_of(2).min(region.len());
        let begin = region.get(..begin)?;
        let within = |code: &str| regions.contains(region, code, clock::beijing());
        let is_odd = regions.regions().any(|below| !below.code.starts_with(begin) && within(&below.code));
        (!is_odd).then(|| begin.to_owned())
    }

    /// A page of cases within reach; each leaves an entry in the trail of its subject.
    pub async fn page(&self, filter: CaseFilter, asked: &PageOf) -> Result<Page<CaseOf>, Problem> {
        let (rows, next) = self.rows(filter, asked).await?;
        self.note(&rows).await?;
        let items = rows.iter().map(|row| self.told(row)).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    async fn rows(&self, filter: CaseFilter, asked: &PageOf) -> Result<(Vec<CaseRow>, Option<String>), Problem> {
        let limit = asked.limit()?;
        let mut after = asked.after()?.map(|key| cursor(&key)).transpose()?;
        let filter = CaseFilter { limit: READ, after: after.clone(), ..self.narrowed(filter) };
        let Some(live) = self.live().await? else { return Ok((Vec::new(), None)) };
        let mut pages = CasePages::new(&*live, filter);
        let (mut found, mut read) = (Vec::new(), 0);
        while let Some(page) = pages.next().await.map_err(|error| self.serving.store_failed(&error))? {
            if read >= MOST_READ {
                return Ok((found, after.as_ref().map(key)));
            }
            read += page.len();
            for row in page {
                let here = row.cursor();
                if self.reaches(&row) {
                    if found.len() == limit {
                        return Ok((found, after.as_ref().map(key)));
                    }
                    found.push(row);
                }
                after = Some(here);
            }
        }
        Ok((found, None))
    }

    /// The cases of a subject that the caller was let see, newest period first.
    pub async fn of_subject(&self, kind: SubjectKind, id: &str) -> Result<Vec<CaseOf>, Problem> {
        let Some(live) = self.live().await? else { return Ok(Vec::new()) };
        let subjects = self.identifiers(kind, id).await?.into_iter().map(|id| (kind, id)).collect();
        let filter = CaseFilter { subjects, limit: READ, ..CaseFilter::default() };
        let mut rows = live.cases(&filter).await.map_err(|error| self.serving.store_failed(&error))?;
        rows.retain(|row| self.reaches(row));
        rows.sort_by(|one, other| (&other.period, &one.policy, &one.id).cmp(&(&one.period, &other.policy, &other.id)));
        rows.iter().map(|row| self.told(row)).collect()
    }

    /// A case within reach. One that is not, and none, are answered alike; a look at one that is not is written down.
    pub async fn reached(&self, id: &str) -> Result<CaseRow, Problem> {
        let Some(live) = self.live().await? else { return Err(unknown_case()) };
        let row = live.case(id).await.map_err(|error| self.serving.store_failed(&error))?;
        match row {
            Some(row) if self.reaches(&row) => Ok(row),
            Some(row) => {
                let refused = trail::about(&self.access, Action::Refused, (row.kind, &row.subject), vec![row.policy.clone()]);
                self.serving.trail().note(refused).await?;
                Err(unknown_case())
            }
            None => Err(unknown_case()),
        }
    }

    /// Writes down a look at cases.
    pub async fn note(&self, rows: &[CaseRow]) -> Result<(), Problem> {
        let mut of_subjects: BTreeMap<(SubjectKind, &str), BTreeSet<String>> = BTreeMap::new();
        for row in rows {
            of_subjects.entry((row.kind, &row.subject)).or_default().insert(row.policy.clone());
        }
        let notes = of_subjects.into_iter().map(|(subject, policies)| {
            let policies = policies.into_iter().collect();
            self.serving.trail().note(trail::about(&self.access, Action::ReadServices, subject, policies))
        });
        futures::future::try_join_all(notes).await.map(|_| ())
    }

    /// A case with all that happened, once its entry in the trail is written.
    pub async fn detail(&self, row: &CaseRow) -> Result<CaseDetail, Problem> {
        let Some(live) = self.live().await? else { return Err(unknown_case()) };
        let failed = |error: StoreError| self.serving.store_failed(&error);
        let events = live.case_events(&row.id).await.map_err(failed)?;
        let messages = live.messages_of(&row.id).await.map_err(failed)?;
        let events = events
            .iter()
            .map(|event| {
                let read = event.content.as_ref().map(|(_, content)| Event::read(content)).transpose().map_err(failed)?;
                Ok(self.event(event.version, event.at, read))
            })
            .collect::<Result<_, Problem>>()?;
        let messages = messages
            .into_iter()
            .map(|row| MessageOf { id: row.message.id, channel: row.message.channel, state: row.state.name(), at: clock::told(row.at) })
            .collect();
        Ok(CaseDetail { case: self.told(row)?, events, messages })
    }

    fn event(&self, version: u64, at: i64, event: Option<Event>) -> EventOf {
        let at = clock::told(at);
        let Some(event) = event else {
            let label = Text::from(&Message::new("(内容已删除)", "(erased)"));
            let (day, what, actor, department, role, amount) = (None, None, None, None, None, None);
            return EventOf { version, at, day, what, label, actor, department, role, amount, note: String::new() };
        };
        let (unmasked, is_citizen) = (self.access.purpose.unmasked, self.access.role == Role::Citizen);
        // The subject sees its own name, not that of whoever objected; officials note a review for each other.
        let is_open = match event.actor.role {
            ledger::Role::Official | ledger::Role::System => true,
            ledger::Role::Subject => unmasked,
            ledger::Role::Public => unmasked && !is_citizen,
        };
        let shown = |name: &str| if is_open { name.to_owned() } else { mask_name(name) };
        let is_withheld = is_citizen && (event.actor.role == ledger::Role::Public || matches!(event.what, What::Reviewed));
        let amount = match &event.what {
            What::Found { grant, .. } => grant.amount,
            What::Corrected { after, .. } => *after,
            What::Paid { amount } | What::Questioned { amount, .. } => *amount,
            What::Reckoned { now, .. } => *now,
            _ => None,
        };
        EventOf {
            version,
            at,
            day: Some(event.day.to_string()),
            what: Some(event.what.name()),
            label: Text::from(&event.what.label()),
            actor: Some(shown(&event.actor.name)),
            department: Some(event.actor.department.clone()).filter(|department| !department.is_empty()),
            role: Some(Text::from(&event.actor.role.label())),
            amount: amount.map(amount_text),
            note: match (is_withheld, unmasked) {
                (true, _) => String::new(),
                (false, true) => event.note,
                (false, false) => mask::inside(&event.note),
            },
        }
    }

    /// The caller as an actor on a case; none for who only reads.
    fn actor(&self, row: &CaseRow) -> Option<Actor> {
        let caller = &self.access.caller;
        match self.access.role {
            Role::Handler => Some(Actor::official(&caller.name, &caller.id, &row.department)),
            Role::Citizen => Some(Actor::subject(&caller.name, &caller.id)),
            Role::PolicyAuthor | Role::Auditor | Role::Administrator => None,
        }
    }

    /// A case as lists show it.
    fn told(&self, row: &CaseRow) -> Result<CaseOf, Problem> {
        let case = Case::of(row).map_err(|error| self.serving.store_failed(&error))?;
        let shown = |id: &str| if self.access.purpose.unmasked { id.to_owned() } else { mask::identifier(id) };
        let today = clock::beijing();
        let grant = &case.grant;
        Ok(CaseOf {
            id: row.id.clone(),
            version: row.version,
            policy: grant.policy.clone(),
            name: Text::from(&self.rules.name(&grant.policy, grant.version)),
            kind: grant.kind.into(),
            subject: shown(&grant.subject),
            region: grant.region.clone(),
            department: grant.department.clone(),
            period: grant.period.clone(),
            occasion: grant
                .occasion
                .as_deref()
                .map(|occasion| if self.access.purpose.unmasked { occasion.to_owned() } else { mask::text(occasion) }),
            member: grant.member.as_deref().map(shown),
            amount: case.amount.map(amount_text),
            unit: grant.unit.clone(),
            corrects: case.corrects.clone(),
            step: case.step.name(),
            reviews: case.open.keys().map(|why| Text::from(&why.label())).collect(),
            waits_for: Text::from(&case.next(today).label()),
            due: case.due().map(|day| day.to_string()),
            possible: self.actor(row).map(|actor| possible(&case, &actor, today)).unwrap_or_default(),
        })
    }

    /// Takes a step of a case within reach; gives the case afterwards.
    pub async fn act(&self, row: CaseRow, asked: &StepAsked, seen: Option<&str>, key: &str) -> Result<CaseRow, Problem> {
        let Some(actor) = self.actor(&row) else {
            return Err(Problem::forbidden("这一身份只能查看办件", "this role only reads cases"));
        };
        if asked.note.chars().count() > LONGEST_NOTE {
            return Err(Problem::unprocessable(
                format!("说明最长 {LONGEST_NOTE} 字"),
                format!("a note has at most {LONGEST_NOTE} characters"),
            ));
        }
        if key.len() > 200 {
            return Err(Problem::bad_request("Idempotency-Key 最长 200 字节", "Idempotency-Key has at most 200 bytes"));
        }
        let command = command(asked)?;
        // What is refused tells of the case too.
        self.note(std::slice::from_ref(&row)).await?;
        let request = if key.is_empty() { String::new() } else { format!("{}:{key}", self.access.caller.id) };
        let step = ledger::act(&row, &command, &actor, (&asked.note, &request), clock::beijing());
        let step = step.map_err(|error| self.serving.store_failed(&error))?.map_err(|refusal| {
            let told = refusal.told();
            Problem::new(StatusCode::CONFLICT, "illegal-step", told.zh, told.en)
        });
        // Who asks the same again has seen an older version.
        let Some(step) = step.map_err(|refused| if is_stale(seen, &row) { stale() } else { refused })? else { return Ok(row) };
        if is_stale(seen, &row) {
            return Err(stale());
        }
        let Some(live) = self.live().await? else { return Err(unknown_case()) };
        let batch = Batch { at: clock::now(), cases: vec![step], ..Batch::default() };
        live.commit(&batch).await.map_err(|error| match error {
            StoreError::Raced(_) => stale(),
            error => self.serving.store_failed(&error),
        })?;
        let after = live.case(&row.id).await.map_err(|error| self.serving.store_failed(&error))?;
        after.ok_or_else(unknown_case)
    }
}

fn is_stale(seen: Option<&str>, row: &CaseRow) -> bool {
    seen.is_some_and(|seen| seen.trim_start_matches("W/") != tag(row.version))
}

fn stale() -> Problem {
    let (zh, en) = ("办件已被他人推进, 请重新打开", "another moved the case on meanwhile: open it again");
    Problem::new(StatusCode::PRECONDITION_FAILED, "raced", zh, en)
}

fn command(asked: &StepAsked) -> Result<Command, Problem> {
    let amount = match &asked.amount {
        Some(text) => {
            Some(amount_of(text.trim()).ok_or_else(|| Problem::unprocessable("金额应如 120.50", "an amount is written as 120.50"))?)
        }
        None => None,
    };
    Ok(match asked.step {
        StepName::Review => Command::Review,
        StepName::Publish => Command::Publish,
        StepName::Tell => Command::Tell { channel: "hand".to_owned(), message: String::new() },
        StepName::Confirm => Command::Confirm,
        StepName::Decline => Command::Decline,
        StepName::Return => Command::Return,
        StepName::Object => Command::Object,
        StepName::Correct => Command::Correct { amount },
        StepName::Withdraw => Command::Withdraw,
        StepName::Pay => Command::Pay { amount },
        StepName::Rate => Command::Rate { stars: asked.stars.unwrap_or(0) },
        StepName::Close => Command::Close,
        StepName::Lapse => Command::Lapse,
    })
}

/// The key of a place in a list: the day, if any, and the case.
fn key(cursor: &CaseCursor) -> String {
    cursor_of(&format!("{}|{}", cursor.due.map(|day| day.to_string()).unwrap_or_default(), cursor.id))
}

fn cursor(key: &str) -> Result<CaseCursor, Problem> {
    let bad = || Problem::bad_request("cursor 不是上一页给出的", "the cursor is not one that a page gave");
    let (due, id) = key.split_once('|').ok_or_else(bad)?;
    let due = if due.is_empty() { None } else { Some(crate::yaml::parse_date(due).ok_or_else(bad)?) };
    Ok(CaseCursor { due, id: id.to_owned() })
}
