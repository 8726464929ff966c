//! Verifying on the hasher's threads: each by itself, and never more at once than there is memory for.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{Derived, OutOfMemory, Parsed, Unusable, bcrypt, parse};
use crate::error::{Error, Result};
use crate::hasher::queue::PATIENCE;
use crate::hasher::{Hasher, PasswordHash, Verdict};

/// MiB that verifying takes at most at any time: what the greatest hash does. So that one is verified alone, smaller
/// ones beside each other.
const MEMORY: usize = 1024;

/// What of the memory is free, in MiB.
#[derive(Clone)]
pub struct Memory(Arc<Semaphore>);

impl Memory {
    pub fn new() -> Memory {
        Memory(Arc::new(Semaphore::new(MEMORY)))
    }
}

impl Hasher {
    /// Takes a hash that another system made, or this one, for keeping; if the service can and will verify it.
    pub fn adopt(&self, text: &str) -> Result<PasswordHash, Unusable> {
        match parse(text)? {
            // One of ours costs what was set.
            Parsed::Bcrypt(stored) if stored.cost().get() > bcrypt::MAX_COST.max(self.0.cost.get()) => {
                Err(bcrypt::TOO_COSTLY)
            }
            _ => Ok(PasswordHash(text.to_owned())),
        }
    }

    /// Checks a password against a hash that is not bcrypt. It waits for its memory before it takes a place in the
    /// queue, so that no thread waits.
    pub(in crate::hasher) async fn derive(
        &self,
        password: Zeroizing<String>,
        stored: Derived,
    ) -> Result<Verdict> {
        let Memory(memory) = self.0.memory.clone();
        let verified = async {
            let memory = match stored.memory() {
                0 => None,
                all => Some(memory.acquire_many_owned(all).await.map_err(anyhow::Error::from)?),
            };
            // The memory is in use until the thread is done, also if nobody waits for that any more.
            self.run(move || {
                let (_memory, began) = (memory, Instant::now());
                (stored.verify(&password), began.elapsed())
            })
            .await
        };
        match tokio::time::timeout(PATIENCE, verified).await.unwrap_or(Err(Error::Overloaded))? {
            (Ok(true), _) => Ok(Verdict::RightButOutdated),
            (Ok(false), spent) => {
                // As long as bcrypt would have taken: who has such a hash would otherwise be told from who has none.
                tokio::time::sleep(self.0.queue.turn().saturating_sub(spent)).await;
                Ok(Verdict::Wrong)
            }
            (Err(OutOfMemory), _) => Err(Error::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Of `password`, made with argon2-cffi 25.1.0 and 1 MiB, and with Django 5.2.19.
    const ARGON2: &str =
        "$argon2id$v=19$m=1024,t=1,p=1$2sR+XVNbvZca3fGH8FEHBg$U8xGE1mbOtHc6M5SdX1i/0lJkK+NLJxyLe8kHtsYgH8";
    const PBKDF2: &str = "pbkdf2_sha256$1000$saltsaltsalt$sYIePhT5IXESDKvnouJXtE5pTJ6Znbmef4vViYmc9Uc=";

    fn adopt(hasher: &Hasher, text: &str) -> PasswordHash {
        hasher.adopt(text).unwrap()
    }

    #[tokio::test]
    async fn a_hash_waits_until_its_memory_is_free() {
        let hasher = Hasher::start(4, 0).unwrap();
        let (argon2, pbkdf2) = (adopt(&hasher, ARGON2), adopt(&hasher, PBKDF2));
        let taken = hasher.0.memory.0.clone().acquire_many_owned(1024).await.unwrap();

        let waits = hasher.verify("password", Some(&argon2));
        let waits = tokio::time::timeout(Duration::from_millis(200), waits).await;
        assert!(waits.is_err(), "{waits:?}");
        // What needs none does not.
        assert_eq!(hasher.verify("password", Some(&pbkdf2)).await.unwrap(), Verdict::RightButOutdated);

        drop(taken);
        assert_eq!(hasher.verify("password", Some(&argon2)).await.unwrap(), Verdict::RightButOutdated);
        assert_eq!(hasher.0.memory.0.available_permits(), 1024);
    }

    #[tokio::test]
    async fn a_wrong_password_takes_as_long_as_bcrypt() {
        let hasher = Hasher::start(4, 0).unwrap();
        let pbkdf2 = adopt(&hasher, PBKDF2);
        for _ in 0..3 {
            hasher.0.queue.set_turn(Duration::from_millis(300));
            let began = Instant::now();
            assert_eq!(hasher.verify("passwort", Some(&pbkdf2)).await.unwrap(), Verdict::Wrong);
            let took = began.elapsed();
            assert!((Duration::from_millis(300)..Duration::from_millis(600)).contains(&took), "{took:?}");
        }
    }

    #[test]
    fn bcrypt_may_cost_fifteen_or_what_ours_does() {
        let text = |tag, cost| format!("${tag}${cost}$MRYNbeIiZq6/25dLPR/sMuM1WEq4qQAP4EgF10omZre9tBUOGp2d6");
        let (twelve, sixteen) = (Hasher::start(12, 0).unwrap(), Hasher::start(16, 0).unwrap());
        for hasher in [&twelve, &sixteen] {
            hasher.adopt(&text("2b", 15)).unwrap();
            hasher.adopt(&text("2a", 15)).unwrap();
            assert_eq!(hasher.adopt(&text("2a", 16)), Err(bcrypt::TOO_COSTLY));
            assert_eq!(hasher.adopt(&text("2b", 17)), Err(bcrypt::TOO_COSTLY));
        }
        assert_eq!(twelve.adopt(&text("2b", 16)), Err(bcrypt::TOO_COSTLY));
        sixteen.adopt(&text("2b", 16)).unwrap();
    }
}
