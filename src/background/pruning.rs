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

/// Rows looked at, or deleted, by one statement.
const BATCH: u32 = 500;

/// Between two statements, others have their turn.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn prune_if_due(app: &App) -> Result<()> {
    let now = app.clock.now();
    if schedule::spend_turn(&app.db, "prune", now, now + PERIOD).await? { prune(app).await } else { Ok(()) }
}

/// Runs what deletes a batch, until it says that there are no more. Its outcome, which keeps nothing else from being tried.
macro_rules! in_batches {
    ($app:ident, $delete:expr) => {
        async {
            while !$app.is_shutting_down() && $delete {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        }
        .await
    };
}

/// Deletes all that is over: what can be, where something can't. Harmless if another replica does so at the same time.
pub async fn prune(app: &App) -> Result<()> {
    let (db, now) = (&app.db, app.clock.now());
    let kept =
        TimeDelta::from_std(app.config.access_token_ttl).unwrap_or(TimeDelta::MAX) + CHANGES_KEPT_LONGER;
    let audit_kept = TimeDelta::from_std(app.config.audit_retention).unwrap_or(TimeDelta::MAX);
    let (mut change, mut session) = (Some(0), None);
    let outcomes: [Result<()>; 8] = [
        in_batches!(app, guesses::delete_old(db, now - GUESSES_KEPT, BATCH).await?),
        in_batches!(app, guesses::delete_old_networks(db, now - NETWORKS_KEPT, BATCH).await?),
        in_batches!(app, mails::delete_failed(db, now - FAILED_MAILS_KEPT, BATCH).await?),
        in_batches!(app, links::delete_expired(db, now, BATCH).await?),
        in_batches!(app, {
            change = changes::delete_old(db, change.unwrap_or(i64::MAX), now - kept, BATCH).await?;
            change.is_some()
        }),
        in_batches!(app, {
            session = sessions::delete_over(db, session, now - SESSIONS_KEPT, BATCH).await?;
            session.is_some()
        }),
        in_batches!(app, app.audit.prune(db, now - audit_kept, BATCH).await?),
        app.keyring.prune(db, &app.changes, now).await.map_err(Into::into),
    ];
    outcomes.into_iter().collect()
}
