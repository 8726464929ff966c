//! `roles` and `user_roles`.

use super::db::{Executor, Tx};
use crate::error::Result;
use crate::id::UserId;

/// The role that may administer everything.
pub const ADMIN: &str = "admin";

/// The role that may ask about others' tokens.
pub const INTROSPECT: &str = "introspect";

/// A role.
#[derive(Debug, sqlx::FromRow)]
pub struct Role {
    pub name: String,
    /// Kept as an empty text where there is none.
    pub description: Option<String>,
}

/// Makes a role, unless there is one of that name: then `false`.
pub async fn insert(tx: &mut Tx, name: &str, description: Option<&str>) -> Result<bool> {
    let sql = "insert into roles (name, description) values ($1, $2) on conflict do nothing";
    Ok(tx.query(sql).bind(name).bind(description.unwrap_or_default()).execute().await? == 1)
}

/// Roles by name, in the order of its bytes, from the one after `after` on.
pub async fn page(db: impl Executor<'_>, after: Option<&str>, limit: u32) -> Result<Vec<Role>> {
    let page = db.query_either(
        "select name, nullif(description, '') as description from roles where cast($1 as text) is null or name collate \"C\" > $1 \
         order by name collate \"C\" limit $2",
        "select name, nullif(description, '') as description from roles where $1 is null or name > $1 order by name limit $2",
    );
    page.bind(after).bind(i64::from(limit)).fetch_all().await
}

/// Gives a user a role; `false` where there is no role of that name.
pub async fn grant(tx: &mut Tx, user: UserId, role: &str) -> Result<bool> {
    // On Postgres it waits for who is about to delete the role, and then sees that it is gone.
    let grant = tx.query_either(
        "insert into user_roles (user_id, role) select $1, name from roles where name = $2 for key share",
        "insert into user_roles (user_id, role) select $1, name from roles where name = $2",
    );
    Ok(grant.bind(user).bind(role).execute().await? == 1)
}

/// Takes a role of a user.
pub async fn delete(tx: &mut Tx, user: UserId, role: &str) -> Result<()> {
    let sql = "delete from user_roles where user_id = $1 and role = $2";
    tx.query(sql).bind(user).bind(role).execute().await?;
    Ok(())
}

/// Holds a role's row until the transaction ends, so that nobody is given the role meanwhile; `false` where there is none.
pub async fn hold(tx: &mut Tx, role: &str) -> Result<bool> {
    // Postgres takes a weaker lock for an update that changes no key, and lets grants pass it.
    let hold = tx.query_either(
        "select name from roles where name = $1 for update",
        "select name from roles where name = $1",
    );
    let found: Option<(String,)> = hold.bind(role).fetch_optional().await?;
    Ok(found.is_some())
}

/// Takes a role of the first `limit` users after `after` that have it, in the order of their ids. Returns how many these are, and
/// the last one; `None` where there is no more.
pub async fn delete_some(
    tx: &mut Tx,
    role: &str,
    after: UserId,
    limit: u32,
) -> Result<Option<(u64, UserId)>> {
    let last = "select user_id from (select user_id from user_roles where role = $1 and user_id > $2 \
                order by user_id limit $3) as batch order by user_id desc limit 1";
    let last: Option<(UserId,)> =
        tx.query(last).bind(role).bind(after).bind(i64::from(limit)).fetch_optional().await?;
    let Some((last,)) = last else { return Ok(None) };
    let sql = "delete from user_roles where role = $1 and user_id > $2 and user_id <= $3";
    Ok(Some((tx.query(sql).bind(role).bind(after).bind(last).execute().await?, last)))
}

/// Deletes a role, and whatever grants of it are left.
pub async fn delete_role(tx: &mut Tx, role: &str) -> Result<()> {
    tx.query("delete from roles where name = $1").bind(role).execute().await?;
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
    take_turn(tx).await?;
    let sql = "select exists (select 1 from user_roles where user_id = $1 and role = $2) and not exists \
               (select 1 from user_roles r join users u on u.id = r.user_id \
               where r.role = $2 and u.id <> $1 and not u.disabled)";
    let (last,): (bool,) = tx.query(sql).bind(user).bind(ADMIN).fetch_one().await?;
    Ok(last)
}

/// Whether an enabled user is an admin.
pub async fn is_any_enabled_admin(db: impl Executor<'_>) -> Result<bool> {
    let sql = "select exists (select 1 from user_roles r join users u on u.id = r.user_id \
               where r.role = $1 and not u.disabled)";
    let (any,): (bool,) = db.query(sql).bind(ADMIN).fetch_one().await?;
    Ok(any)
}

/// Whether anyone is an admin, disabled or not.
pub async fn is_any_admin(db: impl Executor<'_>) -> Result<bool> {
    let sql = "select exists (select 1 from user_roles where role = $1)";
    let (any,): (bool,) = db.query(sql).bind(ADMIN).fetch_one().await?;
    Ok(any)
}

/// Waits until no other transaction is about to change who the admins are: holds the row of their role, and changes nothing.
pub async fn take_turn(tx: &mut Tx) -> Result<()> {
    tx.query("update roles set name = name where name = $1").bind(ADMIN).execute().await?;
    Ok(())
}
