//! What an entity of the federation does ahead of time: an authority learns who stands below it and keeps their chains in memory;
//! any entity fetches the trust marks it was granted, and shows them.

use std::sync::Arc;
use std::time::Duration;

use super::Task;
use crate::clock::UnixTime;
use crate::federation::trust_mark::Holder;
use crate::federation::{Authority, Publisher};
use crate::store::{Lease, Store};
use crate::web::house::House;

/// How long a round may take before the next begins anew.
const ROUND: Duration = Duration::from_mins(2);
/// Seconds of a lease: longer than a round.
const LEASE: i64 = 150;

/// Of an authority.
pub fn of_authority(
    name: &str,
    node: &str,
    house: &House,
    authority: &Arc<Authority>,
) -> Vec<Task> {
    let walk = {
        let (house, authority, node) = (house.clone(), Arc::clone(authority), node.to_owned());
        let every = Duration::from_mins(1);
        Task::new(format!("{name}: lists of those below"), every, move || {
            let (house, authority, node) = (house.clone(), Arc::clone(&authority), node.clone());
            async move {
                let now = house.now();
                authority.forget_callers(now).await.map_err(text)?;
                if !is_ours(&house.store, "subtree", &node, now).await? {
                    return Ok(());
                }
                let round = tokio::time::timeout(ROUND, authority.walk_subtree(now)).await;
                round.map_err(text)?.map_err(text)
            }
        })
    };
    let warm = {
        let (house, authority) = (house.clone(), Arc::clone(authority));
        let every = Duration::from_secs(15);
        Task::new(format!("{name}: chains of those below"), every, move || {
            let (house, authority) = (house.clone(), Arc::clone(&authority));
            async move {
                let round = tokio::time::timeout(ROUND, authority.warm_subtree(house.now())).await;
                round.map_err(text)?.map(|_| ()).map_err(text)
            }
        })
    };
    vec![walk, warm]
}

/// Of an entity that was granted trust marks. One node fetches, all show.
pub fn trust_marks(
    name: &str,
    node: &str,
    house: &House,
    holder: Arc<Holder>,
    publisher: Arc<Publisher>,
) -> Task {
    let (house, node) = (house.clone(), node.to_owned());
    let every = Duration::from_secs(5);
    Task::new(format!("{name}: trust marks"), every, move || {
        let (house, node) = (house.clone(), node.clone());
        let (holder, publisher) = (Arc::clone(&holder), Arc::clone(&publisher));
        async move { fetch_due(&holder, &publisher, &node, house.now()).await }
    })
}

/// One round: shows what is kept, and fetches what is missing or due, unless another node does.
pub async fn fetch_due(
    holder: &Holder,
    publisher: &Publisher,
    node: &str,
    now: UnixTime,
) -> Result<(), String> {
    publisher.show(holder.shown(now).await.map_err(text)?);
    let due = holder.due(now).await.map_err(text)?;
    if due.is_empty() || !is_ours(&holder.store, "trust_marks", node, now).await? {
        return Ok(());
    }
    let mut missing = Vec::new();
    for granted in &due {
        match holder.fetch(granted, now).await {
            Ok(mark) => {
                let mut conn = holder.store.read().await.map_err(text)?;
                mark.store(&mut conn).await.map_err(text)?;
            }
            Err(error) => missing.push(format!(
                "{} from {}: {error}",
                granted.trust_mark_type, granted.issuer
            )),
        }
    }
    publisher.show(holder.shown(now).await.map_err(text)?);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(missing.join("; "))
    }
}

async fn is_ours(store: &Store, lease: &str, node: &str, now: UnixTime) -> Result<bool, String> {
    let mut tx = store.write().await.map_err(text)?;
    let taken = Lease::take(&mut tx, lease, node, now, LEASE).await;
    let taken = taken.map_err(text)?;
    tx.commit().await.map_err(text)?;
    Ok(taken.is_some())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
