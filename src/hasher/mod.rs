//! Password hashing, on threads of its own.
//!
//! A hash costs a core for a fifth of a second, on purpose. Were it run on the threads that serve requests, or in a
//! pool that they share, a handful of logins would stop everything else. So there are as many threads as cores, at
//! lowered priority, and a queue before them that is bounded by the time it takes: who would wait too long is
//! [`Error::Overloaded`] at once. Waiting hashes are computed four at a time (`bcrypt_lanes`). Work whose client has gone is
//! dropped unhashed.
//!
//! This room knows how a password is hashed (`scheme`) and when (`queue`), and what other systems made of one
//! (`foreign`); what a good password is, is the accounts' matter.

mod foreign;
mod queue;
mod scheme;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use bcrypt_lanes::Cost;
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::patience;
use crate::traces::{Part, part};
pub use foreign::Unusable;
use foreign::{Memory, Parsed};
pub use queue::Noted;
use queue::{Bcrypt, PATIENCE, Queue, Work};
use scheme::{Salted, Stored};

/// A password's stored hash, in the form that its scheme defines.
#[derive(Clone, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The text, for an export that asks for it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// A password as it is hashed: in Unicode NFC, so that another keyboard's spelling of it is the same.
pub fn normalised(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.nfc().collect())
}

/// What came of checking a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, but its hash was made with another cost or scheme than a new one would be.
    RightButOutdated,
}

/// The threads and their queue. Clones share them; the threads end with the last clone.
#[derive(Clone)]
pub struct Hasher(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    /// What a password is compared with when there is no user: a hash of the present cost that nothing matches.
    dummy: Stored,
    cost: Cost,
    /// What hashes from elsewhere may still take.
    memory: Memory,
}

impl Hasher {
    /// Starts a thread a core, hashing at bcrypt `cost`, 4 to 31. The threads yield to those that serve requests by
    /// `niceness` (Linux), of which 10 was measured to cost logins nothing while a core is free, and requests nothing while
    /// none is.
    pub fn start(cost: u32, niceness: i32) -> io::Result<Hasher> {
        let cost = Cost::new(cost).ok_or_else(|| io::Error::other("bcrypt's cost is 4 to 31"))?;
        let queue = Queue::start(cost, niceness)?;
        let (dummy, memory) = (Stored::unmatchable(cost), Memory::new());
        Ok(Hasher(Arc::new(Handle { queue, dummy, cost, memory })))
    }

    /// Hashes a password for keeping.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash> {
        let salted = Salted::new(&normalised(password));
        let hash = self.bcrypt(&salted, self.0.cost).await?;
        Ok(PasswordHash(salted.stored(self.0.cost, &hash)))
    }

    /// Checks a password against a stored hash. `None` takes the same time as any wrong password, and is
    /// [`Verdict::Wrong`]; only a hash that is costlier than a new one would be takes longer.
    pub async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<Verdict> {
        let (password, cost) = (normalised(password), self.0.cost);
        let stored = match hash.map(|PasswordHash(text)| foreign::parse(text)) {
            Some(Ok(Parsed::Bcrypt(stored))) => stored,
            Some(Ok(Parsed::Derived(derived))) => return self.derive(password, derived).await,
            Some(Err(error)) => return Err(anyhow!("a stored password hash is {error}").into()),
            None => self.0.dummy.clone(),
        };
        if stored.cost() == cost {
            let hash = self.bcrypt(&stored.salted(&password), cost).await?;
            return Ok(stored.verdict(&password, &hash));
        }
        // Of another cost than the others that wait; and it takes as long as they do only in one go.
        self.run(move || match stored.verify(&password) {
            Verdict::Wrong => {
                scheme::spend_rest(&password, stored.cost(), cost);
                Verdict::Wrong
            }
            Verdict::Right | Verdict::RightButOutdated => Verdict::RightButOutdated,
        })
        .await
    }

    /// Other work on a password that takes a while.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let work = move |in_time: bool| {
            if in_time && !answer.is_closed() {
                let _ = answer.send(work());
            }
        };
        self.wait(Work::Other(Box::new(work)), answered).await
    }

    async fn bcrypt(&self, salted: &Salted, cost: Cost) -> Result<[u8; 24]> {
        let (answer, answered) = oneshot::channel();
        let (key, salt) = (salted.key.clone(), salted.salt);
        self.wait(Work::Bcrypt(Bcrypt { cost, salt, key, answer }), answered).await
    }

    async fn wait<T>(&self, work: Work, answered: oneshot::Receiver<T>) -> Result<T> {
        patience::spend(part(Part::own("hash"), self.done(work, answered))).await
    }

    async fn done<T>(&self, work: Work, answered: oneshot::Receiver<T>) -> Result<T> {
        let pushed = Instant::now();
        self.0.queue.push(work)?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(done)) => Ok(done),
            // Dropped by a thread that found it too late, a moment before the timeout did.
            Ok(Err(_)) if pushed.elapsed() >= PATIENCE => Err(self.too_late()),
            Ok(Err(_)) => Err(anyhow!("a hashing thread panicked").into()),
            Err(_) => Err(self.too_late()),
        }
    }

    fn too_late(&self) -> Error {
        self.noted().late.add_one();
        Error::Overloaded
    }

    /// How many passwords wait for a thread.
    pub fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }

    /// What it has done since the start.
    pub fn noted(&self) -> &Noted {
        self.0.queue.noted()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.0.cost.get()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};
    use std::thread;
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn verifies_what_it_hashed_and_tells_outdated_costs() {
        let (four, five) = (Hasher::start(4, 0).unwrap(), Hasher::start(5, 0).unwrap());
        for password in ["correct horse", "a\0a", &"long ".repeat(30)] {
            let hash = four.hash(password).await.unwrap();
            assert_eq!(four.verify(password, Some(&hash)).await.unwrap(), Verdict::Right);
            assert_eq!(four.verify("wrong horse", Some(&hash)).await.unwrap(), Verdict::Wrong);
            assert_eq!(five.verify(password, Some(&hash)).await.unwrap(), Verdict::RightButOutdated);
            assert_eq!(five.verify("wrong horse", Some(&hash)).await.unwrap(), Verdict::Wrong);
        }
        assert_eq!(four.verify("correct horse", None).await.unwrap(), Verdict::Wrong);
    }

    /// Whoever is hashed beside whom.
    #[tokio::test]
    async fn many_at_once_are_told_apart() {
        let (four, five) = (Hasher::start(4, 0).unwrap(), Hasher::start(5, 0).unwrap());
        let mut all = JoinSet::new();
        for n in 0..60 {
            let (four, five) = (four.clone(), five.clone());
            all.spawn(async move {
                let password = format!("password {n}");
                let hash = if n % 3 == 0 { five.hash(&password).await } else { four.hash(&password).await };
                let hash = hash.unwrap();
                let right = four.verify(&password, Some(&hash)).await.unwrap();
                assert_eq!(right == Verdict::RightButOutdated, n % 3 == 0);
                assert_ne!(right, Verdict::Wrong);
                let other = format!("password {}", n + 1);
                assert_eq!(four.verify(&other, Some(&hash)).await.unwrap(), Verdict::Wrong);
            });
        }
        all.join_all().await;
    }

    /// Keeps all threads busy until the sender is dropped.
    async fn busy(hasher: &Hasher) -> (Sender<()>, JoinSet<Result<()>>) {
        let (open, gate) = channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let mut blocked = JoinSet::new();
        let threads = thread::available_parallelism().unwrap().get();
        for _ in 0..threads {
            let (hasher, gate, started) = (hasher.clone(), gate.clone(), started.clone());
            let waits = move || {
                started.send(()).unwrap();
                gate.lock().unwrap().recv().unwrap_err();
            };
            blocked.spawn(async move { hasher.run(waits).await });
        }
        for _ in 0..threads {
            starts.recv().await.unwrap();
        }
        (open, blocked)
    }

    #[tokio::test]
    async fn a_full_queue_is_overloaded_at_once_and_a_panic_costs_only_its_own_job() {
        // Of a cost so high that 64 would take longer than anyone waits.
        let hasher = Hasher::start(20, 0).unwrap();
        let (open, blocked) = busy(&hasher).await;
        let nothing = || Work::Other(Box::new(|_| {}));
        let mut waiting = 0;
        while hasher.0.queue.push(nothing()).is_ok() {
            waiting += 1;
        }
        assert_eq!(waiting, 64);
        let asked = Instant::now();
        assert!(matches!(hasher.hash("x").await, Err(Error::Overloaded)));
        assert!(asked.elapsed() < Duration::from_secs(1));

        drop(open);
        blocked.join_all().await.into_iter().for_each(Result::unwrap);
        assert!(matches!(hasher.run(|| panic!("on purpose")).await, Err::<(), _>(Error::Internal(_))));
        assert_eq!(hasher.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_request_has_less_time_for_what_follows() {
        let (hasher, took) = (Hasher::start(4, 0).unwrap(), Duration::from_millis(20));
        let left = patience::patiently(async {
            hasher.run(move || thread::sleep(took)).await.unwrap();
            patience::left()
        });
        assert!(left.await <= patience::DEADLINE - took);
    }

    #[tokio::test]
    async fn quick_hashes_may_wait_in_greater_number() {
        let hasher = Hasher::start(4, 0).unwrap();
        let (open, blocked) = busy(&hasher).await;
        for _ in 0..1000 {
            hasher.0.queue.push(Work::Other(Box::new(|_| {}))).unwrap();
        }
        drop(open);
        blocked.join_all().await.into_iter().for_each(Result::unwrap);
        hasher.hash("x").await.unwrap();
    }
}
