//! Facts that are posted, and what policies mean for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::diagnostics::Text;
use super::reason::{self, Kind, Mode, Verdict};
use super::subjects::BasisOf;
use crate::explain::Reason;

/// The value of a fact, as [`super::policies::FactType`] says; null: known to be unknown.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum FactValue {
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text, a code, a date, or an exact number.
    Text(String),
}

/// Facts to judge.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"subject": "person", "as_of": "2026-06-30", "facts": {"birth_date": "1946-03-31", "hukou_region": "990102", "deceased": false}, "policies": ["990100-MZ-0007"]}))]
pub struct Evaluate {
    /// Whose facts.
    pub subject: Kind,
    /// The day that verdicts are about; by default that of the current run.
    #[schema(format = Date)]
    pub as_of: Option<String>,
    /// The facts, by name; what is not given is unknown, computed facts are computed.
    #[schema(schema_with = facts_schema)]
    pub facts: BTreeMap<String, Option<FactValue>>,
    /// Only these policies, by code.
    pub policies: Option<Vec<String>>,
    /// Only the policies of this bundle.
    pub bundle: Option<String>,
    /// Whether all reasons are told.
    #[serde(default)]
    pub explain: bool,
    /// Whether the days ahead are looked at.
    #[serde(default)]
    pub soon: bool,
}

/// Facts by name: `true`, a number, a text, or null.
#[must_use]
pub fn facts_schema() -> utoipa::openapi::schema::Object {
    use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
    let value = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Boolean, Type::Number, Type::String, Type::Null]))
        .description(Some("As the type of the fact says; null: known to be unknown"))
        .build();
    ObjectBuilder::new().additional_properties(Some(utoipa::openapi::schema::Schema::Object(value))).build()
}

/// A fact by name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NamedFact {
    /// Its name.
    pub name: String,
    /// For people.
    pub label: Text,
}

/// What would settle an unknown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Question {
    /// Who can settle it.
    pub by: reason::SettledBy,
    /// The facts that are asked for.
    pub facts: Vec<NamedFact>,
    /// What is asked, in plain words.
    pub ask: Text,
}

/// What one policy means.
#[derive(Debug, Serialize, ToSchema)]
pub struct Judged {
    /// Code of the policy.
    pub policy: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: Text,
    /// The verdict.
    pub verdict: Verdict,
    /// What a yes is worth, decimal text; null: nothing, unknown, or one for each occasion that only registers tell.
    pub amount: Option<String>,
    /// The unit with the period, such as `CNY/month`.
    pub unit: Option<String>,
    /// How it reaches the subject.
    pub mode: Option<Mode>,
    /// Of an unknown, the minimal sets of facts that could make it yes.
    pub missing: Vec<Vec<NamedFact>>,
    /// Of an unknown, what would settle it.
    pub question: Option<Question>,
    /// The policy that the subject has instead.
    pub given_up_for: Option<String>,
    /// Where the days ahead were looked at: the first on which it becomes a yes by time alone.
    #[schema(format = Date)]
    pub soon: Option<String>,
    /// All reasons, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<reason::Reason>, required = false)]
    pub reason: Option<Box<Reason>>,
}

/// What policies mean for some facts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evaluation {
    /// Whose facts.
    pub subject: Kind,
    /// The day.
    #[schema(format = Date)]
    pub as_of: String,
    /// By code of the policy.
    pub policies: Vec<Judged>,
}

/// The shape of a reason in the language of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// The run of the night; null: the facts were posted.
    pub run: Option<u64>,
    /// What the facts are of; null: they were posted.
    pub basis: Option<BasisOf>,
    /// Whether facts and what they come to are left out, because the purpose may not see all that the policy reads.
    pub withheld: bool,
    /// The reasons, as `mianshen explain --format json` writes them. Turns hold as long as registers say what they say now.
    #[schema(value_type = reason::Reason)]
    pub reason: serde_json::Value,
    /// The same as a text, in the language of `Accept-Language`.
    pub text: String,
}

impl Judged {
    /// Of a reason.
    #[must_use]
    pub fn of(reason: Reason, with_reason: bool) -> Self {
        let named = |fact: &crate::explain::reason::MissingFact| NamedFact { name: fact.name.clone(), label: Text::from(&fact.label) };
        let amount = reason.amount.as_ref();
        Self {
            policy: reason.policy.clone(),
            version: reason.version,
            name: Text::from(&reason.name),
            verdict: reason.verdict.into(),
            amount: amount.and_then(|amount| amount.amount.clone()),
            unit: amount.map(|amount| amount.unit.clone()),
            mode: reason.mode.map(Mode::from),
            missing: reason.missing.iter().map(|set| set.iter().map(named).collect()).collect(),
            question: reason.settle.as_ref().map(|settle| Question {
                by: settled_by(settle.by),
                facts: settle.facts.iter().map(named).collect(),
                ask: Text::from(&settle.ask),
            }),
            given_up_for: reason.given_up_for.as_ref().map(|tie| tie.policy.clone()),
            soon: reason.turns.iter().find(|turn| turn.to == crate::explain::Verdict::Yes).map(|turn| turn.on.to_string()),
            reason: with_reason.then(|| Box::new(reason)),
        }
    }
}

/// Who can settle an unknown.
#[must_use]
pub fn settled_by(by: crate::explain::why::SettledBy) -> reason::SettledBy {
    use crate::explain::why::SettledBy as Of;
    match by {
        Of::Commitment => reason::SettledBy::Commitment,
        Of::Question => reason::SettledBy::Question,
        Of::DataRequest => reason::SettledBy::DataRequest,
    }
}
