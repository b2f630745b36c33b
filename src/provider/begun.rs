//! What anybody may make us keep before proving anything: interactions, parked requests, requests pushed by public clients.
//! Each row is counted by where it comes from, in the transaction that writes it. A request that is answered at once
//! keeps nothing and is not counted.

use crate::authn::throttle::{self, Limit, Pass};
use crate::clock::UnixTime;
use crate::config;
use crate::crypto::Indexer;
use crate::store::{Conn, Error};

/// Who counts, and for how much.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    pub indexer: &'a dyn Indexer,
    pub settings: &'a config::provider::Provider,
    /// By what throttles count.
    pub source: &'a str,
}

impl Counter<'_> {
    /// Counts one row that is about to be written.
    pub async fn count(&self, conn: &mut Conn, now: UnixTime) -> Result<Pass, Error> {
        let limit = Limit {
            kind: "begun.source",
            tries: self.settings.begun_per_source,
            seconds: 3_600,
        };
        throttle::count(conn, self.indexer, limit, &[self.source], now).await
    }
}
