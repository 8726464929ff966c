//! `changes`: what took rights away, for those who hold tokens in memory.

use chrono::{DateTime, Utc};

use super::db::{Executor, Tx};
use crate::error::Result;
use crate::id::{SessionId, UserId};

/// Why rights went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    LoggedOut,
    SessionEnded,
    RefreshTokenReused,
    PasswordChanged,
    UserDeleted,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::LoggedOut => "logged_out",
            Reason::SessionEnded => "session_ended",
            Reason::RefreshTokenReused => "refresh_token_reused",
            Reason::PasswordChanged => "password_changed",
            Reason::UserDeleted => "user_deleted",
        }
    }
}

/// Notes that one session, or with `None` all of the user's, lost its rights.
pub async fn insert(
    tx: &mut Tx,
    reason: Reason,
    user: UserId,
    session: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = "insert into changes (at, reason, user_id, session_id) values ($1, $2, $3, $4)";
    tx.query(sql).bind(now).bind(reason.as_str()).bind(user).bind(session).execute().await?;
    Ok(())
}
