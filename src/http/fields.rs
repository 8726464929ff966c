//! The fields of a body, whether it is JSON or a form.
//!
//! They are taken one by one, and each that breaks its rule is remembered, so that the answer names all of them at once. Fields
//! that nobody takes are ignored.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::error::{Broken, Error, FieldError, Result};

/// The fields of a body, and what was wrong with those that were taken so far.
#[derive(Default)]
pub(super) struct Fields {
    values: Map<String, Value>,
    broken: Vec<FieldError>,
    /// A form has texts alone, and a list of one is a single text.
    is_form: bool,
}

impl Fields {
    pub fn new(values: Map<String, Value>, is_form: bool) -> Fields {
        Fields { values, broken: Vec::new(), is_form }
    }

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

    /// A truth value that may be absent or null.
    pub fn flag(&mut self, field: &'static str) -> Option<bool> {
        let rule = "This field must be `true` or `false`.";
        let read = match self.values.get(field)? {
            Value::Null => return None,
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if self.is_form => text.parse().map_err(|_| Broken::new("invalid", rule)),
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
            Some(Value::String(text)) if self.is_form => {
                text.parse().map_err(|_| Broken::new("invalid", &*rule))
            }
            Some(_) => Err(Broken::new("wrong_type", &*rule)),
        };
        let read = read.and_then(|number| {
            allowed.contains(&number).then_some(number).ok_or(Broken::new("invalid", rule))
        });
        self.checked(field, read)
    }

    /// A list of texts that may be absent; null is an empty one, and a form's single text one of itself.
    pub fn list<T>(
        &mut self,
        field: &'static str,
        parse: impl Fn(&str) -> Result<T, Broken>,
    ) -> Option<Vec<T>> {
        let read = match self.values.get(field)? {
            Value::Null => Ok(Vec::new()),
            Value::String(text) if self.is_form => parse(text).map(|one| vec![one]),
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
