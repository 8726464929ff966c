//! A form's parameters as OAuth has them (RFC 6749 section 3.2): each once, and one without a value is none.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web_httpauth::headers::authorization::{Basic, Scheme};

use super::refusal::Refusal;
use crate::http::body::Body;
use crate::http::params::decode_text;

/// Characters that a client's name may have.
const CLIENT_ID_CHARACTERS: usize = 128;

pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub async fn read(body: Body) -> Result<Parameters, Refusal> {
        let mut parameters = BTreeMap::new();
        for (name, value) in body.pairs().await? {
            if parameters.insert(name, value).is_some() {
                return Err(Refusal::invalid_request("A parameter is given more than once."));
            }
        }
        parameters.retain(|_, value| !value.is_empty());
        Ok(Parameters(parameters))
    }

    pub fn optional(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub fn required(&mut self, name: &str) -> Result<String, Refusal> {
        self.optional(name)
            .ok_or_else(|| Refusal::invalid_request(format!("The parameter {name} is missing.")))
    }

    /// The name that a client gives itself, in the form or as the user of HTTP Basic (RFC 6749 section 2.3.1). A secret beside
    /// it proves nothing here, and is not looked at.
    pub fn client_id(&mut self, request: &HttpRequest) -> Result<Option<String>, Refusal> {
        let in_header = basic_user(request)?;
        let in_form = self.optional("client_id");
        let client_id = match (in_header, in_form) {
            (Some(one), Some(other)) if one != other => {
                return Err(Refusal::invalid_request(
                    "The authorization header and client_id name two clients.",
                ));
            }
            (one, other) => one.or(other),
        };
        // RFC 6749 appendix A.1.
        let is_name = |id: &String| {
            id.len() <= CLIENT_ID_CHARACTERS && id.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        if client_id.as_ref().is_some_and(|id| !is_name(id)) {
            return Err(Refusal::invalid_request(
                "The client_id must be 1 to 128 printable ASCII characters.",
            ));
        }
        Ok(client_id)
    }
}

/// The user of the request's Basic credentials, if it has any and they name one.
fn basic_user(request: &HttpRequest) -> Result<Option<String>, Refusal> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(Refusal::invalid_request("Send one authorization header, not several."));
    }
    let header = header.as_bytes();
    let (scheme, credentials) =
        header.split_at(header.iter().position(|byte| *byte == b' ').unwrap_or(header.len()));
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Ok(None);
    }
    // httpauth takes the scheme in one spelling only.
    let canonical = HeaderValue::from_bytes(&[b"Basic ", credentials.trim_ascii()].concat()).ok();
    let basic = canonical.and_then(|header| Basic::parse(&header).ok());
    let user = basic.and_then(|basic| decode_text(basic.user_id().as_bytes()));
    let user = user.ok_or_else(|| Refusal::invalid_request("The Basic credentials can't be read."))?;
    Ok(Some(user).filter(|user| !user.is_empty()))
}
