//! Identifiers: UUID version 7 (RFC 9562), so that their order is the order of creation.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Timestamp, Uuid};

/// Counts up within a millisecond, so that ids made by one process are strictly ascending.
static SEQUENCE: Mutex<ContextV7> = Mutex::new(ContextV7::new());

fn uuid_at(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(&SEQUENCE, seconds, now.timestamp_subsec_nanos()))
}

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID in lower case, with hyphens")]
pub struct NotAnId;

macro_rules! id {
    ($(#[$doc:meta])* $Id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $Id(Uuid);

        impl $Id {
            /// All zeros: no one's.
            pub const NIL: Self = Self(Uuid::nil());

            /// All ones: no one's either, and after all others.
            pub const MAX: Self = Self(Uuid::max());

            /// A fresh id, in order of `now`.
            pub fn new(now: DateTime<Utc>) -> Self {
                Self(uuid_at(now))
            }

            /// The 16 bytes, most significant first.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl From<[u8; 16]> for $Id {
            fn from(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $Id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $Id {
            type Err = NotAnId;

            /// Only as it is written: hyphenated, in lower case.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let id = Uuid::try_parse(text).map_err(|_| NotAnId)?;
                let written = id.as_hyphenated().encode_lower(&mut [0; 36]) == text;
                if written { Ok(Self(id)) } else { Err(NotAnId) }
            }
        }
    };
}

id!(
    /// A user.
    UserId
);
id!(
    /// A session: one login, until it ends.
    SessionId
);
id!(
    /// An API key.
    ApiKeyId
);
id!(
    /// A request for a mailed link.
    LinkRequestId
);
id!(
    /// Something that happened, in the audit log.
    EventId
);
impl EventId {
    /// No id that is made at this time, or later, is less.
    pub fn least_at(time: DateTime<Utc>) -> EventId {
        let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        EventId::from(bytes)
    }
}

id!(
    /// A mail on its way out.
    MailId
);

/// A fresh token id (`jti`, RFC 7519 section 4.1.7).
pub fn token_id(now: DateTime<Utc>) -> Uuid {
    uuid_at(now)
}

/// By what someone has shown who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// An access token of this session.
    Session(SessionId),
    ApiKey(ApiKeyId),
}

impl Credential {
    pub fn as_bytes(&self) -> &[u8; 16] {
        match self {
            Credential::Session(id) => id.as_bytes(),
            Credential::ApiKey(id) => id.as_bytes(),
        }
    }
}

impl From<SessionId> for Credential {
    fn from(id: SessionId) -> Credential {
        Credential::Session(id)
    }
}

impl From<ApiKeyId> for Credential {
    fn from(id: ApiKeyId) -> Credential {
        Credential::ApiKey(id)
    }
}
