//! Mail: what the service writes to people.
//!
//! A mail is a row of the outbox, inserted in the transaction that it tells of ([`Mail::post`]), so that there is never the one
//! without the other, and no request waits for a mail server. Every replica looks for what is due, and sends it
//! ([`Mail::send_until`]).
//!
//! # What is promised
//!
//! - A mail whose transaction was committed is sent at least once, or given up with a word in the log: where the mail server
//!   refuses it for good, or could not be reached until it was too late.
//! - It is sent twice only where the service could not learn, or not note, that it was sent. Both have the same `Message-ID`.
//!   Who sends a mail moves its `due_at` on first, by more than sending takes, in one conditional update: of replicas, one gets it.
//! - Its links are for its reader alone: in the database it is encrypted, bound to its row; in the log there is no address.
//! - What people chose (a name, a user agent) can't change its headers or its lines ([`Letter::with`]).

mod compose;
mod deliver;
mod files;
mod letter;
mod smtp;
mod templates;

use std::collections::BTreeSet;
use std::sync::Mutex;

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};

pub use letter::{Letter, Template};
pub use smtp::reach;

use crate::config::Config;
use crate::counts::Counter;
use crate::error::{Error, Result};
use crate::id::MailId;
use crate::secret::{Purpose, SealingKey, SecretKey};
use crate::store::Tx;
use crate::store::mails::{self, Outgoing};
use compose::Composer;
use files::Files;
use letter::Content;
use smtp::Smtp;

/// The mail room.
pub struct Mail {
    seals: Seals,
    composer: Composer,
    way: Way,
    /// Mails that are sent, and could not be deleted yet.
    sent: Mutex<BTreeSet<MailId>>,
    /// Held while mails are sent.
    sending: tokio::sync::Mutex<()>,
    pub noted: Noted,
}

/// What became of mails here.
#[derive(Debug, Default)]
pub struct Noted {
    pub sent: Counter,
    /// Attempts that failed, and are made again.
    pub put_off: Counter,
    pub given_up: Counter,
}

/// How mails leave.
enum Way {
    Smtp(Smtp),
    Files(Files),
}

struct Seals {
    present: SealingKey,
    previous: Option<SealingKey>,
}

impl Mail {
    /// Reads the templates, each of which must be sound. Nothing is sent yet.
    pub fn open(config: &Config, secret: &SecretKey, previous: Option<&SecretKey>) -> anyhow::Result<Mail> {
        Ok(Mail {
            seals: Seals {
                present: secret.sealing(Purpose::Mail),
                previous: previous.map(|secret| secret.sealing(Purpose::Mail)),
            },
            composer: Composer::new(config)?,
            way: match &config.smtp_url {
                Some(url) => Way::Smtp(Smtp::new(url).context("SMTP_URL can't be used")?),
                None => Way::Files(Files::new(&config.mail_folder)),
            },
            sent: Mutex::default(),
            sending: tokio::sync::Mutex::default(),
            noted: Noted::default(),
        })
    }

    /// Has a letter sent, once `tx` is committed.
    pub async fn post(&self, tx: &mut Tx, letter: Letter, now: DateTime<Utc>) -> Result<()> {
        let Letter { template, content, expires_at } = letter;
        if let Some(stranger) = content.values.keys().find(|name| !template.values().contains(&name.as_str()))
        {
            return Err(Error::Internal(anyhow!("the mail {} has no value {stranger}", template.name())));
        }
        let content = serde_json::to_vec(&content).context("a letter is JSON")?;
        let id = MailId::new(now);
        let mail = Outgoing {
            id,
            template: template.name().to_owned(),
            sealed: self.seals.present.seal(&content, &context(id, template.name())),
            created_at: now,
            attempts: 0,
            expires_at,
        };
        mails::insert(tx, &mail).await
    }

    fn unseal(&self, mail: &Outgoing) -> Option<Content> {
        let Seals { present, previous } = &self.seals;
        let context = context(mail.id, &mail.template);
        let open = |key: &SealingKey| key.open(&mail.sealed, &context);
        let content = open(present).or_else(|| previous.as_ref().and_then(open))?;
        serde_json::from_slice(&content).ok()
    }
}

/// What a mail's content is bound to.
fn context(id: MailId, template: &str) -> Vec<u8> {
    [id.as_bytes().as_slice(), template.as_bytes()].concat()
}
