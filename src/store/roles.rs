//! `roles` and `user_roles`.

use super::db::{Executor, Tx};
use crate::error::Result;
use crate::id::UserId;

/// The role that may administer everything.
pub const ADMIN: &str = "admin";

/// The role that may ask about others' tokens.
pub const INTROSPECT: &str = "introspect";

/// Makes a role, unless there is one of that name.
pub async fn insert(tx: &mut Tx, name: &str, description: &str) -> Result<()> {
    let sql = "insert into roles (name, description) values ($1, $2) on conflict do nothing";
    tx.query(sql).bind(name).bind(description).execute().await?;
    Ok(())
}

/// Gives a user a role; `false` where there is no role of that name.
pub async fn grant(tx: &mut Tx, user: UserId, role: &str) -> Result<bool> {
    let sql = "insert into user_roles (user_id, role) select $1, name from roles where name = $2";
    Ok(tx.query(sql).bind(user).bind(role).execute().await? == 1)
}

/// Takes a role of a user.
pub async fn delete(tx: &mut Tx, user: UserId, role: &str) -> Result<()> {
    let sql = "delete from user_roles where user_id = $1 and role = $2";
    tx.query(sql).bind(user).bind(role).execute().await?;
    Ok(())
}

/// The names of all roles, in alphabetical order.
pub async fn names(db: impl Executor<'_>) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db.query("select name from roles order by name").fetch_all().await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// Whether this user is an admin and no other enabled one is. Transactions that ask it take turns until they end, so
/// that two admins can't each leave because the other is still there. To be asked before any row of `users` is
/// written: who waits for a turn must hold nothing that the one before needs.
pub async fn is_last_admin(tx: &mut Tx, user: UserId) -> Result<bool> {
    // Changes nothing, but holds the row.
    tx.query("update roles set name = name where name = $1").bind(ADMIN).execute().await?;
    let sql = "select exists (select 1 from user_roles where user_id = $1 and role = $2) and not exists \
               (select 1 from user_roles r join users u on u.id = r.user_id \
               where r.role = $2 and u.id <> $1 and not u.disabled)";
    let (last,): (bool,) = tx.query(sql).bind(user).bind(ADMIN).fetch_one().await?;
    Ok(last)
}
