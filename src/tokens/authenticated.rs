//! Who a token or an API key speaks for.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use super::Claims;
use super::stamps::Stamps;
use crate::id::{ApiKeyId, Credential};
use crate::store::quotas::Quota;
use crate::store::users::User;

/// Who a token or an API key speaks for.
#[derive(Debug)]
pub struct Authenticated {
    /// As the database has it: roles and names are the present ones, whatever a token says. Of a key that is limited to some
    /// roles, with no others.
    pub user: Arc<User>,
    pub credential: Credential,
    /// The user's, if there is one.
    pub quota: Option<Quota>,
    /// When the token or key expires, in seconds since the epoch.
    expires_at: i64,
    pub(super) stamps: Stamps,
    /// The minute since the epoch in which the use was noted last.
    noted_in: AtomicI64,
    rendered: OnceLock<Box<[u8]>>,
}

impl Authenticated {
    /// By an access token. `stamps` are those from before `user` was read.
    pub fn by_token(claims: &Claims, user: Arc<User>, stamps: Stamps, now: DateTime<Utc>) -> Authenticated {
        Authenticated::by(claims.sid.into(), claims.exp, user, stamps, now)
    }

    /// By an API key, which may never expire. `stamps` are those from before `user` was read.
    pub fn by_api_key(
        id: ApiKeyId,
        expires_at: Option<DateTime<Utc>>,
        user: Arc<User>,
        stamps: Stamps,
        now: DateTime<Utc>,
    ) -> Authenticated {
        // From the second on in which it expires, the database is asked, which knows the fraction.
        let expires_at = expires_at.map_or(i64::MAX, |at| at.timestamp());
        Authenticated::by(id.into(), expires_at, user, stamps, now)
    }

    fn by(
        credential: Credential,
        expires_at: i64,
        user: Arc<User>,
        stamps: Stamps,
        now: DateTime<Utc>,
    ) -> Authenticated {
        let noted_in = AtomicI64::new(minute(now));
        Authenticated {
            user,
            credential,
            quota: None,
            expires_at,
            stamps,
            noted_in,
            rendered: OnceLock::new(),
        }
    }

    pub fn within(self, quota: Option<Quota>) -> Authenticated {
        Authenticated { quota, ..self }
    }

    /// The user as `render` writes it, which is asked once: it changes no sooner than all the rest here.
    pub fn rendered<E>(&self, render: impl FnOnce(&User) -> Result<Vec<u8>, E>) -> Result<&[u8], E> {
        match self.rendered.get() {
            Some(rendered) => Ok(rendered),
            None => render(&self.user).map(|new| &**self.rendered.get_or_init(|| new.into_boxed_slice())),
        }
    }

    pub(super) fn is_in_time(&self, now: DateTime<Utc>) -> bool {
        now.timestamp() < self.expires_at
    }

    pub(super) fn is_first_use_in_minute(&self, now: DateTime<Utc>) -> bool {
        let (present, before) = (minute(now), self.noted_in.load(SeqCst));
        present > before && self.noted_in.compare_exchange(before, present, SeqCst, SeqCst).is_ok()
    }
}

fn minute(now: DateTime<Utc>) -> i64 {
    now.timestamp() / 60
}
