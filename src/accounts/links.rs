//! Links that are mailed: 256 random bits, of which the database has a digest, good once and for a while.

use chrono::{DateTime, TimeDelta, Utc};

use super::EmailAddress;
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::mail::Template;
use crate::secret::{base64url, random, sha256};
use crate::sessions::letter;
use crate::store::Tx;
use crate::store::links::{self, Link, NewLink, Purpose};
use crate::store::users::{self, User};

/// How long a link to a new password is good.
const RESET: TimeDelta = TimeDelta::minutes(30);

/// How long a link that proves an address is good.
const VERIFICATION: TimeDelta = TimeDelta::hours(24);

/// A link about to be mailed, for whom, and to which address.
pub(super) struct Offer<'a> {
    pub purpose: Purpose,
    pub user: &'a User,
    /// Of the user's password: another one makes the link void.
    pub password_version: i64,
    /// As typed, and its key.
    pub email: (&'a str, &'a str),
    /// Who asked for it, if someone is logged in.
    pub session: Option<SessionId>,
}

/// Makes the link, in place of the one before, and posts it; `false` where there have been too many to this address: then the
/// one before is as good as it was.
pub(super) async fn post(app: &App, tx: &mut Tx, offer: &Offer<'_>, now: DateTime<Utc>) -> Result<bool> {
    let token = base64url(&random::<32>());
    let (template, path, lifetime) = match offer.purpose {
        Purpose::VerifyEmail => (Template::VerifyEmail, "email/verify", VERIFICATION),
        Purpose::ChangeEmail => (Template::ConfirmEmail, "email/verify", VERIFICATION),
        Purpose::ResetPassword => (Template::ResetPassword, "password/reset", RESET),
    };
    let told = match offer.purpose {
        Purpose::ResetPassword => ("minutes", lifetime.num_minutes()),
        _ => ("hours", lifetime.num_hours()),
    };
    let kind = offer.purpose.as_str();
    if !app.guessing.allows_mail(&mut *tx, kind, offer.email.1, now).await? {
        return Ok(false);
    }
    let present = address(offer.user).map(|(_, key)| key);
    let link = NewLink {
        user: offer.user.id,
        purpose: offer.purpose,
        digest: &sha256(token.as_bytes()),
        email: offer.email,
        email_key_before: present.as_deref(),
        password_version: offer.password_version,
        session: offer.session,
        expires_at: now + lifetime,
    };
    links::insert(tx, &link).await?;
    let letter = letter(template, offer.email.0, offer.user)
        .with("link", format!("{}/{path}?token={token}", app.config.public_url))
        .with(told.0, told.1.to_string())
        .expires(now + lifetime);
    app.mail.post(tx, letter, now).await?;
    Ok(true)
}

/// The address of a user as [`Offer`] has it.
pub(super) fn address(user: &User) -> Option<(&str, String)> {
    user.email.as_deref().map(|email| (email, EmailAddress::key_of(email)))
}

/// What a link may do, as long as nobody takes it.
pub(super) async fn look(app: &App, token: &str) -> Result<(Link, Purpose)> {
    let found = links::by_digest(&app.db, &sha256(token.as_bytes()), app.clock.now()).await?;
    known(found)
}

/// Takes a link, as part of what it does: if the rest fails, it is still good. Returns its user, who is held, as all who change
/// users hold them first; one who is disabled has no use of links.
pub(super) async fn spend(
    tx: &mut Tx,
    token: &str,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(Link, Purpose, User)> {
    if !users::hold(&mut *tx, user).await? {
        return Err(Error::InvalidLink);
    }
    let (link, purpose) = known(links::spend(&mut *tx, &sha256(token.as_bytes()), now).await?)?;
    let user = users::by_id(tx, link.user_id).await?;
    let user = user.filter(|user| !user.disabled).ok_or(Error::InvalidLink)?;
    Ok((link, purpose, user))
}

fn known(link: Option<Link>) -> Result<(Link, Purpose)> {
    let link = link.ok_or(Error::InvalidLink)?;
    let purpose = Purpose::named(&link.purpose).ok_or(Error::InvalidLink)?;
    Ok((link, purpose))
}
