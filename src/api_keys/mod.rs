//! API keys: what programs show in place of an access token.
//!
//! A key is `pc_key_` and 43 characters of base64url, of 256 random bits: `pc_key_[A-Za-z0-9_-]{43}` is what a scanner for secrets
//! has to look for. It is shown once, when it is made; what is kept is its SHA-256 digest. A slow hash is for what people think of:
//! nobody guesses 256 bits.
//!
//! A key acts as its user, with all the roles that the user has at that moment, or with those among them that it was
//! made for; never with one that the user has lost. It reaches nothing of the account itself: whoever finds one can't change the
//! password with it, nor make another. It is no session: it stays when these end, and when the password changes; but not where an
//! address is proven by a new password, since all before may have been a stranger's. A disabled user's keys do nothing until the
//! user is enabled again; a deleted user's are gone.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Broken, Error, Result};
use crate::id::{ApiKeyId, UserId};
use crate::secret::{self, base64url, from_base64url};
use crate::store::Tx;
use crate::store::api_keys::{self, ApiKey, NewApiKey};
use crate::store::changes::Reason;
use crate::store::users::{self, Roles, User};
use crate::tokens::Effect;

/// How every key begins.
pub const PREFIX: &str = "pc_key_";

/// Random bytes of a key.
const BYTES: usize = 32;

/// Characters of a key that are kept as they are, to tell it from others: 36 of its 256 bits.
const SHOWN: usize = PREFIX.len() + 6;

/// Keys that a user may have.
pub const MOST: i64 = 100;

/// What a key is to be.
#[derive(Debug)]
pub struct Wanted {
    pub name: String,
    pub expires_at: Option<DateTime<Utc>>,
    /// The only ones of the user's roles that it may use; `None`: all that the user has at the time.
    pub roles: Option<Vec<String>>,
}

/// What is kept of a key's text; `None` for a text that is no key's.
pub fn digest(text: &str) -> Option<[u8; 32]> {
    let random = from_base64url(text.strip_prefix(PREFIX)?)?;
    (random.len() == BYTES).then(|| secret::sha256(text.as_bytes()))
}

/// Makes a key, and returns it with its text, which nobody can be told again.
pub async fn create(app: &App, user: &User, wanted: &Wanted, actor: &Actor) -> Result<(ApiKey, String)> {
    let now = app.clock.now();
    if wanted.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::field("expires_at", Broken::new("invalid", "This is not in the future.")));
    }
    if wanted.roles.iter().flatten().any(|role| !user.roles.contains(role)) {
        return Err(Error::field("roles", Broken::new("invalid", "Use roles that you have yourself.")));
    }
    let roles =
        wanted.roles.as_ref().map(|roles| api_keys::narrowed(&user.roles, &Roles::from(roles.join(","))));
    let text = format!("{PREFIX}{}", base64url(&secret::random::<BYTES>()));
    let mut tx = app.db.begin().await?;
    // Who makes many at once takes turns.
    if !users::hold(&mut tx, user.id).await? {
        return Err(Error::RevokedToken);
    }
    actor.ensure_let_in(&mut tx, now).await?;
    if api_keys::count(&mut tx, user.id).await? >= MOST {
        let rule = format!("You have {MOST} API keys, and can't have more; delete one first.");
        return Err(Error::field("name", Broken::new("too_many", rule)));
    }
    let new = NewApiKey {
        id: ApiKeyId::new(now),
        user: user.id,
        digest: &secret::sha256(text.as_bytes()),
        prefix: &text[..SHOWN],
        name: &wanted.name,
        roles: roles.as_ref(),
        expires_at: wanted.expires_at,
    };
    let key = api_keys::insert(&mut tx, &new, now).await?;
    let created = actor.did(Event::ApiKeyCreated, user.id).with("key_id", key.id.to_string());
    app.audit.note(&mut tx, created, now).await?;
    tx.commit().await?;
    Ok((key, text))
}

/// Deletes one of the user's keys; [`Error::NotFound`] for one that is gone already or is not the user's.
pub async fn delete(app: &App, user: UserId, id: ApiKeyId, actor: &Actor) -> Result<()> {
    let now = app.clock.now();
    let mut tx = actor.begin(&app.db, now).await?;
    if !api_keys::delete(&mut tx, user, id, now).await? {
        // What another replica deleted a moment ago must be over here, too, when we say so.
        app.changes.cache().forget(user, None);
        return Err(Error::NotFound);
    }
    let deleted = actor.did(Event::ApiKeyDeleted, user).with("key_id", id.to_string());
    app.audit.note(&mut tx, deleted, now).await?;
    app.changes.commit(tx, &[Effect::on_user(Reason::UserUpdated, user)], now).await
}

/// Deletes all of the user's keys, as part of a larger change, which commits the effect: all that there is of the user.
pub(crate) async fn delete_all(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    for id in api_keys::delete_all(tx, user, now).await? {
        let deleted = actor.did(Event::ApiKeyDeleted, user).with("key_id", id.to_string());
        app.audit.note(&mut *tx, deleted, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_keys_text_has_a_digest() {
        let text = format!("{PREFIX}{}", base64url(&[7; BYTES]));
        assert_eq!(text.len(), PREFIX.len() + 43);
        assert_eq!(digest(&text), Some(secret::sha256(text.as_bytes())));
        let others = [
            "",
            PREFIX,
            &text[PREFIX.len()..],
            &text[..text.len() - 1],
            &format!("{text}A"),
            &text.replace("pc_key_", "pc_rt_"),
            &text.replace("pc_key_", "PC_KEY_"),
            &format!("{PREFIX}{}", "é".repeat(21)),
            // The last character has two bits that no key sets.
            &format!("{}B", &text[..text.len() - 1]),
        ];
        for other in others {
            assert_eq!(digest(other), None, "{other}");
        }
    }
}
