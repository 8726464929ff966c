//! Sending spans to a collector (OTLP, as protobuf over HTTP).
//!
//! Who ends a span puts it into a queue, and if that is full it is dropped, and counted. One task sends what is there. A collector that
//! is away costs the spans of that time, and one line in the log.

use std::borrow::Cow;
use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{self, Arc, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio::sync::{Mutex, mpsc};

use super::sampler::Sampler;
use super::span::{Attribute, Kind, Span};
use crate::config::Config;
use crate::counts::Counter;

/// Spans that may wait: some megabytes, and some seconds of a busy service.
const QUEUE: usize = 8192;

/// Spans that are sent at once.
const BATCH: usize = 512;

/// How long a span waits for others to be sent with.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Spans on their way to a collector.
#[derive(Debug)]
pub struct Traces {
    pub(super) sampler: Sampler,
    pub(super) queue: Queue,
    /// Held by who sends.
    waiting: Mutex<mpsc::Receiver<Span>>,
    exporter: SpanExporter,
    line: Line,
    /// Where spans are posted to.
    url: String,
    scope: InstrumentationScope,
    failing: AtomicBool,
}

/// Where ended spans are put.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<Span>,
    noted: Arc<Noted>,
}

/// What became of spans.
#[derive(Debug, Default)]
pub struct Noted {
    pub sent: Counter,
    /// There was no place in the queue, or the collector was away.
    pub dropped: Counter,
}

impl Queue {
    pub fn push(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.noted.dropped.add_one();
        }
    }
}

/// The way to the collector. Of a request that got no answer the exporter says that there was an error on the network; this
/// remembers which.
#[derive(Clone, Debug)]
struct Line {
    http: reqwest::Client,
    failure: Arc<sync::Mutex<Option<String>>>,
}

impl Line {
    /// Why the last request had no answer, if it had none.
    fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HttpClient for Line {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.http.send_bytes(request).await;
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) =
                answer.as_ref().err().map(|error| causes(&**error));
            answer
        })
    }
}

/// Why a request had no answer. What reqwest says first is the URL again.
fn causes(error: &(dyn Error + 'static)) -> String {
    let first = error.source().filter(|_| error.is::<reqwest::Error>()).unwrap_or(error);
    let chain = std::iter::successors(Some(first), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Traces {
    /// `None` where the settings have no collector. Nothing is sent yet.
    pub fn open(config: &Config) -> anyhow::Result<Option<Traces>> {
        let Some(endpoint) = &config.otel_exporter_otlp_endpoint else { return Ok(None) };
        let cant = "can't export traces to OTEL_EXPORTER_OTLP_ENDPOINT";
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("portcullis")
            .build()
            .context(cant)?;
        let url = format!("{endpoint}/v1/traces");
        let line = Line { http, failure: Arc::default() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&url)
            .with_timeout(TIMEOUT)
            .with_http_client(line.clone());
        let mut exporter = exporter.build().context(cant)?;
        let version = env!("CARGO_PKG_VERSION");
        exporter.set_resource(
            &Resource::builder_empty()
                // OTEL_RESOURCE_ATTRIBUTES; what follows counts before it.
                .with_detector(Box::new(EnvResourceDetector::new()))
                .with_service_name(config.otel_service_name.clone())
                .with_attribute(KeyValue::new("service.version", version))
                .build(),
        );
        let (spans, waiting) = mpsc::channel(QUEUE);
        Ok(Some(Traces {
            sampler: Sampler::new(config.otel_traces_sampler, config.otel_traces_sampler_arg.unwrap_or(1.0)),
            queue: Queue { spans, noted: Arc::default() },
            waiting: Mutex::new(waiting),
            exporter,
            line,
            url,
            scope: InstrumentationScope::builder("portcullis").with_version(version).build(),
            failing: AtomicBool::new(false),
        }))
    }

    pub fn noted(&self) -> &Noted {
        &self.queue.noted
    }

    /// Sends what there is, for as long as `stop` is. The rest is for [`flush`](Self::flush).
    pub async fn export_until(&self, stop: impl Future<Output = ()>) {
        let mut waiting = self.waiting.lock().await;
        let mut stop = std::pin::pin!(stop);
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                biased;
                () = &mut stop => return,
                _ = waiting.recv_many(&mut batch, BATCH) => {}
            }
            if batch.len() < BATCH {
                tokio::time::sleep(PAUSE).await;
            }
            take(&mut waiting, &mut batch);
            self.send(batch).await;
        }
    }

    /// Sends what is left, when the service has stopped. It takes what the collector takes: who asks sets a bound.
    pub async fn flush(&self) {
        let mut waiting = self.waiting.lock().await;
        loop {
            let mut batch = Vec::new();
            take(&mut waiting, &mut batch);
            if batch.is_empty() {
                return;
            }
            self.send(batch).await;
        }
    }

    async fn send(&self, batch: Vec<Span>) {
        let count = batch.len() as u64;
        let spans = batch.into_iter().map(|span| self.span(span)).collect();
        match self.exporter.export(spans).await {
            Ok(()) => {
                self.noted().sent.add(count);
                if self.failing.swap(false, SeqCst) {
                    tracing::info!("traces are exported again");
                }
            }
            Err(error) => {
                self.noted().dropped.add(count);
                if !self.failing.swap(true, SeqCst) {
                    let why = self.line.failure().unwrap_or_else(|| error.to_string());
                    let why: String = why.chars().take(300).collect();
                    let url = &self.url;
                    tracing::warn!(
                        "traces can't be exported to {url}, and are dropped until that goes: {why}"
                    );
                }
            }
        }
    }

    /// As the library has it.
    fn span(&self, span: Span) -> SpanData {
        let state = span.state.as_deref().and_then(|state| state.parse::<TraceState>().ok());
        let started: SystemTime = span.began_at.into();
        SpanData {
            span_context: SpanContext::new(
                TraceId::from(span.trace),
                SpanId::from(span.span),
                TraceFlags::SAMPLED,
                false,
                state.unwrap_or_default(),
            ),
            parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from),
            parent_span_is_remote: span.has_remote_parent,
            span_kind: match span.kind {
                Kind::Server => SpanKind::Server,
                Kind::Client => SpanKind::Client,
                Kind::Internal => SpanKind::Internal,
            },
            name: span.name,
            start_time: started,
            end_time: started + span.took,
            attributes: span.attributes.into_iter().map(attribute).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if span.failed {
                Status::Error { description: Cow::Borrowed("") }
            } else {
                Status::Unset
            },
            instrumentation_scope: self.scope.clone(),
        }
    }
}

fn attribute(attribute: Attribute) -> KeyValue {
    match attribute {
        Attribute::Text(name, Cow::Borrowed(text)) => KeyValue::new(name, text),
        Attribute::Text(name, Cow::Owned(text)) => KeyValue::new(name, text),
        Attribute::Number(name, number) => KeyValue::new(name, number),
    }
}

/// Fills the batch with what is there.
fn take(waiting: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>) {
    while batch.len() < BATCH
        && let Ok(span) = waiting.try_recv()
    {
        batch.push(span);
    }
}
