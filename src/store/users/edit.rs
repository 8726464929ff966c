//! Changing whatever there is to change of a user, at once.

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::hasher::PasswordHash;
use crate::id::UserId;
use crate::store::failure::Failure;
use crate::store::{Executor, Tx};

/// What to set: `None` leaves it as it is, `Some(None)` takes it away. A name is as typed, and its key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edit<'a> {
    pub username: Option<Option<(&'a str, &'a str)>>,
    pub email: Option<Option<(&'a str, &'a str)>>,
    pub email_verified: Option<bool>,
    pub display_name: Option<Option<&'a str>>,
    pub disabled: Option<bool>,
    pub password: Option<&'a PasswordHash>,
}

/// Holds the user's row until the transaction ends, so that what is read next is what is then replaced; `false` where it is gone.
pub async fn hold(tx: &mut Tx, id: UserId) -> Result<bool> {
    let sql = "update users set disabled = disabled where id = $1";
    Ok(tx.query(sql).bind(id).execute().await? == 1)
}

/// Sets it all. A name or address that another user has is [`Error::UsernameTaken`] or [`Error::EmailTaken`], after which the
/// transaction is good for nothing but to be dropped.
pub async fn set(tx: &mut Tx, id: UserId, edit: &Edit<'_>, now: DateTime<Utc>) -> Result<()> {
    let sql = "update users set username = case when $2 then $3 else username end, \
               username_key = case when $2 then $4 else username_key end, \
               email = case when $5 then $6 else email end, \
               email_key = case when $5 then $7 else email_key end, \
               email_verified = coalesce($8, email_verified), \
               display_name = case when $9 then $10 else display_name end, \
               disabled = coalesce($11, disabled), \
               password_hash = coalesce($12, password_hash), \
               password_version = password_version + case when $12 is null then 0 else 1 end, \
               updated_at = $13 where id = $1";
    let set = tx
        .query(sql)
        .bind(id)
        .bind(edit.username.is_some())
        .bind(edit.username.flatten().map(|(typed, _)| typed))
        .bind(edit.username.flatten().map(|(_, key)| key))
        .bind(edit.email.is_some())
        .bind(edit.email.flatten().map(|(typed, _)| typed))
        .bind(edit.email.flatten().map(|(_, key)| key))
        .bind(edit.email_verified)
        .bind(edit.display_name.is_some())
        .bind(edit.display_name.flatten())
        .bind(edit.disabled)
        .bind(edit.password)
        .bind(now)
        .execute()
        .await;
    set.map(drop).map_err(taken)
}

/// Which of the two keys it was that another user has, where that is why a statement failed.
pub(super) fn taken(error: Error) -> Error {
    let Error::Internal(cause) = &error else { return error };
    let database = cause.downcast_ref().and_then(|Failure(error)| error.as_database_error());
    match database.filter(|error| error.is_unique_violation()) {
        // Postgres names the constraint, SQLite the column; this is in both.
        Some(violation) if violation.message().contains("email_key") => Error::EmailTaken,
        Some(_) => Error::UsernameTaken,
        None => error,
    }
}
