//! Clients that registered themselves and were never used are forgotten (`unused_registrations_days`): run by a job. Their ids stay
//! taken like those of every removed client. That a client was used is seen by what is kept of its grants and consents, which is
//! longer than they work (`provider::sweep`): by default, thirteen months.

use std::collections::BTreeSet;

use crate::audit::{self, Event};
use crate::client::registered;
use crate::clock::UnixTime;
use crate::config::provider::Provider;
use crate::random::Rng;
use crate::store::{Error, Store};

/// Clients that one transaction takes out.
const ROUND: i64 = 100;

/// One round; how many went.
pub async fn sweep(
    store: &Store,
    rng: &mut Rng,
    settings: &Provider,
    now: UnixTime,
) -> Result<usize, Error> {
    if settings.unused_registrations_days == 0 {
        return Ok(0);
    }
    let before = now.plus(-settings.unused_registrations_days.saturating_mul(86_400));
    let named = named(settings);
    // Those that are named stand among the first again and again.
    let most = ROUND + i64::try_from(named.len()).unwrap_or(ROUND);
    let mut unused = registered::unused(&mut *store.read().await?, before, most).await?;
    unused.retain(|id| !named.contains(id.as_str()));
    if unused.is_empty() {
        return Ok(0);
    }
    let mut tx = store.write().await?;
    let gone = registered::remove_unused(&mut tx, &unused, now).await?;
    for id in &gone {
        let event = Event::done("client.unused").with_client(id);
        audit::record(&mut tx, rng, now, &event).await?;
    }
    tx.commit().await?;
    Ok(gone.len())
}

/// Those that the configuration speaks of do their work without grants of their own: they exchange tokens, or ask about them.
fn named(settings: &Provider) -> BTreeSet<&str> {
    let exchanges = settings.exchanges.iter().flat_map(|exchange| {
        std::iter::once(exchange.client.as_str())
            .chain(exchange.subjects.iter().map(String::as_str))
    });
    let servers = settings
        .resources
        .iter()
        .flat_map(|resource| resource.servers.iter().map(String::as_str));
    exchanges.chain(servers).collect()
}
