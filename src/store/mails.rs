//! `mails`: the outbox. What is in them is ciphertext here; only the mail room can read it.

use chrono::{DateTime, Utc};

use super::db::{Db, Executor, Tx};
use crate::error::Result;
use crate::id::MailId;

/// A mail that has not been sent yet.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Outgoing {
    pub id: MailId,
    pub template: String,
    pub sealed: Vec<u8>,
    pub created_at: DateTime<Utc>,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// Not sent after this.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Puts a mail into the outbox, due at once.
pub async fn insert(tx: &mut Tx, mail: &Outgoing) -> Result<()> {
    let sql = "insert into mails (id, template, sealed, created_at, due_at, attempts, expires_at) \
               values ($1, $2, $3, $4, $4, $5, $6)";
    let query = tx.query(sql).bind(mail.id).bind(&mail.template).bind(mail.sealed.as_slice());
    query.bind(mail.created_at).bind(mail.attempts).bind(mail.expires_at).execute().await?;
    Ok(())
}

/// Which mails are due: from a moment on, and those that are due later than any can be, since they were put in, or put off, by a clock that
/// has been set back.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub now: DateTime<Utc>,
    pub latest: DateTime<Utc>,
}

/// Whether any is due.
pub async fn is_any_due(db: &Db, due: Due) -> Result<bool> {
    let sql = "select exists (select 1 from mails where failed_at is null and (due_at <= $1 or due_at > $2))";
    let (due,): (bool,) = db.query(sql).bind(due.now).bind(due.latest).fetch_one().await?;
    Ok(due)
}

/// Takes up to `limit` mails that are due, those that have been for longest first: nobody else takes them before `until`.
pub async fn claim(db: &Db, due: Due, until: DateTime<Utc>, limit: usize) -> Result<Vec<Outgoing>> {
    // The outer condition once more: who waited for another that claims finds its rows no longer due.
    let sql = "update mails set due_at = $2, attempts = attempts + 1 \
               where failed_at is null and (due_at <= $1 or due_at > $4) and id in \
               (select id from mails where failed_at is null and (due_at <= $1 or due_at > $4) order by due_at, id limit $3) \
               returning id, template, sealed, created_at, attempts, expires_at";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let query = db.query(sql).bind(due.now).bind(until).bind(limit).bind(due.latest);
    let mut claimed: Vec<Outgoing> = query.fetch_all().await?;
    claimed.sort_by_key(|mail| mail.id);
    Ok(claimed)
}

/// Deletes one that was sent.
pub async fn delete(db: &Db, id: MailId) -> Result<()> {
    db.query("delete from mails where id = $1").bind(id).execute().await?;
    Ok(())
}

/// Has it tried again at `due_at`, unless someone else has tried meanwhile.
pub async fn set_due(db: &Db, mail: &Outgoing, due_at: DateTime<Utc>, why: &str) -> Result<()> {
    let sql = "update mails set due_at = $3, last_error = $4 where id = $1 and attempts = $2";
    db.query(sql).bind(mail.id).bind(mail.attempts).bind(due_at).bind(why).execute().await?;
    Ok(())
}

/// Gives it up, unless someone else has tried meanwhile.
pub async fn set_failed(db: &Db, mail: &Outgoing, why: &str, now: DateTime<Utc>) -> Result<()> {
    let sql = "update mails set failed_at = $3, last_error = $4 where id = $1 and attempts = $2";
    db.query(sql).bind(mail.id).bind(mail.attempts).bind(now).bind(why).execute().await?;
    Ok(())
}

/// Deletes `limit` of those that were given up before `before`; `false` where there are no more.
pub async fn delete_failed(db: &Db, before: DateTime<Utc>, limit: u32) -> Result<bool> {
    let sql = "delete from mails where id in (select id from mails where failed_at < $1 limit $2)";
    Ok(db.query(sql).bind(before).bind(i64::from(limit)).execute().await? > 0)
}
