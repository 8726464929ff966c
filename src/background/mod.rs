//! What is done beside the requests, while the service runs.
//!
//! Every replica follows the feed of changes, writes down which sessions were used, and looks whether the signing key has
//! signed for long enough. The audit log is sealed by each in its turn, and pruning is done by whichever replica finds it due first
//! (the table `schedule`): one is enough, and none holds a lock for it.

mod pruning;

use std::sync::Arc;
use std::time::Duration;

use crate::accounts;
use crate::app::App;
use crate::config::KeyRotation;
use crate::error::{Error, Result};
use crate::sessions;
use crate::store::Feed;

pub use pruning::prune;

/// How long the use of a session may go unwritten.
const USES_NOTED_EVERY: Duration = Duration::from_secs(15);

/// How long an event goes unsealed.
const SEALED_EVERY: Duration = Duration::from_secs(1);

/// How long who asked for a mailed link waits until somebody looks whether there is such an account. Also where there is nothing
/// else to do: how busy the service is must not tell who was found.
const LINKS_ANSWERED_EVERY: Duration = Duration::from_secs(1);

/// How long sealing may take when the service stops; what is left is another replica's, or for the next start.
const LAST_SEALING: Duration = Duration::from_secs(2);

/// How long mails may take to leave when the service stops; what is left is tried again after the next start.
const LAST_MAILS: Duration = Duration::from_secs(5);

/// How often a replica looks whether the signing key is due to be replaced.
const ROTATION_ASKED_EVERY: Duration = Duration::from_secs(60);

/// How often networks that are within all limits again are forgotten.
const IDLE_FORGOTTEN_EVERY: Duration = Duration::from_secs(60);

/// How often a replica asks whether pruning is due.
const PRUNING_ASKED_EVERY: Duration = Duration::from_secs(60);

/// How long after a panic something is begun anew.
const BEGUN_ANEW_AFTER: Duration = Duration::from_secs(1);

/// Starts it all on the present runtime, with which it ends.
pub fn start(app: &Arc<App>) {
    keep(app, |app| async move { app.changes.follow(Feed::new(&app.db), &app.keyring).await });
    every(USES_NOTED_EVERY, app, "the uses of sessions could not be noted", |app| async move {
        sessions::note_uses(&app).await
    });
    every(SEALED_EVERY, app, "the audit log could not be sealed", |app| async move {
        app.audit.seal(&app.db).await.map(drop)
    });
    keep(
        app,
        |app| async move { app.mail.send_until(app.shutdown(), &app.db, &app.clock, LAST_MAILS).await },
    );
    every(LINKS_ANSWERED_EVERY, app, "requests for mailed links could not be answered", |app| async move {
        accounts::answer_link_requests(&app).await
    });
    if let KeyRotation(Some(rotation)) = app.config.key_rotation {
        every(ROTATION_ASKED_EVERY, app, "the signing key could not be replaced", move |app| async move {
            let (keyring, now) = (&app.keyring, app.clock.now());
            Ok(keyring.rotate_if_due(&app.db, &app.changes, rotation, now).await?)
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

/// The last of it, when the service stops.
pub async fn finish(app: &App) {
    if let Err(error) = sessions::note_uses(app).await {
        warn("the uses of sessions could not be noted", &error);
    }
    if let Ok(Err(error)) = tokio::time::timeout(LAST_SEALING, app.audit.seal(&app.db)).await {
        warn("the audit log could not be sealed", &error);
    }
    // Its own bound began when the stop did; this one is for a database that does not answer it.
    let _ = tokio::time::timeout(LAST_MAILS, app.mail.is_done()).await;
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
            // A task of its own: one that panics, which is logged where it does, is tried again as one that fails.
            if let Ok(Err(error)) = tokio::spawn(task(app.clone())).await {
                warn(failure, &error);
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

fn warn(failure: &str, error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!("{failure}: {cause}");
}
