//! Every way in which a request with a token can be refused.

use std::time::Duration;

/// Why a token is not accepted. Its `Display` is the sentence that the client reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("This needs an access token: send `authorization: Bearer <token>`.")]
    MissingToken,
    #[error("Send one `authorization` header, not several.")]
    SeveralTokens,
    #[error("The access token is not valid here.")]
    InvalidToken,
    #[error("The access token has expired; refresh it.")]
    ExpiredToken,
    #[error("The session of this token has ended; log in again.")]
    RevokedToken,
    #[error("This needs the role `{0}`.")]
    Forbidden(String),
    /// Whether the token is valid can't be told now: not before the first sync, not after a silence of Portcullis.
    #[error("Access tokens can't be checked at the moment; try again shortly.")]
    Unavailable { retry_after: Duration },
    /// A mistake in the service that uses this crate: its log says which.
    #[error("Something failed on our side.")]
    Internal,
}

impl Error {
    /// The stable code of the problem: Portcullis' own words.
    pub fn code(&self) -> &'static str {
        match self {
            Error::MissingToken => "missing_token",
            Error::SeveralTokens => "invalid_request",
            Error::InvalidToken => "invalid_token",
            Error::ExpiredToken => "expired_token",
            Error::RevokedToken => "revoked_token",
            Error::Forbidden(_) => "forbidden",
            Error::Unavailable { .. } => "unavailable",
            Error::Internal => "internal",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Error::SeveralTokens => 400,
            Error::MissingToken | Error::InvalidToken | Error::ExpiredToken | Error::RevokedToken => 401,
            Error::Forbidden(_) => 403,
            Error::Internal => 500,
            Error::Unavailable { .. } => 503,
        }
    }

    /// The value of `www-authenticate` (RFC 6750 section 3), with an error only where a token was sent.
    pub fn challenge(&self) -> Option<&'static str> {
        Some(match self {
            Error::MissingToken => r#"Bearer realm="portcullis""#,
            Error::InvalidToken => {
                r#"Bearer realm="portcullis", error="invalid_token", error_description="The access token is not valid here""#
            }
            Error::ExpiredToken => {
                r#"Bearer realm="portcullis", error="invalid_token", error_description="The access token has expired""#
            }
            Error::RevokedToken => {
                r#"Bearer realm="portcullis", error="invalid_token", error_description="The session of this token has ended""#
            }
            Error::Forbidden(_) => {
                r#"Bearer realm="portcullis", error="insufficient_scope", error_description="A role is missing""#
            }
            Error::SeveralTokens | Error::Unavailable { .. } | Error::Internal => return None,
        })
    }

    /// How long a client should wait before it tries again, where waiting helps; whole seconds, at least one.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Unavailable { retry_after } => {
                Some(Duration::from_secs(retry_after.as_millis().div_ceil(1000).clamp(1, 60) as u64))
            }
            _ => None,
        }
    }
}
