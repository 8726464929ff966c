//! `/api/v1/revocations`: what a service that checks access tokens by itself must know, to refuse a revoked one at once.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, HeaderName};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Introspector;
use super::params::{Params, whole_number};
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::store::changes::{self, Change, News};

/// How many changes one answer is made of at most.
const BATCH: u32 = 1000;

/// How long a request can be held.
const LONGEST_WAIT: u64 = 300;

/// How often a held request looks whether it still may be, and a stream shows that it is alive.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// What a client of server-sent events says when it comes back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[derive(Serialize)]
struct Item {
    seq: i64,
    at: DateTime<Utc>,
    sub: UserId,
    /// `None`: all of the user's tokens.
    sid: Option<SessionId>,
    reason: String,
}

impl Item {
    /// `None` for what is no user's.
    fn of(change: Change) -> Option<Item> {
        let Change { seq, at, reason, user_id, session_id } = change;
        Some(Item { seq, at, sub: user_id?, sid: session_id, reason })
    }
}

#[derive(Serialize)]
struct Answer {
    items: Vec<Item>,
    next: i64,
}

pub(super) async fn follow(
    request: HttpRequest,
    app: Data<App>,
    _caller: Introspector,
    params: Params,
) -> Result<HttpResponse> {
    let since = params.parsed("since", "a whole number from 0 on", sequence)?;
    let wait = params.parsed("wait", "a whole number of seconds from 0 to 300", |text| {
        whole_number(text).filter(|seconds| *seconds <= LONGEST_WAIT)
    })?;
    // Who asks for the head alone gets no stream, and is not kept waiting.
    let only_head = request.method() == Method::HEAD;
    let wait = wait.filter(|_| !only_head);
    let as_events = wants_events(&request) && !only_head;
    let last = last_event_id(&request)?;
    let mut follower = Follower { seen: app.changes.seen(), app, request, since: since.unwrap_or(0) };
    if !as_events {
        let until = Instant::now() + Duration::from_secs(wait.unwrap_or(0));
        return Ok(HttpResponse::Ok().json(follower.next(until).await?));
    }
    follower.since = last.unwrap_or(follower.since);
    // The first part is read before the answer begins: what fails then is still answered as a problem.
    let first = follower.next(Instant::now()).await?;
    let first = events(&first);
    let events = stream::unfold((Some(first), follower), |(first, mut follower)| async move {
        let part = match first {
            Some(first) => first,
            None => {
                let since = follower.since;
                // Also while there is so much to tell that it never waits.
                follower.ask_again().await.ok()?;
                let answer = follower.next(Instant::now() + HEARTBEAT).await.ok()?;
                // The service stops; or its database was set back, of which an event can't tell: whoever comes back with the
                // id of an event that is yet to come begins anew.
                if follower.app.is_shutting_down() || answer.next < since {
                    return None;
                }
                events(&answer)
            }
        };
        Some((Ok::<_, Infallible>(part), (None, follower)))
    });
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(events))
}

fn sequence(text: &str) -> Option<i64> {
    whole_number(text)
}

fn wants_events(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(ACCEPT).filter_map(|accept| accept.to_str().ok());
    accepted.flat_map(|accept| accept.split(',')).any(|accept| {
        accept.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
    })
}

fn last_event_id(request: &HttpRequest) -> Result<Option<i64>> {
    let Some(last) = request.headers().get(LAST_EVENT_ID) else { return Ok(None) };
    let last = last.to_str().ok().and_then(sequence);
    let refusal =
        || Error::InvalidRequest("`last-event-id` must be the id of one of these events.".to_owned());
    last.map(Some).ok_or_else(refusal)
}

/// An event for each item; a comment where there is none, which tells that all is well. (HTML Standard, section 9.2.)
fn events(answer: &Answer) -> Bytes {
    if answer.items.is_empty() {
        return Bytes::from_static(b":\n\n");
    }
    let event = |item: &Item| {
        let data = serde_json::to_string(item).unwrap_or_default();
        format!("id: {}\ndata: {data}\n\n", item.seq)
    };
    Bytes::from(answer.items.iter().map(event).collect::<String>())
}

/// One who follows the revocations, and how far.
struct Follower {
    app: Data<App>,
    request: HttpRequest,
    seen: watch::Receiver<i64>,
    since: i64,
}

impl Follower {
    /// What came after `since`; waits for something until then.
    async fn next(&mut self, until: Instant) -> Result<Answer> {
        let since = self.since;
        loop {
            self.seen.mark_unchanged();
            let answer = self.read().await?;
            let is_over = Instant::now() >= until || self.app.is_shutting_down();
            // A database that was set back is news, too.
            if !answer.items.is_empty() || answer.next < since || is_over {
                return Ok(answer);
            }
            self.wait(until).await?;
        }
    }

    /// Waits for a change until then, or until the service stops.
    async fn wait(&mut self, until: Instant) -> Result<()> {
        loop {
            let beat = until.min(Instant::now() + HEARTBEAT);
            let changed = tokio::select! {
                _ = self.seen.changed() => true,
                () = sleep_until(beat) => false,
                () = self.app.shutdown() => return Ok(()),
            };
            self.ask_again().await?;
            // Nor kept waiting by a replica that would not learn of a change: then the database is asked.
            if changed || !self.app.changes.are_followed() || Instant::now() >= until {
                return Ok(());
            }
        }
    }

    /// Nobody is kept informed after their own session has ended.
    async fn ask_again(&self) -> Result<()> {
        Introspector::ask_again(&self.request).await
    }

    async fn read(&mut self) -> Result<Answer> {
        let News { newest, changes } = changes::revocations(&self.app.db, self.since, BATCH).await?;
        self.since = match changes.last() {
            Some(last) if changes.len() == BATCH as usize => last.seq,
            _ => newest,
        };
        Ok(Answer { items: changes.into_iter().filter_map(Item::of).collect(), next: self.since })
    }
}
