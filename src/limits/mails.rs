//! Mails to one address: how many of a kind, whoever has them sent.

use chrono::{DateTime, TimeDelta, Utc};

use super::guesses::{Guessing, Subject, id};
use crate::error::Result;
use crate::store::Tx;
use crate::store::guesses;

/// So many at once, to one address,
const MOST: i64 = 5;

/// and one more each time that this has gone by: five an hour.
pub const ONE_MORE_AFTER: TimeDelta = TimeDelta::minutes(12);

impl Guessing {
    /// Counts a mail of this kind to the address of this key; `false` where there have been too many: then it must not be sent.
    /// By the address, and not by who has an account: accounts are had for nothing.
    pub async fn allows_mail(
        &self,
        tx: &mut Tx,
        kind: &str,
        email_key: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let Some(key) = self.key() else { return Ok(true) };
        let kind = format!("mail/{kind}");
        let id = id(key, kind.as_bytes(), Subject::Email(email_key), None);
        guesses::insert_within(tx, &id, ONE_MORE_AFTER, MOST, now).await
    }
}
