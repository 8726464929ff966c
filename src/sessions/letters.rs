//! What the owner of an account is told of it by mail.

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
    Letter::new(template, to).with("username", user.username.as_deref())
}

/// With who did it and when, and with the link that ends the session in which it was done.
pub(crate) fn with_deed(
    app: &App,
    letter: Letter,
    client: &Client,
    session: Option<SessionId>,
    now: DateTime<Utc>,
) -> Letter {
    let link =
        session.map(|id| format!("{}/session/end?token={}", app.config.public_url, app.end_links.write(id)));
    letter
        .with("ip", client.ip.map(|ip| ip.to_string()))
        .with("user_agent", client.user_agent.as_deref())
        .with("at", now.to_rfc3339_opts(SecondsFormat::Secs, true))
        .with("end_session_link", link)
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
    let (Some(email), Some(_)) = (&before.email, before.last_login_at) else { return Ok(()) };
    let network = Network::of(client.ip);
    for origin in sessions::origins(tx, before.id, session, REMEMBERED).await? {
        let ip = origin.ip.and_then(|ip| ip.parse().ok());
        if Network::of(ip) == network || origin.user_agent == client.user_agent {
            return Ok(());
        }
    }
    let letter = letter(Template::NewSignIn, email, before);
    app.mail.post(tx, with_deed(app, letter, client, Some(session), now), now).await
}
