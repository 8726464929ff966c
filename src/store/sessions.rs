//! `sessions`.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::db::{Db, Executor, Tx};
use super::quotas::{QuotaIfAny, quota_columns};
use super::users::{User, user_columns};
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};

/// How many characters of `rotations` are kept: 64 times of 16 digits and a comma. A client that refreshes more often
/// within the grace is not a healthy one.
const ROTATIONS_KEPT: i32 = 64 * 17;

/// A session: one login, until it ends.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    /// The generation of the refresh token that is valid now; the first is 1.
    pub generation: i64,
    /// The highest generation of which a token was seen to come back; 0 before the first.
    pub arrived: i64,
    #[sqlx(try_from = "String")]
    pub rotations: Rotations,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The latest moment that `expires_at` can be moved to.
    pub ends_by: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub client_id: Option<String>,
}

impl Session {
    /// Whether it is good for anything at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}

/// The columns of [`Session`]. Not `*`: an upgrade that adds one would break what a running program has prepared.
macro_rules! session_columns {
    () => {
        "id, user_id, generation, arrived, rotations, created_at, last_used_at, expires_at, ends_by, ended_at, ip, \
         user_agent, client_id"
    };
}

/// When the latest generations replaced the ones before them, newest first.
#[derive(Clone, Debug, Default)]
pub struct Rotations(Vec<DateTime<Utc>>);

impl Rotations {
    /// When the `n`th token before the present one was replaced; `None` where that is too long ago to be kept.
    pub fn replaced_at(&self, n: i64) -> Option<DateTime<Utc>> {
        self.0.get(usize::try_from(n).ok()?.checked_sub(1)?).copied()
    }
}

/// As [`rotate`] writes it; what it cut off in the middle does not parse and is dropped.
impl From<String> for Rotations {
    fn from(written: String) -> Rotations {
        let times = written.split(',').map_while(|micros| micros.parse().ok());
        Rotations(times.map_while(DateTime::from_timestamp_micros).collect())
    }
}

/// A session together with its user, as a protected request needs them.
#[derive(Debug, sqlx::FromRow)]
pub struct Presence {
    #[sqlx(flatten)]
    pub user: User,
    #[sqlx(flatten)]
    pub quota: QuotaIfAny,
    pub session_arrived: i64,
    pub session_last_used_at: DateTime<Utc>,
    session_expires_at: DateTime<Utc>,
    session_ended_at: Option<DateTime<Utc>>,
}

impl Presence {
    /// Whether a token of the session lets anyone in; else the error that says why not.
    pub fn holds(&self, now: DateTime<Utc>) -> Result<()> {
        let over = self.session_ended_at.is_some() || now >= self.session_expires_at || self.user.disabled;
        if over { Err(Error::RevokedToken) } else { Ok(()) }
    }
}

/// The session and its user, in one query; `None` where either is gone.
pub async fn presence(db: impl Executor<'_>, id: SessionId) -> Result<Option<Presence>> {
    let sql = concat!(
        "select ",
        user_columns!(),
        ", ",
        quota_columns!(),
        ", s.arrived as session_arrived, s.last_used_at as session_last_used_at, \
         s.expires_at as session_expires_at, s.ended_at as session_ended_at \
         from sessions s join users u on u.id = s.user_id left join quotas q on q.user_id = u.id where s.id = $1"
    );
    db.query(sql).bind(id).fetch_optional().await
}

/// The session with this id.
pub async fn by_id(db: impl Executor<'_>, id: SessionId) -> Result<Option<Session>> {
    let sql = concat!("select ", session_columns!(), " from sessions where id = $1");
    db.query(sql).bind(id).fetch_optional().await
}

/// Where a session began.
#[derive(Debug, sqlx::FromRow)]
pub struct Origin {
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

/// Where the user's latest `limit` sessions began, whether they are open or not; but for one.
pub async fn origins(tx: &mut Tx, user: UserId, except: SessionId, limit: u32) -> Result<Vec<Origin>> {
    let sql = "select ip, user_agent from sessions where user_id = $1 and id <> $2 order by id desc limit $3";
    tx.query(sql).bind(user).bind(except).bind(i64::from(limit)).fetch_all().await
}

/// The user's open sessions, newest first, from the one before `before` on.
pub async fn page(
    db: impl Executor<'_>,
    user: UserId,
    now: DateTime<Utc>,
    before: Option<SessionId>,
    limit: u32,
) -> Result<Vec<Session>> {
    let sql = concat!(
        "select ",
        session_columns!(),
        " from sessions where user_id = $1 and ended_at is null and expires_at > $2 \
         and (cast($3 as uuid) is null or id < $3) order by id desc limit $4"
    );
    db.query(sql).bind(user).bind(now).bind(before).bind(i64::from(limit)).fetch_all().await
}

/// Inserts a session as it is.
pub async fn insert(tx: &mut Tx, session: &Session) -> Result<()> {
    let sql = "insert into sessions (id, user_id, generation, arrived, rotations, created_at, last_used_at, \
               expires_at, ends_by, ip, user_agent, client_id) values ($1, $2, $3, $4, '', $5, $6, $7, $8, $9, $10, $11)";
    tx.query(sql)
        .bind(session.id)
        .bind(session.user_id)
        .bind(session.generation)
        .bind(session.arrived)
        .bind(session.created_at)
        .bind(session.last_used_at)
        .bind(session.expires_at)
        .bind(session.ends_by)
        .bind(session.ip.as_deref())
        .bind(session.user_agent.as_deref())
        .bind(session.client_id.as_deref())
        .execute()
        .await?;
    Ok(())
}

/// Replaces generation `generation` by the next, once: `None` where it is not the present one, or the session is
/// not open, or another client's than the one that says who it is. That the token came back proves that its generation arrived. Rotations are remembered as long as one
/// follows the other sooner than `forget`, the moment before which none is of interest.
pub async fn rotate(
    db: impl Executor<'_>,
    id: SessionId,
    generation: i64,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    forget: DateTime<Utc>,
    client_id: Option<&str>,
) -> Result<Option<Session>> {
    let sql = concat!(
        "update sessions set generation = generation + 1, arrived = generation, last_used_at = $3, \
         rotations = case when last_used_at < $7 then cast($5 as text) \
         else substr(cast($5 as text) || ',' || rotations, 1, $6) end, \
         expires_at = case when $4 < ends_by then $4 else ends_by end \
         where id = $1 and generation = $2 and ended_at is null and expires_at > $3 \
         and (client_id is null or cast($8 as text) is null or client_id = $8) returning ",
        session_columns!()
    );
    db.query(sql)
        .bind(id)
        .bind(generation)
        .bind(now)
        .bind(expires_at)
        .bind(now.timestamp_micros().to_string())
        .bind(ROTATIONS_KEPT)
        .bind(forget)
        .bind(client_id)
        .fetch_optional()
        .await
}

/// Notes that a token of `generation` came back, and that the session is in use; unless a parallel request has done so
/// since `stale`.
pub async fn set_seen(
    db: impl Executor<'_>,
    id: SessionId,
    generation: i64,
    now: DateTime<Utc>,
    stale: DateTime<Utc>,
) -> Result<()> {
    let sql = "update sessions set arrived = case when arrived < $2 then $2 else arrived end, last_used_at = $3 \
               where id = $1 and ended_at is null and (arrived < $2 or last_used_at <= $4)";
    db.query(sql).bind(id).bind(generation).bind(now).bind(stale).execute().await?;
    Ok(())
}

/// Notes that these sessions, as far as they are open, were in use at `at`. A row that another statement has its hands on
/// is left out: to wait for it while holding others would risk a deadlock.
pub async fn set_used(db: impl Executor<'_>, ids: &[SessionId], at: DateTime<Utc>) -> Result<()> {
    let set = db.query_either(
        "update sessions set last_used_at = $2 where id in (select id from sessions \
         where id in (select cast(used as uuid) from jsonb_array_elements_text($1) as used) \
         and ended_at is null and last_used_at < $2 for no key update skip locked)",
        "update sessions set last_used_at = $2 where id in (select unhex(replace(value, '-', '')) from json_each($1)) \
         and ended_at is null and last_used_at < $2",
    );
    set.bind(Json(ids)).bind(at).execute().await?;
    Ok(())
}

/// Of the `limit` sessions after `after`, in the order of their ids, deletes those that ended or expired before
/// `before`. Returns the last one looked at; `None` where there are no more. One that another statement has its hands on
/// is left for another time.
pub async fn delete_over(
    db: &Db,
    after: Option<SessionId>,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<Option<SessionId>> {
    let last = "select id from (select id from sessions where cast($1 as uuid) is null or id > $1 \
                order by id limit $2) as batch order by id desc limit 1";
    let last: Option<(SessionId,)> =
        db.query(last).bind(after).bind(i64::from(limit)).fetch_optional().await?;
    let Some((last,)) = last else { return Ok(None) };
    let delete = db.query_either(
        "delete from sessions where id in (select id from sessions \
         where (cast($1 as uuid) is null or id > $1) and id <= $2 and (ended_at < $3 or expires_at < $3) \
         for update skip locked)",
        "delete from sessions where (cast($1 as uuid) is null or id > $1) and id <= $2 \
         and (ended_at < $3 or expires_at < $3)",
    );
    delete.bind(after).bind(last).bind(before).execute().await?;
    Ok(Some(last))
}

/// Moves the end of an open session, as a refresh does that gives a successor again.
pub async fn extend(
    db: impl Executor<'_>,
    id: SessionId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Option<Session>> {
    let sql = concat!(
        "update sessions set last_used_at = $2, expires_at = case when $3 < ends_by then $3 else ends_by end \
         where id = $1 and ended_at is null and expires_at > $2 returning ",
        session_columns!()
    );
    db.query(sql).bind(id).bind(now).bind(expires_at).fetch_optional().await
}

/// Ends the user's session, once: `false` where it had ended already, or is another's.
pub async fn end(tx: &mut Tx, user: UserId, id: SessionId, now: DateTime<Utc>) -> Result<bool> {
    let sql = "update sessions set ended_at = $3 where id = $1 and user_id = $2 and ended_at is null \
               and expires_at > $3";
    Ok(tx.query(sql).bind(id).bind(user).bind(now).execute().await? == 1)
}

/// Ends all of the user's open sessions but `except`, and returns which.
pub async fn end_all(
    tx: &mut Tx,
    user: UserId,
    except: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    let sql = "update sessions set ended_at = $3 where user_id = $1 and ended_at is null and expires_at > $3 \
               and (cast($2 as uuid) is null or id <> $2) returning id";
    let ended: Vec<(SessionId,)> = tx.query(sql).bind(user).bind(except).bind(now).fetch_all().await?;
    Ok(ended.into_iter().map(|(id,)| id).collect())
}
