//! A request's body: JSON or a form, the same fields in both.
//!
//! Extracting a [`Body`] never fails; reading it does, inside the handler, after its caller is known. Fields are taken
//! one by one, and each that breaks its rule is remembered, so that the answer names all of them at once. Fields that
//! nobody takes are ignored.

use std::future::{Ready, ready};
use std::ops::RangeInclusive;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::params::decode_pairs;
use crate::error::{Broken, Error, FieldError, Result};

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
            Format::Form => decode_pairs(&bytes).ok_or(NO_FORM),
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
                Err(_) => Err(Error::MalformedBody("The body is not valid JSON.")),
            },
            Format::Form => decode_pairs(&bytes).map(|pairs| Some(as_object(pairs))).ok_or(NO_FORM),
        };
        bytes.as_mut().zeroize();
        Ok(values?.map(|values| Fields { values, broken: Vec::new() }))
    }
}

const NO_FORM: Error = Error::MalformedBody("The form is not valid: its names and values must be UTF-8.");

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

/// The fields of a body, and what was wrong with those that were taken so far.
#[derive(Default)]
pub(super) struct Fields {
    values: Map<String, Value>,
    broken: Vec<FieldError>,
}

impl Fields {
    /// A text that may be absent or null.
    pub fn optional<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Broken>,
    ) -> Option<T> {
        self.change(field, parse).flatten()
    }

    /// A text that must be there.
    pub fn required<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Broken>,
    ) -> Option<T> {
        match self.values.get(field) {
            None | Some(Value::Null) => self.broke(field, Broken::new("required", "This field is required.")),
            Some(_) => self.optional(field, parse),
        }
    }

    /// A text to be changed: `None` where the field is absent, `Some(None)` where it is null.
    pub fn change<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Broken>,
    ) -> Option<Option<T>> {
        let parsed = match self.values.get(field)? {
            Value::Null => return Some(None),
            Value::String(text) => parse(text),
            _ => Err(Broken::new("wrong_type", "This field must be a single text.")),
        };
        self.checked(field, parsed).map(Some)
    }

    /// A truth value that may be absent.
    pub fn flag(&mut self, field: &'static str) -> Option<bool> {
        let rule = "This field must be `true` or `false`.";
        let read = match self.values.get(field)? {
            Value::Bool(flag) => Ok(*flag),
            // As a form has it.
            Value::String(text) => text.parse().map_err(|_| Broken::new("invalid", rule)),
            _ => Err(Broken::new("wrong_type", rule)),
        };
        self.checked(field, read)
    }

    /// A whole number that must be there, of those that are allowed.
    pub fn required_number(&mut self, field: &'static str, allowed: RangeInclusive<i64>) -> Option<i64> {
        let rule = format!("Use a whole number from {} to {}.", allowed.start(), allowed.end());
        let read = match self.values.get(field) {
            None | Some(Value::Null) => Err(Broken::new("required", "This field is required.")),
            Some(Value::Number(number)) => number.as_i64().ok_or(Broken::new("invalid", &*rule)),
            // As a form has it.
            Some(Value::String(text)) => text.parse().map_err(|_| Broken::new("invalid", &*rule)),
            Some(_) => Err(Broken::new("wrong_type", &*rule)),
        };
        let read = read.and_then(|number| {
            allowed.contains(&number).then_some(number).ok_or(Broken::new("invalid", rule))
        });
        self.checked(field, read)
    }

    /// A list of texts that may be absent; null is an empty one, and a single text, as a form has it, one of itself.
    pub fn list<T>(
        &mut self,
        field: &'static str,
        parse: impl Fn(&str) -> Result<T, Broken>,
    ) -> Option<Vec<T>> {
        let read = match self.values.get(field)? {
            Value::Null => Ok(Vec::new()),
            Value::String(text) => parse(text).map(|one| vec![one]),
            Value::Array(list) => {
                let not_text = || Broken::new("wrong_type", "This field must be a list of texts.");
                list.iter().map(|item| parse(item.as_str().ok_or_else(not_text)?)).collect()
            }
            _ => Err(Broken::new("wrong_type", "This field must be a list of texts.")),
        };
        self.checked(field, read)
    }

    /// A list of texts that may be absent or null, which is not the same as an empty one.
    pub fn optional_list<T>(
        &mut self,
        field: &'static str,
        parse: impl Fn(&str) -> Result<T, Broken>,
    ) -> Option<Vec<T>> {
        self.values.get(field).filter(|value| !value.is_null())?;
        self.list(field, parse)
    }

    /// Takes what came of checking a field, and remembers the rule that it broke.
    pub fn checked<T>(&mut self, field: &'static str, checked: Result<T, Broken>) -> Option<T> {
        checked.map_or_else(|broken| self.broke(field, broken), Some)
    }

    /// Remembers that `field` broke a rule.
    pub fn broke<T>(&mut self, field: &'static str, rule: Broken) -> Option<T> {
        self.broken.push(rule.at(field));
        None
    }

    /// Whether any field so far broke a rule.
    pub fn has_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// What was read, if nothing broke a rule.
    pub fn finish<T>(self, read: Option<T>) -> Result<T> {
        match read {
            Some(read) if self.broken.is_empty() => Ok(read),
            _ => Err(Error::Validation(self.broken)),
        }
    }
}

/// Any text that is not empty; for what is compared, not kept.
pub(super) fn any_text(text: &str) -> Result<String, Broken> {
    if text.is_empty() {
        Err(Broken::new("required", "This field is required."))
    } else {
        Ok(text.to_owned())
    }
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
