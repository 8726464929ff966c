//! Counting in memory, each thread in a table of its own.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::{OWN, Service, UNKNOWN};
use crate::id::{ApiKeyId, UserId};

/// Kinds of requests that are kept until they can be written.
pub const MOST_KEPT: usize = 200_000;

/// Services of one user and day.
pub const MOST_SERVICES: usize = 100;

/// Users whose services are remembered; one that is forgotten may name as many again.
const MOST_USERS: usize = 50_000;

/// Tables; more than there are threads on most machines. Threads beyond share them.
const SHARDS: usize = 32;

/// What is counted together, in the order of the database's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    pub user: UserId,
    pub day: i64,
    pub service: Arc<str>,
    /// All zeros: none.
    pub key: ApiKeyId,
}

/// The tables of all threads.
#[derive(Default)]
pub struct Counters {
    shards: [Shard; SHARDS],
    services: Mutex<Services>,
    lost: AtomicUsize,
}

/// On cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// By ids that are all of our making: nobody can choose them so that they collide.
    counts: HashMap<Place, u64, RandomState>,
    /// The number of each service that has a name here.
    numbers: HashMap<Arc<str>, u32>,
    /// The names by number.
    names: Vec<Arc<str>>,
}

/// A [`Kind`] that is quickly compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    user: UserId,
    key: ApiKeyId,
    day: i64,
    /// `None`: this one.
    service: Option<u32>,
}

/// Which services each user has named on a day, by their hashes.
#[derive(Default)]
struct Services {
    day: i64,
    named: HashMap<UserId, Vec<u64>>,
}

thread_local! {
    static SHARD: Cell<usize> = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Cell::new(NEXT.fetch_add(1, Relaxed) % SHARDS)
    };
}

impl Counters {
    pub fn count(&self, user: UserId, key: ApiKeyId, service: Service<'_>, day: i64) {
        let table = &mut *lock(&self.shards[SHARD.get()].0);
        let service = match service {
            Service::Own => None,
            Service::Host(host) => Some(table.number(host)),
        };
        let mut place = Place { user, key, day, service };
        if let Some(count) = table.counts.get_mut(&place) {
            *count += 1;
            return;
        }
        if let Some(number) = service
            && !lock(&self.services).admits(user, day, &table.names[number as usize])
        {
            place.service = Some(table.number(UNKNOWN));
        }
        let full = table.counts.len() >= MOST_KEPT;
        match table.counts.entry(place) {
            Entry::Occupied(mut count) => *count.get_mut() += 1,
            Entry::Vacant(_) if full => drop(self.lost.fetch_add(1, Relaxed)),
            Entry::Vacant(first) => drop(first.insert(1)),
        }
    }

    /// Moves all counts to `pending`.
    pub fn take(&self, pending: &mut HashMap<Kind, u64>) {
        let own: Arc<str> = OWN.into();
        for shard in &self.shards {
            let Table { counts, names, .. } = std::mem::take(&mut *lock(&shard.0));
            for (Place { user, key, day, service }, count) in counts {
                let service = service.map_or(&own, |number| &names[number as usize]).clone();
                let full = pending.len() >= MOST_KEPT;
                match pending.entry(Kind { user, day, service, key }) {
                    Entry::Occupied(mut before) => *before.get_mut() += count,
                    Entry::Vacant(_) if full => {
                        self.lost.fetch_add(usize::try_from(count).unwrap_or(usize::MAX), Relaxed);
                    }
                    Entry::Vacant(first) => drop(first.insert(count)),
                }
            }
        }
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            tracing::warn!("{lost} requests are not in the usage: the database has been away for too long");
        }
    }
}

impl Table {
    fn number(&mut self, name: &str) -> u32 {
        match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let (name, number) = (Arc::<str>::from(name), self.names.len() as u32);
                self.names.push(name.clone());
                self.numbers.insert(name, number);
                number
            }
        }
    }
}

impl Services {
    /// Whether the user may name this service, too, on that day.
    fn admits(&mut self, user: UserId, day: i64, name: &str) -> bool {
        if name == UNKNOWN {
            return true;
        }
        if self.day != day || self.named.len() >= MOST_USERS && !self.named.contains_key(&user) {
            *self = Services { day, named: HashMap::new() };
        }
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let (hash, named) = (hasher.finish(), self.named.entry(user).or_default());
        if named.contains(&hash) {
            return true;
        }
        let admits = named.len() < MOST_SERVICES;
        if admits {
            named.push(hash);
        }
        admits
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(counters: &Counters) -> HashMap<Kind, u64> {
        let mut pending = HashMap::new();
        counters.take(&mut pending);
        pending
    }

    #[test]
    fn what_all_threads_count_is_taken_once() {
        let (counters, user) = (Counters::default(), UserId::from([1; 16]));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    for n in 0..1000 {
                        let service =
                            if n % 2 == 0 { Service::Own } else { Service::Host("api.example.com") };
                        counters.count(user, ApiKeyId::NIL, service, n / 500);
                    }
                });
            }
        });
        let taken_now = taken(&counters);
        assert_eq!(taken_now.len(), 4);
        assert!(taken_now.values().all(|count| *count == 10_000), "{taken_now:?}");
        assert!(taken(&counters).is_empty());
    }

    #[test]
    fn a_user_names_so_many_services_a_day_and_no_more() {
        let (counters, user) = (Counters::default(), UserId::from([1; 16]));
        for round in 0..3 {
            for n in 0..MOST_SERVICES + 50 {
                counters.count(user, ApiKeyId::NIL, Service::Host(&format!("{n}.example.com")), 7);
            }
            counters.count(UserId::from([2; 16]), ApiKeyId::NIL, Service::Host("149.example.com"), 7);
            let counts = taken(&counters);
            let unknown: u64 =
                counts.iter().filter(|(kind, _)| &*kind.service == UNKNOWN).map(|(_, n)| n).sum();
            assert_eq!((counts.len(), unknown), (MOST_SERVICES + 2, 50), "round {round}");
        }
        counters.count(user, ApiKeyId::NIL, Service::Host("149.example.com"), 8);
        assert_eq!(&*taken(&counters).into_keys().next().unwrap().service, "149.example.com");
    }
}
