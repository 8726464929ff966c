//! `guesses` and `known_networks`: wrong passwords, and from where right ones came.

use chrono::{DateTime, TimeDelta, Utc};

use super::db::{Db, Executor, Tx};
use crate::error::Result;

/// What is counted, under a MAC.
pub type GuessId = [u8; 16];

/// The wrong passwords of one account, network, or both.
#[derive(Debug, sqlx::FromRow)]
pub struct Guesses {
    pub id: Vec<u8>,
    pub failures: i64,
    /// When the last of them came, in microseconds since the epoch.
    pub failed_at: i64,
    /// Whether the account has logged in from the network.
    pub is_known: bool,
}

/// What is known of these, of which there may be nothing; and whether `network` is known.
pub async fn of(db: impl Executor<'_>, ids: [&GuessId; 3], network: &GuessId) -> Result<Vec<Guesses>> {
    let sql = "select id, failures, failed_at, exists (select 1 from known_networks where id = $4) as is_known \
               from guesses where id in ($1, $2, $3)";
    let [first, second, third] = ids.map(GuessId::as_slice);
    db.query(sql).bind(first).bind(second).bind(third).bind(network.as_slice()).fetch_all().await
}

/// How many have been forgotten by now, one every `$3`: none by a clock that was set back.
macro_rules! forgotten {
    () => {
        "(case when $2 > guesses.failed_at then ($2 - guesses.failed_at) / $3 else 0 end)"
    };
}

/// Counts a wrong password. One is forgotten every `leak`; more than `most` make no difference.
pub async fn insert_failure(
    tx: &mut Tx,
    id: &GuessId,
    leak: TimeDelta,
    most: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = concat!(
        "insert into guesses (id, failures, failed_at) values ($1, 1, $2) on conflict (id) do update set \
         failed_at = $2, failures = case when guesses.failures <= ",
        forgotten!(),
        " then 1 when guesses.failures - ",
        forgotten!(),
        " >= $4 then $4 else guesses.failures - ",
        forgotten!(),
        " + 1 end"
    );
    let leak = leak.num_microseconds().unwrap_or(i64::MAX);
    tx.query(sql).bind(id.as_slice()).bind(now.timestamp_micros()).bind(leak).bind(most).execute().await?;
    Ok(())
}

/// Counts one more of what may happen `most` times at once, and once more every `leak`; `false` where that is used up, and nothing
/// is counted.
pub async fn insert_within(
    tx: &mut Tx,
    id: &GuessId,
    leak: TimeDelta,
    most: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let sql = concat!(
        "insert into guesses (id, failures, failed_at) values ($1, 1, $2) on conflict (id) do update set \
         failed_at = $2, failures = case when guesses.failures <= ",
        forgotten!(),
        " then 1 else guesses.failures - ",
        forgotten!(),
        " + 1 end where guesses.failures - ",
        forgotten!(),
        " < $4"
    );
    let leak = leak.num_microseconds().unwrap_or(i64::MAX);
    let insert = tx.query(sql).bind(id.as_slice()).bind(now.timestamp_micros()).bind(leak).bind(most);
    Ok(insert.execute().await? == 1)
}

/// Forgets the wrong passwords of one.
pub async fn delete(tx: &mut Tx, id: &GuessId) -> Result<()> {
    tx.query("delete from guesses where id = $1").bind(id.as_slice()).execute().await?;
    Ok(())
}

/// Remembers a network from which an account has logged in. Written once a day.
pub async fn insert_known(tx: &mut Tx, network: &GuessId, now: DateTime<Utc>) -> Result<()> {
    let sql = "insert into known_networks (id, used_at) values ($1, $2) \
               on conflict (id) do update set used_at = $2 where known_networks.used_at < $3";
    let stale = now - TimeDelta::days(1);
    tx.query(sql).bind(network.as_slice()).bind(now).bind(stale).execute().await?;
    Ok(())
}

/// Deletes `limit` of those who guessed last before `before`; `false` where there are no more.
pub async fn delete_old(db: &Db, before: DateTime<Utc>, limit: u32) -> Result<bool> {
    let sql = "delete from guesses where id in (select id from guesses where failed_at < $1 limit $2)";
    let deleted = db.query(sql).bind(before.timestamp_micros()).bind(i64::from(limit)).execute().await?;
    Ok(deleted > 0)
}

/// As [`delete_old`], of the networks.
pub async fn delete_old_networks(db: &Db, before: DateTime<Utc>, limit: u32) -> Result<bool> {
    let sql =
        "delete from known_networks where id in (select id from known_networks where used_at < $1 limit $2)";
    Ok(db.query(sql).bind(before).bind(i64::from(limit)).execute().await? > 0)
}
