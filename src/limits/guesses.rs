//! Guessing at passwords.

use std::net::IpAddr;

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};

use super::Network;
use super::turns::{Turn, Turns};
use crate::counts::Counter;
use crate::error::{Error, Result};
use crate::patience;
use crate::secret::{MacKey, Purpose, SecretKey};
use crate::store::guesses::{self, GuessId, Guesses};
use crate::store::{Db, Tx};

/// How many failures are free, and how long it takes until one is forgotten.
struct Rule {
    free: i64,
    leak: TimeDelta,
}

/// Of one account from one network.
const BOTH: Rule = Rule { free: 5, leak: TimeDelta::hours(1) };

/// Of one account, from networks that it does not know.
const ACCOUNT: Rule = Rule { free: 20, leak: TimeDelta::minutes(1) };

/// Of one network, at any account: an office, or a list of stolen passwords.
const NETWORK: Rule = Rule { free: 50, leak: TimeDelta::minutes(1) };

const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);

/// 2^10 seconds are longer than the longest wait.
const DOUBLINGS: i64 = 10;

impl Rule {
    /// Until when who has failed so often, last at `failed_at`, has to wait. A time that is longer ahead than anyone waits is that of a
    /// clock which was set back since: how long ago it was, nobody knows, and who fails again waits from then on.
    fn waits_until(&self, guesses: &Guesses, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let doublings = u32::try_from(guesses.failures - self.free).ok()?.min(DOUBLINGS as u32);
        let wait = TimeDelta::seconds(1 << doublings).min(LONGEST_WAIT);
        let failed_at = DateTime::from_timestamp_micros(guesses.failed_at)?;
        (failed_at <= now + LONGEST_WAIT).then(|| failed_at + wait)
    }
}

/// Whose password is guessed at.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// By the key of what was typed as a username.
    Username(&'a str),
    Email(&'a str),
    /// Someone who is logged in, by the id.
    User(&'a [u8; 16]),
}

/// Counts wrong passwords, and keeps who has too many waiting.
#[derive(Debug)]
pub struct Guessing {
    /// `None`: nothing is limited.
    key: Option<MacKey>,
    turns: Turns,
    /// Attempts that had to wait.
    pub refused: Counter,
}

/// An attempt at a password, which may be made.
#[derive(Debug)]
pub struct Guess<'a> {
    attempt: Option<Attempt>,
    /// What came before from this network at this account.
    has_failed: bool,
    network: Network,
    guessing: &'a Guessing,
    _turn: Option<Turn<'a>>,
}

#[derive(Debug)]
struct Attempt {
    both: GuessId,
    account: GuessId,
    network: GuessId,
}

impl Guessing {
    pub fn new(secret: &SecretKey, enabled: bool) -> Guessing {
        Guessing {
            key: enabled.then(|| secret.mac(Purpose::Guessing)),
            turns: Turns::default(),
            refused: Counter::default(),
        }
    }

    /// `None`: nothing is limited.
    pub(super) fn key(&self) -> Option<&MacKey> {
        self.key.as_ref()
    }

    /// Asks whether a password may be tried. [`Error::RateLimited`]: not yet.
    pub async fn begin(
        &self,
        db: &Db,
        subject: Subject<'_>,
        address: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<Guess<'_>> {
        let network = Network::of(address);
        let Some(key) = &self.key else {
            return Ok(Guess { attempt: None, has_failed: false, network, guessing: self, _turn: None });
        };
        let attempt = Attempt {
            both: id(key, b"both", subject, Some(network)),
            account: id(key, b"account", subject, None),
            network: id(key, b"network", Subject::Username(""), Some(network)),
        };
        let gone = || Error::Unavailable(anyhow!("the database did not answer whose turn it was"));
        let turn = patience::spend(self.turns.wait(attempt.both)).await.ok_or_else(gone)?;
        let known = id(key, b"known", subject, Some(network));
        let ids = [&attempt.both, &attempt.account, &attempt.network];
        let found = match guesses::of(db, ids, &known).await {
            Ok(found) => found,
            Err(error) => {
                turn.be_the_last();
                return Err(error);
            }
        };
        let waits_until = found.iter().filter_map(|guesses| {
            let rule = match guesses.id.as_slice() {
                id if id == attempt.both => BOTH,
                id if id == attempt.network => NETWORK,
                _ if guesses.is_known => return None,
                _ => ACCOUNT,
            };
            rule.waits_until(guesses, now)
        });
        let wait = waits_until.max().map(|until| until - now).filter(|wait| *wait > TimeDelta::zero());
        if let Some(wait) = wait {
            self.refused.add_one();
            return Err(Error::RateLimited(wait.to_std().unwrap_or_default()));
        }
        let has_failed = found.iter().any(|guesses| guesses.id == attempt.both);
        Ok(Guess { attempt: Some(attempt), has_failed, network, guessing: self, _turn: Some(turn) })
    }
}

impl Guessing {
    /// Forgets the mistakes of an owner who has proven otherwise who they are, at each of their names from this network; and
    /// knows the network.
    pub async fn forgive(
        &self,
        tx: &mut Tx,
        names: impl IntoIterator<Item = Subject<'_>>,
        address: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let network = Some(Network::of(address));
        for name in names {
            guesses::delete(tx, &id(key, b"both", name, network)).await?;
            guesses::insert_known(tx, &id(key, b"known", name, network), now).await?;
        }
        Ok(())
    }
}

impl Guess<'_> {
    /// The password was wrong.
    pub async fn failed(self, db: &Db, now: DateTime<Utc>) -> Result<()> {
        let Some(attempt) = &self.attempt else { return Ok(()) };
        let mut tx = db.begin().await?;
        // In this order everywhere, so that nobody waits in a circle.
        for (id, rule) in [(&attempt.both, BOTH), (&attempt.account, ACCOUNT), (&attempt.network, NETWORK)] {
            guesses::insert_failure(&mut tx, id, rule.leak, rule.free + DOUBLINGS, now).await?;
        }
        tx.commit().await
    }

    /// The password was right: the owner's network is known from now on, by each of their names, and their mistakes are
    /// forgotten. Part of what follows from it.
    pub async fn succeeded(
        self,
        tx: &mut Tx,
        names: impl IntoIterator<Item = Subject<'_>>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let (Some(attempt), Some(key)) = (&self.attempt, &self.guessing.key) else { return Ok(()) };
        if self.has_failed {
            guesses::delete(tx, &attempt.both).await?;
        }
        for name in names {
            guesses::insert_known(tx, &id(key, b"known", name, Some(self.network)), now).await?;
        }
        Ok(())
    }
}

/// What is counted, as the database knows it.
pub(super) fn id(key: &MacKey, kind: &[u8], subject: Subject<'_>, network: Option<Network>) -> GuessId {
    let (of, name): (&[u8], &[u8]) = match subject {
        Subject::Username(name) => (b"username", name.as_bytes()),
        Subject::Email(name) => (b"email", name.as_bytes()),
        Subject::User(id) => (b"user", id),
    };
    let network = network.map(|network| network.bytes()).unwrap_or_default();
    // No kind, and no address, has a length of its own to confuse it with; names come last.
    let length = [u8::try_from(network.len()).unwrap_or_default()];
    let mac = key.sign(&[kind, b"/", of, b"/", &length, &network, name].concat());
    *mac.first_chunk().expect("a MAC has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_a_second_to_a_quarter_of_an_hour() {
        let wait = |failures, failed_at| {
            let guesses = Guesses { id: Vec::new(), failures, failed_at, is_known: false };
            BOTH.waits_until(&guesses, DateTime::UNIX_EPOCH).map(|until| until.timestamp())
        };
        let told = [4, 5, 6, 7, 14, 15, 1000].map(|failures| wait(failures, 0));
        assert_eq!(told, [None, Some(1), Some(2), Some(4), Some(512), Some(900), Some(900)]);
        let at_another_time = [-1, 60, 3600].map(|seconds| wait(7, seconds * 1_000_000));
        assert_eq!(at_another_time, [Some(3), Some(64), None]);
    }

    #[test]
    fn nothing_is_counted_under_the_same_id() {
        let key = SecretKey::from_text(&"a".repeat(32)).unwrap().mac(Purpose::Guessing);
        let network = |text: &str| Some(Network::of(Some(text.parse().unwrap())));
        let ids = [
            id(&key, b"both", Subject::Username("ada"), network("192.0.2.1")),
            id(&key, b"both", Subject::Username("ada"), network("192.0.2.2")),
            id(&key, b"both", Subject::Email("ada"), network("192.0.2.1")),
            id(&key, b"both", Subject::Username("bob"), network("192.0.2.1")),
            id(&key, b"known", Subject::Username("ada"), network("192.0.2.1")),
            id(&key, b"account", Subject::Username("ada"), None),
            id(&key, b"network", Subject::Username(""), network("192.0.2.1")),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
