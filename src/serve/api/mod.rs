//! The API: its routes under `/v1`, and the document that describes them.

#![expect(clippy::missing_errors_doc, reason = "every answer of a handler, faults too, is told in the document made of it")]

pub mod admin;
pub mod answers;
pub mod bulk;
mod bulk_arrow;
pub mod cases;
pub mod catalogue;
pub mod document;
pub mod evaluate;
pub mod explaining;
mod health;
pub mod looks;
pub mod posted;
pub mod runs;
pub mod services;
pub mod simulations;
pub mod subjects;

use axum::Router;
use chrono::NaiveDate;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::state::Serving;
use crate::yaml;

pub use health::routes as health_routes;

/// The routes that need a caller.
pub struct Routes {
    /// Those that answer at once.
    pub quick: Router<Serving>,
    /// Those that work on little for longer.
    pub slow: Router<Serving>,
    /// Those that work on much.
    pub bulk: Router<Serving>,
    /// The document about all.
    pub document: OpenApi,
}

/// All routes under `/v1`.
#[must_use]
pub fn routes() -> Routes {
    let quick = OpenApiRouter::new()
        .routes(routes!(catalogue::policies))
        .routes(routes!(catalogue::policy))
        .routes(routes!(catalogue::facts))
        .routes(routes!(catalogue::parameters))
        .routes(routes!(catalogue::bundles))
        .routes(routes!(catalogue::bundle))
        .routes(routes!(evaluate::evaluate))
        .routes(routes!(services::services))
        .routes(routes!(explaining::explain))
        .routes(routes!(explaining::dossier))
        .routes(routes!(explaining::what_if))
        .routes(routes!(looks::looks))
        .routes(routes!(cases::cases))
        .routes(routes!(cases::queue))
        .routes(routes!(cases::case))
        .routes(routes!(cases::step))
        .routes(routes!(simulations::start))
        .routes(routes!(simulations::get, simulations::cancel))
        .routes(routes!(simulations::events))
        .routes(routes!(runs::runs))
        .routes(routes!(runs::run))
        .routes(routes!(runs::coverage))
        .routes(routes!(runs::data_requests));
    let slow = OpenApiRouter::new().routes(routes!(posted::check)).routes(routes!(posted::test)).routes(routes!(admin::reload));
    let bulk = OpenApiRouter::new().routes(routes!(bulk::bulk));
    let mut document = document::document();
    let mut under = |routes: OpenApiRouter<Serving>| {
        let (routes, more) = OpenApiRouter::new().nest("/v1", routes).split_for_parts();
        document.merge(more);
        routes
    };
    let (quick, slow, bulk) = (under(quick), under(slow), under(bulk));
    Routes { quick, slow, bulk, document }
}

/// A day behind the `?`.
///
/// # Errors
///
/// When it is none.
pub fn asked_day(text: &str) -> Result<NaiveDate, Problem> {
    day(text).map_err(Problem::asked)
}

/// A day in a body, written 2026-06-30.
///
/// # Errors
///
/// When it is none.
pub fn day(text: &str) -> Result<NaiveDate, Problem> {
    yaml::parse_date(text)
        .filter(|day| (NaiveDate::from_ymd_opt(1900, 1, 1)..NaiveDate::from_ymd_opt(2200, 1, 1)).contains(&Some(*day)))
        .ok_or_else(|| Problem::unprocessable("应为日期, 如 2026-06-30", "expected a date such as 2026-06-30"))
}

/// Does work that takes more than a moment where it holds nobody up.
///
/// # Errors
///
/// What the work fails with; `internal` where it breaks.
pub async fn at_work<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Problem::internal()))
}

/// A tag that gives nothing of its parts away.
#[must_use]
pub fn tag_of(parts: &str) -> String {
    use sha2::Digest;
    crate::hex::digits(&sha2::Sha256::digest(parts.as_bytes())[..12])
}
