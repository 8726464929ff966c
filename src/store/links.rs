//! `links`: what a mailed link may do, once.

use chrono::{DateTime, Utc};

use super::db::{Db, Executor, Tx};
use crate::error::Result;
use crate::id::{SessionId, UserId};

/// What a link is for. A user has one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To prove that the address is the user's.
    VerifyEmail,
    /// To prove that another address is the user's, and make it so.
    ChangeEmail,
    ResetPassword,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::VerifyEmail => "verify_email",
            Purpose::ChangeEmail => "change_email",
            Purpose::ResetPassword => "reset_password",
        }
    }

    pub fn named(name: &str) -> Option<Purpose> {
        let all = [Purpose::VerifyEmail, Purpose::ChangeEmail, Purpose::ResetPassword];
        all.into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// A link, as the database knows it.
#[derive(Debug, sqlx::FromRow)]
pub struct Link {
    pub user_id: UserId,
    /// Text, since a newer version may have more of them.
    pub purpose: String,
    pub email: String,
    pub email_key: String,
    pub email_key_before: Option<String>,
    pub password_version: i64,
    pub session_id: Option<SessionId>,
    pub expires_at: DateTime<Utc>,
}

/// A link about to be inserted.
#[derive(Debug)]
pub struct NewLink<'a> {
    pub user: UserId,
    pub purpose: Purpose,
    pub digest: &'a [u8; 32],
    /// As typed, and its key.
    pub email: (&'a str, &'a str),
    /// Of the address that the user has now.
    pub email_key_before: Option<&'a str>,
    pub password_version: i64,
    pub session: Option<SessionId>,
    pub expires_at: DateTime<Utc>,
}

/// Inserts a link in place of the one before.
pub async fn insert(tx: &mut Tx, link: &NewLink<'_>) -> Result<()> {
    let sql = "insert into links (user_id, purpose, digest, email, email_key, email_key_before, password_version, \
               session_id, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
               on conflict (user_id, purpose) do update set digest = $3, email = $4, email_key = $5, \
               email_key_before = $6, password_version = $7, session_id = $8, expires_at = $9";
    let insert = tx.query(sql).bind(link.user).bind(link.purpose.as_str()).bind(link.digest.as_slice());
    let insert = insert.bind(link.email.0).bind(link.email.1).bind(link.email_key_before);
    insert.bind(link.password_version).bind(link.session).bind(link.expires_at).execute().await?;
    Ok(())
}

/// The link of this digest, if it is good at `now`.
pub async fn by_digest(db: &Db, digest: &[u8; 32], now: DateTime<Utc>) -> Result<Option<Link>> {
    let sql = "select user_id, purpose, email, email_key, email_key_before, password_version, session_id, expires_at \
               from links where digest = $1 and expires_at > $2";
    db.query(sql).bind(digest.as_slice()).bind(now).fetch_optional().await
}

/// Takes the link of this digest, once; `None` where it was taken or replaced, or is not good any more.
pub async fn spend(tx: &mut Tx, digest: &[u8; 32], now: DateTime<Utc>) -> Result<Option<Link>> {
    let sql = "delete from links where digest = $1 and expires_at > $2 \
               returning user_id, purpose, email, email_key, email_key_before, password_version, session_id, expires_at";
    tx.query(sql).bind(digest.as_slice()).bind(now).fetch_optional().await
}

/// Whose change of address is taken back.
#[derive(Clone, Copy, Debug)]
pub enum Asker {
    Session(SessionId),
    /// Anyone but this one, if there is one.
    AllBut(Option<SessionId>),
}

/// Takes back a change of address that was asked for and not confirmed yet.
pub async fn delete_change(tx: &mut Tx, user: UserId, asker: Asker) -> Result<()> {
    let sql = "delete from links where user_id = $1 and purpose = $2 \
               and (cast($3 as uuid) is null or session_id = $3) and (cast($4 as uuid) is null or session_id <> $4)";
    let (of, but) = match asker {
        Asker::Session(session) => (Some(session), None),
        Asker::AllBut(session) => (None, session),
    };
    let delete = tx.query(sql).bind(user).bind(Purpose::ChangeEmail.as_str());
    delete.bind(of).bind(but).execute().await?;
    Ok(())
}

/// Deletes some of what expired before `before`; `true` where there may be more.
pub async fn delete_expired(db: impl Executor<'_>, before: DateTime<Utc>, limit: u32) -> Result<bool> {
    let sql = "delete from links where digest in (select digest from links where expires_at < $1 limit $2)";
    let deleted = db.query(sql).bind(before).bind(i64::from(limit)).execute().await?;
    Ok(deleted == u64::from(limit))
}
