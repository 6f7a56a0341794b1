//! Traces of requests for OpenTelemetry (OTLP over HTTP), where settings name a collector.
//!
//! A span tells method, route as a template, status, and the roles of whoever asked: never a path, a query, a name, an
//! identifier, a key or a token, nor anything else that a caller could have put there. A trace that was begun elsewhere goes
//! on (W3C Trace Context); its `tracestate`, which may hold anything, is left out.
//!
//! Spans wait in a queue of bounded length and are sent by a thread of its own: a collector that is slow or dead costs
//! spans, never a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::Handle;

use super::guard::Caller;
use super::log::method_name;
use super::settings::{self, Role};
use crate::diagnostic::{Diagnostic, code};
use crate::outgoing;

/// How long sending a batch may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Spans that wait to be sent; more are dropped.
const WAITING: usize = 4_096;

/// How long spans are gathered before they are sent, where there are not enough for a batch.
const GATHERING: Duration = Duration::from_secs(2);

/// Where spans go. Clones lead to the same place.
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Begins to send, on the tokio runtime that this is called in. Nothing is asked of the collector before there is a span.
    ///
    /// # Errors
    ///
    /// When the file of authorities, or the address, cannot be used.
    pub fn start(settings: &settings::Traces) -> Result<Self, Box<Diagnostic>> {
        let failed = |why: String| {
            let (zh, en) = (format!("链路追踪不能启动: {why}"), format!("traces cannot be started: {why}"));
            Box::new(
                Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("检查 traces 的 endpoint 和 ca", "look at endpoint and ca of traces"),
            )
        };
        let client = outgoing::client(settings.authority.as_deref(), PATIENCE).map_err(failed)?;
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_http_client(client);
        let exporter = exporter.with_endpoint(settings.endpoint.as_str()).with_timeout(PATIENCE).build();
        let exporter = exporter.map_err(|error| failed(error.to_string()))?;
        let sending = Sending { exporter: Arc::new(exporter), runtime: Handle::current(), is_failing: AtomicBool::new(false) };
        let batches = BatchConfigBuilder::default().with_max_queue_size(WAITING).with_scheduled_delay(GATHERING).build();
        let share = Sampler::TraceIdRatioBased(f64::from(settings.percent) / 100.0);
        let about = Resource::builder_empty().with_service_name("mianshen");
        let about = about.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(about)
            .with_sampler(Sampler::ParentBased(Box::new(share)))
            .with_span_processor(BatchSpanProcessor::builder(sending).with_batch_config(batches).build())
            .build();
        let tracer = provider.tracer("mianshen");
        Ok(Self { provider, tracer })
    }

    /// Sends what waits, as far as that goes in some seconds; afterwards nothing is sent any more.
    pub async fn end(self) {
        let provider = self.provider;
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(Duration::from_secs(3))).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(target: "mianshen::serve", %error, "not all traces were sent");
        }
    }
}

/// Sends on the server's own runtime: the thread that makes batches has none.
#[derive(Debug)]
struct Sending {
    exporter: Arc<opentelemetry_otlp::SpanExporter>,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl SpanExporter for Sending {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exporter = Arc::clone(&self.exporter);
        let sent = self.runtime.spawn(async move { exporter.export(batch).await }).await;
        let sent = sent.unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())));
        let is_failing = sent.is_err();
        // Once, not for every batch.
        if self.is_failing.swap(is_failing, Ordering::Relaxed) != is_failing {
            match &sent {
                Ok(()) => tracing::info!(target: "mianshen::serve", "traces are sent again"),
                Err(error) => tracing::warn!(target: "mianshen::serve", %error, "traces cannot be sent, and are dropped until they can"),
            }
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Told once, before anything is sent.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

/// Only what says which trace a request belongs to.
struct Parent<'a>(&'a HeaderMap);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then(|| self.0.get(key)?.to_str().ok()).flatten()
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

/// Tells each request as a span.
pub async fn requests(State(traces): State<Traces>, request: Request, next: Next) -> Response {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Parent(request.headers()));
    let (method, path) = (method_name(request.method()), request.extensions().get::<MatchedPath>());
    let mut about = vec![KeyValue::new("http.request.method", method)];
    let name = match path {
        Some(path) => {
            about.push(KeyValue::new("http.route", path.as_str().to_owned()));
            format!("{method} {}", path.as_str())
        }
        None => method.to_owned(),
    };
    let mut span =
        traces.tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(about).start_with_context(&traces.tracer, &parent);
    let response = next.run(request).await;
    let status = response.status();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if let Some(caller) = response.extensions().get::<Arc<Caller>>() {
        let roles = caller.grant.roles.iter().map(|role: &Role| role.name()).collect::<Vec<_>>().join(",");
        span.set_attribute(KeyValue::new("mianshen.roles", roles));
    }
    if status.is_server_error() {
        span.set_status(Status::error(status.as_u16().to_string()));
    }
    span.end();
    response
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    #[test]
    fn what_a_caller_invents_is_not_told() {
        let invented = Method::from_bytes(b"990101194607227490").expect("a method");
        assert_eq!((method_name(&Method::PATCH), method_name(&invented)), ("PATCH", "_OTHER"));
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().expect("a value"));
        headers.insert("tracestate", "name=990101194607227490".parse().expect("a value"));
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Parent(&headers));
        let parent = opentelemetry::trace::TraceContextExt::span(&context).span_context().clone();
        assert_eq!(parent.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(parent.is_sampled() && parent.trace_state().header().is_empty());
        headers.insert("traceparent", "00-990101194607227490-x-01".parse().expect("a value"));
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Parent(&headers));
        assert!(!opentelemetry::trace::TraceContextExt::span(&context).span_context().is_valid());
    }
}
