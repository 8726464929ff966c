//! Deleting what is over: sessions that nobody can use any more, changes that concern no living token, keys of which none
//! is left, mails that were given up, and what the audit log need not tell any more.
//!
//! In small batches with pauses, each its own statement, so that nobody waits for more than one of them; and by walks
//! along the primary keys, so that no index has to be kept up to date by every refresh for the sake of this, and a row
//! whose time a wrong clock wrote keeps none of the others.

use std::time::Duration;

use chrono::TimeDelta;

use crate::app::App;
use crate::error::Result;
use crate::store::{changes, guesses, links, mails, schedule, sessions};

/// How often it is done.
const PERIOD: TimeDelta = TimeDelta::minutes(10);

/// How long a session is kept after its end, for who looks into what happened.
const SESSIONS_KEPT: TimeDelta = TimeDelta::days(1);

/// A change is kept for as long as a token from before it can live, and this much longer: for clocks that differ, and for
/// who was away meanwhile.
const CHANGES_KEPT_LONGER: TimeDelta = TimeDelta::minutes(5);

/// By then a guess is forgotten, however many there were.
const GUESSES_KEPT: TimeDelta = TimeDelta::days(1);

/// How long a mail that was given up is kept, for who looks into why.
const FAILED_MAILS_KEPT: TimeDelta = TimeDelta::days(7);

/// How long a network is known from which an account does not log in any more.
const NETWORKS_KEPT: TimeDelta = TimeDelta::days(90);

/// How long a link is kept that is good no more: it tells how many were mailed of late.
const LINKS_KEPT: TimeDelta = TimeDelta::hours(1);

/// Rows looked at, or deleted, by one statement.
const BATCH: u32 = 500;

/// Between two statements, others have their turn.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn prune_if_due(app: &App) -> Result<()> {
    let now = app.clock.now();
    if schedule::spend_turn(&app.db, "prune", now, now + PERIOD).await? { prune(app).await } else { Ok(()) }
}

/// Deletes all that is over. Harmless if another replica does so at the same time.
pub async fn prune(app: &App) -> Result<()> {
    let now = app.clock.now();
    let kept =
        TimeDelta::from_std(app.config.access_token_ttl).unwrap_or(TimeDelta::MAX) + CHANGES_KEPT_LONGER;
    while !app.is_shutting_down() && guesses::delete_old(&app.db, now - GUESSES_KEPT, BATCH).await? {
        tokio::time::sleep(PAUSE).await;
    }
    let idle = now - NETWORKS_KEPT;
    while !app.is_shutting_down() && guesses::delete_old_networks(&app.db, idle, BATCH).await? {
        tokio::time::sleep(PAUSE).await;
    }
    let failed = now - FAILED_MAILS_KEPT;
    while !app.is_shutting_down() && mails::delete_failed(&app.db, failed, BATCH).await? {
        tokio::time::sleep(PAUSE).await;
    }
    while !app.is_shutting_down() && links::delete_expired(&app.db, now - LINKS_KEPT, BATCH).await? {
        tokio::time::sleep(PAUSE).await;
    }
    let mut last = Some(0);
    while let Some(after) = last.filter(|_| !app.is_shutting_down()) {
        last = changes::delete_old(&app.db, after, now - kept, BATCH).await?;
        tokio::time::sleep(PAUSE).await;
    }
    let mut last = None;
    while !app.is_shutting_down() {
        last = sessions::delete_over(&app.db, last, now - SESSIONS_KEPT, BATCH).await?;
        if last.is_none() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let kept = TimeDelta::from_std(app.config.audit_retention).unwrap_or(TimeDelta::MAX);
    while !app.is_shutting_down() && app.audit.prune(&app.db, now - kept, BATCH).await? {
        tokio::time::sleep(PAUSE).await;
    }
    // Last: it fails where a key can't be read, which must not keep all the rest.
    Ok(app.keyring.prune(&app.db, &app.changes, now).await?)
}
