//! Counters by which what is cached is dropped: each session, each API key and each user has one, and a change raises it.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::id::UserId;

/// How many there are; a power of two. Who shares one is dropped with the other.
const COUNTERS: usize = 1 << 14;

pub(super) struct Counters {
    each: Box<[AtomicU32]>,
    /// Counts for everyone.
    all: AtomicU32,
}

/// The counters of a user at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserStamps {
    all: u32,
    user: u32,
}

/// The counters of a session or an API key, and of its user, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamps {
    credential: u32,
    pub(super) user: UserStamps,
}

/// The counter for everyone at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u32);

impl Stamps {
    /// As they were at an earlier moment, as far as everyone is concerned.
    pub fn since(mut self, moment: Moment) -> Stamps {
        self.user.all = moment.0;
        self
    }
}

impl Counters {
    pub fn new() -> Counters {
        Counters { each: (0..COUNTERS).map(|_| AtomicU32::new(0)).collect(), all: AtomicU32::new(0) }
    }

    pub fn moment(&self) -> Moment {
        Moment(self.all.load(SeqCst))
    }

    pub fn of_user(&self, user: UserId) -> UserStamps {
        UserStamps { all: self.all.load(SeqCst), user: self.counter(user.as_bytes()).load(SeqCst) }
    }

    /// Of a session or an API key by its id, and of its user.
    pub fn of_credential(&self, id: &[u8; 16], user: UserId) -> Stamps {
        Stamps { credential: self.counter(id).load(SeqCst), user: self.of_user(user) }
    }

    /// Raises the counter of a session or a user.
    pub fn raise(&self, id: &[u8; 16]) {
        self.counter(id).fetch_add(1, SeqCst);
    }

    pub fn raise_all(&self) {
        self.all.fetch_add(1, SeqCst);
    }

    /// An id's last bits are random.
    fn counter(&self, id: &[u8; 16]) -> &AtomicU32 {
        &self.each[usize::from(u16::from_be_bytes([id[14], id[15]])) % COUNTERS]
    }
}
