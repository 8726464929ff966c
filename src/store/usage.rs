//! `usage`: who asked how often for which service, by day.

use sqlx::types::Json;

use super::db::Executor;
use crate::error::Result;
use crate::id::{ApiKeyId, UserId};

/// Requests of one kind on one day: by whom, with which key (all zeros: none), for which service; the day, in days since the epoch;
/// and how many.
pub type Count<'a> = (UserId, ApiKeyId, &'a str, i64, i64);

/// Adds to the counts, all or none of them. Those of users that are gone are left out.
pub async fn insert_counts(db: impl Executor<'_>, counts: &[Count<'_>]) -> Result<()> {
    // In the order of the key, and each user held before its rows: who writes or deletes them at the same time waits, and is not
    // waited for.
    let add = db.query_either(
        "insert into usage (user_id, day, service, key_id, requests) \
         select u.id, cast(c ->> 3 as bigint), c ->> 2, cast(c ->> 1 as uuid), cast(c ->> 4 as bigint) \
         from jsonb_array_elements($1) as c join users u on u.id = cast(c ->> 0 as uuid) \
         order by 1, 2, 3, 4 for key share of u \
         on conflict (user_id, day, service, key_id) do update set requests = usage.requests + excluded.requests",
        "insert into usage (user_id, day, service, key_id, requests) \
         select u.id, value ->> 3, value ->> 2, unhex(replace(value ->> 1, '-', '')), value ->> 4 \
         from json_each($1) join users u on u.id = unhex(replace(value ->> 0, '-', '')) where true \
         on conflict (user_id, day, service, key_id) do update set requests = usage.requests + excluded.requests",
    );
    add.bind(Json(counts)).execute().await?;
    Ok(())
}

/// The first and the last day that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    pub from: i64,
    pub to: i64,
}

/// What a user asked of a service on a day.
#[derive(Debug, sqlx::FromRow)]
pub struct OfService {
    pub day: i64,
    pub service: String,
    pub requests: i64,
}

/// What the user asked, newest day first.
pub async fn of_user(db: impl Executor<'_>, user: UserId, days: Days) -> Result<Vec<OfService>> {
    let sql = "select day, service, cast(sum(requests) as bigint) as requests from usage \
               where user_id = $1 and day between $2 and $3 group by day, service order by day desc, service";
    db.query(sql).bind(user).bind(days.from).bind(days.to).fetch_all().await
}

/// What everyone asked on a day.
#[derive(Debug, sqlx::FromRow)]
pub struct OnDay {
    pub day: i64,
    pub requests: i64,
}

/// By day, newest first, from the one before `before` on.
pub async fn by_day(
    db: impl Executor<'_>,
    days: Days,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<OnDay>> {
    let sql = "select day, cast(sum(requests) as bigint) as requests from usage where day between $1 and $2 \
               and (cast($3 as bigint) is null or day < $3) group by day order by day desc limit $4";
    let query = db.query(sql).bind(days.from).bind(days.to).bind(before);
    query.bind(i64::from(limit)).fetch_all().await
}

/// What a user asked of all services.
#[derive(Debug, sqlx::FromRow)]
pub struct OfUser {
    pub user_id: UserId,
    /// The username, or the address of a user without one.
    pub name: String,
    pub requests: i64,
}

/// By user, the greatest first, from the one after this number and user on.
pub async fn by_user(
    db: impl Executor<'_>,
    days: Days,
    after: Option<(i64, UserId)>,
    limit: u32,
) -> Result<Vec<OfUser>> {
    let sql = "select t.user_id, coalesce(u.username, u.email) as name, t.requests from \
               (select user_id, cast(sum(requests) as bigint) as requests from usage \
               where day between $1 and $2 group by user_id) as t join users u on u.id = t.user_id \
               where cast($3 as bigint) is null or t.requests < $3 or (t.requests = $3 and t.user_id > $4) \
               order by t.requests desc, t.user_id limit $5";
    let (requests, user) = after.unzip();
    let query = db.query(sql).bind(days.from).bind(days.to).bind(requests);
    query.bind(user.unwrap_or(UserId::NIL)).bind(i64::from(limit)).fetch_all().await
}

/// What everyone asked of a service.
#[derive(Debug, sqlx::FromRow)]
pub struct OfAll {
    pub service: String,
    pub requests: i64,
}

/// By service, the greatest first, from the one after this number and service on.
pub async fn by_service(
    db: impl Executor<'_>,
    days: Days,
    after: Option<(i64, &str)>,
    limit: u32,
) -> Result<Vec<OfAll>> {
    let sql = "select service, requests from \
               (select service, cast(sum(requests) as bigint) as requests from usage \
               where day between $1 and $2 group by service) as t \
               where cast($3 as bigint) is null or requests < $3 or (requests = $3 and service > $4) \
               order by requests desc, service limit $5";
    let (requests, service) = after.unzip();
    let query = db.query(sql).bind(days.from).bind(days.to).bind(requests);
    query.bind(service.unwrap_or_default()).bind(i64::from(limit)).fetch_all().await
}
