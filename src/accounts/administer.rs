//! What an admin changes of someone's account.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::password::tell_changed;
use super::register::{grant, needs_address, unknown_role};
use super::{DisplayName, EmailAddress, Password, Username};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Broken, Error, Result};
use crate::id::UserId;
use crate::mail::{Letter, Template};
use crate::sessions::{self, Client, tell};
use crate::store::Tx;
use crate::store::changes::Reason;
use crate::store::roles::{self, ADMIN};
use crate::store::users::{self, Edit, User};
use crate::tokens::Effect;

/// What to change: `None` leaves it as it is, `Some(None)` takes it away.
#[derive(Debug, Default)]
pub struct AdminChanges {
    pub username: Option<Option<Username>>,
    /// Another address is not verified, unless `email_verified` says so.
    pub email: Option<Option<EmailAddress>>,
    pub email_verified: Option<bool>,
    pub display_name: Option<Option<DisplayName>>,
    pub disabled: Option<bool>,
    pub password: Option<Password>,
    pub roles: Option<RoleChanges>,
}

/// Which roles a user has from now on. Each must exist.
#[derive(Debug, PartialEq, Eq)]
pub enum RoleChanges {
    /// These, and no others.
    Only(Vec<String>),
    /// These, and those of before.
    Also(Vec<String>),
    /// Those of before but these.
    Without(Vec<String>),
}

impl RoleChanges {
    fn names(&self) -> &[String] {
        let (RoleChanges::Only(names) | RoleChanges::Also(names) | RoleChanges::Without(names)) = self;
        names
    }

    /// Whether who has this role may not have it any more.
    fn may_take(&self, role: &str) -> bool {
        let named = self.names().iter().any(|name| name == role);
        match self {
            RoleChanges::Only(_) => !named,
            RoleChanges::Also(_) => false,
            RoleChanges::Without(_) => named,
        }
    }
}

/// What becomes of a user's names.
struct Names<'a> {
    username: Option<&'a str>,
    email: Option<&'a str>,
    email_verified: bool,
    display_name: Option<&'a str>,
}

impl AdminChanges {
    fn is_empty(&self) -> bool {
        let AdminChanges { username, email, email_verified, display_name, disabled, password, roles } = self;
        (username, email, email_verified, display_name, disabled, roles)
            == (&None, &None, &None, &None, &None, &None)
            && password.is_none()
    }

    /// The names that `before` has afterwards, if they are ones that an account can have.
    fn names<'a>(&'a self, before: &'a User) -> Result<Names<'a>> {
        let username = match &self.username {
            Some(new) => new.as_ref().map(|new| new.parts().0),
            None => before.username.as_deref(),
        };
        let (email, same_address) = match &self.email {
            Some(new) => {
                let key = before.email.as_deref().map(EmailAddress::key_of);
                let same = new.as_ref().map(|new| new.parts().1) == key.as_deref();
                (new.as_ref().map(|new| new.parts().0), same)
            }
            None => (before.email.as_deref(), true),
        };
        let display_name = match &self.display_name {
            Some(new) => new.as_ref().map(DisplayName::as_str),
            None => before.display_name.as_deref(),
        };
        if username.is_none() && email.is_none() {
            let field = if self.email.is_some() { "email" } else { "username" };
            let rule = "An account needs a username or an e-mail address; this would take both.";
            return Err(Error::field(field, Broken::new("required", rule)));
        }
        if self.email_verified == Some(true) && email.is_none() {
            return Err(needs_address());
        }
        if let Some(password) = &self.password {
            password
                .check_not_a_name(username.iter().chain(&email))
                .map_err(|broken| Error::field("password", broken))?;
        }
        let email_verified = self.email_verified.unwrap_or(before.email_verified && same_address);
        Ok(Names { username, email, email_verified, display_name })
    }
}

/// Changes an account, all of it or nothing, and returns the user as it is then. Who is disabled, or given another password, has no
/// session any more, also not when enabled again. The last enabled admin stays one.
pub async fn administer(app: &App, id: UserId, changes: &AdminChanges, actor: &Actor) -> Result<User> {
    let user = users::by_id(&app.db, id).await?.ok_or(Error::NotFound)?;
    if changes.is_empty() {
        return Ok(user);
    }
    // Asked before a hash is spent on it, and again of what is there by then.
    changes.names(&user)?;
    let password = match &changes.password {
        Some(password) => Some(app.hasher.hash(password.expose()).await?),
        None => None,
    };

    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let loses_admin =
        changes.disabled == Some(true) || changes.roles.as_ref().is_some_and(|roles| roles.may_take(ADMIN));
    if loses_admin && roles::is_last_admin(&mut tx, id).await? {
        return Err(Error::LastAdmin);
    }
    if !users::hold(&mut tx, id).await? {
        return Err(Error::NotFound);
    }
    // Once it is held: who is disabled right now does not undo it.
    actor.ensure_let_in(&mut tx, now).await?;
    let before = users::by_id(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let names = changes.names(&before)?;
    let edit = Edit {
        username: changes.username.as_ref().map(|new| new.as_ref().map(Username::parts)),
        email: changes.email.as_ref().map(|new| new.as_ref().map(EmailAddress::parts)),
        email_verified: Some(names.email_verified),
        display_name: changes.display_name.as_ref().map(|new| new.as_ref().map(DisplayName::as_str)),
        disabled: changes.disabled,
        password: password.as_ref(),
    };
    users::set(&mut tx, id, &edit, now).await?;

    let fields = changed(&before, &names);
    if !fields.is_empty() {
        app.audit.note(&mut tx, actor.did(Event::UserUpdated, id).with("fields", fields), now).await?;
    }
    if let Some(roles) = &changes.roles {
        set_roles(app, &mut tx, &before, roles, actor, now).await?;
    }
    let mut effects = vec![Effect::on_user(Reason::UserUpdated, id)];
    if let Some(disabled) = changes.disabled.filter(|disabled| *disabled != before.disabled) {
        let event = if disabled { Event::UserDisabled } else { Event::UserEnabled };
        app.audit.note(&mut tx, actor.did(event, id), now).await?;
    }
    if changes.disabled == Some(true) {
        effects.push(sessions::end_all(&mut tx, Reason::UserDisabled, id, None, now).await?);
    }
    if password.is_some() {
        effects.push(sessions::end_all(&mut tx, Reason::PasswordChanged, id, None, now).await?);
        app.audit.note(&mut tx, actor.did(Event::PasswordChanged, id), now).await?;
    }
    tell_owner(app, &mut tx, &before, &names, password.is_some(), now).await?;
    let user = users::by_id(&mut tx, id).await?.ok_or(Error::NotFound)?;
    app.changes.commit(tx, &effects, now).await?;
    Ok(user)
}

/// Tells the owner, at the address that the account had, of another password or address. By whom is the admins' own affair.
async fn tell_owner(
    app: &App,
    tx: &mut Tx,
    before: &User,
    after: &Names<'_>,
    has_new_password: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let nobody = Client::default();
    // First: after the other there are no more to this address.
    if has_new_password {
        tell_changed(app, &mut *tx, before, (&nobody, None), now).await?;
    }
    if after.email.map(EmailAddress::key_of) != before.email.as_deref().map(EmailAddress::key_of) {
        let what = |letter: Letter| letter.with("new_email", after.email);
        tell(app, tx, Template::EmailChanged, before, (&nobody, None), what, now).await?;
    }
    Ok(())
}

/// The fields that are another afterwards.
fn changed(before: &User, after: &Names<'_>) -> Vec<&'static str> {
    let fields = [
        ("username", before.username.as_deref() != after.username),
        ("email", before.email.as_deref() != after.email),
        ("email_verified", before.email_verified != after.email_verified),
        ("display_name", before.display_name.as_deref() != after.display_name),
    ];
    fields.into_iter().filter(|(_, changed)| *changed).map(|(field, _)| field).collect()
}

async fn set_roles(
    app: &App,
    tx: &mut Tx,
    before: &User,
    roles: &RoleChanges,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    for role in before.roles.names().iter().filter(|role| roles.may_take(role)) {
        roles::delete(tx, before.id, role).await?;
        let revoked = actor.did(Event::RoleRevoked, before.id).with("role", role.as_str());
        app.audit.note(&mut *tx, revoked, now).await?;
    }
    for role in BTreeSet::from_iter(roles.names()).into_iter().filter(|role| !before.roles.contains(role)) {
        match roles {
            RoleChanges::Only(_) | RoleChanges::Also(_) => {
                grant(app, tx, before.id, role, actor, now).await?
            }
            // Who mistypes a role that is to be taken away must not believe that it is gone.
            RoleChanges::Without(_) if !roles::hold(tx, role).await? => {
                return Err(unknown_role(tx, role).await?);
            }
            RoleChanges::Without(_) => {}
        }
    }
    Ok(())
}
