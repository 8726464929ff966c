//! `quotas`.

use chrono::{DateTime, Utc};

use super::db::{Executor, Tx};
use crate::error::Result;
use crate::id::UserId;

/// What of the requests that are left is taken at once: this part of them, and one at least.
const PART: i64 = 200;

/// How long a quota is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Day,
    Month,
}

impl Per {
    pub fn name(self) -> &'static str {
        match self {
            Per::Day => "day",
            Per::Month => "month",
        }
    }

    pub fn named(name: &str) -> Option<Per> {
        [Per::Day, Per::Month].into_iter().find(|per| per.name() == name)
    }
}

impl TryFrom<String> for Per {
    type Error = String;

    fn try_from(name: String) -> Result<Per, String> {
        Per::named(&name).ok_or(name)
    }
}

/// How many requests a user may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Quota {
    pub requests: i64,
    #[sqlx(try_from = "String")]
    pub per: Per,
    /// A higher one with each change.
    pub version: i64,
}

/// The quota of a user who may have none, beside other columns.
#[derive(Debug, sqlx::FromRow)]
pub struct QuotaIfAny {
    quota_requests: Option<i64>,
    quota_per: Option<String>,
    quota_version: Option<i64>,
}

impl QuotaIfAny {
    pub fn quota(&self) -> Option<Quota> {
        let per = Per::named(self.quota_per.as_deref()?)?;
        Some(Quota { requests: self.quota_requests?, per, version: self.quota_version? })
    }
}

/// The columns of [`QuotaIfAny`] from `quotas q`.
macro_rules! quota_columns {
    () => {
        "q.requests as quota_requests, q.per as quota_per, q.version as quota_version"
    };
}
pub(super) use quota_columns;

/// The user's quota.
pub async fn by_user(db: impl Executor<'_>, user: UserId) -> Result<Option<Quota>> {
    db.query("select requests, per, version from quotas where user_id = $1").bind(user).fetch_optional().await
}

/// Sets the user's quota; `false` where it was that already, or there is no such user. What was made of it so far counts on, unless
/// it is for another time now.
pub async fn set(tx: &mut Tx, user: UserId, requests: i64, per: Per, now: DateTime<Utc>) -> Result<bool> {
    let sql = "insert into quotas (user_id, requests, per, version, window_start, taken, granted) \
               select id, $2, $3, $4, 0, 0, 0 from users where id = $1 \
               on conflict (user_id) do update set requests = excluded.requests, per = excluded.per, \
               version = case when quotas.version < excluded.version then excluded.version else quotas.version + 1 end, \
               window_start = case when quotas.per = excluded.per then quotas.window_start else 0 end, \
               taken = case when quotas.per = excluded.per then quotas.taken else 0 end \
               where quotas.requests <> excluded.requests or quotas.per <> excluded.per";
    let query = tx.query(sql).bind(user).bind(requests).bind(per.name()).bind(now.timestamp_micros());
    Ok(query.execute().await? == 1)
}

/// Takes the user's quota away; `false` where there was none.
pub async fn delete(tx: &mut Tx, user: UserId) -> Result<bool> {
    Ok(tx.query("delete from quotas where user_id = $1").bind(user).execute().await? == 1)
}

/// Requests that were taken of a quota, to be let through.
#[derive(Debug, sqlx::FromRow)]
pub struct Taken {
    /// The first day of the window that they are of: later than the one that was asked for, where another replica's clock is ahead.
    pub window_start: i64,
    pub granted: i64,
    /// What is left for others, and for later.
    pub left: i64,
}

/// What was taken of this window before, the one that begins on day `$2`.
macro_rules! taken_before {
    () => {
        "(case when window_start < $2 then 0 else taken end)"
    };
}

/// How much of what is left is taken now.
macro_rules! granted {
    () => {
        concat!(
            "(case when requests - ",
            taken_before!(),
            " < $4 then 1 else (requests - ",
            taken_before!(),
            ") / $4 end)"
        )
    };
}

/// Takes a part of what is left of a user's quota for the day or month that begins on day `window`; `None` where nothing is left,
/// or the quota is gone or for another time. Of replicas that ask at once, none is given what another was.
pub async fn take(db: impl Executor<'_>, user: UserId, per: Per, window: i64) -> Result<Option<Taken>> {
    let sql = concat!(
        "update quotas set granted = ",
        granted!(),
        ", taken = ",
        taken_before!(),
        " + ",
        granted!(),
        ", window_start = case when window_start < $2 then $2 else window_start end \
         where user_id = $1 and per = $3 and ",
        taken_before!(),
        " < requests returning window_start, granted, requests - taken as left"
    );
    db.query(sql).bind(user).bind(window).bind(per.name()).bind(PART).fetch_optional().await
}

/// What nobody has taken yet of a user's quota for the day or month that begins on day `window`; `None` where the quota is gone or for
/// another time.
pub async fn left(db: impl Executor<'_>, user: UserId, per: Per, window: i64) -> Result<Option<i64>> {
    let sql = concat!("select requests - ", taken_before!(), " from quotas where user_id = $1 and per = $3");
    let left: Option<(i64,)> =
        db.query(sql).bind(user).bind(window).bind(per.name()).fetch_optional().await?;
    Ok(left.map(|(left,)| left))
}

/// Gives back what was taken and not needed, as long as it is worth something.
pub async fn set_given_back(
    db: impl Executor<'_>,
    user: UserId,
    per: Per,
    window: i64,
    requests: i64,
) -> Result<()> {
    let sql = "update quotas set taken = taken - $4 \
               where user_id = $1 and per = $3 and window_start = $2 and taken >= $4";
    db.query(sql).bind(user).bind(window).bind(per.name()).bind(requests).execute().await?;
    Ok(())
}
