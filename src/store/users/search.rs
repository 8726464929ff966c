//! Looking for users.
//!
//! A statement for each combination of filters, each led by an index: one for all of them would have to be planned for the case
//! that a filter is absent, and walk along all users.

use super::{User, user_columns};
use crate::error::Result;
use crate::id::UserId;
use crate::store::Executor;

/// What [`page`] looks for.
#[derive(Debug, Default)]
pub struct Filter {
    /// The start of a username or e-mail address, in lower case.
    pub prefix: Option<String>,
    pub role: Option<String>,
    pub disabled: Option<bool>,
}

impl Filter {
    /// Every name starts with nothing; and who has no name has an address.
    fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref().filter(|prefix| !prefix.is_empty())
    }
}

/// Those whose name or address begins so; "cross" keeps SQLite from turning the two around.
macro_rules! named {
    () => {
        "(select id from users where username_key between $3 and $4 \
         union select id from users where email_key between $3 and $4) n cross join users u \
         where u.id = n.id and u.id < $1"
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

/// What [`page`] asks.
pub fn page_sql(filter: &Filter) -> &'static str {
    match (filter.prefix(), &filter.role) {
        (None, None) => search!(filter.disabled, "u.id", "users u where u.id < $1"),
        (Some(_), None) => search!(filter.disabled, "u.id", named!()),
        (None, Some(_)) => search!(
            filter.disabled,
            "f.user_id",
            "user_roles f cross join users u where u.id = f.user_id and f.role = $3 and f.user_id < $1"
        ),
        (Some(_), Some(_)) => search!(
            filter.disabled,
            "u.id",
            named!(),
            " and exists (select 1 from user_roles f where f.user_id = u.id and f.role = $5)"
        ),
    }
}

/// Users, newest first, from the one before `before` on.
pub async fn page(
    db: impl Executor<'_>,
    filter: &Filter,
    before: Option<UserId>,
    limit: u32,
) -> Result<Vec<User>> {
    let mut query = db.query(page_sql(filter)).bind(before.unwrap_or(UserId::MAX)).bind(i64::from(limit));
    if let Some(prefix) = filter.prefix() {
        // The greatest character there is, so that the range holds whatever starts with the prefix.
        query = query.bind(prefix).bind(format!("{prefix}{}", char::MAX));
    }
    if let Some(role) = filter.role.as_deref() {
        query = query.bind(role);
    }
    query.fetch_all().await
}
