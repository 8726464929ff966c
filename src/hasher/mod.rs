//! Password hashing, on threads of its own.
//!
//! A hash costs a core for a fifth of a second, on purpose. Were it run on the threads that serve requests, or in a
//! pool that they share, a handful of logins would stop everything else. So there are as many threads as cores, at
//! lowered priority, and a bounded queue before them: full, or waited in too long, is [`Error::Overloaded`]. Work
//! whose client has gone is dropped unhashed.
//!
//! This room knows how a password is hashed (`scheme`) and when; what a good password is, is the accounts' matter.

mod scheme;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use scheme::Stored;

/// How many may wait for a thread.
const QUEUE_PLACES: usize = 128;

/// How long one may wait for its hash, the hashing included.
const PATIENCE: Duration = Duration::from_secs(10);

/// A password's stored hash, in the form that its scheme defines.
#[derive(Clone, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct PasswordHash(String);

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
    cost: u32,
}

struct Queue {
    jobs: Mutex<Jobs>,
    arrived: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

impl Hasher {
    /// Starts a thread a core, hashing at bcrypt `cost`. The threads yield to those that serve requests by `niceness`
    /// (Linux), of which 10 was measured to cost logins nothing while a core is free, and requests nothing while none is.
    pub fn start(cost: u32, niceness: i32) -> io::Result<Hasher> {
        let queue = Arc::new(Queue { jobs: Mutex::default(), arrived: Condvar::new() });
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get());
        for n in 0..threads {
            let queue = queue.clone();
            thread::Builder::new().name(format!("hasher-{n}")).spawn(move || queue.work(niceness))?;
        }
        Ok(Hasher(Arc::new(Handle { queue, dummy: Stored::unmatchable(cost), cost })))
    }

    /// Hashes a password for keeping.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash> {
        let cost = self.0.cost;
        let password = normalised(password);
        self.run(move || PasswordHash(scheme::hash(&password, cost).to_string())).await
    }

    /// Checks a password against a stored hash. `None` takes the same time as any wrong password, and is
    /// [`Verdict::Wrong`]; only a hash that is costlier than a new one would be takes longer.
    pub async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<Verdict> {
        let stored = match hash {
            Some(PasswordHash(text)) => {
                text.parse().map_err(|()| anyhow!("a stored password hash is malformed"))?
            }
            None => self.0.dummy.clone(),
        };
        let password = normalised(password);
        let cost = self.0.cost;
        self.run(move || match stored.verify(&password) {
            false => {
                scheme::spend_rest(&password, stored.cost(), cost);
                Verdict::Wrong
            }
            true if stored.cost() == cost => Verdict::Right,
            true => Verdict::RightButOutdated,
        })
        .await
    }

    /// Other work on a password that takes a while.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.0.queue.push(Box::new(move || {
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        }))?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(anyhow!("a hashing thread panicked").into()),
            Err(_) => Err(Error::Overloaded),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.0.cost).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.arrived.notify_all();
    }
}

impl Queue {
    /// No job runs under the lock, so a panic can't have left the queue half changed.
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<()> {
        let mut jobs = self.lock();
        if jobs.waiting.len() >= QUEUE_PLACES {
            return Err(Error::Overloaded);
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.arrived.notify_one();
        Ok(())
    }

    fn work(&self, niceness: i32) {
        // On Linux a thread has a niceness of its own; elsewhere it is the process's, and is left alone.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::nice(niceness) {
            tracing::warn!(%error, "can't lower the priority of a hashing thread; logins will slow other requests");
        }
        while let Some(job) = self.next() {
            // The job's panic is its client's 500, not the end of the thread.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        }
    }

    /// The next job; `None` once the hasher is gone.
    fn next(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            jobs = self.arrived.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn verifies_what_it_hashed_and_tells_outdated_costs() {
        let (four, five) = (Hasher::start(4, 0).unwrap(), Hasher::start(5, 0).unwrap());
        let hash = four.hash("correct horse").await.unwrap();
        assert_eq!(four.verify("correct horse", Some(&hash)).await.unwrap(), Verdict::Right);
        assert_eq!(four.verify("wrong horse", Some(&hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(five.verify("correct horse", Some(&hash)).await.unwrap(), Verdict::RightButOutdated);
        assert_eq!(four.verify("correct horse", None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_full_queue_is_overloaded_at_once_and_a_panic_costs_only_its_own_job() {
        let hasher = Hasher::start(4, 0).unwrap();
        let threads = thread::available_parallelism().unwrap().get();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let mut blocked = tokio::task::JoinSet::new();
        for _ in 0..threads {
            let (hasher, gate, started) = (hasher.clone(), gate.clone(), started.clone());
            blocked.spawn(async move {
                let waits = move || {
                    started.send(()).unwrap();
                    gate.lock().unwrap().recv().unwrap_err();
                };
                hasher.run(waits).await
            });
        }
        for _ in 0..threads {
            starts.recv().await.unwrap();
        }
        let waiting: Vec<_> = (0..QUEUE_PLACES).map(|_| hasher.0.queue.push(Box::new(|| {}))).collect();
        assert!(waiting.iter().all(Result::is_ok));
        assert!(matches!(hasher.hash("x").await, Err(Error::Overloaded)));

        drop(open);
        while let Some(done) = blocked.join_next().await {
            done.unwrap().unwrap();
        }
        assert!(matches!(hasher.run(|| panic!("on purpose")).await, Err::<(), _>(Error::Internal(_))));
        assert_eq!(hasher.run(|| 7).await.unwrap(), 7);
    }
}
