//! The threads, and the queue before them.
//!
//! A thread takes up to [`LANES`] waiting bcrypt jobs of equal cost at once, since they take it no longer than one.
//! How many may wait follows from how long they would: as long as a job will be done within [`PATIENCE`] it is taken, and
//! if not, its client hears so at once, not after the wait.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bcrypt_lanes::{Cost, LANES, Lane};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::counts::{Counter, Histogram};
use crate::error::{Error, Result};

/// How long a client waits for its hash at most, the hashing included.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How many may wait in any case, and how many at most, however quick the hashes.
const PLACES: std::ops::RangeInclusive<usize> = 64..=4096;

/// What bcrypt of cost 0 would take, roughly; until the first real one is measured.
const GUESSED_UNIT: Duration = Duration::from_micros(50);

/// bcrypt of one password, beside which others can be hashed.
pub(super) struct Bcrypt {
    pub cost: Cost,
    pub salt: [u8; 16],
    pub key: Zeroizing<Vec<u8>>,
    pub answer: oneshot::Sender<[u8; 24]>,
}

/// What a thread does.
pub(super) enum Work {
    Bcrypt(Bcrypt),
    /// Anything else, by itself. It is given whether its client still waits.
    Other(Box<dyn FnOnce(bool) + Send>),
}

struct Job {
    arrived: Instant,
    work: Work,
}

/// The queue. Its threads end when it is [closed](Queue::close).
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    threads: u32,
    noted: Arc<Noted>,
}

/// What is noted of the queue's work.
#[derive(Debug, Default)]
pub struct Noted {
    /// How long work waited until a thread took it.
    pub waits: Histogram,
    /// Hashes that were computed so many at once.
    pub hashes: [Counter; LANES],
    /// Other work on a password: of another cost or scheme, or to judge a new one.
    pub other: Counter,
    /// Work that was refused at once.
    pub full: Counter,
    /// Work that was not done in time.
    pub late: Counter,
}

struct State {
    waiting: VecDeque<Job>,
    /// How long a thread is busy with what it takes at once, smoothed.
    turn: Duration,
    closed: bool,
    noted: Arc<Noted>,
}

impl Queue {
    /// Starts a thread a core, which yields to other threads by `niceness`. Most of the work will be of this cost.
    pub fn start(cost: Cost, niceness: i32) -> io::Result<Arc<Queue>> {
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get());
        let turn = GUESSED_UNIT * 2_u32.pow(cost.get().min(20));
        let noted = Arc::<Noted>::default();
        let state = State { waiting: VecDeque::new(), turn, closed: false, noted: noted.clone() };
        let (state, arrived) = (Mutex::new(state), Condvar::new());
        let queue = Queue { state, arrived, threads: u32::try_from(threads).unwrap_or(u32::MAX), noted };
        let queue = Arc::new(queue);
        for n in 0..threads {
            let queue = queue.clone();
            thread::Builder::new().name(format!("hasher-{n}")).spawn(move || queue.work(niceness))?;
        }
        Ok(queue)
    }

    /// Takes work, or says at once that it would take too long.
    pub fn push(&self, work: Work) -> Result<()> {
        let mut state = self.lock();
        let waiting = state.waiting.len();
        let is_quick = state.wait(self.threads) <= PATIENCE && waiting < *PLACES.end();
        if waiting >= *PLACES.start() && !is_quick {
            self.noted.full.add_one();
            return Err(Error::Overloaded);
        }
        state.waiting.push_back(Job { arrived: Instant::now(), work });
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// How much waits for a thread.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    pub fn noted(&self) -> &Noted {
        &self.noted
    }

    /// How long a thread is busy with bcrypt of the usual cost.
    pub fn turn(&self) -> Duration {
        self.lock().turn
    }

    #[cfg(test)]
    pub fn set_turn(&self, turn: Duration) {
        self.lock().turn = turn;
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// No work is done under the lock, so a panic can't have left the queue half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, niceness: i32) {
        // On Linux a thread has a niceness of its own; elsewhere it is the process's, and is left alone.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::nice(niceness) {
            tracing::warn!(%error, "can't lower the priority of a hashing thread; logins will slow other requests");
        }
        #[cfg(not(target_os = "linux"))]
        let _ = niceness;
        while let Some(jobs) = self.next() {
            let (began, lanes) = (Instant::now(), jobs.lanes());
            // A panic is its client's 500, not the end of the thread.
            let hashed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| jobs.run()));
            if let Ok(true) = hashed {
                let mut state = self.lock();
                state.turn = (state.turn * 3 + began.elapsed()) / 4;
            }
            match lanes {
                0 => self.noted.other.add_one(),
                lanes => self.noted.hashes[lanes - 1].add(lanes as u64),
            }
        }
    }

    /// The next jobs; `None` once the queue is closed and empty.
    fn next(&self) -> Option<Jobs> {
        let mut state = self.lock();
        loop {
            if let Some(jobs) = state.take() {
                return Some(jobs);
            }
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What a thread does at once.
enum Jobs {
    Beside(Cost, Vec<Bcrypt>),
    Other(Box<dyn FnOnce(bool) + Send>, bool),
}

impl State {
    /// How long a job that came now would take to be done.
    fn wait(&self, threads: u32) -> Duration {
        let at_once = LANES * threads as usize;
        let turns = self.waiting.len() / at_once + 2;
        self.turn.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX))
    }

    fn take(&mut self) -> Option<Jobs> {
        loop {
            let Job { arrived, work } = self.waiting.pop_front()?;
            let waited = arrived.elapsed();
            self.noted.waits.note(waited);
            let in_time = waited < PATIENCE;
            match work {
                Work::Other(work) => return Some(Jobs::Other(work, in_time)),
                Work::Bcrypt(first) if in_time && !first.answer.is_closed() => {
                    let cost = first.cost;
                    return Some(Jobs::Beside(cost, self.fill(first)));
                }
                // Its client has gone, or has been told that it took too long.
                Work::Bcrypt(_) => {}
            }
        }
    }

    /// With up to three others of the same cost, those that came first.
    fn fill(&mut self, first: Bcrypt) -> Vec<Bcrypt> {
        let mut lanes = vec![first];
        let mut at = 0;
        while lanes.len() < LANES && at < self.waiting.len() {
            let fits = |job: &Job| matches!(&job.work, Work::Bcrypt(other) if other.cost == lanes[0].cost);
            if !fits(&self.waiting[at]) {
                at += 1;
                continue;
            }
            if let Some(Job { work: Work::Bcrypt(other), arrived }) = self.waiting.remove(at)
                && !other.answer.is_closed()
            {
                self.noted.waits.note(arrived.elapsed());
                lanes.push(other);
            }
        }
        lanes
    }
}

impl Jobs {
    /// How many passwords are hashed beside each other; 0 where it is other work.
    fn lanes(&self) -> usize {
        match self {
            Jobs::Beside(_, jobs) => jobs.len(),
            Jobs::Other(..) => 0,
        }
    }

    /// Does them; `true` if it was hashing, by whose time the wait is estimated.
    fn run(self) -> bool {
        match self {
            Jobs::Other(work, in_time) => {
                work(in_time);
                false
            }
            Jobs::Beside(cost, jobs) => {
                let lanes: Vec<_> =
                    jobs.iter().map(|job| Lane { password: &job.key, salt: job.salt }).collect();
                let hashes = bcrypt_lanes::hash(cost, &lanes);
                for (job, hash) in jobs.into_iter().zip(hashes) {
                    let _ = job.answer.send(hash);
                }
                true
            }
        }
    }
}
