//! Chance as an argument. Doors make an `Rng` per request from an `RngSource`; tests make one from a seed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Makes the generators that doors hand down. Clones of a seeded source share one stream of seeds.
#[derive(Clone, Debug, Default)]
pub enum RngSource {
    /// The operating system's generator.
    #[default]
    System,
    /// A repeatable sequence, for tests only.
    Seeded { seed: u64, next: Arc<AtomicU64> },
}

impl RngSource {
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded {
            seed,
            next: Arc::new(AtomicU64::new(0)),
        }
    }

    /// A generator for one request or one job.
    pub fn rng(&self) -> Rng {
        match self {
            Self::System => Rng(Inner::System),
            Self::Seeded { seed, next } => Rng(Inner::Seeded {
                seed: *seed,
                stream: next.fetch_add(1, Ordering::SeqCst),
                counter: 0,
            }),
        }
    }
}

/// A cryptographic random generator (a repeatable one under test).
pub struct Rng(Inner);

enum Inner {
    System,
    Seeded {
        seed: u64,
        stream: u64,
        counter: u64,
    },
}

impl Rng {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    pub fn fill(&mut self, out: &mut [u8]) {
        match &mut self.0 {
            Inner::System => {
                #[expect(
                    clippy::expect_used,
                    clippy::disallowed_methods,
                    reason = "the one place that asks the system's generator; without it nothing may go on"
                )]
                aws_lc_rs::rand::fill(out).expect("the operating system's random generator failed");
            }
            Inner::Seeded {
                seed,
                stream,
                counter,
            } => {
                for chunk in out.chunks_mut(32) {
                    let mut block = digest::Context::new(&digest::SHA256);
                    block.update(&seed.to_be_bytes());
                    block.update(&stream.to_be_bytes());
                    block.update(&counter.to_be_bytes());
                    *counter += 1;
                    chunk.copy_from_slice(&block.finish().as_ref()[..chunk.len()]);
                }
            }
        }
    }

    /// 256 bits in 43 URL-safe characters: codes, tokens, session handles (RFC 6749 §10.10 asks for 128 bits or more).
    pub fn token(&mut self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }

    /// `prefix` and 128 random bits, for identifiers that are not secrets, such as `pw_…`.
    pub fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(self.bytes::<16>()))
    }

    /// `count` decimal digits, each equally likely: short codes for SMS.
    pub fn digits(&mut self, count: usize) -> String {
        let mut out = String::with_capacity(count);
        while out.len() < count {
            let [byte] = self.bytes::<1>();
            // 250 is the largest multiple of 10 in a byte; the rest would favour small digits.
            if byte < 250 {
                out.push(char::from(b'0' + byte % 10));
            }
        }
        out
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_streams_differ() {
        let (a, b) = (RngSource::seeded(1), RngSource::seeded(1));
        let (mut first, mut again) = (a.rng(), b.rng());
        assert_eq!(first.token(), again.token());
        assert_ne!(a.rng().token(), RngSource::seeded(1).rng().token());
    }

    #[test]
    fn shapes_are_as_promised() {
        let mut rng = RngSource::System.rng();
        assert_eq!(rng.token().len(), 43);
        assert!(rng.digits(6).chars().all(|c| c.is_ascii_digit()));
        assert_eq!(rng.digits(6).len(), 6);
        assert_ne!(rng.token(), rng.token());
    }
}
