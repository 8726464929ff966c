//! What is written, to whom: before it has a form.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a mail is about. `docs/mail.md` has the table of templates and their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// To the address of a new account.
    VerifyEmail,
    ResetPassword,
    /// To the address that an account is to have.
    ConfirmEmail,
    /// To the address that it has until then.
    EmailChangeRequested,
    /// To the address that it had.
    EmailChanged,
    PasswordChanged,
    NewSignIn,
}

impl Template {
    pub(super) const ALL: [Template; 7] = [
        Template::VerifyEmail,
        Template::ResetPassword,
        Template::ConfirmEmail,
        Template::EmailChangeRequested,
        Template::EmailChanged,
        Template::PasswordChanged,
        Template::NewSignIn,
    ];

    /// Its name in the database, the log and the names of its files.
    pub fn name(self) -> &'static str {
        match self {
            Template::VerifyEmail => "verify_email",
            Template::ResetPassword => "reset_password",
            Template::ConfirmEmail => "confirm_email",
            Template::EmailChangeRequested => "email_change_requested",
            Template::EmailChanged => "email_changed",
            Template::PasswordChanged => "password_changed",
            Template::NewSignIn => "new_sign_in",
        }
    }

    pub(super) fn named(name: &str) -> Option<Template> {
        Template::ALL.into_iter().find(|template| template.name() == name)
    }

    /// What a letter of this kind may tell, beside `public_url`, which all do.
    pub(super) fn values(self) -> &'static [&'static str] {
        match self {
            Template::VerifyEmail | Template::ConfirmEmail => &["username", "link", "hours"],
            Template::ResetPassword => &["username", "link", "minutes"],
            Template::EmailChangeRequested | Template::EmailChanged => {
                &["username", "new_email", "ip", "user_agent", "at", "end_session_link"]
            }
            Template::PasswordChanged => {
                &["username", "api_keys", "ip", "user_agent", "at", "end_session_link"]
            }
            Template::NewSignIn => &["username", "ip", "user_agent", "at", "end_session_link"],
        }
    }
}

/// A mail to be [posted](super::Mail::post).
#[must_use = "a letter is not sent until it is posted"]
pub struct Letter {
    pub(super) template: Template,
    pub(super) content: Content,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// What only its reader and the service know of a mail.
#[derive(Serialize, Deserialize)]
pub(super) struct Content {
    pub to: String,
    pub values: Map<String, Value>,
}

impl Letter {
    pub fn new(template: Template, to: &str) -> Letter {
        Letter { template, content: Content { to: to.to_owned(), values: Map::new() }, expires_at: None }
    }

    /// Tells it a value, one of its template's. What is not told is null. Times are RFC 3339, and shown for people. Of a text, every
    /// character that could break or turn a line is replaced by a space.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Letter {
        let value = match value.into() {
            Value::String(text) => Value::String(one_line(&text)),
            value => value,
        };
        self.content.values.insert(name.to_owned(), value);
        self
    }

    /// It is not sent after this: its links do not work any more.
    pub fn expires(mut self, at: DateTime<Utc>) -> Letter {
        self.expires_at = Some(at);
        self
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter {{ template: {:?}, [REDACTED] }}", self.template)
    }
}

/// `text` without what could begin a line, or have it read in another order than it was written in.
pub(super) fn one_line(text: &str) -> String {
    let breaks = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(breaks, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_line() {
        let letter = Letter::new(Template::NewSignIn, "ada@example.com")
            .with("user_agent", "x\r\nBcc: eve@example.com\u{2028}\u{202e}y\0\t\u{85}é")
            .with("ip", Value::Null);
        assert_eq!(letter.content.values["user_agent"], "x  Bcc: eve@example.com  y   é");
        assert!(!format!("{letter:?}").contains("example.com"));
    }

    #[test]
    fn every_template_has_a_name_of_its_own() {
        for template in Template::ALL {
            assert_eq!(Template::named(template.name()), Some(template));
        }
    }
}
