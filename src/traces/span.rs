//! How long something took, and as a part of what.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Whose time it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Server,
    Client,
    Internal,
}

/// A name of OpenTelemetry's semantic conventions, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    Text(&'static str, Cow<'static, str>),
    Number(&'static str, i64),
}

/// A part of a request. Nothing is made of it where nobody records it.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub kind: Kind,
    pub name: &'static str,
    pub texts: [(&'static str, &'static str); 2],
}

impl Part {
    /// One of this program's own.
    pub fn own(name: &'static str) -> Part {
        Part { kind: Kind::Internal, name, texts: [("", ""); 2] }
    }

    /// A statement, without what is bound to it.
    pub fn statement(system: &'static str, sql: &'static str) -> Part {
        let name = sql.split(' ').next().unwrap_or_default();
        Part { kind: Kind::Client, name, texts: [("db.system.name", system), ("db.query.text", sql)] }
    }

    pub(super) fn attributes(&self) -> Vec<Attribute> {
        let texts = self.texts.iter().filter(|(name, _)| !name.is_empty());
        texts.map(|(name, text)| Attribute::Text(name, Cow::Borrowed(text))).collect()
    }
}

/// A span that has ended.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub trace: u128,
    pub span: u64,
    pub parent: Option<u64>,
    pub has_remote_parent: bool,
    pub state: Option<String>,
    pub kind: Kind,
    pub name: Cow<'static, str>,
    pub attributes: Vec<Attribute>,
    pub failed: bool,
    pub began_at: DateTime<Utc>,
    pub took: Duration,
}
