//! Who does something, and by which right.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::{Entry, Event};
use crate::error::{Error, Result};
use crate::id::{Credential, UserId};
use crate::store::{Db, Tx, api_keys, sessions};

/// Who does something, from where, and what let them.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    pub(super) id: Option<UserId>,
    pub(super) ip: Option<String>,
    pub(super) user_agent: Option<String>,
    /// `None` of the service itself, and of who proves it otherwise: by a password, a link.
    credential: Option<Credential>,
    /// That was asked for.
    role: Option<&'static str>,
}

impl Actor {
    /// A user, or, with `None`, somebody who is not known.
    pub fn at(id: Option<UserId>, ip: Option<IpAddr>, user_agent: Option<&str>) -> Actor {
        let (ip, user_agent) = (ip.map(|ip| ip.to_string()), user_agent.map(str::to_owned));
        Actor { id, ip, user_agent, ..Actor::default() }
    }

    /// The service by itself, or who has its command line.
    pub fn service() -> Actor {
        Actor::default()
    }

    /// Let in by this session or API key.
    pub fn by(self, credential: Credential) -> Actor {
        Actor { credential: Some(credential), ..self }
    }

    /// Let in for having this role.
    pub fn with_role(self, role: &'static str) -> Actor {
        Actor { role: Some(role), ..self }
    }

    /// Begins what this one does, if what let them in still holds. It may be taken away while the request is under way, whose body can take
    /// seconds, and before this replica has heard of it; what is done here would outlast it.
    pub async fn begin(&self, db: &Db, now: DateTime<Utc>) -> Result<Tx> {
        let mut tx = db.begin().await?;
        self.ensure_let_in(&mut tx, now).await?;
        Ok(tx)
    }

    /// Whether what let them in still holds: for who has waited for something since the transaction began.
    pub async fn ensure_let_in(&self, tx: &mut Tx, now: DateTime<Utc>) -> Result<()> {
        let user = match self.credential {
            None => return Ok(()),
            Some(Credential::Session(id)) => {
                let presence = sessions::presence(&mut *tx, id).await?.ok_or(Error::RevokedToken)?;
                presence.holds(now)?;
                presence.user
            }
            Some(Credential::ApiKey(id)) => {
                let presence = api_keys::presence(tx, id).await?.ok_or(Error::RevokedToken)?;
                presence.holds(now)?;
                presence.into_user()
            }
        };
        match self.role {
            Some(role) if !user.roles.contains(role) => Err(Error::Forbidden(role.into())),
            _ => Ok(()),
        }
    }

    /// What this one did, and to whom.
    pub fn did(&self, event: Event, user: impl Into<Option<UserId>>) -> Entry {
        Entry { event, actor: self.clone(), user: user.into(), details: Map::new() }
    }
}
