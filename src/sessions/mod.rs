//! Sessions: being logged in.
//!
//! A login makes a session, and answers with an access token and a refresh token of generation 1. Each refresh
//! replaces the refresh token by the next generation. Nothing of a refresh token is stored: it is the session's id
//! and a generation under a MAC, so a stolen database can't forge one, and the service can say the same successor
//! again.
//!
//! # Why a healthy client stays in and a thief does not
//!
//! Rotation alone fails one side or the other. A client that never got the answer to its refresh (a lost line, a
//! crash, two tabs at once) comes back with the replaced token, exactly as a thief would. So the service keeps, in
//! the session's row, which generation has *arrived*: of which a refresh token or an access token was seen to come
//! back. It refuses a replaced token, and ends the session, only when both hold:
//!
//! - it was replaced more than [`GRACE`] ago, and
//! - its successor has arrived.
//!
//! *A healthy client is not logged out.* It uses the newest answer that it got. If it presents generation n, then
//! either no answer with n + 1 reached it, and nobody else has one: then n + 1 never arrives, and n keeps working,
//! after a minute or a day. Or an answer did reach it, but another tab or thread had already sent n: then that
//! request comes within the grace. In both cases the answer is n + 1 again, the very same one, so parallel requests
//! can't drive each other apart.
//!
//! *A thief does not stay.* Let thief and victim both hold n. Whoever refreshes first gets n + 1 and, by using it,
//! proves that it arrived. The other still holds n, and presents it: later than the grace, the session ends for both,
//! and only the one who knows the password comes back. Within the grace both now hold n + 1, which is where they
//! began: the next refresh is the same contest, and there is one every access token's lifetime. A thief who takes
//! the token and never uses it gains nothing; one who uses it is out as soon as both sides have used the session.
//!
//! *What is not seen proves nothing.* A client whose access tokens are only ever checked elsewhere, offline, proves an
//! arrival by its next refresh alone. A thief who refreshes in step with such a client, each after the other and later
//! than the grace, looks like one client that keeps losing answers, and stays until one of them breaks the step.
//!
//! *Replicas agree*, since all of it is one row: a refresh is one conditional update (`where generation = n`), of
//! which one wins; the losers read the row, find n just replaced, and answer the same successor.

mod api_key;
mod authenticate;
mod end;
mod end_by_link;
mod introspect;
mod letters;
mod login;
mod refresh;

use std::net::IpAddr;
use std::sync::Arc;

pub use authenticate::{authenticate, known, note_uses};
pub(crate) use end::end_all;
pub use end::{LogoutScope, end, end_every, logout};
pub use end_by_link::end_by_link;
pub use introspect::{Introspected, introspect, revoke};
pub(crate) use letters::{letter, tell};
pub use login::{Identifier, login, recognise};
pub use refresh::refresh;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::app::App;
use crate::audit::Actor;
use crate::error::Result;
use crate::id::UserId;
use crate::store::sessions::Session;
use crate::store::users::User;
use crate::tokens::Grant;
pub use crate::tokens::{Authenticated, Claims};

/// How long a replaced refresh token works whatever has arrived: enough for a slow line, a retry and another tab.
pub const GRACE: TimeDelta = TimeDelta::seconds(30);

/// Who is on the other end of a request, as far as the line tells.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The address, behind trusted proxies.
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// The OAuth client that it says it is; nobody checks it.
    pub id: Option<String>,
}

impl Client {
    /// Who acts from here, as the audit log has it; `None` where that is not known.
    pub fn actor(&self, user: impl Into<Option<UserId>>) -> Actor {
        Actor::at(user.into(), self.ip, self.user_agent.as_deref())
    }
}

/// Who asked for a token, where no client named itself.
const OURSELVES: &str = "portcullis";

/// A token response (RFC 6749 section 5.1), before it has a form. Lifetimes are from now, in seconds.
pub struct TokenResponse {
    pub access_token: String,
    pub expires_in: i64,
    /// When the access token expires.
    pub expires_at: DateTime<Utc>,
    pub refresh_token: String,
    pub refresh_expires_in: i64,
    pub user: Arc<User>,
}

/// Issues the tokens of one generation of a session.
fn issue(
    app: &App,
    user: Arc<User>,
    session: &Session,
    generation: i64,
    now: DateTime<Utc>,
) -> Result<TokenResponse> {
    // A token that outlived its session would be refused before it says so itself.
    let expires_at = (now + app.config.access_token_ttl).min(session.expires_at);
    let access_token = app.keyring.sign(&Grant {
        user: user.id,
        client_id: session.client_id.as_deref().unwrap_or(OURSELVES),
        session: session.id,
        generation,
        roles: user.roles.names(),
        issued_at: now,
        expires_at,
    })?;
    Ok(TokenResponse {
        access_token,
        expires_in: expires_at.timestamp() - now.timestamp(),
        expires_at: expires_at.trunc_subsecs(0),
        refresh_token: app.refresh_tokens.write(session.id, generation),
        refresh_expires_in: (session.expires_at - now).num_seconds(),
        user,
    })
}
