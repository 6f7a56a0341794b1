//! Policies that are posted: checked and tested against the folder as it stands, and then forgotten.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;

use super::answers::{PostRefused, Refused};
use super::at_work;
use crate::cases::{Book, outcome};
use crate::diagnostic::{Diagnostic, SourceFile, has_errors};
use crate::lsp::Workspace;
use crate::policy::document::PolicyDocument;
use crate::serve::dto::diagnostics::{Finding, Text};
use crate::serve::dto::posted::{CaseOutcome, Checked, Difference, PostedPolicy, Tested};
use crate::serve::extract::Posted;
use crate::serve::guard::Caller;
use crate::serve::problem::Problem;
use crate::serve::settings::Role;
use crate::serve::state::Serving;
use crate::yaml::{self, Texts};

/// The longest text.
const LONGEST: usize = 256 * 1024;

/// Those who may have policies checked.
pub const AUTHORS: [Role; 2] = [Role::PolicyAuthor, Role::Administrator];

/// Checks a policy, told every mistake at its character.
#[utoipa::path(post, path = "/check", tag = "evaluation", operation_id = "check", request_body = PostedPolicy,
    responses((status = 200, description = "What was found", body = Checked), Refused, PostRefused))]
pub async fn check(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    Posted(posted): Posted<PostedPolicy>,
) -> Result<Json<Checked>, Problem> {
    caller.must_be(&AUTHORS)?;
    let looked = looked_at(&serving, posted).await?;
    let of = |path: &Path| looked.told_of(path).into_iter().cloned().collect::<Vec<Diagnostic>>();
    let (policy, cases) = (of(&looked.path), of(&looked.cases));
    let usable = !has_errors(&policy) && !has_errors(&cases);
    Ok(Json(Checked { usable, policy: findings(&policy), cases: findings(&cases) }))
}

/// Runs the cases of a policy.
#[utoipa::path(post, path = "/test", tag = "evaluation", operation_id = "test", request_body = PostedPolicy,
    responses((status = 200, description = "What came out", body = Tested), Refused, PostRefused))]
pub async fn test(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    Posted(posted): Posted<PostedPolicy>,
) -> Result<Json<Tested>, Problem> {
    caller.must_be(&AUTHORS)?;
    let looked = looked_at(&serving, posted).await?;
    at_work(move || Ok(Json(tested(&looked)))).await
}

fn tested(looked: &Looked) -> Tested {
    let workspace = &looked.workspace;
    let code = workspace.set.policies.iter().find(|document| document.path == looked.path).map(|document| document.code.clone());
    let book = Book::new(&workspace.checked, &workspace.set, &workspace.regions);
    let cases = code.as_ref().and_then(|code| workspace.cases.get(code)).map(Vec::as_slice).unwrap_or_default();
    let own = cases.iter().filter(|case| case.case.place.path() == looked.cases);
    let outcomes: Vec<CaseOutcome> = own
        .map(|case| {
            let outcome = outcome::run(&book, code.as_deref().unwrap_or_default(), case);
            CaseOutcome {
                name: outcome.case.name.clone(),
                as_of: outcome.case.as_of.to_string(),
                passed: outcome.passed(),
                differences: outcome
                    .differences
                    .iter()
                    .map(|one| Difference { what: one.what.to_owned(), expected: one.expected.clone(), got: one.got.clone() })
                    .collect(),
                trouble: outcome.trouble.as_ref().map(Text::from),
                because: outcome.case.because.clone(),
            }
        })
        .collect();
    let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
    let of = |path: &Path| looked.told_of(path).into_iter().map(Finding::of).collect();
    Tested { passed, failed: outcomes.len() - passed, policy: of(&looked.path), cases: of(&looked.cases), outcomes }
}

/// A posted policy in its place in the folder.
struct Looked {
    workspace: Workspace,
    path: PathBuf,
    cases: PathBuf,
}

impl Looked {
    fn told_of(&self, path: &Path) -> Vec<&Diagnostic> {
        let here = |one: &&Diagnostic| one.primary.as_ref().is_some_and(|place| place.path() == path);
        self.workspace.diagnostics.iter().filter(here).collect()
    }
}

fn findings(diagnostics: &[Diagnostic]) -> Vec<Finding> {
    diagnostics.iter().map(Finding::of).collect()
}

async fn looked_at(serving: &Serving, posted: PostedPolicy) -> Result<Looked, Problem> {
    let longest = posted.policy.len().max(posted.cases.as_ref().map_or(0, String::len));
    if longest > LONGEST {
        let (zh, en) = (format!("文本最长 {LONGEST} 字节"), format!("a text has at most {LONGEST} bytes"));
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", zh, en));
    }
    // Checking a whole folder is work: one at a time, those who come meanwhile wait.
    let turn = serving.checking_turn().await;
    let serving = serving.clone();
    at_work(move || {
        let _turn = turn;
        let (texts, path) = laid(&serving, &posted);
        let cases = path.with_file_name("cases.yaml");
        let closely = |document: &PolicyDocument| document.path == path;
        let workspace = (serving.eyes().at_once)(&serving.rules().workspace.dir, &texts, &closely);
        Ok(Looked { workspace, path, cases })
    })
    .await
}

/// The posted texts in the places of files: that of the policy with the same code and version, else a place of their own.
#[must_use]
pub fn laid(serving: &Serving, posted: &PostedPolicy) -> (Texts, PathBuf) {
    let rules = serving.rules();
    let (root, _) = yaml::parse(&SourceFile::new("policy.yaml", posted.policy.as_str()));
    let said = |key: &str| {
        let entries = root.as_ref()?.mapping()?;
        entries.iter().find(|(name, _)| name.text() == Some(key))?.1.text().map(str::to_owned)
    };
    let version = said("version").and_then(|text| text.parse::<i64>().ok()).unwrap_or(1);
    let same = said("code").and_then(|code| {
        let documents = &rules.workspace.set.policies;
        documents.iter().find(|document| document.code == code && document.version == version).map(|document| document.path.clone())
    });
    let path = same.unwrap_or_else(|| rules.workspace.dir.join("posted").join("policy.yaml"));
    let mut texts = Texts::default();
    texts.put(path.clone(), posted.policy.as_str());
    texts.put(path.with_file_name("cases.yaml"), posted.cases.as_deref().unwrap_or("[]\n"));
    (texts, path)
}
