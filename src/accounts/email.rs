//! Proving that an address is one's own, and changing it.

use std::time::Duration;

use super::EmailAddress;
use super::links::{self, Offer};
use crate::app::App;
use crate::audit::Event;
use crate::error::{Broken, Error, Result};
use crate::id::SessionId;
use crate::limits::ONE_MORE_AFTER;
use crate::mail::{Letter, Template};
use crate::sessions::{Client, tell};
use crate::store::Tx;
use crate::store::changes::Reason;
use crate::store::links::{Link, Purpose};
use crate::store::users::{self, User};
use crate::tokens::Effect;

/// Asks for another address. It becomes the user's when the link is used that is mailed to it; the present one is told.
pub async fn request_change(
    app: &App,
    user: &User,
    session: SessionId,
    new: &EmailAddress,
    password: &str,
    client: &Client,
) -> Result<()> {
    let version = super::confirm(app, user.id, "password", password, client.ip).await?;
    let own = links::address(user).filter(|(_, key)| key == new.parts().1);
    if own.is_none()
        && let Some(error) = users::taken(&app.db, None, Some(new.parts().1)).await?
    {
        return Err(error);
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !users::hold(&mut tx, user.id).await? {
        return Err(Error::RevokedToken);
    }
    let actor = client.actor(user.id).by(session.into());
    actor.ensure_let_in(&mut tx, now).await?;
    let offer = Offer {
        purpose: Purpose::ChangeEmail,
        user,
        password_version: version,
        email: new.parts(),
        session: Some(session),
    };
    if !links::post(app, &mut tx, &offer, now).await? {
        // Addresses that this service may write to are not for a user to flood.
        return Err(Error::RateLimited(ONE_MORE_AFTER.to_std().unwrap_or(Duration::MAX)));
    }
    if own.is_none() {
        let what = |letter: Letter| letter.with("new_email", new.parts().0);
        tell(app, &mut tx, Template::EmailChangeRequested, user, (client, Some(session)), what, now).await?;
    }
    app.audit.note(&mut tx, actor.did(Event::EmailChangeRequested, user.id), now).await?;
    tx.commit().await
}

/// Uses a mailed link: the address is the user's own from now on.
pub async fn verify(app: &App, token: &str, client: &Client) -> Result<()> {
    let (link, _) = links::look(app, token).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (link, purpose, user) = links::spend(&mut tx, token, link.user_id, now).await?;
    let (event, done) = match purpose {
        Purpose::VerifyEmail => (
            Event::EmailVerified,
            users::set_verified(&mut tx, user.id, link.password_version, &link.email_key, now).await?,
        ),
        Purpose::ChangeEmail => (Event::EmailChanged, change(app, &mut tx, &user, &link, client).await?),
        Purpose::ResetPassword => return Err(Error::InvalidLink),
    };
    if !done {
        return Err(Error::InvalidLink);
    }
    app.audit.note(&mut tx, client.actor(user.id).did(event, user.id), now).await?;
    app.changes.commit(tx, &[Effect::on_user(Reason::UserUpdated, user.id)], now).await
}

async fn change(app: &App, tx: &mut Tx, user: &User, link: &Link, client: &Client) -> Result<bool> {
    let now = app.clock.now();
    let present = links::address(user).map(|(_, key)| key);
    let email = (link.email.as_str(), link.email_key.as_str());
    if present != link.email_key_before
        || !users::set_email(&mut *tx, user.id, link.password_version, email, now).await?
    {
        return Ok(false);
    }
    if present.as_deref() != Some(link.email_key.as_str()) {
        let what = |letter: Letter| letter.with("new_email", link.email.as_str());
        tell(app, tx, Template::EmailChanged, user, (client, link.session_id), what, now).await?;
    }
    Ok(true)
}

/// Mails the user's verification once more, if there is something to verify.
pub async fn resend_verification(app: &App, user: &User) -> Result<()> {
    let Some((email, key)) = links::address(user) else {
        return Err(Error::field("email", Broken::new("required", "This account has no e-mail address.")));
    };
    if user.email_verified {
        return Ok(());
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !users::hold(&mut tx, user.id).await? {
        return Err(Error::RevokedToken);
    }
    let version = users::password(&mut tx, user.id).await?.ok_or(Error::RevokedToken)?.version;
    let offer = Offer {
        purpose: Purpose::VerifyEmail,
        user,
        password_version: version,
        email: (email, &key),
        session: None,
    };
    // Where it has been sent often enough, the last one is good.
    links::post(app, &mut tx, &offer, now).await?;
    tx.commit().await
}
