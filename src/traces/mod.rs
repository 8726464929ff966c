//! Traces: to which request a line in the log belongs, where the request comes from, and how its time was spent.
//!
//! Each request is [present](Present) while it is worked on: it has an id, which its client may give it, and a place in a
//! trace (W3C Trace Context), which whoever asks may give it and whoever is asked is [told](Present::onward).
//!
//! Where `OTEL_EXPORTER_OTLP_ENDPOINT` is set, a span of each request, and of its statements and hashes, is sent to a
//! collector ([`Traces`]). No request waits for that. A span has no text of a client's but the id of its request, and the path where
//! that leads to a route: no query, no header, no address.

mod context;
mod export;
mod sampler;
mod span;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

pub use context::{Parent, state};
pub use export::Traces;
pub use span::{Attribute, Kind, Part};

use context::{new_span, new_trace};
use export::Queue;
use span::Span;

tokio::task_local! {
    static PRESENT: Arc<Present>;
}

/// A request that is being worked on.
#[derive(Debug)]
pub struct Present {
    pub request_id: String,
    trace: u128,
    span: u64,
    parent: Option<Parent>,
    /// What other systems say of their places in the trace.
    state: Option<String>,
    /// As whoever is asked next is told.
    sampled: bool,
    /// `None` where spans are not exported.
    recording: Option<Recording>,
}

/// The span of a request, while it lasts.
#[derive(Debug)]
struct Recording {
    /// `None` where this trace is left out.
    queue: Option<Queue>,
    began_at: DateTime<Utc>,
    began: Instant,
}

impl Present {
    /// A request that comes with this parent, if any, and begins at the time that `traces` come with.
    pub fn new(
        request_id: String,
        parent: Option<Parent>,
        state: Option<String>,
        traces: Option<(&Traces, DateTime<Utc>)>,
    ) -> Present {
        let trace = parent.map_or_else(new_trace, |parent| parent.trace);
        let recording = traces.map(|(traces, began_at)| {
            let queue = traces.sampler.takes(trace, parent.as_ref()).then(|| traces.queue.clone());
            Recording { queue, began_at, began: Instant::now() }
        });
        let sampled = match &recording {
            Some(recording) => recording.queue.is_some(),
            None => parent.is_some_and(|parent| parent.sampled),
        };
        Present { request_id, trace, span: new_span(), parent, state, sampled, recording }
    }

    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }

    /// What whoever is asked next is told: `traceparent` and `tracestate`. Where no spans are exported, the parent is the
    /// request's own: a span that nobody ever sees would be a hole in the trace.
    pub fn onward(&self) -> (impl AsRef<[u8]> + use<>, Option<&str>) {
        let span = match (&self.recording, &self.parent) {
            (None, Some(parent)) => parent.span,
            _ => self.span,
        };
        let parent = Parent { trace: self.trace, span, sampled: self.sampled };
        (parent.text(), self.state.as_deref())
    }

    pub fn is_recorded(&self) -> bool {
        self.queue().is_some()
    }

    fn queue(&self) -> Option<&Queue> {
        self.recording.as_ref()?.queue.as_ref()
    }

    /// Sends the request's own span, now that it has ended.
    pub fn ended(&self, name: String, attributes: Vec<Attribute>, failed: bool, took: Duration) {
        if let (Some(queue), Some(recording)) = (self.queue(), &self.recording) {
            queue.push(Span {
                trace: self.trace,
                span: self.span,
                parent: self.parent.map(|parent| parent.span),
                has_remote_parent: self.parent.is_some(),
                state: self.state.clone(),
                kind: Kind::Server,
                name: name.into(),
                attributes,
                failed,
                began_at: recording.began_at,
                took,
            });
        }
    }

    fn add(&self, part: Part, began: Instant, failed: bool) {
        if let (Some(queue), Some(recording)) = (self.queue(), &self.recording) {
            queue.push(Span {
                trace: self.trace,
                span: new_span(),
                parent: Some(self.span),
                has_remote_parent: false,
                state: self.state.clone(),
                kind: part.kind,
                name: part.name.into(),
                attributes: part.attributes(),
                failed,
                began_at: recording.began_at + began.saturating_duration_since(recording.began),
                took: began.elapsed(),
            });
        }
    }
}

/// Does `work` for this request.
pub fn within<F: Future>(present: Arc<Present>, work: F) -> impl Future<Output = F::Output> {
    PRESENT.scope(present, work)
}

/// Does `work` for the request that is being worked on here, if there is one, on a task of its own.
pub fn along<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let present = PRESENT.try_with(Arc::clone);
    async move {
        match present {
            Ok(present) => PRESENT.scope(present, work).await,
            Err(_) => work.await,
        }
    }
}

/// Asks the request that is being worked on here, if there is one.
pub fn present<T>(ask: impl FnOnce(&Present) -> T) -> Option<T> {
    PRESENT.try_with(|present| ask(present)).ok()
}

/// Does `work` as a part of the request that is being worked on, which has a span of its own where that is recorded.
pub async fn part<T, E>(part: Part, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let recorded =
        PRESENT.try_with(|present| present.is_recorded().then(|| (present.clone(), Instant::now())));
    let done = work.await;
    if let Ok(Some((present, began))) = recorded {
        present.add(part, began, done.is_err());
    }
    done
}
