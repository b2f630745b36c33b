//! Keys that registered clients publish behind their `jwks_uri` (OIDC Core 10.1.1): remembered for as long as their publisher says,
//! within limits; read again for a `kid` nobody has seen, but not more often than once a minute; read once for many who ask at once.
//! Keys of the federation's clients are `federation::registration`'s.

use std::sync::Arc;

use moka::future::Cache;
use tokio::sync::Mutex;
use url::Url;

use super::fetch::{Kind, fetch};
use crate::clock::UnixTime;
use crate::jose::{JwkSet, json};
use crate::outbound::Outbound;

const KIND: Kind = Kind {
    media_types: &["application/jwk-set+json", "application/json"],
    most_bytes: 64 * 1024,
    shortest: 60,
    usual: 600,
    longest: 3600,
};
/// Seconds between two looks because of an unknown `kid`, or after a look that failed.
const MOST_OFTEN: i64 = 60;
/// Seconds for which keys serve on while their address does not answer: an error that nobody signed takes no key away at once.
const OLDEST: i64 = 86_400;
/// Addresses that are remembered at most.
const MOST: u64 = 2000;

/// Keys by address.
#[derive(Debug)]
pub struct ClientKeys {
    outbound: Arc<Outbound>,
    known: Cache<String, Arc<Mutex<Place>>>,
}

/// What is known of one address. Held while it is read, so that others wait for the same answer.
#[derive(Debug, Default)]
struct Place {
    keys: Arc<JwkSet>,
    /// When they were read.
    read_at: Option<UnixTime>,
    until: Option<UnixTime>,
    /// When they were last looked for because of an unknown `kid`: whoever invents kids makes us ask once a minute.
    renewed_at: Option<UnixTime>,
    failed_at: Option<UnixTime>,
}

impl ClientKeys {
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Self {
            outbound,
            known: Cache::new(MOST),
        }
    }

    /// The keys behind `url`; with `kid`, as they are now when those that are known do not hold it. Empty when nothing can be read.
    pub async fn behind(&self, url: &Url, kid: Option<&str>, now: UnixTime) -> Arc<JwkSet> {
        let place = self
            .known
            .get_with(url.to_string(), async { Arc::default() })
            .await;
        let mut place = place.lock().await;
        let fresh = place.until.is_some_and(|until| now < until);
        let unknown = kid.is_some_and(|kid| place.keys.find(kid).is_none());
        let lately = |at: Option<UnixTime>| at.is_some_and(|at| now.since(at).abs() < MOST_OFTEN);
        if !fresh && !lately(place.failed_at) {
            self.read(url, &mut place, now).await;
        } else if fresh && unknown && !lately(place.renewed_at) {
            place.renewed_at = Some(now);
            self.read(url, &mut place, now).await;
        }
        Arc::clone(&place.keys)
    }

    async fn read(&self, url: &Url, place: &mut Place, now: UnixTime) {
        let read = fetch(&self.outbound, url, KIND, now)
            .await
            .map_err(|e| e.to_string());
        let keys = read.and_then(|fetched| {
            let jwks = json::parse(fetched.text.as_bytes()).map_err(|e| e.to_string())?;
            let keys = JwkSet::parse_lenient(&jwks).map_err(|e| e.to_string())?;
            Ok((keys, fetched.until))
        });
        match keys {
            Ok((keys, until)) => {
                place.keys = Arc::new(keys);
                place.read_at = Some(now);
                place.until = Some(until);
                place.failed_at = None;
            }
            Err(reason) => {
                tracing::info!(
                    host = url.host_str(),
                    reason,
                    "a client's keys could not be read"
                );
                place.failed_at = Some(now);
                if place.read_at.is_none_or(|at| now.since(at) >= OLDEST) {
                    place.keys = Arc::default();
                }
            }
        }
    }
}
