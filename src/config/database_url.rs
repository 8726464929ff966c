//! Where the database is.

use std::fmt;
use std::net::IpAddr;
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
    let (scheme, place) = text.split_once("://").unwrap_or_default();
    if !["postgres", "postgresql"].contains(&scheme) {
        return Err(format!("is not a database's URL; {allowed}"));
    }
    // Before it is parsed: behind the server there can be the rest of a password that has a /, ? or #, and would be shown as the
    // database's name.
    let rest = place.split_once(['/', '?', '#']).map_or("", |(_, rest)| rest);
    if rest.contains('@') || place.contains('#') {
        return Err(format!("has an @ or # where none can be; {ESCAPES}; {allowed}"));
    }
    let postgres = Url::parse(text).map_err(|_| format!("is not a database's URL; {ESCAPES}; {allowed}"))?;
    postgres.query_pairs().try_for_each(|(name, value)| parameter(&name, &value))?;
    Ok(DatabaseUrl(text.to_owned()))
}

const ESCAPES: &str = "in a password write %40 for @, %23 for #, %2F for /, %3F for ? and %25 for %";

/// How the line to Postgres is protected, by the names that libpq has for it.
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Refuses what the driver would leave out with a word in the log at most: who mistypes `sslmode` sends the password in the clear.
/// The value is not quoted, since it can be a password.
fn parameter(name: &str, value: &str) -> Parsed<()> {
    let (sound, allowed) = match name {
        "sslmode" | "ssl-mode" => {
            (SSL_MODES.contains(&value.to_ascii_lowercase().as_str()), SSL_MODES.join(", "))
        }
        "sslrootcert" | "ssl-root-cert" | "ssl-ca" | "sslcert" | "ssl-cert" | "sslkey" | "ssl-key" => {
            (!value.is_empty(), "the name of a PEM file".to_owned())
        }
        "hostaddr" => (value.parse::<IpAddr>().is_ok(), "an IP address".to_owned()),
        "port" => (value.parse::<u16>().is_ok(), "0 to 65535".to_owned()),
        "statement-cache-capacity" => (value.parse::<usize>().is_ok(), "a whole number".to_owned()),
        // Ours: whether PgBouncer in transaction mode stands between.
        "pgbouncer" => (["true", "false"].contains(&value), "true or false".to_owned()),
        "host" | "user" | "password" | "dbname" | "application_name" | "options" => return Ok(()),
        name if name.starts_with("options[") && name.ends_with(']') => return Ok(()),
        name => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_[]".contains(&byte);
            let named = if !name.is_empty() && name.len() <= 40 && name.bytes().all(plain) {
                format!("`{name}`, which is none")
            } else {
                "that is none".to_owned()
            };
            return Err(format!(
                "has a parameter {named}; there are sslmode, sslrootcert, sslcert, sslkey, host, hostaddr, port, user, password, dbname, \
                 application_name, options, statement-cache-capacity and pgbouncer"
            ));
        }
    };
    if sound { Ok(()) } else { Err(format!("has a wrong `{name}`: allowed is {allowed}")) }
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
            "postgres://u@h/d?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem&sslcert=c.pem&sslkey=k.pem",
            "postgres://u@h/d?sslmode=REQUIRE&port=5433&hostaddr=192.0.2.7&user=u&password=p%40&dbname=d",
            "postgres://u@h/d?application_name=a&options=-csearch_path%3Da&options[lock_timeout]=1s&statement-cache-capacity=0",
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
            "postgres://h/d?sslmod=verify-full",
            "postgres://h/d?SSLMODE=verify-full",
            "postgres://h/d?sslmode=verify_full",
            "postgres://h/d?sslmode=",
            "postgres://h/d?sslrootcert=",
            "postgres://h/d?port=many",
            "postgres://h/d?hostaddr=localhost",
            "postgres://h/d?=1",
            "postgres://u:1#hunter2@h/d",
        ] {
            assert!(database_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_parameter_that_is_none_is_named_with_those_that_are() {
        let told = database_url("postgres://h/d?sslmode=require&sslmod=verify-full").unwrap_err();
        assert!(told.contains("`sslmod`") && told.contains(" sslmode, sslrootcert,"), "{told}");
        let told = database_url("postgres://h/d?sslmode=verify_full").unwrap_err();
        assert!(told.contains("`sslmode`") && told.contains("require, verify-ca, verify-full"), "{told}");
    }

    #[test]
    fn no_password_is_quoted() {
        assert!(!database_url("mysql://root:hunter2@db/x").unwrap_err().contains("hunter2"));
        for url in [
            "postgres://h/d?sslmod=hunter2",
            "postgres://h/d?sslmode=hunter2",
            "postgres://h/d?port=hunter2",
            "postgres://u:1?hunter2@h/d",
            "postgres://u:1?hunter2&a@h/d",
            "postgres://u:1#hunter2@h/d",
            "postgres://u:hunter2/w@h/d",
            "postgres://u:p@hunter2/w@h/d",
            "postgres://u:1/hunter2@h/d",
            "postgres:/u:hunter2@h/d",
            "postgres:u:hunter2@h/d",
        ] {
            let told = database_url(url).unwrap_err();
            assert!(!told.contains("hunter2"), "{url}: {told}");
        }
        let place = |url| database_url(url).unwrap().to_string();
        assert_eq!(place("postgres://root:hun@ter2@db:5432/x?password=y"), "Postgres at db:5432/x");
        assert_eq!(place("sqlite://data/x.db?mode=rwc"), "data/x.db");
        assert!(!format!("{:?}", database_url("postgres://root:hunter2@db/x").unwrap()).contains("hunter2"));
    }
}
