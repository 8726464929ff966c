//! What the owner of an account is told of it by mail.
//!
//! An address that nobody has proven may be a stranger's. What goes there says nothing that somebody chose as a name or a program,
//! and comes a few times an hour at most: this service is no one's means to write to strangers.

use std::convert::identity;

use chrono::{DateTime, SecondsFormat, Utc};

use super::Client;
use crate::app::App;
use crate::error::Result;
use crate::id::SessionId;
use crate::limits::Network;
use crate::mail::{Letter, Template};
use crate::store::users::User;
use crate::store::{Tx, sessions};

/// How many of a user's latest sessions tell which networks and devices are the user's.
const REMEMBERED: u32 = 100;

/// A letter about a user's account.
pub(crate) fn letter(template: Template, to: &str, user: &User) -> Letter {
    Letter::new(template, to).with("username", user.username.as_deref().filter(|_| is_proven(user, to)))
}

fn is_proven(user: &User, address: &str) -> bool {
    user.email_verified && user.email.as_deref() == Some(address)
}

/// Tells the owner, if there is an address to tell it at, what was done, by whom (with the link that ends their session, if they
/// have one) and when; `more` is what else there is to tell.
pub(crate) async fn tell(
    app: &App,
    tx: &mut Tx,
    template: Template,
    user: &User,
    (client, session): (&Client, Option<SessionId>),
    more: impl FnOnce(Letter) -> Letter,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(email) = user.email.as_deref() else { return Ok(()) };
    let proven = is_proven(user, email);
    let (kind, key) = (template.name(), email.to_lowercase());
    if !proven && !app.guessing.allows_mail(&mut *tx, kind, &key, now).await? {
        return Ok(());
    }
    let link =
        session.map(|id| format!("{}/session/end?token={}", app.config.public_url, app.end_links.write(id)));
    let letter = letter(template, email, user)
        .with("ip", client.ip.map(|ip| ip.to_string()))
        .with("user_agent", client.user_agent.as_deref().filter(|_| proven))
        .with("at", now.to_rfc3339_opts(SecondsFormat::Secs, true))
        .with("end_session_link", link);
    app.mail.post(tx, more(letter), now).await
}

/// Tells the owner of a sign-in from a network and with a device of which neither has been seen before; `session` has just
/// been made. The first sign-in of all is no news.
pub(super) async fn tell_of_new_sign_in(
    app: &App,
    tx: &mut Tx,
    before: &User,
    session: SessionId,
    client: &Client,
    now: DateTime<Utc>,
) -> Result<()> {
    if before.email.is_none() || before.last_login_at.is_none() {
        return Ok(());
    }
    let network = Network::of(client.ip);
    for origin in sessions::origins(tx, before.id, session, REMEMBERED).await? {
        let ip = origin.ip.and_then(|ip| ip.parse().ok());
        if Network::of(ip) == network || origin.user_agent == client.user_agent {
            return Ok(());
        }
    }
    tell(app, tx, Template::NewSignIn, before, (client, Some(session)), identity, now).await
}
