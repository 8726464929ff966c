//! Settings that are sound, and not safe where people depend on the service: behind an `https` [`Config::public_url`].

use url::{Host, Url};

use super::value::DEFAULT_PUBLIC_URL;
use super::{Algorithm, Config, SmtpUrl};

/// Below this a stolen hash is cheap to guess at.
const ADVISED_BCRYPT_COST: u32 = 10;

/// Below this a password is guessed in an afternoon.
const ADVISED_PASSWORD_LENGTH: usize = 8;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Fit for development, or perhaps on purpose.
    Warning,
    /// Not fit for production.
    Problem,
    /// The service does not start with it.
    Refused,
}

/// What is not safe about a setting, and what to do.
#[derive(Debug)]
pub struct Danger {
    pub setting: &'static str,
    pub weight: Weight,
    pub what: String,
    pub todo: &'static str,
}

/// What is said of a secret that can be guessed, whose name is put before it.
pub const GUESSABLE: &str = "can be guessed: it is an example, a pattern, or made of usual words, and who has it signs tokens for anyone";

/// What to do about it.
pub const MAKE_ANOTHER: &str =
    "make another with `openssl rand -hex 32`; docs/keys.md says how to change one in use";

impl Config {
    /// What is not safe about these settings.
    pub fn dangers(&self) -> Vec<Danger> {
        let https = self.is_public_by_https();
        let in_production = |weight| if https { weight } else { Weight::Warning };
        let mut found = Vec::new();
        let mut note =
            |setting, weight, what: String, todo| found.push(Danger { setting, weight, what, todo });

        let signs = self.jwt_secret.as_ref().filter(|_| self.jwt_algorithm == Algorithm::Hs256);
        for (setting, secret, weight) in [
            ("SECRET_KEY", self.secret_key.as_ref(), Weight::Refused),
            // It is how one gets rid of such a secret.
            ("SECRET_KEY_PREVIOUS", self.secret_key_previous.as_ref(), Weight::Warning),
            ("JWT_SECRET", signs, Weight::Refused),
        ] {
            if secret.is_some_and(|secret| secret.is_guessable()) {
                note(setting, in_production(weight), format!("{setting} {GUESSABLE}"), MAKE_ANOTHER);
            }
        }
        if self.bcrypt_cost < ADVISED_BCRYPT_COST {
            let what = format!(
                "BCRYPT_COST={} is below {ADVISED_BCRYPT_COST}: fit for tests only, as stolen hashes are cheap to guess at",
                self.bcrypt_cost
            );
            note("BCRYPT_COST", in_production(Weight::Problem), what, "unset it, or set 12");
        }
        if !self.rate_limit {
            let what =
                "RATE_LIMIT=false: anyone may guess at passwords as fast as they can; for load tests only";
            note("RATE_LIMIT", in_production(Weight::Problem), what.to_owned(), "unset it");
        }
        if self.password_min_length < ADVISED_PASSWORD_LENGTH || !self.password_check_common {
            let weight = if self.compat_routes { in_production(Weight::Problem) } else { Weight::Warning };
            let routes = if self.compat_routes {
                ", also by the tutorials' clients, which check nothing themselves"
            } else {
                ""
            };
            let what = format!(
                "PASSWORD_MIN_LENGTH={} and PASSWORD_CHECK_COMMON={} let people choose passwords that are guessed soon{routes}",
                self.password_min_length, self.password_check_common
            );
            note("PASSWORD_MIN_LENGTH", weight, what, "unset both");
        }
        if self.smtp_url.as_ref().is_some_and(SmtpUrl::tells_its_password) {
            let what = "SMTP_URL has a password, which goes to the mail server in the clear";
            note(
                "SMTP_URL",
                in_production(Weight::Problem),
                what.to_owned(),
                "use smtps://, or ?tls=required",
            );
        }
        self.note_the_line(&mut note);
        found
    }

    /// How clients come here.
    fn note_the_line(&self, note: &mut impl FnMut(&'static str, Weight, String, &'static str)) {
        let (https, tls) = (self.is_public_by_https(), self.tls_cert.is_some());
        let public_url = &self.public_url;
        if tls && !https {
            let what = format!(
                "PUBLIC_URL is {public_url}, and the listener speaks HTTPS alone: tokens name an issuer, and mails have links, \
                 that nobody reaches"
            );
            note("PUBLIC_URL", Weight::Warning, what, "set it to the https:// URL that clients use");
        } else if !https && !is_here(public_url) {
            let what =
                format!("PUBLIC_URL is {public_url}: passwords and tokens cross the network in the clear");
            note(
                "PUBLIC_URL",
                Weight::Warning,
                what,
                "have TLS here (docs/tls.md) or at a proxy, and an https:// URL",
            );
        } else if !https && !self.host.is_loopback() {
            let what = format!(
                "HOST={} without TLS: whoever reaches this machine speaks to it in the clear",
                self.host
            );
            note(
                "HOST",
                Weight::Warning,
                what,
                "listen on 127.0.0.1, or have TLS here (docs/tls.md) or at a proxy",
            );
        }
        let default = Url::parse(DEFAULT_PUBLIC_URL).ok().and_then(|url| url.port());
        if public_url == DEFAULT_PUBLIC_URL && !tls && self.port != 0 && Some(self.port) != default {
            let what = format!(
                "PORT={} and PUBLIC_URL is {public_url}: tokens name an issuer, and mails have links, of another port",
                self.port
            );
            note("PUBLIC_URL", Weight::Warning, what, "set it to the URL that clients use");
        }
        if let Some(bind) = self.metrics_bind.filter(|bind| !bind.ip().is_loopback()) {
            let what = format!(
                "METRICS_BIND={bind} is not of this machine alone: who reaches it reads what is measured"
            );
            let todo = "bind it to 127.0.0.1, or let Prometheus alone reach that port";
            note("METRICS_BIND", Weight::Warning, what, todo);
        }
        if https && !tls && self.trusted_proxies.is_empty() {
            let what = "PUBLIC_URL is https and TLS_CERT unset, so there is a proxy, and TRUSTED_PROXIES does not name it: all \
                        clients count as one, and wait together";
            note("TRUSTED_PROXIES", Weight::Warning, what.to_owned(), "set it to the proxy's address");
        }
        let open = |origin: &&String| https && (is_here(origin) || origin.starts_with("http://"));
        if let Some(origin) = self.cors_origins.iter().find(open) {
            let what = format!(
                "CORS_ORIGINS has {origin}: what is served there is not protected by TLS, or is any program of a \
                                 user's own machine"
            );
            note("CORS_ORIGINS", Weight::Warning, what, "list https:// origins alone");
        }
    }
}

/// Whether a URL leads to the machine itself.
fn is_here(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
