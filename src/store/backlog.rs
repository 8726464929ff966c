//! What waits in the tables that someone works off.

use super::db::{Db, Executor};
use crate::error::Result;

/// How many rows wait; each no more than was asked for.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Backlog {
    /// Mails that are to be sent.
    pub mails_waiting: i64,
    /// Events without a place in the audit log's chain.
    pub events_unsealed: i64,
}

/// Counts what waits, of each up to `most`.
pub async fn backlog(db: &Db, most: u32) -> Result<Backlog> {
    let sql = "select (select count(*) from (select 1 from mails where failed_at is null limit $1) as waiting) as mails_waiting, \
               (select count(*) from (select 1 from audit_events where seq is null limit $1) as unsealed) as events_unsealed";
    db.query(sql).bind(i64::from(most)).fetch_one().await
}
