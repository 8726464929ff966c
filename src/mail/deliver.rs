//! Sending what is due.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::MissedTickBehavior;

use super::letter::Template;
use super::{Mail, Way, smtp};
use crate::clock::Clock;
use crate::error::Result;
use crate::secret;
use crate::store::Db;
use crate::store::mails::{self, Due, Outgoing};

/// Mails that are sent at the same time.
pub(super) const AT_ONCE: usize = 4;

/// How often what is due is looked for.
const LOOKED_FOR_EVERY: Duration = Duration::from_secs(1);

/// How long a mail is nobody else's once its sending has begun: longer than that can take, the database included.
const LEASE: TimeDelta = TimeDelta::seconds(60);
const _: () = assert!(smtp::DEADLINE.as_secs() * 2 <= LEASE.num_seconds() as u64);

/// How long after its first failure a mail is tried again; doubled each time.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(15);

/// For how long a mail is tried that does not say itself until when.
const TRIED_FOR: TimeDelta = TimeDelta::hours(24);

/// Why a mail was not sent. No secret and no address is part of it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another time it may be.
    Passing(String),
    Final(String),
}

impl Mail {
    /// Sends what is due now, and returns when that is done or has failed.
    pub async fn deliver(&self, db: &Db, clock: &Clock) -> Result<()> {
        let mut under_way = FuturesUnordered::new();
        loop {
            let claim = self.claim(db, clock.now(), AT_ONCE - under_way.len());
            match beside(&mut under_way, claim).await {
                Ok(claimed) => {
                    under_way.extend(claimed.into_iter().map(|mail| self.try_one(db, clock, mail)))
                }
                Err(error) if under_way.is_empty() => return Err(error),
                Err(_) => {}
            }
            if under_way.next().await.is_none() {
                return Ok(());
            }
        }
    }

    /// Sends what is due, for as long as `stop` is. Then what is being sent may end, within `at_the_end`; what does not is tried again
    /// by whoever looks for it when its lease is over.
    pub async fn send_until(
        &self,
        stop: impl Future<Output = ()>,
        db: &Db,
        clock: &Clock,
        at_the_end: Duration,
    ) {
        let _sending = self.sending.lock().await;
        let mut stop = std::pin::pin!(stop);
        let mut ticks = tokio::time::interval(LOOKED_FOR_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut under_way = FuturesUnordered::new();
        loop {
            // One that takes long keeps its place among those that are sent at once, and no other.
            let has_place = under_way.len() < AT_ONCE;
            tokio::select! {
                biased;
                () = &mut stop => break,
                _ = ticks.tick(), if has_place => {}
                Some(()) = under_way.next() => {}
            }
            let began = Instant::now();
            let claim = self.claim(db, clock.now(), AT_ONCE - under_way.len());
            match beside(&mut under_way, claim).await {
                Ok(claimed) => {
                    under_way.extend(claimed.into_iter().map(|mail| self.try_one(db, clock, mail)))
                }
                Err(error) => db.outage().tell("mails could not be looked for", began, &error),
            }
        }
        let rest = async { while under_way.next().await.is_some() {} };
        if tokio::time::timeout(at_the_end, rest).await.is_err() {
            tracing::warn!("mails that were being sent are left for the next start");
        }
    }

    /// Waits until [`send_until`](Self::send_until) has ended, wherever it runs.
    pub async fn is_done(&self) {
        drop(self.sending.lock().await);
    }

    async fn claim(&self, db: &Db, now: DateTime<Utc>, limit: usize) -> Result<Vec<Outgoing>> {
        let due = Due { now, latest: now + LONGEST_PAUSE * 2 };
        // By itself the update would take SQLite's one writer every second, for nothing.
        if limit > 0 && mails::is_any_due(db, due).await? {
            mails::claim(db, due, now + LEASE, limit).await
        } else {
            Ok(Vec::new())
        }
    }

    /// Sends a mail and notes what became of it.
    async fn try_one(&self, db: &Db, clock: &Clock, mail: Outgoing) {
        let sent = || self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let was_sent = sent().contains(&mail.id);
        let outcome = if was_sent { Ok(()) } else { self.send(&mail, clock.now()).await };
        let began = Instant::now();
        let noted = match outcome {
            Ok(()) => {
                if sent().insert(mail.id) {
                    self.noted.sent.add_one();
                }
                let deleted = mails::delete(db, mail.id).await;
                if deleted.is_ok() {
                    sent().remove(&mail.id);
                }
                deleted
            }
            Err(failure) => self.note(db, &mail, failure, clock.now()).await,
        };
        if let Err(error) = noted {
            db.outage().tell(
                &format!("what became of the mail {} could not be noted", mail.id),
                began,
                &error,
            );
        }
    }

    async fn send(&self, mail: &Outgoing, now: DateTime<Utc>) -> Result<(), Failure> {
        if mail.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Failure::Final("it expired before it could be sent".to_owned()));
        }
        // Another replica may know better, in the middle of an update.
        let template = Template::named(&mail.template)
            .ok_or_else(|| Failure::Passing("this version knows no such template".to_owned()))?;
        let content = self.unseal(mail).ok_or_else(|| {
            Failure::Passing("it can't be decrypted: it was sealed under another SECRET_KEY".to_owned())
        })?;
        let message = self.composer.compose(mail, template, &content);
        let message = message.map_err(|error| Failure::Final(without(&content.to, &format!("{error:#}"))))?;
        let sent = match &self.way {
            Way::Smtp(smtp) => smtp.send(message).await,
            Way::Files(files) => files.send(mail.id, message.formatted()).await.map_err(Failure::Passing),
        };
        sent.map_err(|failure| match failure {
            Failure::Passing(why) => Failure::Passing(without(&content.to, &why)),
            Failure::Final(why) => Failure::Final(without(&content.to, &why)),
        })
    }

    /// Has it tried again, or gives it up.
    async fn note(&self, db: &Db, mail: &Outgoing, failure: Failure, now: DateTime<Utc>) -> Result<()> {
        let until = mail.expires_at.unwrap_or(mail.created_at + TRIED_FOR);
        let next = now + pause(mail.attempts);
        match failure {
            Failure::Passing(why) if next < until => {
                self.noted.put_off.add_one();
                tracing::info!(mail_id = %mail.id, template = mail.template, attempts = mail.attempts, "a mail was not sent yet: {why}");
                mails::set_due(db, mail, next, &why).await
            }
            Failure::Passing(why) | Failure::Final(why) => {
                self.noted.given_up.add_one();
                tracing::warn!(mail_id = %mail.id, template = mail.template, attempts = mail.attempts, "a mail is given up: {why}");
                mails::set_failed(db, mail, &why, now).await
            }
        }
    }
}

/// Does `work` while what is under way goes on: that may hold what the work waits for, a connection to the database.
async fn beside<T>(
    under_way: &mut FuturesUnordered<impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(()) = under_way.next() => {}
        }
    }
}

/// How long to wait after this many attempts; up to a fifth more, so that mails which failed together come back one by one.
fn pause(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(10);
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE);
    pause + pause * i32::from(secret::random::<1>()[0]) / (5 * 255)
}

/// `text`, which a mail server may have said, without the address that it was about, on one line of a length to read.
fn without(address: &str, text: &str) -> String {
    let text = super::letter::one_line(text);
    let (lower, address) = (text.to_ascii_lowercase(), address.to_ascii_lowercase());
    let (mut kept, mut from) = (String::new(), 0);
    for (at, found) in lower.match_indices(&address).filter(|(_, found)| !found.is_empty()) {
        kept += &text[from..at];
        kept += "(recipient)";
        from = at + found.len();
    }
    kept += &text[from..];
    kept.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_bound_and_differ() {
        for (attempts, least) in [(0, 5), (1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (1000, 900)] {
            let pauses: Vec<_> = (0..100).map(|_| pause(attempts).num_milliseconds()).collect();
            assert!(pauses.iter().all(|pause| (least * 1000..=least * 1200).contains(pause)), "{attempts}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{attempts}");
        }
    }

    #[test]
    fn an_address_is_not_repeated() {
        let said = "permanent error (550): 5.1.1 <Ada@example.com>\r\n: ADA@example.com unknown";
        assert_eq!(
            without("ada@EXAMPLE.com", said),
            "permanent error (550): 5.1.1 <(recipient)>  : (recipient) unknown"
        );
        assert_eq!(without("", &"é".repeat(600)).chars().count(), 500);
    }
}
