//! argon2id, off the async threads and a bounded number at a time: a flood of logins must cost memory and time that were set aside for it,
//! not the node. Who cannot wait in the queue is told to come back (`Busy`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::crypto::Secret;

/// The places in which this process hashes. One for all entities of a node.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    running: Semaphore,
    waiting: AtomicUsize,
    queue: usize,
}

impl Places {
    /// `running` hashes at once, at most `queue` more waiting.
    pub fn new(running: usize, queue: usize) -> Self {
        Self(Arc::new(Inner {
            running: Semaphore::new(running.max(1)),
            waiting: AtomicUsize::new(0),
            queue,
        }))
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places")
            .field("free", &self.0.running.available_permits())
            .finish_non_exhaustive()
    }
}

/// Too many are waiting already; nothing was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub struct Busy;

/// The parameters cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("argon2id cannot work with these parameters: {0}")]
pub struct BadParameters(String);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// Right, but the stored hash was made under other parameters: hash again.
    RightButOld,
    Wrong,
}

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub struct Hasher {
    params: Params,
    places: Places,
}

impl Hasher {
    /// Memory in KiB, passes over it, lanes (RFC 9106 §3.1).
    pub fn new(
        memory_kib: u32,
        passes: u32,
        lanes: u32,
        places: Places,
    ) -> Result<Self, BadParameters> {
        let params = Params::new(memory_kib, passes, lanes, None)
            .map_err(|e| BadParameters(e.to_string()))?;
        Ok(Self { params, places })
    }

    /// The PHC string of `password`; `salt` comes from the caller's chance.
    pub async fn hash(&self, password: Secret<String>, salt: [u8; 16]) -> Result<String, Busy> {
        let argon2 = self.argon2();
        self.work(move || {
            argon2
                .hash_password_with_salt(password.reveal().as_bytes(), &salt)
                .map(|hash| hash.to_string())
        })
        .await?
        .map_err(|_| Busy)
    }

    /// Checks `password` against the stored hash. Without one the same work is done, so that time does not tell whether an account exists.
    pub async fn verify(
        &self,
        password: Secret<String>,
        stored: Option<String>,
    ) -> Result<Verdict, Busy> {
        let argon2 = self.argon2();
        let params = self.params.clone();
        self.work(move || {
            let Some(stored) = stored else {
                let _same_work =
                    argon2.hash_password_with_salt(password.reveal().as_bytes(), &[0; 16]);
                return Verdict::Wrong;
            };
            let Ok(hash) = PasswordHash::new(&stored) else {
                return Verdict::Wrong;
            };
            if argon2
                .verify_password(password.reveal().as_bytes(), &hash)
                .is_err()
            {
                return Verdict::Wrong;
            }
            let same = Params::try_from(&hash).is_ok_and(|made| {
                (made.m_cost(), made.t_cost(), made.p_cost())
                    == (params.m_cost(), params.t_cost(), params.p_cost())
            });
            if same {
                Verdict::Right
            } else {
                Verdict::RightButOld
            }
        })
        .await
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let places = &self.places.0;
        let _queued = Queued::enter(places)?;
        let _place = places.running.acquire().await.map_err(|_| Busy)?;
        tokio::task::spawn_blocking(job).await.map_err(|_| Busy)
    }
}

/// A place in the queue, given back also when the caller goes away.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(places: &'a Inner) -> Result<Self, Busy> {
        let most = places.queue + places.running.available_permits().max(1);
        let place = Self(&places.waiting);
        if places.waiting.fetch_add(1, Ordering::SeqCst) >= most {
            return Err(Busy);
        }
        Ok(place)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(places: Places) -> Hasher {
        Hasher::new(64, 1, 1, places).unwrap()
    }

    #[tokio::test]
    async fn right_wrong_missing_and_old() {
        let hasher = small(Places::new(2, 8));
        let secret = |text: &str| Secret::new(text.to_owned());
        let stored = hasher
            .hash(secret("Hefu-demo-2026"), [7; 16])
            .await
            .unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        for (password, stored, verdict) in [
            ("Hefu-demo-2026", Some(stored.clone()), Verdict::Right),
            ("hefu-demo-2026", Some(stored.clone()), Verdict::Wrong),
            ("", Some(stored.clone()), Verdict::Wrong),
            ("Hefu-demo-2026", None, Verdict::Wrong),
            (
                "Hefu-demo-2026",
                Some("not a hash".to_owned()),
                Verdict::Wrong,
            ),
        ] {
            assert_eq!(
                hasher.verify(secret(password), stored).await,
                Ok(verdict),
                "{password}"
            );
        }
        let stronger = Hasher::new(128, 1, 1, Places::new(1, 1)).unwrap();
        assert_eq!(
            stronger
                .verify(secret("Hefu-demo-2026"), Some(stored))
                .await,
            Ok(Verdict::RightButOld)
        );
        assert!(Hasher::new(1, 0, 0, Places::new(1, 1)).is_err());
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_and_the_queue_recovers() {
        let hasher = small(Places::new(1, 2));
        let tries: Vec<_> = (0..20)
            .map(|_| hasher.verify(Secret::new("x".to_owned()), None))
            .collect();
        let results = futures_util::future::join_all(tries).await;
        let busy = results.iter().filter(|r| **r == Err(Busy)).count();
        assert!((16..20).contains(&busy), "{busy}");
        assert_eq!(
            hasher.verify(Secret::new("x".to_owned()), None).await,
            Ok(Verdict::Wrong)
        );
    }
}
