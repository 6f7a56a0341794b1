//! The console: pages for policy staff, handlers and auditors in a browser, made by the same binary. They work without script,
//! load nothing from elsewhere, and are in Chinese and English.
//!
//! ```text
//! /console/{lang}/            overview       /console/{lang}/subjects   POST: one subject
//!                policies     list, sheet    /console/{lang}/cases      the queue, a case, published lists
//!                                            /console/{lang}/runs       runs and their manifests
//!                bench/CODE   rule bench     /console/{lang}/trail      who looked
//!                *.html       the site of policies and guides
//! cookie ── session ── guard (the same as for the API) ──▶ Visit ──▶ page
//! ```
//!
//! Every form sends the token of its session; every read of a subject goes by the API's own way ([`Reached`]), so that reach,
//! purpose, masks and the access trail are one.
//!
//! [`Reached`]: super::api::subjects::Reached

mod assets;
mod bench;
mod bench_answer;
mod cases;
mod chart;
mod desk;
mod frame;
mod overview;
mod pages;
mod policies;
mod runs;
mod session;
mod sign_in;
mod subject;
mod told;
mod trail;
mod visit;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use chrono::NaiveDate;
use tokio::sync::Semaphore;

use super::rules::Rules;
use super::state::Serving;
use desk::Desk;
use session::Sessions;

/// The console of a server. Clones share one.
#[derive(Clone)]
struct Console(Arc<Held>);

/// The pages of the site, by path.
type Site = Arc<BTreeMap<String, String>>;

struct Held {
    serving: Serving,
    sessions: Sessions,
    desk: Desk,
    /// Trials take both cores: one at a time.
    trials: Arc<Semaphore>,
    /// The site of policies, for a state of these and a day.
    site: Mutex<Option<(String, NaiveDate, Site)>>,
}

impl Console {
    fn serving(&self) -> &Serving {
        &self.0.serving
    }

    fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    fn desk(&self) -> &Desk {
        &self.0.desk
    }

    fn trials(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.trials)
    }

    /// Whether cookies may go over TLS only.
    fn is_secure(&self) -> bool {
        self.serving().settings().tls.is_some()
    }

    /// The site of policies for a day, made once.
    fn site(&self, rules: &Rules, as_of: NaiveDate) -> Site {
        if let Some((digest, day, site)) = &*self.0.site.lock().unwrap_or_else(PoisonError::into_inner)
            && *digest == rules.digest
            && *day == as_of
        {
            return Arc::clone(site);
        }
        let site: Site = Arc::new(pages::site(rules, as_of));
        *self.0.site.lock().unwrap_or_else(PoisonError::into_inner) = Some((rules.digest.clone(), as_of, Arc::clone(&site)));
        site
    }
}

/// The routes of the console.
pub fn routes(serving: &Serving) -> Router<Serving> {
    let console = Console(Arc::new(Held {
        serving: serving.clone(),
        sessions: Sessions::default(),
        desk: Desk::default(),
        trials: Arc::new(Semaphore::new(1)),
        site: Mutex::default(),
    }));
    Router::new()
        .route("/", get(sign_in::door))
        .route("/console", get(sign_in::door))
        .route("/console/", get(sign_in::door))
        .route("/favicon.ico", get(|| async { assets::icon_file() }))
        .route("/console/static/{name}", get(|Path(name): Path<String>| async move { assets::file(&name) }))
        .route("/console/{lang}/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/console/{lang}/sign-out", post(sign_in::sign_out))
        .route("/console/{lang}/", get(pages::overview))
        .route("/console/{lang}/policies", get(pages::policies))
        .route("/console/{lang}/policies/{code}", get(pages::policy))
        .route("/console/{lang}/bench", get(pages::benches))
        .route("/console/{lang}/bench/{code}", get(pages::bench).post(pages::tried))
        .route("/console/{lang}/bench/{code}/draft", post(pages::draft))
        .route("/console/{lang}/subjects", get(subject::search).post(subject::sheet))
        .route("/console/{lang}/cases", get(cases::queue))
        .route("/console/{lang}/cases/{id}", get(cases::one).post(cases::step))
        .route("/console/{lang}/lists", get(cases::lists))
        .route("/console/{lang}/runs", get(pages::runs))
        .route("/console/{lang}/runs/{id}", get(pages::run))
        .route("/console/{lang}/trail", get(trail::newest).post(trail::about))
        .route("/console/{lang}/bundles/{name}", get(pages::bundle_page))
        .route("/console/{lang}/{name}", get(pages::site_page))
        .with_state(console)
}
