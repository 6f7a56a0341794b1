//! Logs without anybody in them: the route as a template, never the path; the panic's place, never its words.

use std::io;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use super::clock;
use super::settings::Log;

/// Starts the log of the server, to stderr; one that was started before stays. Panics are told by their place alone: their
/// words may hold data.
pub fn start(log: &Log, color: bool) {
    let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(&log.filter);
    if log.json {
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).event_format(Json).try_init();
    } else {
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(color).try_init();
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "mianshen::serve", place, "a request broke");
    }));
}

/// The name of a method; of one that is none of the usual, only that: what a caller invents is told nowhere, and is no label of
/// what is counted.
#[must_use]
pub fn method_name(method: &Method) -> &'static str {
    const USUAL: [Method; 7] = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS, Method::PATCH];
    const NAMES: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
    USUAL.iter().position(|usual| usual == method).map_or("_OTHER", |at| NAMES[at])
}

/// Tells each request when it was answered: method, route, status, how long. What stands in the place of `{id}` is not told.
pub async fn requests(request: Request, next: Next) -> Response {
    let started = clock::moment();
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let seconds = started.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    tracing::info!(target: "mianshen::serve::access", method, route, status, seconds, "answered");
    let labels = [("method", method.to_owned()), ("route", route), ("status", status.to_string())];
    metrics::counter!("mianshen_requests_total", &labels).increment(1);
    metrics::histogram!("mianshen_request_seconds", &labels[..2]).record(seconds);
    response
}

/// One JSON object per line.
struct Json;

impl<S, N> tracing_subscriber::fmt::FormatEvent<S, N> for Json
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    N: for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &tracing_subscriber::fmt::FmtContext<'_, S, N>,
        mut writer: tracing_subscriber::fmt::format::Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let mut fields = Fields(serde_json::Map::new());
        let (time, meta) = (clock::told(clock::now()), event.metadata());
        fields.0.insert("time".to_owned(), time.into());
        fields.0.insert("level".to_owned(), meta.level().as_str().into());
        fields.0.insert("target".to_owned(), meta.target().into());
        event.record(&mut fields);
        writeln!(writer, "{}", serde_json::Value::Object(fields.0))
    }
}

struct Fields(serde_json::Map<String, serde_json::Value>);

impl tracing::field::Visit for Fields {
    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}
