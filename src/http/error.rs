//! From an [`Error`] to a response: status, headers, `application/problem+json` (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};
use actix_web_httpauth::headers::www_authenticate::bearer::Error as BearerError;
use serde::Serialize;

use crate::error::{Error, FieldError};

/// Who protects what is protected here (RFC 9110 section 11.5).
const REALM: &str = r#"Bearer realm="portcullis""#;

/// The response's body is written by the envelope, which knows the request's id.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        status(self)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(status(self))
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::MalformedBody(_) | Error::InvalidCursor | Error::InvalidRequest(_) | Error::InvalidLink => {
            StatusCode::BAD_REQUEST
        }
        Error::InvalidCredentials
        | Error::MissingToken
        | Error::InvalidToken
        | Error::ExpiredToken
        | Error::RevokedToken
        | Error::InvalidRefreshToken => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_)
        | Error::SessionRequired
        | Error::AccountDisabled
        | Error::EmailNotVerified
        | Error::RegistrationClosed => StatusCode::FORBIDDEN,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Error::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Error::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::UsernameTaken
        | Error::EmailTaken
        | Error::RoleTaken
        | Error::RoleProtected
        | Error::LastAdmin => StatusCode::CONFLICT,
        Error::Validation(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::RateLimited(_) | Error::QuotaExceeded { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Error::Unavailable(_) | Error::Draining | Error::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The error that stands for a status which actix answered by itself; `None` for those that it never does.
pub(super) fn of_status(status: StatusCode) -> Option<Error> {
    Some(match status {
        StatusCode::BAD_REQUEST => Error::InvalidRequest("The request could not be understood.".to_owned()),
        StatusCode::NOT_FOUND => Error::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Error::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Error::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Error::UnsupportedMediaType,
        StatusCode::INTERNAL_SERVER_ERROR => Error::Internal(anyhow::anyhow!("answered with {status}")),
        _ => return None,
    })
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: String,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a [FieldError]>,
}

/// An error as a response, of which the envelope makes one.
pub(super) struct Rendered {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: String,
}

/// The error's response to the request with this id.
pub(super) fn render(error: &Error, request_id: &str) -> Rendered {
    let (status, code) = (status(error), error.code());
    let mut headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    headers.extend(challenge(error).map(|challenge| (WWW_AUTHENTICATE, challenge)));
    headers.extend(error.retry_after().map(|wait| (RETRY_AFTER, HeaderValue::from(wait.as_secs()))));
    let problem = Problem {
        kind: format!("/problems/{code}"),
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail: error.to_string(),
        code,
        request_id,
        errors: match error {
            Error::Validation(errors) => Some(errors),
            _ => None,
        },
    };
    let body = serde_json::to_string(&problem).expect("a problem is texts and numbers");
    Rendered { status, headers, body }
}

/// The challenge of RFC 6750 section 3: with an error only where a token was sent. Written here, since httpauth's own
/// separates its parameters with spaces, where RFC 9110 section 11.6.1 wants commas.
pub(super) fn challenge(error: &Error) -> Option<HeaderValue> {
    let told = match error {
        Error::MissingToken | Error::InvalidCredentials | Error::InvalidRefreshToken => None,
        Error::InvalidToken => Some((BearerError::InvalidToken, "The access token is not valid here")),
        Error::ExpiredToken => Some((BearerError::InvalidToken, "The access token has expired")),
        Error::RevokedToken => Some((BearerError::InvalidToken, "The session of this token has ended")),
        Error::Forbidden(_) => Some((BearerError::InsufficientScope, "A role is missing")),
        Error::SessionRequired => Some((BearerError::InsufficientScope, "An API key will not do")),
        _ => return None,
    };
    let challenge = match told {
        None => REALM.to_owned(),
        Some((error, why)) => format!(r#"{REALM}, error="{error}", error_description="{why}""#),
    };
    HeaderValue::try_from(challenge).ok()
}
