//! Following Portcullis' revocations.
//!
//! One request after another, each held by Portcullis until there is something or its time is over. What is revoked is
//! complete as of the *start* of a request that was answered with all there was: when in between the answer was made
//! can't be known, and a line that freezes can deliver it late.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::access_token::Expected;
use crate::api::{Api, CallError, PAGE};
use crate::backoff::Backoff;
use crate::clock::Moment;
use crate::health::Health;
use crate::login::Login;
use crate::revoked::Revoked;

/// The shortest time between two requests that brought nothing new, whatever answers them.
const PACE: Duration = Duration::from_millis(50);

pub(crate) struct Feed<'a> {
    pub api: &'a Api,
    pub login: Login,
    pub expected: &'a Expected,
    pub revoked: &'a Revoked,
    pub health: &'a Health,
    pub max_silence: Duration,
}

/// How far the feed has been read.
#[derive(Default)]
struct Position {
    since: u64,
    /// The end was reached, since the position was last set back.
    synced: bool,
}

impl Feed<'_> {
    /// Follows for ever.
    pub async fn follow(mut self, progress: &watch::Sender<()>) {
        let mut position = Position::default();
        let mut backoff = Backoff::new();
        loop {
            // A database that was set back to a backup, and has gone on from there beyond our position, would not be
            // noticed by it. That takes longer than a silence, so after one everything is read again.
            if position.synced && !self.revoked.is_fresh(Moment::now()) {
                tracing::warn!(
                    "Portcullis was silent for too long: all tokens are refused until it is heard again"
                );
                position = Position::default();
            }
            match self.step(&mut position).await {
                Ok(()) => {
                    self.health.worked();
                    backoff.reset();
                }
                Err(error) => {
                    self.health.failed(error.to_string());
                    sleep(backoff.after(&error)).await;
                }
            }
            progress.send_replace(());
        }
    }

    /// One request.
    async fn step(&mut self, position: &mut Position) -> Result<(), CallError> {
        let bearer = self.login.bearer(self.api, self.expected).await?;
        // A third: what counts until this one ends is the start of the one before, which was held as long, and as much
        // again is left for the line.
        let wait = if position.synced { self.max_silence.as_secs() / 3 } else { 0 };
        let began = Moment::now();
        let answer = self.api.revocations(&bearer, position.since, wait).await;
        if let Err(CallError::Refused { status: 401, .. }) = answer {
            self.login.refused();
        }
        let page = answer?;
        self.revoked.note(&page.items, Moment::now());
        if page.next < position.since {
            tracing::warn!("Portcullis' database was set back to a backup: its revocations are read anew");
            *position = Position::default();
            sleep(PACE).await;
            return Ok(());
        }
        position.since = page.next;
        // At first only an empty answer will do. Later one with less than all it can hold will, too: where sessions
        // end all the time and Portcullis is far, hardly any is empty.
        if page.items.is_empty() || (position.synced && page.items.len() < PAGE) {
            if !position.synced {
                tracing::info!(remembered = self.revoked.len(), "all of Portcullis' revocations are known");
            }
            position.synced = true;
            self.revoked.complete(began);
        }
        // An answer with nothing, at once, is not how a held request ends; then it is for us to keep the pace.
        if page.items.is_empty() && wait > 0 && Moment::now().surely_since(began) < PACE {
            sleep(PACE).await;
        }
        Ok(())
    }
}
