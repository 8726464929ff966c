//! From an [`Error`] to what is answered: `application/problem+json` (RFC 9457), as Portcullis itself answers.

use serde::Serialize;

use crate::Error;

pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// A refusal, for any HTTP library.
pub(crate) struct Problem {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    request_id: Option<&'a str>,
}

impl Problem {
    /// The error's answer to the request with this `x-request-id`, if it had one.
    pub fn new(error: &Error, request_id: Option<&[u8]>) -> Problem {
        let (status, code, request_id) = (error.status(), error.code(), request_id.and_then(sane));
        let mut headers =
            vec![("content-type", CONTENT_TYPE.to_owned()), ("cache-control", "no-store".to_owned())];
        headers.extend(error.challenge().map(|challenge| ("www-authenticate", challenge.to_owned())));
        headers.extend(error.retry_after().map(|wait| ("retry-after", wait.as_secs().to_string())));
        headers.extend(request_id.map(|id| ("x-request-id", id.to_owned())));
        let body = Body {
            kind: format!("/problems/{code}"),
            title: title(status),
            status,
            detail: error.to_string(),
            code,
            request_id,
        };
        // Texts and a number always become JSON; should that ever fail, the status says enough.
        Problem { status, headers, body: serde_json::to_string(&body).unwrap_or_default() }
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// A request's id is repeated only where it can do no harm in a log; Portcullis' rule.
fn sane(id: &[u8]) -> Option<&str> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let sane = (1..=128).contains(&id.len()) && id.iter().all(allowed);
    str::from_utf8(id).ok().filter(|_| sane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_that_could_do_harm_is_not_repeated() {
        assert_eq!(sane(b"a-Z.0_9"), Some("a-Z.0_9"));
        for id in [&b""[..], b"a b", b"a\nb", "ü".as_bytes(), b"\xff", &[b'a'; 129]] {
            assert_eq!(sane(id), None);
        }
    }
}
