//! What each address shows: data fetched, scope narrowed, page framed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Form, Path};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use maud::{Markup, html};
use serde::Deserialize;

use super::bench::{self, Draft};
use super::bench_answer::{self, Telling};
use super::desk::State as DeskState;
use super::frame::Page;
use super::overview::{self, Overview};
use super::visit::{Visit, html as html_page};
use super::{assets, policies as policy_pages, runs as run_pages};
use crate::cases::{Book, outcome};
use crate::policy::document::{Case, PolicyDocument};
use crate::policy::{Standing, standings};
use crate::register::Sources;
use crate::register::declaration::SubjectKind;
use crate::report::site::{self, Source};
use crate::serve::api::at_work;
use crate::serve::figures::{self, Coverage, Scope, Summed, least};
use crate::serve::guard::Caller;
use crate::serve::problem::Problem;
use crate::serve::rules::Rules;
use crate::serve::settings::Role;
use crate::serve::trail::of_caller;
use crate::simulate::trial::{Edit, Telling as Told, Text};
use crate::store::trail::Action;
use crate::store::{RunId, StoredRun};

/// The page of the condition language that the site is made with.
const LANGUAGE: &str = include_str!("../../../docs/language.md");

/// How many people of each policy and kind of change the bench looks at.
const PEOPLE: usize = 2;

/// What a page is about: the policies of the moment, the run of the moment if there is one, and the day.
struct Moment {
    rules: Arc<Rules>,
    run: Option<Arc<dyn StoredRun>>,
    as_of: NaiveDate,
}

impl Moment {
    async fn of(visit: &Visit) -> Result<Self, Response> {
        let serving = visit.console.serving();
        let rules = serving.rules();
        let run = serving.store().current().await.map_err(|error| visit.trouble(&serving.store_failed(&error)))?;
        let as_of = match &run {
            Some(run) => run.run().summary.as_of,
            None => newest(serving.settings().sources.as_deref()).unwrap_or_default(),
        };
        Ok(Self { rules, run, as_of })
    }

    /// The run and its day.
    fn of_run(&self) -> (Option<RunId>, NaiveDate) {
        (self.run.as_ref().map(|run| run.run().summary.id), self.as_of)
    }

    async fn table(&self, visit: &Visit, name: &str) -> Result<Vec<arrow::array::RecordBatch>, Response> {
        let Some(run) = &self.run else { return Ok(Vec::new()) };
        run.table(name).await.map_err(|error| visit.trouble(&visit.console.serving().store_failed(&error)))
    }

    async fn coverage(&self, visit: &Visit) -> Result<Vec<Coverage>, Response> {
        Ok(figures::coverage(&self.table(visit, "coverage").await?))
    }
}

fn newest(sources: Option<&std::path::Path>) -> Option<NaiveDate> {
    Sources::load(sources?).ok()?.sources.values().map(|source| source.data_day).max()
}

/// What of the figures somebody may see: a handler those of his departments and regions.
fn scope(caller: &Caller, rules: &Rules, rows: &[Coverage], as_of: NaiveDate) -> Scope {
    if caller.is_any(&[Role::PolicyAuthor, Role::Auditor, Role::Administrator]) {
        return Scope::default();
    }
    let grant = &caller.grant;
    let all = |list: &[String]| list.iter().any(|one| one == "*");
    let regions = &rules.workspace.regions;
    let reaches =
        |county: &str| grant.regions.iter().any(|own| !county.is_empty() && (own == county || regions.contains(own, county, as_of)));
    let counties: BTreeSet<String> = rows.iter().map(|row| row.county.clone()).filter(|county| reaches(county)).collect();
    Scope { policies: caller.figures_of(&rules.workspace.set.policies), counties: (!all(&grant.regions)).then_some(counties) }
}

/// A page, or the page that says why there is none.
fn either(page: Result<Response, Response>) -> Response {
    page.unwrap_or_else(|other| other)
}

/// The overview.
pub(super) async fn overview(visit: Visit) -> Response {
    if !visit.reach.figures && visit.reach.subjects {
        return axum::response::Redirect::to(&visit.words.at("subjects")).into_response();
    }
    either(overview_of(&visit).await)
}

async fn overview_of(visit: &Visit) -> Result<Response, Response> {
    visit.must(visit.reach.figures)?;
    let words = visit.words;
    let title = words.pick("总览", "Overview");
    let moment = Moment::of(visit).await?;
    let Some(run) = &moment.run else {
        let body = html! { h1 { (title) } p.notice { (words.pick("还没有装入批次: 运行 mianshen match --store", "No run was loaded yet: run mianshen match --store")) } };
        return Ok(visit.page(title, "", &body));
    };
    let rows = moment.coverage(visit).await?;
    let scope = scope(&visit.caller, &moment.rules, &rows, moment.as_of);
    let rows = scope.rows(rows);
    let (by_policy, all) = figures::summed(&rows, |row| &row.policy, least(&visit.caller));
    let (by_county, _) = figures::summed(&rows, |row| &row.county, least(&visit.caller));
    let requests = figures::data_requests(&moment.table(visit, "data_requests").await?);
    let quarantine = figures::quarantine(&moment.table(visit, "quarantine").await?);
    let serving = visit.console.serving();
    let mut runs = serving.store().runs().await.map_err(|error| visit.trouble(&serving.store_failed(&error)))?;
    runs.reverse();
    let is_narrow = scope.policies.is_some() || scope.counties.is_some();
    let judged = SubjectKind::ALL.map(|kind| run.run().manifest.counts.judged.get(kind.name()).copied().unwrap_or(0));
    let workspace = &moment.rules.workspace;
    let body = overview::body(&Overview {
        words,
        as_of: moment.as_of.to_string(),
        judged: if is_narrow { [0; 3] } else { judged },
        by_policy,
        by_county,
        all,
        runs: if is_narrow { Vec::new() } else { runs.iter().map(|run| (run.as_of.to_string(), run.granted)).collect() },
        requests: if is_narrow { Vec::new() } else { requests },
        least: least(&visit.caller),
        quarantine: if is_narrow { Vec::new() } else { quarantine },
        set: &workspace.set,
        catalogue: &workspace.checked.catalogue,
        registers: &workspace.registers,
        regions: &workspace.regions,
    });
    Ok(visit.page(title, "", &body))
}

/// The list of policies.
pub(super) async fn policies(visit: Visit) -> Response {
    either(policies_of(&visit).await)
}

async fn policies_of(visit: &Visit) -> Result<Response, Response> {
    visit.must(visit.reach.figures)?;
    let moment = Moment::of(visit).await?;
    let rows = moment.coverage(visit).await?;
    let scope = scope(&visit.caller, &moment.rules, &rows, moment.as_of);
    let (lines, _) = figures::summed(&scope.rows(rows), |row| &row.policy, least(&visit.caller));
    let figures: BTreeMap<String, Summed> = lines.into_iter().map(|line| (line.of.clone(), line)).collect();
    let list = policy_pages::List {
        words: visit.words,
        workspace: &moment.rules.workspace,
        as_of: moment.as_of,
        figures,
        sees: &|code| scope.has_policy(code),
    };
    Ok(visit.page(visit.words.pick("政策", "Policies"), "policies", &policy_pages::list(&list)))
}

/// The version of a policy that is shown on a day.
fn shown<'r>(rules: &'r Rules, code: &str, as_of: NaiveDate) -> Option<&'r Arc<PolicyDocument>> {
    let policies = &rules.workspace.set.policies;
    let of_code = policies.iter().zip(standings(policies, as_of)).filter(|(document, _)| document.code == code);
    of_code.max_by_key(|(document, standing)| (*standing == Standing::InForce, document.version)).map(|(document, _)| document)
}

/// The page of a policy; its guide where the address ends as those of the site do.
pub(super) async fn policy(visit: Visit, Path((_, code)): Path<(String, String)>) -> Response {
    if code.strip_suffix(".html").is_some() {
        return site_at(&visit, &format!("policies/{code}")).await;
    }
    either(policy_of(&visit, &code).await)
}

async fn policy_of(visit: &Visit, code: &str) -> Result<Response, Response> {
    visit.must(visit.reach.figures)?;
    let moment = Moment::of(visit).await?;
    let rows = moment.coverage(visit).await?;
    let scope = scope(&visit.caller, &moment.rules, &rows, moment.as_of);
    let missing = || visit.trouble(&Problem::not_found("没有这项政策", "no such policy"));
    let Some(document) = shown(&moment.rules, code, moment.as_of).cloned() else {
        return Err(missing());
    };
    let own: Vec<Coverage> = scope.rows(rows).into_iter().filter(|row| row.policy == code).collect();
    let (by_county, all) = figures::summed(&own, |row| &row.county, least(&visit.caller));
    let outside = !scope.has_policy(code);
    let sees = |county: &str| !outside && scope.has_county(county);
    let funnel = figures::funnel(&moment.table(visit, "funnel").await?, code, &sees);
    let requests = figures::data_requests(&moment.table(visit, "data_requests").await?);
    let (words, rules, as_of, code) = (visit.words, Arc::clone(&moment.rules), moment.as_of, code.to_owned());
    let made = at_work(move || {
        let workspace = &rules.workspace;
        let cases = all_cases(&rules);
        let parts = site::parts(&source(&rules, &cases, as_of), words.0, &code);
        let book = Book::new(&workspace.checked, &workspace.set, &workspace.regions);
        let own = workspace.cases.get(&code).map_or(&[][..], Vec::as_slice);
        Ok((parts, own.iter().map(|case| outcome::run(&book, &code, case)).collect::<Vec<_>>()))
    });
    let (parts, cases) = made.await.map_err(|problem| visit.trouble(&problem))?;
    let parts = parts.ok_or_else(missing)?;
    let day = moment.rules.on(moment.as_of);
    let run = moment.run.as_ref().map(|run| Arc::clone(run.run()));
    let is_judged = !own.is_empty() || run.as_ref().is_some_and(|run| run.policy(&document.code).is_some());
    let sheet = policy_pages::Sheet {
        words,
        workspace: &moment.rules.workspace,
        document: &document,
        checked: day.in_force.get(&document.code),
        parts,
        figures: (is_judged && !outside).then_some(all),
        outside,
        by_county,
        steps: figures::steps_shown(&funnel, least(&visit.caller)),
        cases,
        requests: requests.into_iter().filter(|asked| asked.whole_register).collect(),
        silent: run.iter().flat_map(|run| run.silent.iter().map(|(name, cause)| (name.to_string(), *cause))).collect(),
        data_days: run.iter().flat_map(|run| run.data_days.iter().map(|(name, day)| (name.to_string(), *day))).collect(),
        bench: visit.reach.bench,
    };
    let title = format!("{} {}", words.say(&document.name), document.code);
    Ok(visit.page(&title, &format!("policies/{}", document.code), &policy_pages::sheet(&sheet)))
}

fn all_cases(rules: &Rules) -> Vec<Vec<Case>> {
    let of = |document: &Arc<PolicyDocument>| {
        let cases = rules.workspace.cases.get(&document.code).map_or(&[][..], Vec::as_slice);
        cases.iter().map(|case| case.case.clone()).collect()
    };
    rules.workspace.set.policies.iter().map(of).collect()
}

fn source<'a>(rules: &'a Rules, cases: &'a [Vec<Case>], as_of: NaiveDate) -> Source<'a> {
    let workspace = &rules.workspace;
    Source {
        set: &workspace.set,
        checked: &workspace.checked,
        registers: &workspace.registers,
        regions: &workspace.regions,
        cases,
        as_of,
        language: LANGUAGE,
        stylesheet: Some(assets::style()),
    }
}

/// All pages of the site, by path.
pub(super) fn site(rules: &Rules, as_of: NaiveDate) -> BTreeMap<String, String> {
    let cases = all_cases(rules);
    site::pages(&source(rules, &cases, as_of)).into_iter().map(|page| (page.path, page.html)).collect()
}

/// A page of the site at its top.
pub(super) async fn site_page(visit: Visit, Path((_, name)): Path<(String, String)>) -> Response {
    site_at(&visit, &name).await
}

/// A page of the site about a life event.
pub(super) async fn bundle_page(visit: Visit, Path((_, name)): Path<(String, String)>) -> Response {
    site_at(&visit, &format!("bundles/{name}")).await
}

async fn site_at(visit: &Visit, path: &str) -> Response {
    let moment = match Moment::of(visit).await {
        Ok(moment) => moment,
        Err(page) => return page,
    };
    let (console, path) = (visit.console.clone(), format!("{}/{path}", visit.words.code()));
    let found = at_work(move || Ok(console.site(&moment.rules, moment.as_of).get(&path).cloned())).await;
    match found {
        Ok(Some(page)) => html_page(StatusCode::OK, page),
        Ok(None) => visit.trouble(&Problem::not_found("没有这一页", "no such page")),
        Err(problem) => visit.trouble(&problem),
    }
}

/// The list of policies to open on the bench.
pub(super) async fn benches(visit: Visit) -> Response {
    either(benches_of(&visit).await)
}

async fn benches_of(visit: &Visit) -> Result<Response, Response> {
    visit.must(visit.reach.bench)?;
    let moment = Moment::of(visit).await?;
    // Whoever opens the list will open a policy next.
    let _ = visit.console.desk().of(&moment.rules, visit.console.serving().settings().sources.as_deref(), moment.of_run());
    let day = moment.rules.on(moment.as_of);
    let in_force: Vec<&PolicyDocument> = day.in_force.values().map(|policy| &*policy.document).collect();
    let body = bench::list(visit.words, &moment.rules.workspace, moment.as_of, &in_force);
    Ok(visit.page(visit.words.pick("规则试算", "Rule bench"), "bench", &body))
}

/// What the form of the bench sends.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    token: String,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    set: String,
}

impl Sent {
    /// The draft, with the line breaks that files have.
    fn draft(&self) -> Draft {
        Draft { policy: self.policy.replace("\r\n", "\n"), set: self.set.replace("\r\n", "\n") }
    }
}

/// The bench with the policy as it is in force.
pub(super) async fn bench(visit: Visit, Path((_, code)): Path<(String, String)>) -> Response {
    either(bench_of(&visit, &code, None).await)
}

/// The bench with a draft that was sent, and what comes of it.
pub(super) async fn tried(visit: Visit, Path((_, code)): Path<(String, String)>, Form(sent): Form<Sent>) -> Response {
    let ours = visit.must(visit.reach.bench).and_then(|()| visit.must_be_ours(&sent.token));
    match ours {
        Ok(()) => either(bench_of(&visit, &code, Some(sent.draft())).await),
        Err(page) => page,
    }
}

async fn bench_of(visit: &Visit, code: &str, draft: Option<Draft>) -> Result<Response, Response> {
    visit.must(visit.reach.bench)?;
    let words = visit.words;
    let moment = Moment::of(visit).await?;
    let Some(document) = shown(&moment.rules, code, moment.as_of).cloned() else {
        return Err(visit.trouble(&Problem::not_found("没有这项政策", "no such policy")));
    };
    let draft = draft.unwrap_or_else(|| Draft { policy: document.place.file.text.clone(), set: String::new() });
    let sources = visit.console.serving().settings().sources.clone();
    let (answer, again) = match visit.console.desk().of(&moment.rules, sources.as_deref(), moment.of_run()) {
        DeskState::Working => (bench::waiting(words), (!visit.part).then_some(3)),
        DeskState::Failed(why) => (bench::failed(words, words.say(&why)), None),
        DeskState::Ready(held) => (answer_of(visit, &moment, &document, &draft, &held).await?, None),
    };
    if visit.part {
        return Ok(html_page(StatusCode::OK, answer.0));
    }
    let day = moment.rules.on(moment.as_of);
    let body = bench::page(&bench::Page {
        words,
        token: &visit.token,
        document: &document,
        checked: day.in_force.get(&document.code),
        workspace: &moment.rules.workspace,
        as_of: moment.as_of,
        draft: &draft,
        answer,
    });
    let title = format!("{} · {}", words.pick("规则试算", "Rule bench"), words.say(&document.name));
    let path = format!("bench/{code}");
    Ok(Visit::framed(&Page { words, title: &title, path: &path, signed_in: Some(visit.signed_in()), script: true, again }, &body))
}

async fn answer_of(
    visit: &Visit,
    moment: &Moment,
    document: &PolicyDocument,
    draft: &Draft,
    held: &Arc<crate::simulate::trial::Bench>,
) -> Result<Markup, Response> {
    let edit = Edit {
        policies: vec![Text { path: document.path.clone(), text: draft.policy.clone() }],
        parameters: Vec::new(),
        set: draft.settings(),
    };
    let telling = Telling { words: visit.words, code: &document.code, text: &draft.policy, regions: &moment.rules.workspace.regions };
    let busy = || visit.trouble(&Problem::unavailable("服务器正在停止", "the server is on its way out"));
    let turn = visit.console.trials().acquire_owned().await.map_err(|_| busy())?;
    let (held, told) = (Arc::clone(held), Told { least: least(&visit.caller), people: PEOPLE });
    // Work, and much of it: where it holds up neither its own connection nor others.
    let tried = at_work(move || {
        let _turn = turn;
        Ok(tokio::runtime::Handle::current().block_on(held.trial(&edit, told)))
    });
    let trial = match tried.await.map_err(|problem| visit.trouble(&problem))? {
        Ok(trial) => trial,
        Err(told) => return Ok(bench_answer::faults(telling, &told)),
    };
    if !trial.results.people.is_empty() {
        let note = format!("rule bench {}: {} sampled subjects, masked", document.code, trial.results.people.len());
        let noted = visit.console.serving().trail().note(of_caller(&visit.caller, "policy_design", Action::Bulk, note)).await;
        noted.map_err(|problem| visit.trouble(&problem))?;
    }
    Ok(bench_answer::answer(telling, &trial))
}

/// The draft as a file.
pub(super) async fn draft(visit: Visit, Path((_, code)): Path<(String, String)>, Form(sent): Form<Sent>) -> Response {
    let ours = visit.must(visit.reach.bench).and_then(|()| visit.must_be_ours(&sent.token));
    if let Err(page) = ours {
        return page;
    }
    let draft = sent.draft();
    let mut text = draft.policy.clone();
    let settings = draft.settings();
    if !settings.is_empty() {
        let lines: String = settings.iter().map(|line| format!("#   {line}\n")).collect();
        text = format!("# 试算时设定的标准 / parameters that were set on the bench:\n{lines}{text}");
    }
    // A code is letters, digits and dashes; anything else is no file name.
    let name: String = code.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '-').collect();
    let headers = [
        (header::CONTENT_TYPE, "application/yaml; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}-draft.yaml\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, text).into_response()
}

/// The runs that are kept.
pub(super) async fn runs(visit: Visit) -> Response {
    if let Err(page) = visit.must(visit.reach.figures) {
        return page;
    }
    let serving = visit.console.serving();
    match serving.store().runs().await {
        Ok(runs) => visit.page(visit.words.pick("批次", "Runs"), "runs", &run_pages::list(visit.words, &runs)),
        Err(error) => visit.trouble(&serving.store_failed(&error)),
    }
}

/// One run.
pub(super) async fn run(visit: Visit, Path((_, id)): Path<(String, String)>) -> Response {
    if let Err(page) = visit.must(visit.reach.figures) {
        return page;
    }
    let serving = visit.console.serving();
    let found = match id.parse::<u64>() {
        Ok(number) => serving.store().run(RunId(number)).await,
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(run)) => {
            let rules = serving.rules();
            let body = run_pages::sheet(visit.words, run.run(), &rules.workspace.set, &rules.workspace.registers);
            visit.page(visit.words.pick("批次", "Run"), &format!("runs/{id}"), &body)
        }
        Ok(None) => visit.trouble(&Problem::not_found("没有这一批次, 或已不再保留", "no such run, or it is no longer kept")),
        Err(error) => visit.trouble(&serving.store_failed(&error)),
    }
}
