//! Which chain is taken, what an operator is told of the others, and whose keys are an anchor's as time passes.

use std::sync::Arc;

use hefu::federation::resolve::ResolveFault;
use hefu::federation::statement::Step;
use serde_json::json;

use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey, World, entity_id};

#[tokio::test]
async fn an_explanation_goes_on_where_a_login_stops() {
    let world = World::small();
    world.spoil(LEAF, LEAF, |d| {
        d.claims.insert("exp".into(), json!(1));
    });
    world.spoil(MIDDLE, LEAF, |d| {
        d.claims
            .insert("constraints".into(), json!({"max_path_length": -1}));
    });
    world.vouch(TOP, MIDDLE, json!({"constraints": {"max_path_length": 0}}));
    let resolver = world.resolver();
    let told = resolver.explain(&entity_id(LEAF), world.now()).await;
    let text = told.to_text();
    let failed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("FAILED"))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(failed, ["exp", "claims", "max_path_length"], "{text}");
    let error = resolver
        .resolve(&entity_id(LEAF), None, world.now())
        .await
        .expect_err("expired");
    assert_eq!(error.kind, ResolveFault::Subject);
}

#[tokio::test]
async fn the_ways_that_were_not_chosen_are_told() {
    let world = World::small();
    let other = "https://other.example";
    world.entity(other, &[TOP], json!({}));
    world.vouch(TOP, other, json!({}));
    world.vouch(other, LEAF, json!({}));
    world.hints(LEAF, &[MIDDLE, other]);
    let told = world
        .resolver()
        .explain(&entity_id(LEAF), world.now())
        .await;
    assert!(told.outcome.is_ok());
    assert_eq!(
        told.notes,
        [format!(
            "{LEAF} -> {other} -> {TOP} holds too, but its superiors stand later among the authority_hints"
        )]
    );
    // The subject's own anchors come first; among them, and else, our order decides.
    let hinted = |world: &World, anchor: &'static str| {
        world.spoil(LEAF, LEAF, move |d| {
            d.claims
                .insert("trust_anchor_hints".into(), json!([anchor]));
        });
    };
    let path = async |world: &Arc<World>| {
        let resolver = world.resolver_to(&[TOP, MIDDLE]);
        let chain = resolver.resolve(&entity_id(LEAF), None, world.now()).await;
        chain.expect("a chain").anchor().to_string()
    };
    assert_eq!(path(&world).await, TOP);
    hinted(&world, MIDDLE);
    assert_eq!(path(&world).await, MIDDLE);
    hinted(&world, "https://unknown.example");
    assert_eq!(path(&world).await, TOP);
}

#[tokio::test]
async fn keys_of_an_anchor_are_followed_only_from_a_key_that_is_trusted() {
    let world = World::small();
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    fn next() -> TestKey {
        TestKey::of("the anchor's next key")
    }
    let both = || json!({"keys": [TestKey::of(TOP).jwk(), next().jwk()]});
    // Announced beside the old one, and signed with it …
    world.spoil(TOP, TOP, move |d| {
        d.claims.insert("jwks".into(), both());
    });
    assert!(resolver.resolve(&leaf, None, world.now()).await.is_ok());
    // … then alone.
    world.advance(10);
    world.spoil(TOP, TOP, |_| {});
    world.rekey(TOP, next());
    assert!(resolver.renew(&leaf, world.now()).await.is_ok());
    // Who knows only the first key trusts nothing, says why, and asked twice.
    let late = world.resolver();
    world.forget_fetches();
    let error = late
        .resolve(&leaf, None, world.now())
        .await
        .expect_err("unknown keys");
    assert_eq!(error.kind, ResolveFault::Invalid(Step::Key));
    let asked = world.fetched.lock().expect("lock").clone();
    assert_eq!(asked.iter().filter(|id| *id == TOP).count(), 2);
    assert!(
        error
            .explanation
            .to_text()
            .contains("is not signed with a key that is configured"),
        "{}",
        error.explanation.to_text()
    );
    // An old configuration that somebody kept turns nothing back.
    world.rekey(TOP, TestKey::of(TOP));
    world.advance(-10);
    assert!(resolver.renew(&leaf, world.now()).await.is_err());
}

#[tokio::test]
async fn a_statement_is_refreshed_where_it_says_it_came_from() {
    let world = World::small();
    world.vouch(
        MIDDLE,
        LEAF,
        json!({"source_endpoint": "https://middle.example/fetch"}),
    );
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    assert!(resolver.resolve(&leaf, None, world.now()).await.is_ok());
    // The superior names another endpoint now, which gives nothing.
    world.spoil(MIDDLE, MIDDLE, |d| {
        d.claims["metadata"]["federation_entity"]["federation_fetch_endpoint"] =
            json!("https://middle.example/moved");
    });
    world.advance(400);
    let renewed = resolver.renew(&leaf, world.now()).await.expect("renewed");
    assert_eq!(renewed.expires_at(), world.now().plus(600));
    // Only a hint: who never had a statement does not know of it.
    let late = world.resolver().resolve(&leaf, None, world.now()).await;
    assert_eq!(
        late.expect_err("no statement").kind,
        ResolveFault::Invalid(Step::Fetched)
    );
}
