//! The audit log: what happened to whom, who did it, and proof that nobody has changed it since.
//!
//! Each event is a row, inserted in the transaction that did it ([`Audit::note`]), so that there is never the one without the
//! other. A refusal that must leave a trace inserts its row before it is answered.
//!
//! # Why it is no bottleneck
//!
//! A chain in which each hash covers the one before would make every login wait for the commit of the last. So the chain is not
//! written then: an event is one plain insert, without a place in the chain, under a hash of its own row alone, and no insert waits
//! for any other, on however many replicas. A second later at most some replica *seals* what has been committed
//! ([`Audit::seal`]): a thousand rows in one transaction get consecutive numbers and their hashes, each over the row and the hash
//! before it. Meanwhile it holds the one row of `audit_head`; other sealers leave it to that one, and nobody waits.
//!
//! # What is proven
//!
//! All hashes are HMACs under a key that only the service has: random, and encrypted at rest under `SECRET_KEY`, so that it stays
//! the same when that is replaced. Who can write to the database, and does not have the secret, can't make one.
//! [`Audit::verify`] finds
//!
//! - a row that was changed, sealed or not;
//! - a sealed row that was removed: from the middle by the gap and the chain, from the end by `audit_head`, which says how far the
//!   chain goes and has a MAC itself, from the beginning by the same, which says where pruning has come to;
//! - a row that was inserted, or put in another's place.
//!
//! Pruning ([`Audit::prune`]) deletes from the beginning, and remembers the hash of the last row that went: the chain goes on from
//! there. It looks at what it deletes, and leaves what is not sound.
//!
//! # What is not
//!
//! - That no row was removed in the second before it was sealed: it is bound to no other yet.
//! - That the log was not set back as a whole to what it was at an earlier time, as by a backup, or emptied together with its head
//!   and begun anew. Whoever notes elsewhere how far it was (`portcullis audit verify` tells) sees both.
//! - Anything against who has the secret and the database, or has taken over the service.

mod actor;
mod chain;
mod event;
mod seal;
mod verify;

use std::sync::Arc;

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use serde_json::Value;
use zeroize::Zeroizing;

pub use actor::Actor;
pub use chain::{Broken, Damage};
pub use event::{Entry, Event};
pub use verify::Verdict;

use crate::error::Result;
use crate::id::EventId;
use crate::secret::{self, Purpose, SecretKey};
use crate::store::audit::{AuditEvent, Details};
use crate::store::{Db, Executor, audit};
use chain::Chain;

/// The log. Clones share its key.
#[derive(Clone, Debug)]
pub struct Audit {
    chain: Arc<Chain>,
}

impl Audit {
    /// Opens the log, and begins it where there is none. Its key is encrypted anew where it is under the secret before.
    pub async fn open(db: &Db, secret: &SecretKey, previous: Option<&SecretKey>) -> anyhow::Result<Audit> {
        let present = secret.sealing(Purpose::AuditKey);
        if audit::key(db).await?.is_none() {
            let made = Zeroizing::new(secret::base64url(&secret::random::<32>()));
            let chain = Chain::new(&SecretKey::from_text(&made).context("a random key is too short")?);
            // Of replicas that begin it at once, one does.
            audit::insert_head(db, &present.seal(made.as_bytes(), CONTEXT), &chain.empty()).await?;
        }
        let sealed = audit::key(db).await?.context("the row of audit_head is gone")?;
        let key = match present.open(&sealed, CONTEXT) {
            Some(key) => key,
            None => {
                let before =
                    previous.and_then(|secret| secret.sealing(Purpose::AuditKey).open(&sealed, CONTEXT));
                let key = before.ok_or_else(|| {
                    anyhow!("the key of the audit log can't be decrypted: the row of audit_head was changed by hand")
                })?;
                audit::set_key(db, &sealed, &present.seal(&key, CONTEXT)).await?;
                key
            }
        };
        let key = std::str::from_utf8(&key).ok().and_then(SecretKey::from_text);
        Ok(Audit::under(&key.context("the key of the audit log is none")?))
    }

    /// The log whose key this is.
    pub(crate) fn under(key: &SecretKey) -> Audit {
        Audit { chain: Arc::new(Chain::new(key)) }
    }

    /// Keeps what happened: in the transaction that did it, or by itself where nothing else is written.
    pub async fn note(&self, db: impl Executor<'_>, entry: Entry, now: DateTime<Utc>) -> Result<()> {
        let Entry { event, actor, user, details } = entry;
        let mut row = AuditEvent {
            id: EventId::new(now),
            at: now,
            event: event.name().to_owned(),
            actor_id: actor.id,
            user_id: user,
            ip: actor.ip,
            user_agent: actor.user_agent,
            details: Details(Value::Object(details)),
            seq: None,
            hash: Vec::new(),
        };
        row.hash = self.chain.loose(&row);
        audit::insert(db, &row).await
    }
}

/// What the key is bound to where it is kept.
const CONTEXT: &[u8] = b"audit_head";
