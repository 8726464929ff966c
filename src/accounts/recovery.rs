//! Coming back without the password, or without the mail that did not arrive.
//!
//! Who gives an address must not learn whether an account has it: neither from the answer nor from its time. So a request is
//! written down as it is, and [`answer`]ed a moment later, in the background, where nobody waits for it.

use chrono::{DateTime, Utc};

use super::links::{self, Offer};
use super::password::tell_changed;
use super::{EmailAddress, Password, Username};
use crate::api_keys;
use crate::app::App;
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::id::LinkRequestId;
use crate::limits::Subject;
use crate::sessions::{self, Client};
use crate::store::changes::Reason;
use crate::store::link_requests::{self, LinkRequest};
use crate::store::links::Purpose;
use crate::store::{Tx, users};
use crate::tokens::Effect;

/// Requests that are answered in a row.
const BATCH: u32 = 100;

/// Asks for a link to a new password, for whoever has the address.
pub async fn forgot(app: &App, email: &EmailAddress, client: &Client) -> Result<()> {
    request(app, Purpose::ResetPassword, email, client).await
}

/// Asks for the verification once more, for whoever has the address.
pub async fn resend(app: &App, email: &EmailAddress, client: &Client) -> Result<()> {
    request(app, Purpose::VerifyEmail, email, client).await
}

async fn request(app: &App, purpose: Purpose, email: &EmailAddress, client: &Client) -> Result<()> {
    let id = LinkRequestId::new(app.clock.now());
    let ip = client.ip.map(|ip| ip.to_string());
    link_requests::insert(&app.db, id, purpose, email.parts().1, ip, client.user_agent.as_deref()).await
}

/// Answers what was asked for: a mail to those who have an account. Replicas may do so at the same time.
pub async fn answer(app: &App) -> Result<()> {
    while !app.is_shutting_down() {
        let requests = link_requests::oldest(&app.db, BATCH).await?;
        for request in &requests {
            let mut tx = app.db.begin().await?;
            if link_requests::spend(&mut tx, request.id).await? {
                answer_one(app, &mut tx, request, app.clock.now()).await?;
                tx.commit().await?;
            }
        }
        if requests.len() < BATCH as usize {
            break;
        }
    }
    Ok(())
}

async fn answer_one(app: &App, tx: &mut Tx, request: &LinkRequest, now: DateTime<Utc>) -> Result<()> {
    let Some(purpose) = Purpose::named(&request.purpose) else { return Ok(()) };
    let Some(found) = users::by_email(&mut *tx, &request.email_key).await? else { return Ok(()) };
    let wanted = purpose == Purpose::ResetPassword || !found.user.email_verified;
    let Some(email) = found.user.email.as_deref().filter(|_| wanted && !found.user.disabled) else {
        return Ok(());
    };
    if !users::hold(&mut *tx, found.user.id).await? {
        return Ok(());
    }
    let offer = Offer {
        purpose,
        user: &found.user,
        password_version: found.password.version,
        email: (email, &request.email_key),
        session: None,
    };
    if links::post(app, tx, &offer, now).await? && purpose == Purpose::ResetPassword {
        let ip = request.ip.as_ref().and_then(|ip| ip.parse().ok());
        let client = Client { ip, user_agent: request.user_agent.clone(), id: None };
        let requested = client.actor(None).did(Event::PasswordResetRequested, found.user.id);
        app.audit.note(tx, requested, now).await?;
    }
    Ok(())
}

/// Sets a new password by a mailed link, which proves the address, too. All sessions end. Where nobody had proven the address, whoever
/// made the account may be a stranger to its owner: then its API keys are gone, too.
pub async fn reset(app: &App, token: &str, new: &Password, client: &Client) -> Result<()> {
    let (link, purpose) = links::look(app, token).await?;
    if purpose != Purpose::ResetPassword {
        return Err(Error::InvalidLink);
    }
    let user = users::by_id(&app.db, link.user_id).await?.ok_or(Error::InvalidLink)?;
    let names = user.username.iter().chain(&user.email);
    new.check_not_a_name(names).map_err(|broken| Error::field("new_password", broken))?;
    let hash = app.hasher.hash(new.expose()).await?;

    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // Of two that come at once, one finds it gone.
    let (link, _, user) = links::spend(&mut tx, token, user.id, now).await?;
    let (id, version) = (user.id, link.password_version);
    let is_present = users::set_password(&mut tx, id, version, &hash, now).await?
        && users::set_verified(&mut tx, id, version + 1, &link.email_key, now).await?;
    if !is_present {
        return Err(Error::InvalidLink);
    }
    let ended = sessions::end_all(&mut tx, Reason::PasswordChanged, id, None, now).await?;
    let username = user.username.as_deref().map(Username::key_of);
    let names =
        username.as_deref().map(Subject::Username).into_iter().chain([Subject::Email(&link.email_key)]);
    let names = names.chain([Subject::User(id.as_bytes())]);
    app.guessing.forgive(&mut tx, names, client.ip, now).await?;
    let actor = client.actor(id);
    app.audit.note(&mut tx, actor.did(Event::PasswordReset, id), now).await?;
    if !user.email_verified {
        app.audit.note(&mut tx, actor.did(Event::EmailVerified, id), now).await?;
        api_keys::delete_all(app, &mut tx, id, &actor, now).await?;
    }
    tell_changed(app, &mut tx, &user, (client, None), now).await?;
    // Also on the keys.
    let updated = Effect::on_user(Reason::UserUpdated, id);
    app.changes.commit(tx, &[ended, updated], now).await
}
