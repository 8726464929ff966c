//! A request's body: JSON or a form, the same fields in both.
//!
//! Extracting a [`Body`] never fails; reading it does, inside the handler, after its caller is known.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::fields::Fields;
use super::params::decode_pairs;
use crate::error::{Error, Result};

/// What a body may have at most, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// How long a client may take to send it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A body that has not been read yet.
pub(super) struct Body {
    format: Result<Format>,
    payload: Payload,
}

#[derive(Clone, Copy)]
enum Format {
    Json,
    Form,
    /// No type was given: fine as long as there is nothing that has one.
    Unnamed,
}

impl FromRequest for Body {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let announced = request.headers().get(CONTENT_LENGTH);
        let announced: Option<u64> = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        let format = match announced {
            Some(length) if length > MAX_BYTES as u64 => Err(Error::BodyTooLarge),
            _ => format(request.headers()),
        };
        ready(Ok(Body { format, payload: payload.take() }))
    }
}

fn format(headers: &HeaderMap) -> Result<Format> {
    let is_encoded = |coding: &HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"identity");
    let encoded = headers.get_all(CONTENT_ENCODING).any(is_encoded);
    let Some(media_type) = headers.get(CONTENT_TYPE).filter(|_| !encoded) else {
        return if encoded { Err(Error::UnsupportedMediaType) } else { Ok(Format::Unnamed) };
    };
    let essence = media_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        Ok(Format::Json)
    } else if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        Ok(Format::Form)
    } else {
        Err(Error::UnsupportedMediaType)
    }
}

impl Body {
    /// The fields of a body that must be there.
    pub async fn read(self) -> Result<Fields> {
        self.fields().await?.ok_or(Error::MalformedBody("The body is empty; send an object with the fields."))
    }

    /// The fields of a body that may be missing: then there are none.
    pub async fn read_if_any(self) -> Result<Fields> {
        Ok(self.fields().await?.unwrap_or_default())
    }

    /// The pairs of a form, and of nothing else; no body has none.
    pub async fn pairs(self) -> Result<Vec<(String, String)>> {
        let format = self.format?;
        let mut bytes = collect(self.payload).await?;
        let pairs = match format {
            Format::Form => form(&bytes),
            Format::Unnamed if bytes.is_empty() => Ok(Vec::new()),
            _ => Err(Error::UnsupportedMediaType),
        };
        bytes.as_mut().zeroize();
        pairs
    }

    async fn fields(self) -> Result<Option<Fields>> {
        let format = self.format?;
        let mut bytes = collect(self.payload).await?;
        let values = match format {
            // Nothing is a form without fields, and no JSON.
            Format::Json | Format::Unnamed if bytes.is_empty() => Ok(None),
            Format::Unnamed => Err(Error::UnsupportedMediaType),
            Format::Json => match serde_json::from_slice(&bytes) {
                Ok(Value::Object(values)) => Ok(Some(values)),
                Ok(_) => Err(Error::MalformedBody("The body is not a JSON object.")),
                Err(_) if looks_like_form(&bytes) => Err(Error::MalformedBody(
                    "The body is not valid JSON; for a form the content type is application/x-www-form-urlencoded.",
                )),
                Err(_) => Err(Error::MalformedBody("The body is not valid JSON.")),
            },
            Format::Form => form(&bytes).map(|pairs| Some(as_object(pairs))),
        };
        bytes.as_mut().zeroize();
        Ok(values?.map(|values| Fields::new(values, matches!(format, Format::Form))))
    }
}

/// The pairs of a form. What begins as an object does was sent by a client that names no type, as curl does for `-d`.
fn form(bytes: &[u8]) -> Result<Vec<(String, String)>> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Error::MalformedBody(
            "The body looks like JSON, but its content type says that it is a form: send it as application/json.",
        ));
    }
    decode_pairs(bytes)
        .ok_or(Error::MalformedBody("The form is not valid: its names and values must be UTF-8."))
}

fn looks_like_form(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.contains(&b'=')
}

async fn collect(mut payload: Payload) -> Result<BytesMut> {
    let all = async {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| match error {
                PayloadError::Overflow => Error::BodyTooLarge,
                _ => Error::MalformedBody("The body did not arrive whole."),
            })?;
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err(Error::BodyTooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let late = Error::MalformedBody("The body did not arrive within 10 seconds.");
    tokio::time::timeout(TIMEOUT, all).await.unwrap_or(Err(late))
}

/// A form's fields as JSON has them: a repeated key is a list, an empty value is null.
fn as_object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, text) in pairs {
        let value = if text.is_empty() { Value::Null } else { Value::String(text) };
        match object.get_mut(&name) {
            None => drop(object.insert(name, value)),
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(form: &str) -> Value {
        Value::Object(as_object(decode_pairs(form.as_bytes()).unwrap()))
    }

    #[test]
    fn a_form_has_the_fields_that_json_has() {
        use serde_json::json;
        assert_eq!(object("a=1&b=x+y%20z&c=&d=%C3%A9"), json!({"a": "1", "b": "x y z", "c": null, "d": "é"}));
        assert_eq!(object("r=a&r=b&r=c"), json!({"r": ["a", "b", "c"]}));
        assert_eq!(object("&&a&=x"), json!({"a": null, "": "x"}));
    }
}
