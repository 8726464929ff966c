//! Taking turns: of each kind, a few at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::guesses::GuessId;

/// How many of one kind at a time: as many as a login page, a phone and a slow retry make, and few enough to learn from.
const AT_ONCE: usize = 4;

/// Those whose turn it is, and those who wait for it.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashMap<GuessId, Arc<Semaphore>>>);

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    turns: &'a Turns,
    id: GuessId,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits for a turn. `None`: somebody before had [the last one](Turn::be_the_last).
    pub async fn wait(&self, id: GuessId) -> Option<Turn<'_>> {
        let mut turn = Turn { turns: self, id, permit: None };
        let semaphore = self.lock().entry(id).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone();
        turn.permit = Some(semaphore.acquire_owned().await.ok()?);
        Some(turn)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<GuessId, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Ends this turn, and sends away all who wait: it would be the same for them, and each would wait longer for it than the one
    /// before. Who comes later begins a new queue.
    pub fn be_the_last(self) {
        let Some(permit) = &self.permit else { return };
        permit.semaphore().close();
        let mut all = self.turns.lock();
        if all.get(&self.id).is_some_and(|queue| Arc::ptr_eq(queue, permit.semaphore())) {
            all.remove(&self.id);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut all = self.turns.lock();
        // Whoever waits has a share in it.
        if all.get(&self.id).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            all.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_few_at_a_time_and_nothing_is_left_behind() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for _ in 0..AT_ONCE {
            taken.push(turns.wait([1; 16]).await.unwrap());
        }
        let mut next = Box::pin(turns.wait([1; 16]));
        assert!((&mut next).now_or_never().is_none());
        drop(turns.wait([2; 16]).await.unwrap());
        taken.pop();
        drop(next.await.unwrap());
        drop(taken);
        assert!(turns.lock().is_empty());
        // One who gives up while waiting.
        let held: Vec<_> = futures_util::future::join_all((0..AT_ONCE).map(|_| turns.wait([1; 16]))).await;
        let mut gone = Box::pin(turns.wait([1; 16]));
        assert!((&mut gone).now_or_never().is_none());
        drop(held);
        drop(gone);
        assert!(turns.lock().is_empty());
    }

    #[tokio::test]
    async fn who_waits_behind_the_last_is_sent_away_and_who_comes_later_is_not() {
        let turns = Turns::default();
        let mut held = futures_util::future::join_all((0..AT_ONCE).map(|_| turns.wait([1; 16]))).await;
        let mut waiting = Box::pin(turns.wait([1; 16]));
        assert!((&mut waiting).now_or_never().is_none());
        held.pop().flatten().unwrap().be_the_last();
        assert!(waiting.await.is_none());
        let later = turns.wait([1; 16]).await.unwrap();
        // The others of the old queue do no harm to the new one.
        held.pop().flatten().unwrap().be_the_last();
        drop(held);
        assert!(turns.wait([1; 16]).await.is_some());
        drop(later);
        assert!(turns.lock().is_empty());
    }
}
