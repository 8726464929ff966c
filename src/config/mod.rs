//! Settings: what there is to set, its defaults and its bounds.
//!
//! A field of [`Config`] is a setting. Its doc comment is its documentation (`--help` shows it), its name in capitals
//! is its variable, and its name with hyphens is its flag. [`collect`] reads them.

mod admin;
mod danger;
mod database_url;
mod load;
mod mail;
mod strangers;
mod telemetry;
mod value;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

pub use admin::AdminPassword;
use admin::{admin_name, admin_password};
pub use danger::{Danger, GUESSABLE, MAKE_ANOTHER, Weight};
pub use database_url::DatabaseUrl;
use database_url::database_url;
pub use load::{Problem, collect, dotenv, log_format_given, variables, with_settings};
pub use mail::{MailFrom, SmtpTls, SmtpUrl};
use mail::{mail_from, smtp_url, templates_folder};
pub use strangers::strangers;
pub use telemetry::TracesSampler;
use telemetry::{bind, clash, endpoint, part, traces_sampler};
use value::*;
pub use value::{Algorithm, KeyRotation, LogFormat, Registration};

use crate::secret::SecretKey;

/// The settings of a running service.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, global = true, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = address)]
    pub host: IpAddr,

    /// Port to listen on; 0 takes any free one.
    #[arg(long, global = true, value_name = "PORT", default_value = "8080", value_parser = port)]
    pub port: u16,

    /// The certificate that makes the listener HTTPS, a PEM file: the service's own first, then what leads to the authority.
    /// With TLS_KEY. Read again when it changes.
    #[arg(long, global = true, value_name = "FILE", value_parser = file)]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key, a PEM file that neither is encrypted nor can be read by everyone. Read again when it
    /// changes.
    #[arg(long, global = true, value_name = "FILE", value_parser = file)]
    pub tls_key: Option<PathBuf>,

    /// What clients call this service: the issuer (`iss`) of its tokens, and the base of mailed links.
    #[arg(long, global = true, value_name = "URL", default_value = DEFAULT_PUBLIC_URL, value_parser = public_url)]
    pub public_url: String,

    /// How long the service goes on answering after SIGTERM, 0s to 60s: it says that it is not ready, and closes each
    /// connection after its next answer, so that proxies have left when it stops.
    #[arg(long, global = true, value_name = "DURATION", default_value = "1s", value_parser = drain_delay)]
    pub drain_delay: Duration,

    /// The database: an SQLite file, made where it is missing, or postgres://user:password@host/name, with ?pgbouncer=true
    /// where PgBouncer in transaction mode stands between.
    #[arg(long, global = true, value_name = "URL", default_value = "sqlite://data/portcullis.db", value_parser = database_url)]
    pub database_url: DatabaseUrl,

    /// Connections to the database at most; and two more on Postgres, to follow changes.
    #[arg(long, global = true, value_name = "NUMBER", default_value = "10", value_parser = connections)]
    pub database_max_connections: u32,

    /// Secret of 32 bytes or more; encrypts private keys and authenticates refresh tokens. Replicas must share one.
    /// Unset: made once, in data/secret.key.
    #[arg(long, global = true, value_name = "SECRET", value_parser = secret)]
    pub secret_key: Option<SecretKey>,

    /// The SECRET_KEY before this one: what it encrypted and authenticated still counts, and is encrypted anew.
    #[arg(long, global = true, value_name = "SECRET", value_parser = secret)]
    pub secret_key_previous: Option<SecretKey>,

    /// How access tokens are signed: ES256, EdDSA or RS256, with keys that the service makes and keeps, or HS256 with
    /// JWT_SECRET.
    #[arg(long, global = true, value_name = "NAME", default_value = "ES256", value_parser = algorithm)]
    pub jwt_algorithm: Algorithm,

    /// The secret of HS256, 32 bytes or more.
    #[arg(long, global = true, value_name = "SECRET", value_parser = secret)]
    pub jwt_secret: Option<SecretKey>,

    /// How often the key that signs is replaced, 1h to 3650d; off: never.
    #[arg(long, global = true, value_name = "DURATION", default_value = "30d", value_parser = key_rotation)]
    pub key_rotation: KeyRotation,

    /// The audience (`aud`) that access tokens are written for and must have. Unset: PUBLIC_URL.
    #[arg(long, global = true, value_name = "TEXT", value_parser = audience)]
    pub jwt_audience: Option<String>,

    /// Lifetime of an access token.
    #[arg(long, global = true, value_name = "DURATION", default_value = "15m", value_parser = access_token_ttl)]
    pub access_token_ttl: Duration,

    /// Lifetime of a refresh token, from its last use.
    #[arg(long, global = true, value_name = "DURATION", default_value = "30d", value_parser = session_ttl)]
    pub refresh_token_ttl: Duration,

    /// Lifetime of a session, from login, however often it is refreshed.
    #[arg(long, global = true, value_name = "DURATION", default_value = "90d", value_parser = session_ttl)]
    pub session_max_age: Duration,

    /// Access tokens, and users, kept in memory at most, so that a request with one of them asks neither the database nor
    /// for its signature; up to 2 KiB each. 0 keeps none.
    #[arg(long, global = true, value_name = "NUMBER", default_value = "100000", value_parser = cache_size)]
    pub session_cache_size: usize,

    /// How long the audit log tells of what happened, 1d to 3650d.
    #[arg(long, global = true, value_name = "DURATION", default_value = "90d", value_parser = audit_retention)]
    pub audit_retention: Duration,

    /// bcrypt's cost, 4 to 16; each step doubles the work of a login.
    #[arg(long, global = true, value_name = "NUMBER", default_value = "12", value_parser = bcrypt_cost)]
    pub bcrypt_cost: u32,

    /// How much hashing yields to requests: the niceness of its threads, 0 to 19 (Linux).
    #[arg(long, global = true, value_name = "NUMBER", default_value = "10", value_parser = niceness)]
    pub hashing_niceness: i32,

    /// Characters that a new password must have at least, 1 to 128.
    #[arg(long, global = true, value_name = "NUMBER", default_value = "8", value_parser = password_length)]
    pub password_min_length: usize,

    /// Whether new passwords that are common or easily guessed are refused.
    #[arg(long, global = true, value_name = "BOOLEAN", default_value = "true", value_parser = boolean, action = clap::ArgAction::Set)]
    pub password_check_common: bool,

    /// A service that knows leaked passwords by the first five characters of their SHA-1, as
    /// `https://api.pwnedpasswords.com/range` does. Unset: none is asked.
    #[arg(long, global = true, value_name = "URL", value_parser = public_url)]
    pub breach_check_url: Option<String>,

    /// Who may register: open (everyone) or closed (no one; accounts are made by an admin, or on the command line).
    #[arg(long, global = true, value_name = "MODE", default_value = "open", value_parser = registration)]
    pub registration: Registration,

    /// Whether who registers needs an address, and can log in only once it is verified.
    #[arg(long, global = true, value_name = "BOOLEAN", default_value = "false", value_parser = boolean, action = clap::ArgAction::Set)]
    pub require_verified_email: bool,

    /// The mail server: smtp://user:password@host:port, with ?tls=required for STARTTLS, or smtps://… Unset: mails become
    /// files in data/mail.
    #[arg(long, global = true, value_name = "URL", value_parser = smtp_url)]
    pub smtp_url: Option<SmtpUrl>,

    /// From whom mails come: an address, or `Name <address>`. With SMTP_URL it is obligatory.
    /// Unset: Portcullis <no-reply@…> at PUBLIC_URL's host.
    #[arg(long, global = true, value_name = "ADDRESS", value_parser = mail_from)]
    pub mail_from: Option<MailFrom>,

    /// Folder whose files replace the mails' templates of the same names.
    #[arg(long, global = true, value_name = "FOLDER", value_parser = templates_folder)]
    pub mail_templates: Option<PathBuf>,

    /// Where mails become files. Not a setting: tests have one each.
    #[arg(skip = PathBuf::from("data/mail"))]
    pub mail_folder: PathBuf,

    /// Username of the first admin, who is made at start where no user has the role admin; with ADMIN_PASSWORD.
    #[arg(long, global = true, value_name = "NAME", value_parser = admin_name)]
    pub admin_username: Option<String>,

    /// E-mail address of the first admin, beside the username or in its place. It counts as verified.
    #[arg(long, global = true, value_name = "ADDRESS", value_parser = admin_name)]
    pub admin_email: Option<String>,

    /// Password of the first admin. It is not looked at once there is an admin; the password rules hold.
    #[arg(long, global = true, value_name = "PASSWORD", value_parser = admin_password)]
    pub admin_password: Option<AdminPassword>,

    /// Whether guessing at passwords and flooding are limited; false is for load tests only.
    #[arg(long, global = true, value_name = "BOOLEAN", default_value = "true", value_parser = boolean, action = clap::ArgAction::Set)]
    pub rate_limit: bool,

    /// Proxies whose x-forwarded-for is believed: addresses or CIDRs, separated by commas.
    #[arg(long, global = true, value_name = "CIDRS", value_parser = network, value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,

    /// Origins whose pages may call from a browser, separated by commas: `https://app.example.com`, say.
    #[arg(long, global = true, value_name = "ORIGINS", value_parser = origin, value_delimiter = ',')]
    pub cors_origins: Vec<String>,

    /// Address and port on which Prometheus finds what there is to measure, `127.0.0.1:9090`, say: not for the world. Unset: nothing is measured.
    #[arg(long, global = true, value_name = "ADDRESS:PORT", value_parser = bind)]
    pub metrics_bind: Option<SocketAddr>,

    /// Whether the routes of four public tutorials are there, for clients that were written to them.
    #[arg(long, global = true, value_name = "BOOLEAN", default_value = "false", value_parser = boolean, action = clap::ArgAction::Set)]
    pub compat_routes: bool,

    /// How log lines are written: text or json.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", value_parser = log_format)]
    pub log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace, also by module (info,portcullis=debug).
    #[arg(long, global = true, value_name = "FILTER", default_value = "info", value_parser = log_filter)]
    pub rust_log: String,

    /// An OpenTelemetry collector that traces are sent to by OTLP over HTTP, at /v1/traces: `http://localhost:4318`, say.
    /// Unset: none are.
    #[arg(long, global = true, value_name = "URL", value_parser = endpoint)]
    pub otel_exporter_otlp_endpoint: Option<String>,

    /// What this service is called in traces.
    #[arg(long, global = true, value_name = "NAME", default_value = "portcullis", value_parser = audience)]
    pub otel_service_name: String,

    /// Which traces are sent: always_on, always_off or traceidratio, or the same with parentbased_ before it, where whoever asks
    /// decides if they say so.
    #[arg(long, global = true, value_name = "NAME", default_value = "parentbased_always_on", value_parser = traces_sampler)]
    pub otel_traces_sampler: TracesSampler,

    /// The part of the traces that traceidratio takes, 0 to 1. Unset: 1.
    #[arg(long, global = true, value_name = "PART", value_parser = part)]
    pub otel_traces_sampler_arg: Option<f64>,
}

impl Config {
    /// Whether clients come by HTTPS, here or at a proxy before this service.
    pub fn is_public_by_https(&self) -> bool {
        self.public_url.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
    }

    /// The host that clients name; of an IPv6 address without its brackets.
    pub fn public_host(&self) -> String {
        let url = Url::parse(&self.public_url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']').to_owned()
    }

    /// The audience of access tokens.
    pub fn audience(&self) -> &str {
        self.jwt_audience.as_deref().unwrap_or(&self.public_url)
    }

    /// From whom mails come.
    pub fn mail_from(&self) -> MailFrom {
        self.mail_from.clone().unwrap_or_else(|| MailFrom::at(&self.public_url))
    }

    /// What is wrong with settings that are sound each by itself: the setting's name and what to do.
    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.jwt_algorithm == Algorithm::Hs256 && self.jwt_secret.is_none() {
            found.push((
                "jwt_secret",
                "JWT_ALGORITHM=HS256 needs it: a secret of 32 bytes or more".to_owned(),
            ));
        }
        if self.smtp_url.is_some() && self.mail_from.is_none() {
            found.push((
                "mail_from",
                "SMTP_URL needs it: an address that the mail server lets this service send from, as in \
                 Portcullis <no-reply@example.com>"
                    .to_owned(),
            ));
        }
        let other = match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => {
                Some(("tls_key", "TLS_CERT needs it: the file of the certificate's private key"))
            }
            (None, Some(_)) => Some(("tls_cert", "TLS_KEY needs it: the file of the certificate")),
            _ => None,
        };
        found.extend(other.map(|(name, what)| (name, what.to_owned())));
        found.extend(clash(self));
        let names = [("ADMIN_USERNAME", &self.admin_username), ("ADMIN_EMAIL", &self.admin_email)];
        match (names.into_iter().find(|(_, name)| name.is_some()), &self.admin_password) {
            (Some((name, _)), None) => {
                found.push(("admin_password", format!("{name} needs it: the password of the first admin")));
            }
            (None, Some(_)) => {
                let what = "ADMIN_PASSWORD needs it, or ADMIN_EMAIL: who the first admin is";
                found.push(("admin_username", what.to_owned()));
            }
            _ => {}
        }
        found
    }
}
