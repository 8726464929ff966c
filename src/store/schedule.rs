//! `schedule`: whose turn it is to do what is done now and then.

use chrono::{DateTime, Utc};

use super::db::Executor;
use crate::error::Result;

/// Takes a task's turn, if it is due, and sets the next one: of replicas that ask at once, one is answered `true`.
pub async fn spend_turn(
    db: impl Executor<'_>,
    task: &str,
    now: DateTime<Utc>,
    next_at: DateTime<Utc>,
) -> Result<bool> {
    let sql = "insert into schedule (task, next_at) values ($1, $3) \
               on conflict (task) do update set next_at = $3 where schedule.next_at <= $2";
    Ok(db.query(sql).bind(task).bind(now).bind(next_at).execute().await? == 1)
}
