//! What is done beside the requests, while the service runs.
//!
//! Every replica follows the feed of changes, writes down which sessions were used and who asked how often, and looks whether the signing key has
//! signed for long enough; and it answers who asked for a mailed link, and sends mails, each of which one replica gets. The audit log is sealed by each in its turn, and pruning is done by whichever replica finds it due first
//! (the table `schedule`): one is enough, and none holds a lock for it.

mod pruning;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::accounts;
use crate::app::App;
use crate::config::KeyRotation;
use crate::error::Result;
use crate::sessions;
use crate::store::Feed;

pub use pruning::prune;

/// How long the use of a session may go unwritten.
const USES_NOTED_EVERY: Duration = Duration::from_secs(15);

/// How long a count may be in memory alone; a crash loses no more.
const USAGE_WRITTEN_EVERY: Duration = Duration::from_secs(10);

/// How long a replica that nobody asks holds a part of a quota.
const IDLE_QUOTAS_GIVEN_BACK_EVERY: Duration = Duration::from_secs(10);

/// How long an event goes unsealed.
const SEALED_EVERY: Duration = Duration::from_secs(1);

/// How long who asked for a mailed link waits until somebody looks whether there is such an account. Also where there is nothing
/// else to do: how busy the service is must not tell who was found.
const LINKS_ANSWERED_EVERY: Duration = Duration::from_secs(1);

/// How long sealing may take when the service stops; what is left is another replica's, or for the next start.
const LAST_SEALING: Duration = Duration::from_secs(2);

/// How long mails may take to leave when the service stops; what is left is tried again after the next start.
const LAST_MAILS: Duration = Duration::from_secs(5);

/// How long spans may take to leave when the service stops; what is left is lost.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// How often a replica looks whether the signing key is due to be replaced.
const ROTATION_ASKED_EVERY: Duration = Duration::from_secs(60);

/// How often networks that are within all limits again are forgotten.
const IDLE_FORGOTTEN_EVERY: Duration = Duration::from_secs(60);

/// How often a replica asks whether pruning is due.
const PRUNING_ASKED_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked whether the files of TLS have changed.
const TLS_FILES_READ_EVERY: Duration = Duration::from_secs(2);

/// How long after a panic something is begun anew.
const BEGUN_ANEW_AFTER: Duration = Duration::from_secs(1);

/// Starts it all on the present runtime, with which it ends.
pub fn start(app: &Arc<App>) {
    keep(app, |app| async move { app.changes.follow(Feed::new(&app.db), &app.keyring).await });
    every(USES_NOTED_EVERY, app, "the uses of sessions could not be noted", |app| async move {
        sessions::note_uses(&app).await
    });
    every(USAGE_WRITTEN_EVERY, app, "the usage could not be written and is kept", |app| async move {
        app.usage.flush(&app.db).await
    });
    every(
        IDLE_QUOTAS_GIVEN_BACK_EVERY,
        app,
        "what is left of quotas could not be given back",
        |app| async move { app.usage.quotas.give_back(&app.db, false).await },
    );
    every(SEALED_EVERY, app, "the audit log could not be sealed", |app| async move {
        app.audit.seal(&app.db).await.map(drop)
    });
    keep(
        app,
        |app| async move { app.mail.send_until(app.shutdown(), &app.db, &app.clock, LAST_MAILS).await },
    );
    if app.traces.is_some() {
        keep(app, |app| async move {
            if let Some(traces) = &app.traces {
                traces.export_until(app.shutdown()).await;
            }
        });
    }
    every(LINKS_ANSWERED_EVERY, app, "requests for mailed links could not be answered", |app| async move {
        accounts::answer_link_requests(&app).await
    });
    if let KeyRotation(Some(rotation)) = app.config.key_rotation {
        every(ROTATION_ASKED_EVERY, app, "the signing key could not be replaced", move |app| async move {
            let (keyring, now) = (&app.keyring, app.clock.now());
            Ok(keyring.rotate_if_due(&app.db, &app.changes, rotation, now).await?)
        });
    }
    if app.tls.is_some() {
        every(TLS_FILES_READ_EVERY, app, "the files of TLS could not be read", |app| async move {
            // Elsewhere: a folder from the network may not answer.
            let read = move || app.tls.as_ref().map(|tls| tls.follow(app.clock.now()));
            tokio::task::spawn_blocking(read).await.context("it panicked")?;
            Ok(())
        });
    }
    every(IDLE_FORGOTTEN_EVERY, app, "idle networks could not be forgotten", |app| async move {
        app.addresses.forget_idle();
        Ok(())
    });
    every(PRUNING_ASKED_EVERY, app, "what is over could not be deleted", |app| async move {
        pruning::prune_if_due(&app).await
    });
}

/// The last of it, when the service stops. All at once, so that a database which does not answer is waited for once.
pub async fn finish(app: &App) {
    let began = Instant::now();
    let (uses, usage, quotas, sealed, _) = tokio::join!(
        sessions::note_uses(app),
        app.usage.flush(&app.db),
        app.usage.quotas.give_back(&app.db, true),
        tokio::time::timeout(LAST_SEALING, app.audit.seal(&app.db)),
        // Its own bound began when the stop did; this one is for a database that does not answer it.
        tokio::time::timeout(LAST_MAILS, app.mail.is_done()),
    );
    // After what the others may have to add.
    flush_spans(app).await;
    for (done, failure) in [
        (uses, "the uses of sessions could not be noted"),
        (usage, "the usage could not be written and is lost"),
        (quotas, "what is left of quotas could not be given back"),
        (sealed.unwrap_or(Ok(true)).map(drop), "the audit log could not be sealed"),
    ] {
        if let Err(error) = done {
            app.db.outage().tell(failure, began, &error);
        }
    }
}

async fn flush_spans(app: &App) {
    if let Some(traces) = &app.traces
        && tokio::time::timeout(LAST_SPANS, traces.flush()).await.is_err()
    {
        tracing::warn!("the last traces could not be exported and are lost");
    }
}

fn every<Done>(
    period: Duration,
    app: &Arc<App>,
    failure: &'static str,
    mut task: impl FnMut(Arc<App>) -> Done + Send + 'static,
) where
    Done: Future<Output = Result<()>> + Send + 'static,
{
    let app = app.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first comes at once.
        ticks.tick().await;
        while !app.is_shutting_down() {
            ticks.tick().await;
            let began = Instant::now();
            // A task of its own: one that panics, which is logged where it does, is tried again as one that fails.
            if let Ok(Err(error)) = tokio::spawn(task(app.clone())).await {
                app.db.outage().tell(failure, began, &error);
            }
        }
    });
}

/// Runs what ends with the service. If it panics, which is logged where it does, it is begun anew.
fn keep<Done>(app: &Arc<App>, task: impl Fn(Arc<App>) -> Done + Send + 'static)
where
    Done: Future<Output = ()> + Send + 'static,
{
    let app = app.clone();
    tokio::spawn(async move {
        while tokio::spawn(task(app.clone())).await.is_err_and(|error| error.is_panic()) {
            tokio::time::sleep(BEGUN_ANEW_AFTER).await;
        }
    });
}
