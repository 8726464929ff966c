//! What a password must be, and changing it.

use std::fmt;

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Score, zxcvbn};

use crate::app::App;
use crate::audit::Event;
use crate::config::Config;
use crate::error::{Broken, Error, Result};
use crate::hasher::normalised;
use crate::id::{SessionId, UserId};
use crate::mail::{Letter, Template};
use crate::sessions::{self, Client, tell};
use crate::store::Tx;
use crate::store::api_keys;
use crate::store::changes::Reason;
use crate::store::users::{self, User};
use crate::tokens::Effect;

/// Characters a password may have at most, after normalisation.
const MAX_CHARACTERS: usize = 128;

/// Longer ones are not estimated: no list has them, and the estimator's time grows with the length.
const ESTIMATED_CHARACTERS: usize = 32;

/// A new password that fulfils the rules, as it is hashed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Checks all rules that don't depend on whose password it is. The outer error is the service's own: estimating
    /// takes its turn among the hashes, since some passwords keep the estimator busy for half a second.
    pub async fn parse(app: &App, text: &str) -> Result<Result<Password, Broken>> {
        let password = match Password::of_length(&app.config, text) {
            Ok(password) => password,
            Err(broken) => return Ok(Err(broken)),
        };
        if password.is_estimated(&app.config) {
            let estimated = password.clone();
            if app.hasher.run(move || is_common(&estimated.0)).await? {
                return Ok(Err(too_common()));
            }
        }
        if app.breaches.contain(password.expose()).await {
            let rule = "This password has appeared in a data breach; use another.";
            return Ok(Err(Broken::new("breached", rule)));
        }
        Ok(Ok(password))
    }

    /// As [`parse`](Self::parse), for a setting, which is read before there are others to take turns with.
    pub(super) fn parse_setting(config: &Config, text: &str) -> Result<Password, Broken> {
        let password = Password::of_length(config, text)?;
        if password.is_estimated(config) && is_common(&password.0) { Err(too_common()) } else { Ok(password) }
    }

    fn of_length(config: &Config, text: &str) -> Result<Password, Broken> {
        let password = normalised(text);
        let (length, least) = (password.chars().count(), config.password_min_length);
        let allowed = || format!("Use {least} to {MAX_CHARACTERS} characters.");
        if length < least {
            return Err(Broken::new("too_short", allowed()));
        }
        if length > MAX_CHARACTERS {
            return Err(Broken::new("too_long", allowed()));
        }
        Ok(Password(password))
    }

    fn is_estimated(&self, config: &Config) -> bool {
        config.password_check_common && self.0.chars().count() <= ESTIMATED_CHARACTERS
    }

    /// Refuses a password that is one of its owner's own names, in any case.
    pub fn check_not_a_name(&self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<(), Broken> {
        let folded = self.0.to_lowercase();
        let same = names.into_iter().any(|name| normalised(name.as_ref()).to_lowercase() == folded);
        let rule = "Use a password that is not your username or e-mail address.";
        if same { Err(Broken::new("same_as_identity", rule)) } else { Ok(()) }
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

fn too_common() -> Broken {
    let rule = "This password is among the first that anyone would try; use a few unrelated words.";
    Broken::new("too_common", rule)
}

/// Whether the estimator's list of leaked passwords has it as a whole (letters for digits and reversed, too), or it
/// would be guessed within a thousand tries: `aaaaaaaa`, `abcabcabc`, a keyboard's row.
fn is_common(password: &str) -> bool {
    let estimate = zxcvbn(password, &[]);
    let listed = |pattern: &MatchPattern| match pattern {
        // Its type can't be named outside its crate.
        MatchPattern::Dictionary(word) => format!("{:?}", word.dictionary_name) == "Passwords",
        _ => false,
    };
    let whole = matches!(estimate.sequence(), [only] if listed(&only.pattern));
    whole || estimate.score() == Score::Zero
}

/// Replaces a user's password, and ends every session but `keep`.
pub async fn change(
    app: &App,
    user: &User,
    keep: SessionId,
    current: &str,
    new: &Password,
    client: &Client,
) -> Result<()> {
    let names = user.username.iter().chain(&user.email);
    new.check_not_a_name(names).map_err(|broken| Error::field("new_password", broken))?;
    let version = super::confirm(app, user.id, "current_password", current, client.ip).await?;
    let hash = app.hasher.hash(new.expose()).await?;
    let now = app.clock.now();

    let actor = client.actor(user.id).by(keep.into());
    let mut tx = app.db.begin().await?;
    if !users::hold(&mut tx, user.id).await? {
        return Err(Error::RevokedToken);
    }
    actor.ensure_let_in(&mut tx, now).await?;
    if !users::set_password(&mut tx, user.id, version, &hash, now).await? {
        return Err(changed_meanwhile(&mut tx, user.id, "current_password").await?);
    }
    let ended = sessions::end_all(&mut tx, Reason::PasswordChanged, user.id, Some(keep), now).await?;
    app.audit.note(&mut tx, actor.did(Event::PasswordChanged, user.id), now).await?;
    tell_changed(app, &mut tx, user, (client, Some(keep)), now).await?;
    // The session that is kept has another `updated_at`.
    let updated = Effect::on_user(Reason::UserUpdated, user.id);
    app.changes.commit(tx, &[ended, updated], now).await
}

/// Tells the owner of another password, and of the API keys, since these stay.
pub(super) async fn tell_changed(
    app: &App,
    tx: &mut Tx,
    user: &User,
    who: (&Client, Option<SessionId>),
    now: DateTime<Utc>,
) -> Result<()> {
    let keys = api_keys::count_good(&mut *tx, user.id, now).await?;
    let what = |letter: Letter| letter.with("api_keys", (keys > 0).then_some(keys));
    tell(app, tx, Template::PasswordChanged, user, who, what, now).await
}

/// Why a password that was right a moment ago is so no longer: another request deleted the account, or replaced it.
pub(super) async fn changed_meanwhile(tx: &mut Tx, user: UserId, field: &'static str) -> Result<Error> {
    if users::password(tx, user).await?.is_none() {
        return Ok(Error::RevokedToken);
    }
    let rule = "Your password was changed at the same moment; use the new one.";
    Ok(Error::field(field, Broken::new("incorrect", rule)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_are_found_and_others_are_not() {
        for common in [
            "password",
            "Password1",
            "p@ssw0rd",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "aaaaaaaa",
            "abcabcabc",
            "drowssap",
            "letmein1",
            "trustno1",
        ] {
            assert!(is_common(common), "{common}");
        }
        for fine in
            ["correct horse battery staple", "Tr0ub4dor&3", "kiesel-wolke-7", "пароль-ветер-стол", "hJ7#kq2x"]
        {
            assert!(!is_common(fine), "{fine}");
        }
    }
}
