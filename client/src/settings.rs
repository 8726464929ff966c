//! What a [`Verifier`](crate::Verifier) has to be told.

use std::fmt;
use std::time::Duration;

/// Where Portcullis is, who this service is there, and how long it may go unheard.
///
/// ```
/// use std::time::Duration;
/// use portcullis_client::Settings;
///
/// let password = "from a file or the environment";
/// let settings = Settings {
///     max_silence: Duration::from_secs(10),
///     ..Settings::new("http://localhost:8080", "orders", password)
/// };
/// assert!(!format!("{settings:?}").contains(password));
/// ```
#[derive(Clone)]
pub struct Settings {
    /// Where this service reaches Portcullis: `https://auth.example.com`, or an address within one's own network.
    pub url: String,
    /// The `iss` that tokens must have: Portcullis' `PUBLIC_URL`. `None`: the same as [`url`](Settings::url).
    pub issuer: Option<String>,
    /// The `aud` that tokens must have: Portcullis' `JWT_AUDIENCE`. `None`: the same as the issuer.
    pub audience: Option<String>,
    /// Username or address of a user with the role `introspect`.
    pub login: String,
    /// That user's password.
    pub password: String,
    /// How long Portcullis may go unheard before all tokens are refused, and so how late a revocation can be at worst.
    /// At least 3 seconds.
    pub max_silence: Duration,
    /// How long a revocation is remembered: at least as long as Portcullis' access tokens live. Tokens that live
    /// longer are refused. A day is the longest that Portcullis allows.
    pub remember: Duration,
    /// How often the keys are fetched again. Keys that could not be fetched for three times as long are used no more.
    pub keys_every: Duration,
    /// How often, at most, tokens with an unknown key id make the keys be fetched.
    pub keys_at_most_every: Duration,
}

impl Settings {
    pub fn new(url: impl Into<String>, login: impl Into<String>, password: impl Into<String>) -> Settings {
        Settings {
            url: url.into(),
            issuer: None,
            audience: None,
            login: login.into(),
            password: password.into(),
            max_silence: Duration::from_secs(5),
            remember: Duration::from_secs(24 * 60 * 60),
            keys_every: Duration::from_secs(300),
            keys_at_most_every: Duration::from_secs(10),
        }
    }

    /// The settings with their defaults filled in, or what is wrong with them.
    pub(crate) fn checked(mut self) -> Result<Settings, SettingsError> {
        let wrong = |name, what: &str| Err(SettingsError { name, what: what.to_owned() });
        self.url.truncate(self.url.trim_end_matches('/').len());
        let Ok(url) = reqwest::Url::parse(&self.url) else {
            return wrong("url", "is no address; write one like `https://auth.example.com`");
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return wrong("url", "must start with `https://` or `http://`");
        }
        if url.scheme() == "https" && cfg!(not(feature = "tls")) {
            return wrong("url", "is `https`, which needs this crate's feature `tls`");
        }
        let extras = url.query().is_some() || url.fragment().is_some();
        if extras || !url.username().is_empty() || url.password().is_some() {
            return wrong(
                "url",
                "must have no query, fragment or password; `login` and `password` are settings",
            );
        }
        if self.login.is_empty() {
            return wrong("login", "is empty; make a user: `portcullis user create --role introspect`");
        }
        if self.password.is_empty() {
            return wrong("password", "is empty");
        }
        if self.max_silence < Duration::from_secs(3) {
            return wrong("max_silence", "must be at least 3 seconds");
        }
        if self.max_silence > Duration::from_secs(600) {
            return wrong("max_silence", "must be at most 10 minutes");
        }
        if self.remember < Duration::from_secs(1) || self.remember > Duration::from_secs(366 * 24 * 60 * 60) {
            return wrong("remember", "must be from 1 second to a year");
        }
        if self.keys_at_most_every < Duration::from_secs(1) {
            return wrong("keys_at_most_every", "must be at least 1 second");
        }
        if self.keys_every < self.keys_at_most_every || self.keys_every > Duration::from_secs(24 * 60 * 60) {
            return wrong("keys_every", "must be from `keys_at_most_every` to a day");
        }
        let issuer = self.issuer.take().unwrap_or_else(|| self.url.clone());
        self.audience.get_or_insert_with(|| issuer.clone());
        self.issuer = Some(issuer);
        Ok(self)
    }
}

/// Never shows the password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { url, issuer, audience, login, password: _, .. } = self;
        let mut shown = f.debug_struct("Settings");
        shown.field("url", url).field("issuer", issuer).field("audience", audience).field("login", login);
        shown.field("max_silence", &self.max_silence).field("remember", &self.remember);
        shown.field("keys_every", &self.keys_every).field("keys_at_most_every", &self.keys_at_most_every);
        shown.finish_non_exhaustive()
    }
}

/// A setting that can't be: which, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {what}")]
pub struct SettingsError {
    pub name: &'static str,
    pub what: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_and_audience_follow_the_address() {
        let settings = Settings::new("http://localhost:8080/", "orders", "x").checked().unwrap();
        assert_eq!(settings.url, "http://localhost:8080");
        assert_eq!(settings.issuer.as_deref(), Some("http://localhost:8080"));
        assert_eq!(settings.audience, settings.issuer);
        let internal =
            Settings { issuer: Some("https://a.example".into()), ..Settings::new("http://b", "o", "x") };
        assert_eq!(internal.checked().unwrap().audience.as_deref(), Some("https://a.example"));
    }

    #[test]
    fn settings_that_can_not_be_are_named() {
        let good = || Settings::new("http://localhost:8080", "orders", "hunter2");
        for url in
            ["", "localhost", "localhost:8080", "ftp://a", "http://u:p@a", "http://a?b", "http://", "/a"]
        {
            assert_eq!(Settings { url: url.into(), ..good() }.checked().unwrap_err().name, "url", "{url:?}");
        }
        let second = Duration::from_secs(1);
        for (name, settings) in [
            ("login", Settings { login: String::new(), ..good() }),
            ("password", Settings { password: String::new(), ..good() }),
            ("max_silence", Settings { max_silence: 2 * second, ..good() }),
            ("max_silence", Settings { max_silence: Duration::MAX, ..good() }),
            ("remember", Settings { remember: Duration::ZERO, ..good() }),
            ("remember", Settings { remember: Duration::MAX, ..good() }),
            ("keys_at_most_every", Settings { keys_at_most_every: Duration::ZERO, ..good() }),
            ("keys_every", Settings { keys_every: second, ..good() }),
            ("keys_every", Settings { keys_every: Duration::MAX, ..good() }),
        ] {
            assert_eq!(settings.checked().unwrap_err().name, name);
        }
    }
}
