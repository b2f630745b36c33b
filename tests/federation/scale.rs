//! A country: 31 provinces and 10,000 portals. What a portal costs when it is met first and afterwards, and what is remembered.

use std::sync::Arc;

use hefu::federation::Resolver;
use hefu::federation::resolve::Limits;
use serde_json::json;

use crate::support::federation::{TOP, World, entity_id, relying_party};

const PROVINCES: usize = 31;
const PORTALS: usize = 10_000;

fn province(n: usize) -> String {
    format!("https://province{n}.example")
}

fn portal(n: usize) -> String {
    format!("https://portal{n}.example")
}

/// Portal `n` stands below province `n` mod 31.
fn country() -> Arc<World> {
    let world = World::new();
    world.entity(TOP, &[], json!({}));
    for n in 0..PROVINCES {
        world.entity(&province(n), &[TOP], json!({}));
        world.vouch(TOP, &province(n), json!({}));
    }
    for n in 0..PORTALS {
        let (id, above) = (portal(n), province(n % PROVINCES));
        world.entity(&id, &[&above], relying_party(&format!("{id}/cb")));
        world.vouch(&above, &id, json!({}));
    }
    world
}

/// How many documents the resolution of portal `n` fetches.
async fn cost(world: &World, resolver: &Arc<Resolver>, n: usize) -> usize {
    world.forget_fetches();
    let chain = resolver
        .resolve(&entity_id(&portal(n)), None, world.now())
        .await
        .unwrap_or_else(|e| panic!("{}", e.explanation.to_text()));
    let path: Vec<_> = chain.path().into_iter().map(ToString::to_string).collect();
    assert_eq!(path, [portal(n), province(n % PROVINCES), TOP.to_owned()]);
    world.fetches()
}

#[tokio::test]
async fn every_portal_costs_two_fetches_once_and_none_afterwards() {
    let world = country();
    let limits = Limits {
        memory: 1 << 30,
        chain_memory: 1 << 30,
        ..Limits::default()
    };
    let resolver = world.resolver_within(&[TOP], limits);
    for n in 0..PORTALS {
        let expected = match n {
            // Portal, province, anchor, and the two statements between them.
            0 => 5,
            // The anchor is known.
            1..PROVINCES => 4,
            _ => 2,
        };
        assert_eq!(cost(&world, &resolver, n).await, expected, "portal {n}");
    }
    for n in 0..PORTALS {
        assert_eq!(cost(&world, &resolver, n).await, 0, "portal {n}");
    }
    let (statements, chains) = resolver.weight().await;
    assert!(statements > 0 && chains > 0);
    // By default a country fits, also where statements are twice as long.
    let default = Limits::default();
    assert!(2 * statements < default.memory, "{statements}");
    assert!(2 * chains < default.chain_memory, "{chains}");
}

#[tokio::test]
async fn a_small_memory_forgets_and_stays_right() {
    const BOUND: u64 = 1024 * 1024;
    let world = country();
    let limits = Limits {
        memory: BOUND,
        chain_memory: BOUND,
        ..Limits::default()
    };
    let resolver = world.resolver_within(&[TOP], limits);
    let mut fetches = 0;
    for n in 0..1_000 {
        let spent = cost(&world, &resolver, n).await;
        assert!(spent <= 5, "portal {n}: {spent}");
        fetches += spent;
        if n % 250 == 249 {
            let (statements, chains) = resolver.weight().await;
            assert!(
                statements <= BOUND && chains <= BOUND,
                "{statements} {chains}"
            );
        }
    }
    assert!(fetches >= 2_000);
    // Not everything can have been kept, and what was not is found again.
    let mut again = 0;
    for n in 0..1_000 {
        again += cost(&world, &resolver, n).await;
    }
    assert!(again > 0);
    let (statements, chains) = resolver.weight().await;
    assert!(
        statements <= BOUND && chains <= BOUND,
        "{statements} {chains}"
    );
    assert!(chains > BOUND / 4, "it is used: {chains}");
}
