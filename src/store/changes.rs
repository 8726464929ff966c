//! `changes`: what took rights away, or altered who someone is, for those who hold tokens in memory.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::db::{Db, Executor, Tx};
use super::pool::at_once;
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
    /// Another name, other roles, an API key less, another quota: the user's tokens stay good, but what is known of the user is
    /// old. No revocation.
    UserUpdated,
    /// A key to sign with was made or dropped. Of no user, and no revocation.
    SigningKeysChanged,
    /// A role is gone, and with it what was known of all who had it. Of no user, and no revocation.
    RoleDeleted,
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
            Reason::SigningKeysChanged => "signing_keys_changed",
            Reason::RoleDeleted => "role_deleted",
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
    /// `None`: it concerns everyone, as one of the signing keys does.
    pub user_id: Option<UserId>,
    /// `None`: all of the user's sessions.
    pub session_id: Option<SessionId>,
}

/// Where Postgres tells that there is a change: a channel for each schema. Its name is cut to what Postgres allows.
macro_rules! channel {
    () => {
        "left('portcullis_' || current_schema(), 63)"
    };
}
pub(super) use channel;

/// Adds a change for each of these sessions, of which `None` means all of the user's, and wakes who follows on
/// Postgres. To be done last in a transaction: until it ends, all others that add changes wait.
pub async fn insert(
    tx: &mut Tx,
    reason: Reason,
    user: Option<UserId>,
    sessions: &[Option<SessionId>],
    now: DateTime<Utc>,
) -> Result<()> {
    let raise = tx.query_either(
        concat!("update newest_change set seq = seq + $1 returning seq, pg_notify(", channel!(), ", '')"),
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
        Some(Change { seq: seq?, at: at?, reason: reason?, user_id, session_id })
    }
}

impl News {
    fn of(rows: Vec<NewsRow>) -> News {
        let newest = rows.first().map_or(0, |row| row.newest);
        News { newest, changes: rows.into_iter().filter_map(NewsRow::change).collect() }
    }
}

/// The changes after `seq`, `limit` at most, and which is the newest; as of one moment.
pub async fn news(db: impl Executor<'_>, seq: i64, limit: u32) -> Result<News> {
    read(db, seq, false, limit).await
}

/// As [`news`], but only those changes by which tokens became worthless.
pub async fn revocations(db: impl Executor<'_>, seq: i64, limit: u32) -> Result<News> {
    read(db, seq, true, limit).await
}

/// As [`news`], by way of PgBouncer, in one message: the values are numbers, and written into it.
pub(super) async fn news_at_once(line: &mut PgConnection, seq: i64, limit: u32) -> Result<News> {
    let sql = NEWS.replace("$1", &seq.to_string()).replace("$4", &limit.to_string());
    Ok(News::of(at_once(line, &sql.replace("$2", "false").replace("$3", "''")).await?))
}

const NEWS: &str = "select n.seq as newest, c.seq, c.at, c.reason, c.user_id, c.session_id from newest_change n \
                    left join changes c on c.seq > $1 and (not $2 or c.reason <> $3 and c.user_id is not null) \
                    order by c.seq limit $4";

async fn read(db: impl Executor<'_>, seq: i64, revocations: bool, limit: u32) -> Result<News> {
    let query = db.query(NEWS).bind(seq).bind(revocations).bind(Reason::UserUpdated.as_str());
    let query = query.bind(i64::from(limit));
    Ok(News::of(query.fetch_all().await?))
}

/// Of the `limit` changes after `after`, deletes those before `before`. Returns the last one looked at; `None` where there
/// are no more.
pub async fn delete_old(db: &Db, after: i64, before: DateTime<Utc>, limit: u32) -> Result<Option<i64>> {
    let sql = "select max(seq) from (select seq from changes where seq > $1 order by seq limit $2) as batch";
    let (last,): (Option<i64>,) = db.query(sql).bind(after).bind(i64::from(limit)).fetch_one().await?;
    if last.is_some() {
        let sql = "delete from changes where seq > $1 and seq <= $2 and at < $3";
        db.query(sql).bind(after).bind(last).bind(before).execute().await?;
    }
    Ok(last)
}
