//! The `OpenAPI` document: what it says beside the routes.

use crate::serve::dto::{policies, reason};
use crate::serve::problem::ProblemBody;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, SecurityRequirement};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "mianshen",
        description = "免申即享: which services find a person, a household, a company, and why. A verdict is yes, no or unknown; unknown never denies.\n\nEvery read of somebody's data names its purpose in the header `Purpose` and leaves an entry in the access trail.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact(),
    ),
    // What refusals and trees of themselves hold is not found by itself.
    components(schemas(
        ProblemBody,
        reason::Group,
        reason::CriterionReason,
        reason::FailingCriterion,
        reason::Gap,
        reason::LackingSome<reason::FailingCriterion>,
        reason::LackingSome<reason::Gap>,
        policies::Criterion,
        policies::CriteriaOf
    )),
    tags(
        (name = "subjects", description = "One stored subject: its services, reasons, dossier"),
        (name = "cases", description = "Grants on their way: queues, what happened, the steps to take"),
        (name = "evaluation", description = "Facts and policies that are posted; nothing of them is kept"),
        (name = "policies", description = "What policies say"),
        (name = "runs", description = "What the stored runs found as a whole"),
        (name = "administration", description = "Running the server"),
    ),
)]
struct Document;

/// The document without routes.
#[must_use]
pub fn document() -> OpenApi {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    let token =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some("A token of a known issuer")).build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let key = ApiKeyValue::with_description("X-Api-Key", "The key of a program");
    components.add_security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    let needs = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    document.security = Some(vec![needs("token"), needs("key")]);
    document
}
