//! `link_requests`: who gave an address, and waits for a mail.

use super::db::{Executor, Tx};
use super::links::Purpose;
use crate::error::Result;
use crate::id::LinkRequestId;

/// A request for a link.
#[derive(Debug, sqlx::FromRow)]
pub struct LinkRequest {
    pub id: LinkRequestId,
    /// Text, since a newer version may have more of them.
    pub purpose: String,
    pub email_key: String,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

/// Inserts a request.
pub async fn insert(
    db: impl Executor<'_>,
    id: LinkRequestId,
    purpose: Purpose,
    email_key: &str,
    ip: Option<String>,
    user_agent: Option<&str>,
) -> Result<()> {
    let sql =
        "insert into link_requests (id, purpose, email_key, ip, user_agent) values ($1, $2, $3, $4, $5)";
    let insert = db.query(sql).bind(id).bind(purpose.as_str()).bind(email_key);
    insert.bind(ip).bind(user_agent).execute().await?;
    Ok(())
}

/// The oldest requests.
pub async fn oldest(db: impl Executor<'_>, limit: u32) -> Result<Vec<LinkRequest>> {
    let sql = "select id, purpose, email_key, ip, user_agent from link_requests order by id limit $1";
    db.query(sql).bind(i64::from(limit)).fetch_all().await
}

/// Takes a request, once: `false` where another replica has.
pub async fn spend(tx: &mut Tx, id: LinkRequestId) -> Result<bool> {
    Ok(tx.query("delete from link_requests where id = $1").bind(id).execute().await? == 1)
}
