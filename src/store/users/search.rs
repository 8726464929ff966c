//! Looking for users.
//!
//! A statement for each combination of filters, each led by an index: one for all of them would have to be planned for the case
//! that a filter is absent, and walk along all users. Which index leads depends on how many a filter finds: the ids of a few
//! are sorted, and among a crowd the newest are met soon by who walks along the ids. The pages are the same.

use super::{User, user_columns};
use crate::error::Result;
use crate::id::UserId;
use crate::store::{Db, Executor};

/// What [`page`] looks for.
#[derive(Debug, Default)]
pub struct Filter {
    /// The start of a username or e-mail address, in lower case.
    pub prefix: Option<String>,
    pub role: Option<String>,
    pub disabled: Option<bool>,
}

/// What a search goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// The names and addresses that begin with the prefix: all of them, to sort their ids.
    Names,
    /// Who has the role, from the newest on.
    Role,
    /// All users, from the newest on; of those who are looked for because they are disabled, only these.
    Newest,
}

impl Filter {
    /// Every name starts with nothing; and who has no name has an address.
    fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref().filter(|prefix| !prefix.is_empty())
    }
}

/// After the last that starts with the prefix, as far as the greatest character goes.
fn end_of(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// Those whose name or address begins so; "cross" keeps SQLite from turning the two around.
macro_rules! named {
    () => {
        "(select id from users where username_key between $3 and $4 \
         union select id from users where email_key between $3 and $4) n cross join users u \
         where u.id = n.id and u.id < $1"
    };
}

/// Whether a user's do; "coalesce" keeps both databases from looking for them in the indexes.
macro_rules! and_named {
    () => {
        " and coalesce(u.username_key between $3 and $4 or u.email_key between $3 and $4, false)"
    };
}

macro_rules! with_role {
    ($role:literal) => {
        concat!(
            "user_roles f cross join users u where u.id = f.user_id and f.role = ",
            $role,
            " and f.user_id < $1"
        )
    };
}

macro_rules! and_has_role {
    ($role:literal) => {
        concat!(" and exists (select 1 from user_roles f where f.user_id = u.id and f.role = ", $role, ")")
    };
}

macro_rules! search {
    ($disabled:expr, $by:literal, $($from:tt)+) => {
        match $disabled {
            None => search!(@ $by, "", $($from)+),
            Some(true) => search!(@ $by, " and u.disabled", $($from)+),
            Some(false) => search!(@ $by, " and not u.disabled", $($from)+),
        }
    };
    (@ $by:literal, $also:literal, $($from:tt)+) => {
        concat!("select ", user_columns!(), " from ", $($from)+, $also, " order by ", $by, " desc limit $2")
    };
}

/// What [`page_led_by`] asks.
pub fn page_sql(filter: &Filter, lead: Lead) -> &'static str {
    let disabled = filter.disabled;
    match (lead, filter.prefix().is_some(), filter.role.is_some()) {
        (Lead::Names, true, false) => search!(disabled, "u.id", named!()),
        (Lead::Names, true, true) => search!(disabled, "u.id", named!(), and_has_role!("$5")),
        (Lead::Role, false, true) => search!(disabled, "f.user_id", with_role!("$3")),
        (Lead::Role, true, true) => search!(disabled, "f.user_id", with_role!("$5"), and_named!()),
        (_, false, false) => search!(disabled, "u.id", "users u where u.id < $1"),
        (_, false, true) => search!(disabled, "u.id", "users u where u.id < $1", and_has_role!("$3")),
        (_, true, false) => search!(disabled, "u.id", "users u where u.id < $1", and_named!()),
        (_, true, true) => {
            search!(disabled, "u.id", "users u where u.id < $1", and_named!(), and_has_role!("$5"))
        }
    }
}

/// Whether more names, or more addresses, than are sorted willingly begin with a prefix. No more of them are counted.
pub const MANY_BEGIN_SO: &str = "select exists (select 1 from users where username_key between $1 and $2 limit 1 offset 2000) \
     or exists (select 1 from users where email_key between $1 and $2 limit 1 offset 2000)";

/// Whether more have a role than are looked through willingly for those who are disabled.
pub const MANY_HAVE_IT: &str = "select exists (select 1 from user_roles where role = $1 limit 1 offset 2000)";

/// What a search had best go along.
pub async fn lead(db: &Db, filter: &Filter) -> Result<Lead> {
    if let Some(prefix) = filter.prefix() {
        let (many,): (bool,) = db.query(MANY_BEGIN_SO).bind(prefix).bind(end_of(prefix)).fetch_one().await?;
        if !many {
            return Ok(Lead::Names);
        }
    }
    let Some(role) = filter.role.as_deref() else { return Ok(Lead::Newest) };
    // Those who are disabled have an index of their own, and are few as a rule.
    if filter.disabled == Some(true) {
        let (many,): (bool,) = db.query(MANY_HAVE_IT).bind(role).fetch_one().await?;
        if many {
            return Ok(Lead::Newest);
        }
    }
    Ok(Lead::Role)
}

/// Users, newest first, from the one before `before` on.
pub async fn page(db: &Db, filter: &Filter, before: Option<UserId>, limit: u32) -> Result<Vec<User>> {
    let lead = lead(db, filter).await?;
    page_led_by(db, filter, lead, before, limit).await
}

/// The same, along what the caller says.
pub async fn page_led_by(
    db: &Db,
    filter: &Filter,
    lead: Lead,
    before: Option<UserId>,
    limit: u32,
) -> Result<Vec<User>> {
    let mut query =
        db.query(page_sql(filter, lead)).bind(before.unwrap_or(UserId::MAX)).bind(i64::from(limit));
    if let Some(prefix) = filter.prefix() {
        query = query.bind(prefix).bind(end_of(prefix));
    }
    if let Some(role) = filter.role.as_deref() {
        query = query.bind(role);
    }
    query.fetch_all().await
}
