//! Why a request is refused, in OAuth's own form (RFC 6749 section 5.2).

use actix_web::HttpResponse;
use serde::Serialize;

use crate::error::{Error, Result};

/// A refusal: one that OAuth has a code for, or what is answered as everywhere else.
#[derive(Debug)]
pub enum Refusal {
    OAuth { error: &'static str, description: String },
    Other(Error),
}

#[derive(Serialize)]
struct RefusalBody<'a> {
    error: &'static str,
    error_description: &'a str,
}

impl Refusal {
    /// `description` must do without `"` and `\`.
    pub fn new(error: &'static str, description: impl Into<String>) -> Refusal {
        Refusal::OAuth { error, description: description.into() }
    }

    pub fn invalid_request(description: impl Into<String>) -> Refusal {
        Refusal::new("invalid_request", description)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error {
            Error::InvalidCredentials
            | Error::AccountDisabled
            | Error::EmailNotVerified
            | Error::InvalidRefreshToken => Refusal::new("invalid_grant", error.to_string()),
            Error::MalformedBody(_) => Refusal::invalid_request(error.to_string()),
            Error::UnsupportedMediaType => Refusal::invalid_request(
                "Send application/x-www-form-urlencoded, without a content-encoding.",
            ),
            other => Refusal::Other(other),
        }
    }
}

/// The response to a request that may have been refused.
pub fn answer(outcome: Result<HttpResponse, Refusal>) -> Result<HttpResponse> {
    match outcome {
        Ok(response) => Ok(response),
        Err(Refusal::OAuth { error, description }) => {
            let body = RefusalBody { error, error_description: &description };
            Ok(HttpResponse::BadRequest().insert_header(("pragma", "no-cache")).json(body))
        }
        Err(Refusal::Other(error)) => Err(error),
    }
}
