//! `changes`: what took rights away, or altered who someone is, for those who hold tokens in memory.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::db::{Executor, Tx};
use crate::error::Result;
use crate::id::{SessionId, UserId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    LoggedOut,
    SessionEnded,
    RefreshTokenReused,
    PasswordChanged,
    UserDisabled,
    UserDeleted,
    /// Another name, other roles: the user's tokens stay good, but what is known of the user is old. No revocation.
    UserUpdated,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::LoggedOut => "logged_out",
            Reason::SessionEnded => "session_ended",
            Reason::RefreshTokenReused => "refresh_token_reused",
            Reason::PasswordChanged => "password_changed",
            Reason::UserDisabled => "user_disabled",
            Reason::UserDeleted => "user_deleted",
            Reason::UserUpdated => "user_updated",
        }
    }
}

/// A change, as everyone reads it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Change {
    /// Its place in the order of commits; one higher than that of the change before.
    pub seq: i64,
    pub at: DateTime<Utc>,
    /// Text, since a newer version may have more of them.
    pub reason: String,
    pub user_id: UserId,
    /// `None`: all of the user's sessions.
    pub session_id: Option<SessionId>,
}

/// Adds a change for each of these sessions, of which `None` means all of the user's, and wakes who follows on
/// Postgres. To be done last in a transaction: until it ends, all others that add changes wait.
pub async fn insert(
    tx: &mut Tx,
    reason: Reason,
    user: UserId,
    sessions: &[Option<SessionId>],
    now: DateTime<Utc>,
) -> Result<()> {
    let raise = tx.query_either(
        "update newest_change set seq = seq + $1 returning seq, \
         pg_notify(left('portcullis_' || current_schema(), 63), '')",
        "update newest_change set seq = seq + $1 returning seq",
    );
    let added = i64::try_from(sessions.len()).unwrap_or(i64::MAX);
    let (newest,): (i64,) = raise.bind(added).fetch_one().await?;
    let insert = tx.query_either(
        "insert into changes (seq, at, reason, user_id, session_id) \
         select $1 + n, $2, $3, $4, cast(id as uuid) \
         from jsonb_array_elements_text($5) with ordinality as sessions (id, n)",
        "insert into changes (seq, at, reason, user_id, session_id) \
         select $1 + key + 1, $2, $3, $4, unhex(replace(value, '-', '')) from json_each($5)",
    );
    insert
        .bind(newest - added)
        .bind(now)
        .bind(reason.as_str())
        .bind(user)
        .bind(Json(sessions))
        .execute()
        .await?;
    Ok(())
}

/// The newest change's `seq`; 0 before the first.
pub async fn newest(db: impl Executor<'_>) -> Result<i64> {
    let (seq,): (i64,) = db.query("select seq from newest_change").fetch_one().await?;
    Ok(seq)
}

/// What a reader of the changes finds.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// The newest change there is.
    pub newest: i64,
    /// The next ones in their order; not all up to the newest where these are many.
    pub changes: Vec<Change>,
}

/// The newest change, and beside it one of those that are asked for, if there are any.
#[derive(sqlx::FromRow)]
struct NewsRow {
    newest: i64,
    seq: Option<i64>,
    at: Option<DateTime<Utc>>,
    reason: Option<String>,
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
}

impl NewsRow {
    fn change(self) -> Option<Change> {
        let NewsRow { seq, at, reason, user_id, session_id, .. } = self;
        Some(Change { seq: seq?, at: at?, reason: reason?, user_id: user_id?, session_id })
    }
}

/// The changes after `seq`, `limit` at most, and which is the newest; as of one moment.
pub async fn news(db: impl Executor<'_>, seq: i64, limit: u32) -> Result<News> {
    let sql = "select n.seq as newest, c.seq, c.at, c.reason, c.user_id, c.session_id \
               from newest_change n left join changes c on c.seq > $1 order by c.seq limit $2";
    let rows: Vec<NewsRow> = db.query(sql).bind(seq).bind(i64::from(limit)).fetch_all().await?;
    let newest = rows.first().map_or(0, |row| row.newest);
    Ok(News { newest, changes: rows.into_iter().filter_map(NewsRow::change).collect() })
}

/// The changes after `seq` by which tokens became worthless, in their order, `limit` at most.
pub async fn revocations_after(db: impl Executor<'_>, seq: i64, limit: u32) -> Result<Vec<Change>> {
    let sql = "select seq, at, reason, user_id, session_id from changes \
               where seq > $1 and reason <> 'user_updated' order by seq limit $2";
    db.query(sql).bind(seq).bind(i64::from(limit)).fetch_all().await
}

/// Deletes the oldest changes, `limit` at most, those before `before`, and returns how many.
pub async fn delete_oldest(db: impl Executor<'_>, before: DateTime<Utc>, limit: u32) -> Result<u64> {
    let sql = "delete from changes where seq in (select seq from (select seq, at from changes order by seq limit $2) \
               as oldest where at < $1)";
    db.query(sql).bind(before).bind(i64::from(limit)).execute().await
}
