//! Where the database is.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use url::Url;

use super::value::Parsed;

/// Where the database is. It can hold a password, so it shows only its scheme.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Says what is wrong with one that is none, without a word of it.
impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<DatabaseUrl, String> {
        database_url(text)
    }
}

/// The place without the password: an SQLite file, or a Postgres server and its database.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.split('?').next().unwrap_or_default();
        match place.strip_prefix("sqlite:") {
            Some(file) => f.write_str(file.trim_start_matches("//")),
            None => write!(f, "Postgres at {}", without_user(place)),
        }
    }
}

fn without_user(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority.rsplit_once('@').map_or(authority, |(_, place)| place)
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:[REDACTED]", self.0.split(':').next().unwrap_or_default())
    }
}

pub(super) fn database_url(text: &str) -> Parsed<DatabaseUrl> {
    let allowed = "use sqlite://path/to/file.db or postgres://user:password@host:5432/name";
    if let Some(file) = text.strip_prefix("sqlite:") {
        let name = file.trim_start_matches("//").split('?').next().unwrap_or_default();
        if name.is_empty() || name == ":memory:" || file.contains("mode=memory") {
            return Err(format!(
                "must name a file, since the service can't keep accounts in memory alone; {allowed}"
            ));
        }
        return Ok(DatabaseUrl(text.to_owned()));
    }
    let postgres = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
    let postgres = postgres.ok_or_else(|| format!("is not a database's URL; {allowed}"))?;
    // The one parameter that is ours: whether PgBouncer in transaction mode stands between.
    let is_wrong =
        |(name, value): (Cow<str>, Cow<str>)| name == "pgbouncer" && !["true", "false"].contains(&&*value);
    if postgres.query_pairs().any(is_wrong) {
        return Err("has a `pgbouncer` that is neither true nor false".to_owned());
    }
    Ok(DatabaseUrl(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_it_must_be() {
        for good in [
            "sqlite://data/x.db",
            "sqlite:x.db",
            "postgres://u:p@h/d",
            "postgres://u:p@h:6432/d?sslmode=disable&pgbouncer=true",
            "postgresql:///d?host=/run",
        ] {
            assert!(database_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "x.db",
            "mysql://h/d",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://",
            "sqlite://x?mode=memory",
            "postgres://h/d?pgbouncer=1",
        ] {
            assert!(database_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_password_is_quoted() {
        assert!(!database_url("mysql://root:hunter2@db/x").unwrap_err().contains("hunter2"));
        let place = |url| database_url(url).unwrap().to_string();
        assert_eq!(place("postgres://root:hun@ter2@db:5432/x?password=y"), "Postgres at db:5432/x");
        assert_eq!(place("sqlite://data/x.db?mode=rwc"), "data/x.db");
        assert!(!format!("{:?}", database_url("postgres://root:hunter2@db/x").unwrap()).contains("hunter2"));
    }
}
