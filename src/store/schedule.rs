//! `schedule`: whose turn it is to do what is done now and then.

use chrono::{DateTime, TimeDelta, Utc};

use super::db::Executor;
use crate::error::Result;

/// By how much replicas' clocks may differ.
const CLOCKS: TimeDelta = TimeDelta::minutes(1);

/// Takes a task's turn, if it is due, and sets the next one: of replicas that ask at once, one is answered `true`. A turn that is
/// later than the one that would be next was set by a clock that has been set back since, and is due, too.
pub async fn spend_turn(
    db: impl Executor<'_>,
    task: &str,
    now: DateTime<Utc>,
    next_at: DateTime<Utc>,
) -> Result<bool> {
    let sql = "insert into schedule (task, next_at) values ($1, $3) \
               on conflict (task) do update set next_at = $3 where schedule.next_at <= $2 or schedule.next_at > $4";
    let query = db.query(sql).bind(task).bind(now).bind(next_at).bind(next_at + CLOCKS);
    Ok(query.execute().await? == 1)
}
