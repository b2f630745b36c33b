//! Trust chains ahead of time, for every entity that resolves any: what was used lately is looked up before it ends, what is known is
//! written down, counted, and said when it is in danger. On every node: each has its own memory.

use std::sync::Arc;
use std::time::Duration;

use super::Task;
use crate::clock::UnixTime;
use crate::federation::Resolver;
use crate::web::house::House;

/// How long a round may take before the next begins anew.
const ROUND: Duration = Duration::from_secs(30);

/// Takes up what the entity's nodes wrote down, before it answers anybody. A node whose table cannot be read starts without.
pub async fn restore(house: &House, resolver: &Arc<Resolver>) {
    match resolver.restore(&house.store, house.now()).await {
        Ok(0) => {}
        Ok(chains) => tracing::info!(entity = %house.id, chains, "trust chains serve again"),
        Err(error) => {
            tracing::warn!(entity = %house.id, %error, "the trust chains that were written down cannot be read");
        }
    }
}

/// The two tasks: one asks superiors, which may take its time while they are away; the other does not wait for it.
pub fn upkeep(name: &str, house: &House, resolver: &Arc<Resolver>) -> Vec<Task> {
    describe();
    let every = Duration::from_secs(5);
    let renew = {
        let (house, resolver) = (house.clone(), Arc::clone(resolver));
        Task::new(format!("{name}: chains in use"), every, move || {
            let (house, resolver) = (house.clone(), Arc::clone(&resolver));
            async move {
                // What is not done is taken up by the next round.
                let _unfinished =
                    tokio::time::timeout(ROUND, resolver.keep_ready(house.now())).await;
                Ok(())
            }
        })
    };
    let write = {
        let (house, resolver) = (house.clone(), Arc::clone(resolver));
        Task::new(format!("{name}: chains written down"), every, move || {
            let (house, resolver) = (house.clone(), Arc::clone(&resolver));
            async move {
                let now = house.now();
                tell(&house.id, &resolver, now).await;
                let done = resolver.write_down(&house.store, now).await;
                done.map_err(|e| e.to_string())
            }
        })
    };
    vec![renew, write]
}

fn describe() {
    metrics::describe_gauge!("hefu_trust_chains", "Trust chains in memory that are valid");
    metrics::describe_gauge!(
        "hefu_trust_chains_failing",
        "Trust chains in memory whose last attempt to be renewed failed"
    );
    metrics::describe_gauge!(
        "hefu_trust_chain_next_expiry_seconds",
        "Unix time at which the first of the trust chains in memory ends; 0 without any"
    );
    metrics::describe_gauge!(
        "hefu_trust_memory_bytes",
        "About what remembered statements and chains take"
    );
}

async fn tell(entity: &Arc<str>, resolver: &Resolver, now: UnixTime) {
    let survey = resolver.survey(now);
    let (statements, chains) = resolver.weight().await;
    let gauge = |name: &'static str, value: i64| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "times, counts and bytes are far below 2^52"
        )]
        metrics::gauge!(name, "entity" => entity.to_string()).set(value as f64);
    };
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    gauge("hefu_trust_chains", count(survey.valid));
    gauge("hefu_trust_chains_failing", count(survey.failing));
    let next = survey.next_expiry.unwrap_or_default();
    gauge("hefu_trust_chain_next_expiry_seconds", next.0);
    let bytes = i64::try_from(statements + chains).unwrap_or(i64::MAX);
    gauge("hefu_trust_memory_bytes", bytes);
    for chain in &survey.endangered {
        tracing::warn!(
            %entity, subject = %chain.subject, anchor = %chain.anchor, expires_at = %chain.expires_at.to_rfc3339(), reason = %chain.reason,
            "a trust chain in use has less than a third of its life left and could not be renewed"
        );
    }
}
