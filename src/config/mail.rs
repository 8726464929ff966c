//! Where mails go, and from whom they come.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

use super::value::Parsed;

/// How the line to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    Never,
    /// By STARTTLS where the server offers it. Who can change what is on the line can take the offer away.
    Opportunistic,
    /// By STARTTLS, or nothing is sent.
    Required,
    /// From the first byte (RFC 8314).
    Implicit,
}

/// The mail server. It can hold a password, so it shows only its place.
#[derive(Clone)]
pub struct SmtpUrl {
    pub tls: SmtpTls,
    pub host: String,
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, Zeroizing<String>)>,
}

impl SmtpUrl {
    /// Whether whoever listens on the line reads the password.
    pub fn tells_its_password(&self) -> bool {
        let is_here =
            self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let encrypted = matches!(self.tls, SmtpTls::Required | SmtpTls::Implicit);
        self.credentials.is_some() && !encrypted && !is_here
    }
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [REDACTED] {:?}", self.tls)
    }
}

pub(super) fn smtp_url(text: &str) -> Parsed<SmtpUrl> {
    let allowed = "use smtp://user:password@host:port (with ?tls=required for STARTTLS) or smtps://user:password@host:port; \
                   a character of the password that has a meaning in a URL is written as %40 for @, say";
    let wrong = |what: &str| format!("{what}; {allowed}");
    let url = Url::parse(text).map_err(|_| wrong("is not a mail server's URL"))?;
    let tls =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect::<Vec<_>>();
    let tls: Vec<_> = tls.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (tls, usual_port) = match (url.scheme(), tls.as_slice()) {
        ("smtp", []) => (SmtpTls::Never, 25),
        ("smtp", [("tls", "required")]) => (SmtpTls::Required, 587),
        ("smtp", [("tls", "opportunistic")]) => (SmtpTls::Opportunistic, 587),
        ("smtps", []) => (SmtpTls::Implicit, 465),
        ("smtp" | "smtps", _) => {
            return Err(wrong("has another parameter than tls=required or tls=opportunistic"));
        }
        _ => return Err(wrong("is not a mail server's URL")),
    };
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
    if !["", "/"].contains(&url.path()) || url.fragment().is_some() {
        return Err(wrong("has something after the port"));
    }
    let decoded = |text: &str| {
        let decoded =
            percent_decode_str(text).decode_utf8().ok().filter(|text| !text.contains(char::is_control));
        decoded.map(String::from).ok_or_else(|| wrong("has a user or password that is not a line of UTF-8"))
    };
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        ("", _) | (_, None) => return Err(wrong("has only one of user and password")),
        (user, Some(password)) => Some((decoded(user)?, Zeroizing::new(decoded(password)?))),
    };
    // An IPv6 address stands in brackets in a URL alone.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(SmtpUrl { tls, host, port: url.port().unwrap_or(usual_port), credentials })
}

/// From whom mails come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFrom(pub Mailbox);

impl MailFrom {
    /// Nobody who reads mail, at the host of the service.
    pub(super) fn at(public_url: &str) -> MailFrom {
        let url = Url::parse(public_url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let at = |host: &str| format!("Portcullis <no-reply@{host}>").parse().ok();
        let mailbox = at(host).or_else(|| at("localhost")).expect("localhost has addresses");
        MailFrom(mailbox)
    }

    /// Its part after the @, in ASCII.
    pub fn host(&self) -> String {
        let host = self.0.email.domain();
        url::Host::parse(host).map_or_else(|_| host.to_owned(), |host| host.to_string())
    }
}

pub(super) fn mail_from(text: &str) -> Parsed<MailFrom> {
    let plain = !text.contains(char::is_control);
    let mailbox = text.parse().ok().filter(|_| plain);
    mailbox.map(MailFrom).ok_or_else(|| {
        format!("{text:?} is not an address, or Name <address>: Portcullis <no-reply@example.com>")
    })
}

pub(super) fn templates_folder(text: &str) -> Parsed<PathBuf> {
    let folder = PathBuf::from(text);
    let found = folder.is_dir().then_some(folder);
    found.ok_or_else(|| {
        format!(
            "{text:?} is not a folder that this user may read; unset, the service's own templates are used"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_a_url() {
        let read = |text| smtp_url(text).map(|url| (url.tls, url.host, url.port));
        let server = |tls, port| Ok((tls, "mail.example.com".to_owned(), port));
        assert_eq!(read("smtp://mail.example.com"), server(SmtpTls::Never, 25));
        assert_eq!(read("smtp://mail.example.com:1025/"), server(SmtpTls::Never, 1025));
        assert_eq!(read("smtp://mail.example.com?tls=required"), server(SmtpTls::Required, 587));
        assert_eq!(read("smtp://mail.example.com:25?tls=opportunistic"), server(SmtpTls::Opportunistic, 25));
        assert_eq!(read("smtps://mail.example.com"), server(SmtpTls::Implicit, 465));
        assert_eq!(smtp_url("smtp://[::1]:25").unwrap().host, "::1");
        let (user, password) = smtp_url("smtps://a%40b.example:p%40%3A%2fs@h").unwrap().credentials.unwrap();
        assert_eq!((user.as_str(), password.as_str()), ("a@b.example", "p@:/s"));
        for bad in [
            "",
            "mail.example.com",
            "mail.example.com:25",
            "http://mail.example.com",
            "smtp://",
            "smtp://user@h",
            "smtp://:password@h",
            "smtp://h?tls=yes",
            "smtp://h?starttls",
            "smtps://h?tls=required",
            "smtp://h/path",
            "smtp://h:99999",
            "smtp://u:p%0d%0aQUIT@h",
        ] {
            assert!(smtp_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_needs_tls_unless_it_stays_on_this_machine() {
        for (url, tells) in [
            ("smtp://u:p@mail.example.com", true),
            ("smtp://u:p@192.0.2.7?tls=opportunistic", true),
            ("smtp://u:p@mail.example.com?tls=required", false),
            ("smtps://u:p@mail.example.com", false),
            ("smtp://u:p@localhost", false),
            ("smtp://u:p@[::1]", false),
            ("smtp://mail.example.com", false),
        ] {
            assert_eq!(smtp_url(url).unwrap().tells_its_password(), tells, "{url}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        for url in ["smtp://root:hunter2@h", "smtps://root:hunter2@h:465"] {
            let url = smtp_url(url).unwrap();
            assert!(!format!("{url} {url:?}").contains("hunter2"), "{url:?}");
        }
        for bad in ["smtp://root:hunter2@h?tls=yes", "smtp://root:hunter2@h:x", "root:hunter2@h"] {
            assert!(!smtp_url(bad).unwrap_err().contains("hunter2"));
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (good, host) in [
            ("no-reply@example.com", "example.com"),
            ("Portcullis <no-reply@example.com>", "example.com"),
            ("\"Ada, of Example\" <ada@example.com>", "example.com"),
            ("Grüße <post@müller.example>", "xn--mller-kva.example"),
        ] {
            assert_eq!(mail_from(good).unwrap().host(), host, "{good}");
        }
        for bad in ["", "example.com", "Portcullis", "a@b, c@d", "a@", "x <a@b>\r\nBcc: c@d", "<a@b"] {
            assert!(mail_from(bad).is_err(), "{bad}");
        }
        for (public_url, from) in [
            ("https://auth.example.com:8443/x", "Portcullis <no-reply@auth.example.com>"),
            ("http://localhost:8080", "Portcullis <no-reply@localhost>"),
            // An address that is a number has no name to be at.
            ("http://[::1]:8080", "Portcullis <no-reply@localhost>"),
        ] {
            assert_eq!(MailFrom::at(public_url).0.to_string(), from);
        }
    }
}
