//! Bringing users along from another system, or from another database of this one.
//!
//! A [`File`] gives [`Record`]s, of which nothing is believed yet; [`check`](Import::check) makes a [`Candidate`] of one,
//! or says why not; [`write`](Import::write) makes the accounts of a batch in one transaction. Who exists already, by name
//! or address, is left alone, so that an import that was broken off is simply run again. Hashes are kept as they are and
//! replaced at login. Passwords in plain text are refused unless they are [allowed](Allowed), and then hashed here: the
//! database never has one. Each account that is made is an event of the audit log in its transaction, and each
//! [run](Import::end) is one.

mod django;
mod file;
mod firebase;
mod keycloak;
mod record;
mod supabase;

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, SubsecRound, Utc};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

pub use file::{File, Format};
pub use firebase::HashParameters;
pub use record::{Record, Secret};

use super::{DisplayName, EmailAddress, Username, role_name};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Broken, Result};
use crate::hasher::{PasswordHash, Unusable, Verdict, normalised};
use crate::id::UserId;
use crate::store::roles;
use crate::store::users::{self, NewUser};

/// How many passwords are hashed at a time: as many as two threads take at once.
const HASHED_AT_ONCE: usize = 8;

/// An import under way.
pub struct Import<'a> {
    app: &'a App,
    known_roles: BTreeSet<String>,
    allowed: Allowed,
    /// The keys of names and addresses that earlier rows have.
    seen: HashSet<String>,
    /// How many accounts were made so far.
    made: u64,
}

/// What an import does only where it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// To make roles that don't exist; else who has one is refused.
    pub new_roles: bool,
    /// To take a password for what it is, and hash it, where it is no hash of a known form.
    pub plain_text_passwords: bool,
}

/// A user that can be made.
#[derive(Debug)]
pub struct Candidate {
    username: Option<Username>,
    email: Option<EmailAddress>,
    email_verified: bool,
    display_name: Option<DisplayName>,
    disabled: bool,
    roles: BTreeSet<String>,
    created_at: DateTime<Utc>,
    password: Password,
}

#[derive(Debug)]
enum Password {
    Hashed(PasswordHash),
    /// In plain text, to be hashed.
    Plain(Zeroizing<String>),
}

impl<'a> Import<'a> {
    pub async fn new(app: &'a App, allowed: Allowed) -> Result<Import<'a>> {
        let known_roles = roles::names(&app.db).await?.into_iter().collect();
        Ok(Import { app, known_roles, allowed, seen: HashSet::new(), made: 0 })
    }

    /// Holds a record to the rules for accounts, and its hash to those that can be verified. The error is the reason for the
    /// user who imports, and tells no secret.
    pub fn check(&self, record: Record) -> Result<Candidate, String> {
        let because = |what: &'static str| move |broken: Broken| format!("{what}: {}", broken.message);
        let Record { username, email, email_verified, display_name, disabled, roles, created_at, secret } =
            record;
        let (username, email) = names(username, email);
        if username.is_none() && email.is_none() {
            return Err("it has neither a username nor an e-mail address".to_owned());
        }
        if let Some(role) = roles.iter().find(|role| !self.may_have(role)) {
            let known = Vec::from_iter(self.known_roles.iter().map(String::as_str)).join(", ");
            return Err(format!("there is no role {role:?}; the roles are: {known}"));
        }
        let now = self.app.clock.now();
        let created_at = created_at.unwrap_or(now).trunc_subsecs(6);
        if created_at > now || created_at < DateTime::UNIX_EPOCH {
            return Err(format!("it was created at an impossible time, {}", created_at.to_rfc3339()));
        }
        let password = match secret {
            None => return Err("it has no password".to_owned()),
            Some(Secret::Password(text)) => self.password(text)?,
            Some(Secret::Hash(text)) => {
                let hash = self.app.hasher.adopt(&text);
                Password::Hashed(hash.map_err(|error| format!("its password hash is {error}"))?)
            }
        };
        Ok(Candidate {
            username: username.as_deref().map(Username::parse).transpose().map_err(because("username"))?,
            email: email.as_deref().map(EmailAddress::parse).transpose().map_err(because("email"))?,
            email_verified,
            display_name: display_name
                .as_deref()
                .map(DisplayName::parse)
                .transpose()
                .map_err(because("display_name"))?,
            disabled,
            roles,
            created_at,
            password,
        })
    }

    /// What stands in a column `password`. A hash that was taken for a password would be one: whoever stole the hashes could
    /// log in with them. So what looks like one is never taken.
    fn password(&self, text: Zeroizing<String>) -> Result<Password, String> {
        match self.app.hasher.adopt(&text) {
            Ok(hash) => Ok(Password::Hashed(hash)),
            Err(Unusable::Unknown) if looks_like_a_hash(&text) => {
                Err("its password looks like a hash, but of no known form".to_owned())
            }
            Err(Unusable::Unknown) if self.allowed.plain_text_passwords => Ok(Password::Plain(text)),
            Err(Unusable::Unknown) => {
                Err("its password is no known form of password hash; if it is the password itself, \
                                           --plain-text-passwords takes it, and hashes it"
                    .to_owned())
            }
            Err(error) => Err(format!("its password hash is {error}")),
        }
    }

    fn may_have(&self, role: &str) -> bool {
        self.known_roles.contains(role) || self.allowed.new_roles && role_name(role).is_some()
    }

    /// Whether there is someone of that name or address, in the database or in the rows before.
    pub async fn exists(&mut self, candidate: &Candidate) -> Result<bool> {
        let [username, email] = candidate.keys();
        let mut seen = false;
        for key in [username, email].into_iter().flatten() {
            seen |= !self.seen.insert(key.to_owned());
        }
        Ok(seen || users::taken(&self.app.db, username, email).await?.is_some())
    }

    /// Makes the accounts of a batch, all or none; for each, whether it was made, and did not exist already.
    pub async fn write(&mut self, batch: Vec<Candidate>) -> Result<Vec<bool>> {
        let batch = self.hashed(batch).await?;
        let (audit, actor, now) = (&self.app.audit, Actor::service(), self.app.clock.now());
        let mut tx = self.app.db.begin().await?;
        let mut made = Vec::with_capacity(batch.len());
        let mut new_roles = BTreeSet::new();
        for (candidate, password_hash) in &batch {
            let user = NewUser {
                id: UserId::new(now),
                username: candidate.username.as_ref().map(Username::parts),
                email: candidate.email.as_ref().map(EmailAddress::parts),
                email_verified: candidate.email_verified,
                display_name: candidate.display_name.as_ref().map(DisplayName::as_str),
                password_hash,
                disabled: candidate.disabled,
                created_at: candidate.created_at,
            };
            let inserted = users::insert(&mut tx, &user, now).await?;
            made.push(inserted);
            if !inserted {
                continue;
            }
            audit.note(&mut tx, actor.did(Event::UserCreated, user.id), now).await?;
            for role in &candidate.roles {
                if !self.known_roles.contains(role) && new_roles.insert(role.clone()) {
                    roles::insert(&mut tx, role, Some("Came with an import.")).await?;
                }
                roles::grant(&mut tx, user.id, role).await?;
                audit
                    .note(&mut tx, actor.did(Event::RoleGranted, user.id).with("role", role.as_str()), now)
                    .await?;
            }
        }
        tx.commit().await?;
        self.known_roles.extend(new_roles);
        self.made += made.iter().filter(|made| **made).count() as u64;
        Ok(made)
    }

    /// Keeps in the audit log that there was this import, and how many accounts it made; nothing where it made none. Also for
    /// one that failed in the middle.
    pub async fn end(self) -> Result<()> {
        if self.made == 0 {
            return Ok(());
        }
        let imported = Actor::service().did(Event::UsersImported, None).with("count", self.made);
        self.app.audit.note(&self.app.db, imported, self.app.clock.now()).await
    }

    /// Those in plain text are of no use to who reads the database, and so never get there.
    async fn hashed(&self, batch: Vec<Candidate>) -> Result<Vec<(Candidate, PasswordHash)>> {
        let mut done = Vec::with_capacity(batch.len());
        let mut plain = batch.into_iter().enumerate();
        loop {
            let mut hashing = JoinSet::new();
            for (at, candidate) in plain.by_ref().take(HASHED_AT_ONCE) {
                let hasher = self.app.hasher.clone();
                hashing.spawn(async move {
                    let hash = match &candidate.password {
                        Password::Hashed(hash) => hash.clone(),
                        Password::Plain(password) => hasher.hash(password).await?,
                    };
                    Ok((at, candidate, hash))
                });
            }
            if hashing.is_empty() {
                break;
            }
            let part: Result<Vec<_>> = hashing.join_all().await.into_iter().collect();
            done.extend(part?);
        }
        done.sort_by_key(|(at, ..)| *at);
        Ok(done.into_iter().map(|(_, candidate, hash)| (candidate, hash)).collect())
    }
}

impl Candidate {
    /// The keys under which the username and the address are found.
    fn keys(&self) -> [Option<&str>; 2] {
        let username = self.username.as_ref().map(|username| username.parts().1);
        [username, self.email.as_ref().map(|email| email.parts().1)]
    }

    /// Whether this is the user's name or address.
    pub fn is(&self, name: &str) -> bool {
        let keys = [Username::key_of(name), EmailAddress::key_of(name)];
        std::iter::zip(self.keys(), keys).any(|(key, asked)| key == Some(&asked))
    }

    /// Whether `password` would log in, were it imported.
    pub async fn accepts(&self, app: &App, password: &str) -> Result<bool> {
        match &self.password {
            Password::Hashed(hash) => Ok(app.hasher.verify(password, Some(hash)).await? != Verdict::Wrong),
            Password::Plain(kept) => Ok(normalised(password) == normalised(kept)),
        }
    }
}

/// What ends in MD5 or a SHA in hexadecimal, or begins with the name of a scheme between `$` or in `{}`.
fn looks_like_a_hash(text: &str) -> bool {
    let last = text.rsplit(['$', ':', '}']).next().unwrap_or_default();
    let hex =
        [32, 40, 56, 64, 96, 128].contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    let named = |open: char, close: char| {
        let parts = text.strip_prefix(open).and_then(|rest| rest.split_once(close));
        parts.is_some_and(|(scheme, rest)| {
            let is_name = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=16).contains(&scheme.len()) && is_name && rest.len() >= 20
        })
    };
    hex || named('$', '$') || named('{', '}')
}

/// Many systems have the address for a username, which here can't have an `@`: then it is the address alone.
fn names(username: Option<String>, email: Option<String>) -> (Option<String>, Option<String>) {
    match (username, email) {
        (Some(username), None) if username.contains('@') => (None, Some(username)),
        (Some(username), Some(email)) if EmailAddress::key_of(&username) == EmailAddress::key_of(&email) => {
            (None, Some(email))
        }
        as_they_are => as_they_are,
    }
}
