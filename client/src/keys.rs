//! The keys at hand, and when they are fetched again: now and then, and when a token names an unknown one.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::Error;
use crate::api::{Api, CallError};
use crate::backoff::Backoff;
use crate::clock::Moment;
use crate::health::Health;
use crate::keyring::{Key, Keyring};

/// Keys that could not be fetched for so many times their interval are used no more: one may have been withdrawn.
const MISSED_FETCHES: u32 = 3;

/// How many unknown key ids are remembered at once; who sends more is not sincere.
const MOST_ASKED: usize = 64;

/// What a client is told to wait for keys that are just being fetched.
const SHORTLY: Duration = Duration::from_secs(1);

pub(crate) struct Keys {
    state: RwLock<State>,
    every: Duration,
    at_most_every: Duration,
    /// A token asked for an unknown key.
    wanted: Notify,
    /// A fetch has ended, well or badly.
    fetched: watch::Sender<()>,
    pub health: Health,
}

#[derive(Default)]
struct State {
    /// The keys, and when the fetch that brought them began.
    keyring: Option<(Keyring, Moment)>,
    attempted: Option<Moment>,
    /// Ids that tokens named, and that no fetch has answered for yet.
    asked: HashSet<String>,
    /// Those that the last fetch was made for and did not bring.
    absent: HashSet<String>,
}

/// What is known of a key.
pub(crate) enum Found {
    Key(Arc<Key>),
    Unknown,
}

/// Why a token is not taken.
pub(crate) enum Refusal {
    Final(Error),
    /// Its key is unknown, and the keys are just being fetched.
    KeyComing,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::Final(error) => error,
            Refusal::KeyComing => Error::Unavailable { retry_after: SHORTLY },
        }
    }
}

impl Keys {
    pub fn new(every: Duration, at_most_every: Duration) -> Keys {
        Keys {
            state: RwLock::default(),
            every,
            at_most_every,
            wanted: Notify::new(),
            fetched: watch::Sender::new(()),
            health: Health::new("fetching Portcullis' keys"),
        }
    }

    pub fn are_fresh(&self, now: Moment) -> bool {
        self.read().fresh(self.every, now).is_some()
    }

    pub fn find(&self, id: &str, now: Moment) -> Result<Found, Error> {
        let state = self.read();
        let unavailable = Error::Unavailable { retry_after: SHORTLY };
        let keyring = state.fresh(self.every, now).ok_or(unavailable)?;
        Ok(keyring.get(id).map_or(Found::Unknown, Found::Key))
    }

    /// Asks for an unknown key. As many unknown ids as one likes make no more fetches than the settings allow.
    pub fn ask(&self, id: String, now: Moment) -> Refusal {
        let mut state = self.write();
        let waited = state.attempted.map(|attempted| now.surely_since(attempted));
        let left = waited.map_or(Duration::ZERO, |waited| self.at_most_every.saturating_sub(waited));
        if !left.is_zero() && state.absent.contains(&id) {
            return Refusal::Final(Error::InvalidToken);
        }
        if state.asked.len() < MOST_ASKED {
            state.asked.insert(id);
        }
        self.wanted.notify_one();
        match left.is_zero() {
            true => Refusal::KeyComing,
            // It may be a new key: "invalid" would make a client throw its good token away.
            false => Refusal::Final(Error::Unavailable { retry_after: left }),
        }
    }

    /// Tells when the next fetch has ended.
    pub fn next_fetch(&self) -> watch::Receiver<()> {
        self.fetched.subscribe()
    }

    /// Fetches for ever.
    pub async fn follow(&self, api: &Api, progress: &watch::Sender<()>) {
        let mut backoff = Backoff::new();
        loop {
            let pause = match self.fetch(api).await {
                Ok(()) => {
                    self.health.worked();
                    backoff.reset();
                    self.every
                }
                Err(error) => {
                    self.health.failed(error.to_string());
                    let pause = backoff.after(&error);
                    if self.read().keyring.is_some() { pause.max(self.at_most_every) } else { pause }
                }
            };
            self.fetched.send_replace(());
            progress.send_replace(());
            tokio::select! {
                () = sleep(pause) => {}
                () = self.allowed_to_ask() => {}
            }
        }
    }

    async fn fetch(&self, api: &Api) -> Result<(), CallError> {
        let began = Moment::now();
        let asked = {
            let mut state = self.write();
            state.attempted = Some(began);
            state.absent.clear();
            std::mem::take(&mut state.asked)
        };
        let keyring = Keyring::from_jwks(api.keys().await?);
        if keyring.is_empty() {
            let why =
                "Portcullis publishes no key that could be used; with `JWT_ALGORITHM=HS256` it has none";
            return Err(CallError::Unusable(why.to_owned()));
        }
        let mut state = self.write();
        state.absent = asked.into_iter().filter(|id| keyring.get(id).is_none()).collect();
        state.keyring = Some((keyring, began));
        Ok(())
    }

    /// Resolves when a token has asked for a key and the last fetch is long enough ago.
    async fn allowed_to_ask(&self) {
        loop {
            self.wanted.notified().await;
            // One that was answered by the fetch which ran meanwhile asks no more.
            if !self.read().asked.is_empty() {
                break;
            }
        }
        let attempted = self.read().attempted;
        let waited = attempted.map_or(self.at_most_every, |attempted| Moment::now().surely_since(attempted));
        sleep(self.at_most_every.saturating_sub(waited)).await;
    }

    // Each change leaves the state whole, also where a thread should panic between two.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fresh(&self, every: Duration, now: Moment) -> Option<&Keyring> {
        let (keyring, at) = self.keyring.as_ref()?;
        (now.since(*at) <= every * MISSED_FETCHES).then_some(keyring)
    }
}
