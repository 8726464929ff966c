//! Every way a request can fail.
//!
//! A variant for each thing a client can learn; [`Error::code`] is the part of it that is stable. What went wrong
//! inside (a database error, a bug) folds into [`Error::Internal`] or [`Error::Unavailable`], whose cause is for the
//! log alone.

use std::borrow::Cow;
use std::time::Duration;

/// What the crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request's failure. Its `Display` is the sentence that the client reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    MalformedBody(&'static str),
    #[error("The cursor is not one that a list answered with; leave it out to start from the newest.")]
    InvalidCursor,
    #[error("{0}")]
    InvalidRequest(String),

    #[error(
        "This link is not good any more: it was used, is too old, or a newer one replaced it. Ask for another."
    )]
    InvalidLink,

    #[error("The name or the password is wrong.")]
    InvalidCredentials,
    #[error("This needs an access token or an API key: send `authorization: Bearer <token>`.")]
    MissingToken,
    #[error("The access token or API key is not valid here.")]
    InvalidToken,
    #[error("The token has expired: refresh an access token, or make a new API key.")]
    ExpiredToken,
    #[error("The session of this token has ended, or the API key was deleted, or the account is disabled.")]
    RevokedToken,
    #[error("The refresh token is not valid, or its session has ended; log in again.")]
    InvalidRefreshToken,

    #[error("This needs the role `{0}`.")]
    Forbidden(Cow<'static, str>),
    #[error("An API key won't do for this; log in, and send the access token.")]
    SessionRequired,
    #[error("This account is disabled.")]
    AccountDisabled,
    #[error(
        "The e-mail address of this account is not verified yet; use the link that was mailed to it, or ask for another."
    )]
    EmailNotVerified,
    #[error("Registration is closed here; ask an administrator for an account.")]
    RegistrationClosed,

    #[error("There is nothing here.")]
    NotFound,
    #[error("This path does not take that method; the `allow` header lists what it takes.")]
    MethodNotAllowed,
    #[error("The body is larger than 16 KiB.")]
    BodyTooLarge,
    #[error("Send `application/json` or `application/x-www-form-urlencoded`, without a content-encoding.")]
    UnsupportedMediaType,

    #[error("That username is taken.")]
    UsernameTaken,
    #[error("That e-mail address is taken.")]
    EmailTaken,
    #[error("There is a role of that name already.")]
    RoleTaken,
    #[error("The service itself asks for this role; it can't be deleted. Take it of users instead.")]
    RoleProtected,
    #[error("This is the last enabled admin; give another user the role `admin` first.")]
    LastAdmin,

    #[error("Some fields are not as they must be; `errors` names each.")]
    Validation(Vec<FieldError>),

    #[error("Too many tries; wait {} s before the next one. Until then no password is looked at.", whole_seconds(*.0))]
    RateLimited(Duration),

    #[error("The quota of {requests} requests a {per} is used up; it begins anew in {} s.", whole_seconds(*.wait))]
    QuotaExceeded { requests: i64, per: &'static str, wait: Duration },

    #[error("Something failed on our side; the request id finds it in the log.")]
    Internal(#[source] anyhow::Error),
    #[error("The service can't do this at the moment; try again shortly.")]
    Unavailable(#[source] anyhow::Error),
    /// Asked whether it is ready: nothing failed.
    #[error("The service is about to stop; ask another replica, or again shortly.")]
    Draining,
    #[error("Too many passwords are being checked at the moment; try again shortly.")]
    Overloaded,
}

/// One field of a request that broke a rule. The value itself is never part of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    pub field: &'static str,
    pub code: &'static str,
    pub message: String,
}

/// A rule that a value broke, before it is known which field it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub code: &'static str,
    pub message: String,
}

impl Broken {
    pub fn new(code: &'static str, message: impl Into<String>) -> Broken {
        Broken { code, message: message.into() }
    }

    pub fn at(self, field: &'static str) -> FieldError {
        FieldError { field, code: self.code, message: self.message }
    }
}

/// The code of a request that its user's quota refuses.
pub const QUOTA_EXCEEDED: &str = "quota_exceeded";

impl Error {
    /// A single field's failure.
    pub fn field(field: &'static str, broken: Broken) -> Error {
        Error::Validation(vec![broken.at(field)])
    }

    /// The stable code of the contract.
    pub fn code(&self) -> &'static str {
        match self {
            Error::MalformedBody(_) => "malformed_body",
            Error::InvalidCursor => "invalid_cursor",
            Error::InvalidRequest(_) => "invalid_request",
            Error::InvalidLink => "invalid_link",
            Error::InvalidCredentials => "invalid_credentials",
            Error::MissingToken => "missing_token",
            Error::InvalidToken => "invalid_token",
            Error::ExpiredToken => "expired_token",
            Error::RevokedToken => "revoked_token",
            Error::InvalidRefreshToken => "invalid_refresh_token",
            Error::Forbidden(_) => "forbidden",
            Error::SessionRequired => "session_required",
            Error::AccountDisabled => "account_disabled",
            Error::EmailNotVerified => "email_not_verified",
            Error::RegistrationClosed => "registration_closed",
            Error::NotFound => "not_found",
            Error::MethodNotAllowed => "method_not_allowed",
            Error::BodyTooLarge => "body_too_large",
            Error::UnsupportedMediaType => "unsupported_media_type",
            Error::UsernameTaken => "username_taken",
            Error::EmailTaken => "email_taken",
            Error::RoleTaken => "role_taken",
            Error::RoleProtected => "role_protected",
            Error::LastAdmin => "last_admin",
            Error::Validation(_) => "validation_failed",
            Error::RateLimited(_) => "rate_limited",
            Error::QuotaExceeded { .. } => QUOTA_EXCEEDED,
            Error::Internal(_) => "internal",
            Error::Unavailable(_) | Error::Draining => "unavailable",
            Error::Overloaded => "overloaded",
        }
    }

    /// How long a client should wait before it tries again, where waiting helps; in whole seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Unavailable(_) | Error::Draining | Error::Overloaded => Some(Duration::from_secs(2)),
            Error::RateLimited(wait) | Error::QuotaExceeded { wait, .. } => {
                Some(Duration::from_secs(whole_seconds(*wait)))
            }
            _ => None,
        }
    }
}

/// Not less than it is, and a second at least.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil().max(1.0) as u64
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Error {
        Error::Internal(error)
    }
}
