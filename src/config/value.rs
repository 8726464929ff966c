//! Reading one setting's text. An error says what is allowed; it quotes the text only where that can't be a secret.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::secret::{MIN_SECRET_BYTES, SecretKey};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// How access tokens are signed (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Es256,
    EdDsa,
    Rs256,
    Hs256,
}

impl Algorithm {
    const NAMED: [(&str, Algorithm); 4] = [
        ("ES256", Algorithm::Es256),
        ("EdDSA", Algorithm::EdDsa),
        ("RS256", Algorithm::Rs256),
        ("HS256", Algorithm::Hs256),
    ];

    /// The value of `alg`.
    pub fn name(self) -> &'static str {
        Algorithm::NAMED.iter().find(|(_, algorithm)| *algorithm == self).map_or("", |(name, _)| name)
    }

    pub fn named(name: &str) -> Option<Algorithm> {
        Algorithm::NAMED.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }
}

/// How often the key that signs is replaced; `None`: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRotation(pub Option<Duration>);

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    Open,
    Closed,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

pub(super) type Parsed<T> = Result<T, String>;

fn whole<T: FromStr + PartialOrd + fmt::Display>(text: &str, allowed: RangeInclusive<T>) -> Parsed<T> {
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    let (least, most) = allowed.into_inner();
    number.ok_or_else(|| format!("{text:?} is not a whole number from {least} to {most}"))
}

pub(super) fn one_of<T: Copy>(text: &str, allowed: &[(&str, T)]) -> Parsed<T> {
    let found = allowed.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    let names: Vec<_> = allowed.iter().map(|(name, _)| *name).collect();
    found.map(|(_, value)| *value).ok_or_else(|| format!("{text:?} is not one of: {}", names.join(", ")))
}

fn duration(text: &str, allowed_seconds: RangeInclusive<u64>, allowed: &str) -> Parsed<Duration> {
    let unit = |unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(60 * 60),
        'd' => Some(DAY),
        _ => None,
    };
    let seconds = || {
        let last = text.chars().last()?;
        let number = text.strip_suffix(last)?;
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        digits.then_some(())?;
        number.parse::<u64>().ok()?.checked_mul(unit(last)?)
    };
    let fitting = seconds().filter(|seconds| allowed_seconds.contains(seconds)).map(Duration::from_secs);
    fitting.ok_or_else(|| {
        format!(
            "{text:?} is not a duration from {allowed}: a whole number and s, m, h or d (90s, 15m, 12h, 30d)"
        )
    })
}

pub(super) fn address(text: &str) -> Parsed<IpAddr> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an IP address: 127.0.0.1 for this machine alone, 0.0.0.0 for all")
    })
}

pub(super) fn port(text: &str) -> Parsed<u16> {
    whole(text, 0..=u16::MAX)
}

pub(super) fn drain_delay(text: &str) -> Parsed<Duration> {
    duration(text, 0..=60, "0s to 60s")
}

/// Whether there is such a file is for whoever reads it to say.
pub(super) fn file(text: &str) -> Parsed<PathBuf> {
    let named = !text.ends_with('/') && !text.contains('\0');
    named.then(|| PathBuf::from(text)).ok_or_else(|| format!("{text:?} is not the name of a file"))
}

pub(super) fn connections(text: &str) -> Parsed<u32> {
    whole(text, 1..=1000)
}

pub(super) fn cache_size(text: &str) -> Parsed<usize> {
    whole(text, 0..=100_000_000)
}

pub(super) fn niceness(text: &str) -> Parsed<i32> {
    whole(text, 0..=19)
}

pub(super) fn bcrypt_cost(text: &str) -> Parsed<u32> {
    whole(text, 4..=16)
}

pub(super) fn password_length(text: &str) -> Parsed<usize> {
    whole(text, 1..=128)
}

pub(super) fn access_token_ttl(text: &str) -> Parsed<Duration> {
    duration(text, 1..=DAY, "1s to 1d")
}

pub(super) fn session_ttl(text: &str) -> Parsed<Duration> {
    duration(text, 1..=3650 * DAY, "1s to 3650d")
}

pub(super) fn audit_retention(text: &str) -> Parsed<Duration> {
    duration(text, DAY..=3650 * DAY, "1d to 3650d")
}

pub(super) fn boolean(text: &str) -> Parsed<bool> {
    one_of(text, &[("true", true), ("false", false)])
}

pub(super) fn algorithm(text: &str) -> Parsed<Algorithm> {
    one_of(text, &Algorithm::NAMED)
}

/// `None`: never.
pub(super) fn key_rotation(text: &str) -> Parsed<KeyRotation> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(KeyRotation(None));
    }
    let every = duration(text, HOUR..=3650 * DAY, "1h to 3650d");
    every.map(|every| KeyRotation(Some(every))).map_err(|why| format!("{why}; or off"))
}

pub(super) fn registration(text: &str) -> Parsed<Registration> {
    one_of(text, &[("open", Registration::Open), ("closed", Registration::Closed)])
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    one_of(text, &[("text", LogFormat::Text), ("json", LogFormat::Json)])
}

pub(super) fn secret(text: &str) -> Parsed<SecretKey> {
    SecretKey::from_text(text).ok_or_else(|| {
        format!(
            "has {} bytes and needs {MIN_SECRET_BYTES} or more; `openssl rand -hex 32` makes one",
            text.len()
        )
    })
}

pub(super) fn audience(text: &str) -> Parsed<String> {
    let sane = !text.chars().any(char::is_control);
    sane.then(|| text.to_owned()).ok_or_else(|| "must not have control characters".to_owned())
}

/// Without the trailing slash, since paths are appended to it.
/// With the port that PORT is by default.
pub(super) const DEFAULT_PUBLIC_URL: &str = "http://localhost:8080";

pub(super) fn public_url(text: &str) -> Parsed<String> {
    let sane = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    let trimmed = text.trim_end_matches('/');
    sane.then(|| trimmed.to_owned()).ok_or_else(|| {
        "is not an http or https URL without user, query and fragment: https://auth.example.com".to_owned()
    })
}

pub(super) fn network(text: &str) -> Parsed<IpNet> {
    let text = text.trim();
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("{text:?} is not an address or CIDR: 10.0.0.0/8, 192.0.2.7, fd00::/8"))
}

pub(super) fn origin(text: &str) -> Parsed<String> {
    let text = text.trim();
    let origin = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let origin = origin.map(|url| url.origin().ascii_serialization());
    let plain = origin.filter(|origin| origin == text.trim_end_matches('/'));
    plain.ok_or_else(|| {
        "has what is not an origin: a scheme, a host and perhaps a port, as in https://app.example.com"
            .to_owned()
    })
}

pub(super) fn log_filter(text: &str) -> Parsed<String> {
    let parsed = tracing_subscriber::EnvFilter::builder().parse(text);
    parsed.map(|_| text.to_owned()).map_err(|_| {
        format!(
            "{text:?} is not a log filter: error, warn, info, debug, trace, or as in info,portcullis=debug"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_whole_number_and_a_unit() {
        let ttl = |text| session_ttl(text).ok().map(|ttl| ttl.as_secs());
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7200), ("30d", 30 * DAY), ("007s", 7)] {
            assert_eq!(ttl(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "s",
            "15",
            "1.5h",
            "-1s",
            "+1s",
            " 1s",
            "1 s",
            "15min",
            "0s",
            "3651d",
            "9e9d",
            "1µ",
            "99999999999999999999d",
        ] {
            assert_eq!(ttl(text), None, "{text:?}");
        }
    }

    #[test]
    fn urls_are_what_they_must_be() {
        assert_eq!(public_url("https://auth.example.com/").unwrap(), "https://auth.example.com");
        assert_eq!(public_url("http://localhost:8080/auth").unwrap(), "http://localhost:8080/auth");
        for bad in
            ["", "localhost:8080", "ftp://x", "https://u:p@x", "https://x/?q", "https://x/#f", "https://"]
        {
            assert!(public_url(bad).is_err(), "{bad}");
        }
        assert_eq!(
            origin("https://App.example.com:443/"),
            Err(origin("https://App.example.com:443/").unwrap_err())
        );
        assert_eq!(origin("http://localhost:3000").unwrap(), "http://localhost:3000");
        for bad in ["*", "null", "https://x/path", "x.com", "file:///x"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_secret_is_quoted() {
        assert!(!secret("hunter2").unwrap_err().contains("hunter2"));
    }
}
