//! Metrics: what there is to measure, in Prometheus' text format.
//!
//! The rooms keep their own counts; here they are only told ([`Metrics::text`]), when somebody asks. The text is written
//! here: a registry of a library would be a second place for numbers that are there already, and looks its labels up at each
//! request.
//!
//! No label has what a client can choose: routes are the patterns, and all other labels are from lists. docs/observability.md
//! has a table of all of them, which a test compares with what is told.

mod process;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::config::{Algorithm, KeyRotation};
use crate::counts::Hot;
use crate::store::Connections;
use crate::store::backlog::{Backlog, backlog};
use crate::tokens::KeyState;
use process::Process;
use text::{Kind, Page};

/// How long what the database said is told again.
const BACKLOG_KEPT: Duration = Duration::from_secs(5);

/// How long the database may take to say it.
const BACKLOG_TIMEOUT: Duration = Duration::from_secs(1);

/// Nobody needs to know how many more there are.
const MOST_COUNTED: u32 = 10_000;

/// What there is to measure of a service.
pub struct Metrics {
    app: Arc<App>,
    /// The names of the routes, by the numbers under which their requests are counted.
    routes: Vec<&'static str>,
    backlog: tokio::sync::Mutex<Option<(Instant, Option<Backlog>)>>,
}

impl Metrics {
    pub fn new(app: Arc<App>, routes: Vec<&'static str>) -> Metrics {
        Metrics { app, routes, backlog: tokio::sync::Mutex::default() }
    }

    /// All of it, at this moment.
    pub async fn text(&self) -> String {
        // Before this asks for a connection itself.
        let pools = self.app.db.pools();
        let backlog = self.backlog().await;
        let now = self.app.clock.now();
        let mut page = Page::default();
        page.gauge("portcullis_build_info", "Which version runs; always 1.")
            .of(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.requests(&mut page);
        self.logins(&mut page);
        self.hashing(&mut page);
        self.tokens(&mut page);
        self.database(&mut page, &pools, backlog);
        self.mails(&mut page, backlog);
        self.keys(&mut page, now);
        self.certificate(&mut page);
        self.spans(&mut page);
        process(&mut page);
        page.into_text()
    }

    fn requests(&self, page: &mut Page) {
        let hot = self.app.counts.hot.as_ref();
        let requests = hot.map(|hot| &hot.requests);
        let mut metric = page.counter(
            "portcullis_http_requests_total",
            "Requests answered, by the route's pattern; status 499 is a client that hung up.",
        );
        for (number, route) in self.routes.iter().enumerate() {
            for (method, status, count) in requests.iter().flat_map(|requests| requests.counts(number)) {
                let status = status.map_or("other".to_owned(), |status| status.to_string());
                metric.of(&[("route", route), ("method", method), ("status", &status)], count);
            }
        }
        let mut metric = page.metric(
            "portcullis_http_request_duration_seconds",
            Kind::Histogram,
            "Time from a request's head to its answer's head.",
        );
        for (number, route) in self.routes.iter().enumerate() {
            for (method, times) in requests.iter().flat_map(|requests| requests.times(number)) {
                metric.times(&[("route", route), ("method", method)], times);
            }
        }
        page.gauge("portcullis_http_requests_in_flight", "Requests being answered.")
            .is(self.app.requests_in_flight());
    }

    fn logins(&self, page: &mut Page) {
        let counts = &self.app.counts;
        for (name, help, outcomes) in [
            (
                "portcullis_logins_total",
                "Passwords given for a login, on all routes that take one, by what came of it.",
                &counts.logins,
            ),
            (
                "portcullis_refreshes_total",
                "Refresh tokens presented, by what came of it; reused: one came again, and its session ended.",
                &counts.refreshes,
            ),
            (
                "portcullis_registrations_total",
                "Registrations whose fields were sound, by what came of them.",
                &counts.registrations,
            ),
        ] {
            let mut metric = page.counter(name, help);
            outcomes.each().for_each(|(result, count)| metric.of(&[("result", result)], count));
        }
        let mut metric = page.counter(
            "portcullis_rate_limited_total",
            "Requests refused by a limit of their network or name.",
        );
        self.app.addresses.refused().for_each(|(limit, count)| metric.of(&[("limit", limit)], count));
        metric.of(&[("limit", "guess")], self.app.guessing.refused.count());
        page.counter("portcullis_quota_exceeded_total", "Requests refused by their user's quota.")
            .is(counts.quota_refusals.count());
    }

    fn hashing(&self, page: &mut Page) {
        let (hasher, noted) = (&self.app.hasher, self.app.hasher.noted());
        page.gauge("portcullis_hashing_queue_length", "Passwords that wait for a thread.")
            .is(hasher.waiting());
        page.metric(
            "portcullis_hashing_wait_seconds",
            Kind::Histogram,
            "Time that a password waited for a thread.",
        )
        .times(&[], &noted.waits);
        let mut metric = page.counter(
            "portcullis_hashes_total",
            "Passwords hashed, by how many were hashed at once; other: of another scheme or cost, or judged.",
        );
        for (lanes, count) in noted.hashes.iter().enumerate() {
            metric.of(&[("lanes", &(lanes + 1).to_string())], count.count());
        }
        metric.of(&[("lanes", "other")], noted.other.count());
        let mut metric = page.counter(
            "portcullis_hashing_refused_total",
            "Passwords not hashed: the queue was full, or the wait too long.",
        );
        metric.of(&[("reason", "full")], noted.full.count());
        metric.of(&[("reason", "late")], noted.late.count());
    }

    fn tokens(&self, page: &mut Page) {
        let changes = &self.app.changes;
        let count = |count: fn(&Hot) -> u64| self.app.counts.hot.as_ref().map_or(0, count);
        page.counter("portcullis_session_cache_hits_total", "Tokens and API keys answered from memory.")
            .is(count(|hot| hot.hits.count()));
        page.counter(
            "portcullis_session_cache_misses_total",
            "Tokens and API keys for which the database was asked.",
        )
        .is(count(|hot| hot.misses.count()));
        page.gauge("portcullis_session_cache_entries", "Tokens and API keys in memory.")
            .is(changes.cache().len());
        page.gauge("portcullis_session_cache_capacity", "Tokens and API keys that there is room for.")
            .is(changes.cache().capacity());
        page.gauge(
            "portcullis_feed_lag_seconds",
            "Time since the last good read of the feed of changes began.",
        )
        .is(changes.lag().as_secs_f64());
        page.gauge("portcullis_feed_sequence", "The last change that was read.").is(*changes.seen().borrow());
        page.gauge("portcullis_feed_trusted", "Whether the session cache is believed: 1 or 0.")
            .is(u8::from(changes.are_followed()));
    }

    fn database(&self, page: &mut Page, pools: &[Connections], backlog: Option<Backlog>) {
        page.gauge(
            "portcullis_database_up",
            "Whether the last statement of these metrics was answered: 1 or 0.",
        )
        .is(u8::from(backlog.is_some()));
        let mut metric =
            page.gauge("portcullis_database_connections", "Connections that are open, by what they do.");
        for pool in pools {
            metric.of(&[("pool", pool.name), ("state", "idle")], pool.idle.min(pool.open));
            metric.of(&[("pool", pool.name), ("state", "used")], pool.open.saturating_sub(pool.idle));
        }
        let mut metric = page.gauge("portcullis_database_connections_max", "Connections that there may be.");
        pools.iter().for_each(|pool| metric.of(&[("pool", pool.name)], pool.most));
        let mut metric = page.gauge(
            "portcullis_audit_unsealed_events",
            "Audit events without a place in the chain yet, of all replicas; 10000 is that or more.",
        );
        backlog.iter().for_each(|backlog| metric.is(backlog.events_unsealed));
    }

    fn mails(&self, page: &mut Page, backlog: Option<Backlog>) {
        let noted = &self.app.mail.noted;
        let mut metric = page.counter(
            "portcullis_mails_total",
            "Attempts to send a mail, by what came of it; put_off: it is tried again.",
        );
        for (result, count) in
            [("sent", &noted.sent), ("put_off", &noted.put_off), ("given_up", &noted.given_up)]
        {
            metric.of(&[("result", result)], count.count());
        }
        let mut metric = page.gauge(
            "portcullis_mails_waiting",
            "Mails in the outbox, of all replicas; 10000 is that or more.",
        );
        backlog.iter().for_each(|backlog| metric.is(backlog.mails_waiting));
    }

    fn keys(&self, page: &mut Page, now: DateTime<Utc>) {
        let keys = self.app.keyring.list(now);
        let in_state = |state| keys.iter().filter(move |key| key.state == state);
        let mut metric = page.gauge("portcullis_signing_keys", "Keys of access tokens, by what they do.");
        for state in [KeyState::Next, KeyState::Active, KeyState::Retired, KeyState::Gone] {
            metric.of(&[("state", state.name())], in_state(state).count());
        }
        let active = in_state(KeyState::Active).next();
        let seconds = |from: DateTime<Utc>, to: DateTime<Utc>| (to - from).num_milliseconds() as f64 / 1e3;
        let mut metric =
            page.gauge("portcullis_signing_key_age_seconds", "For how long the present key has signed.");
        active.iter().for_each(|key| metric.is(seconds(key.signs_from, now)));
        let rotates = |every: Duration| {
            let active = active.filter(|key| key.algorithm != Algorithm::Hs256)?;
            active.signs_from.checked_add_signed(chrono::TimeDelta::from_std(every).ok()?)
        };
        let KeyRotation(every) = self.app.config.key_rotation;
        let next = in_state(KeyState::Next).map(|key| key.signs_from).min();
        let mut metric = page.gauge(
            "portcullis_signing_key_next_rotation_timestamp_seconds",
            "When another key signs or is due to; not there where none ever is.",
        );
        let next = next.or_else(|| every.and_then(rotates));
        next.iter().for_each(|at| metric.is(seconds(DateTime::UNIX_EPOCH, *at)));
    }

    fn certificate(&self, page: &mut Page) {
        let mut metric = page.gauge(
            "portcullis_tls_certificate_not_after_timestamp_seconds",
            "When the certificate that is shown expires; not there without TLS.",
        );
        self.app.tls.iter().for_each(|tls| metric.is(tls.not_after().timestamp()));
    }

    fn spans(&self, page: &mut Page) {
        let mut metric = page.counter(
            "portcullis_spans_total",
            "Spans of traces; dropped: the collector was away, or too slow.",
        );
        if let Some(traces) = &self.app.traces {
            metric.of(&[("result", "sent")], traces.noted().sent.count());
            metric.of(&[("result", "dropped")], traces.noted().dropped.count());
        }
    }

    /// What the database says of what waits in it; `None` where it does not. However many ask, it is asked once in a while.
    async fn backlog(&self) -> Option<Backlog> {
        let mut known = self.backlog.lock().await;
        if let Some((_, told)) = known.filter(|(at, _)| at.elapsed() < BACKLOG_KEPT) {
            return told;
        }
        let asked = tokio::time::timeout(BACKLOG_TIMEOUT, backlog(&self.app.db, MOST_COUNTED)).await;
        let told = asked.ok().and_then(Result::ok);
        *known = Some((Instant::now(), told));
        told
    }
}

/// By the names that they have everywhere.
fn process(page: &mut Page) {
    let Some(process) = Process::read() else { return };
    page.counter("process_cpu_seconds_total", "Processor time, of users and system.").is(process.cpu_seconds);
    page.gauge("process_resident_memory_bytes", "Memory that is in use.").is(process.resident_bytes);
    page.gauge("process_virtual_memory_bytes", "Memory that is addressed.").is(process.virtual_bytes);
    page.gauge("process_threads", "Threads.").is(process.threads);
    page.gauge("process_open_fds", "Files and connections that are open.").is(process.open_files);
    let mut metric = page.gauge("process_max_fds", "Files and connections that may be open.");
    process.most_files.iter().for_each(|most| metric.is(most));
    page.gauge("process_start_time_seconds", "When the process began, in seconds since the epoch.")
        .is(process.started_at);
}
