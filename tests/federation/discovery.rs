//! The search along authority hints: forks, loops, floods, and what is remembered for how long.

use hefu::federation::resolve::ResolveFault;
use hefu::federation::statement::Step;
use serde_json::json;

use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey, World, entity_id, relying_party};

async fn path(world: &std::sync::Arc<World>, anchors: &[&str], subject: &str) -> Vec<String> {
    let chain = world
        .resolver_to(anchors)
        .resolve(&entity_id(subject), None, world.now())
        .await
        .unwrap_or_else(|error| panic!("{}", error.explanation.to_text()));
    chain.path().iter().map(ToString::to_string).collect()
}

async fn fault(world: &std::sync::Arc<World>, subject: &str) -> ResolveFault {
    world
        .resolver()
        .resolve(&entity_id(subject), None, world.now())
        .await
        .expect_err("no chain")
        .kind
}

#[tokio::test]
async fn a_chain_is_found_with_one_fetch_per_statement() {
    let world = World::small();
    assert_eq!(path(&world, &[TOP], LEAF).await, [LEAF, MIDDLE, TOP]);
    assert_eq!(world.fetches(), 5);
}

#[tokio::test]
async fn five_levels() {
    let world = World::new();
    let names: Vec<String> = (0..6)
        .map(|n| format!("https://level{n}.example"))
        .collect();
    world.entity(&names[0], &[], json!({}));
    for pair in names.windows(2) {
        world.entity(&pair[1], &[&pair[0]], json!({}));
        world.vouch(&pair[0], &pair[1], json!({}));
    }
    let expected: Vec<String> = names.iter().rev().cloned().collect();
    assert_eq!(path(&world, &[&names[0]], &names[5]).await, expected);
}

#[tokio::test]
async fn the_order_of_hints_decides_and_a_broken_way_is_passed_over() {
    let world = World::small();
    let alliance = "https://alliance.example";
    world.entity(alliance, &[TOP], json!({}));
    world.vouch(TOP, alliance, json!({}));
    world.vouch(alliance, LEAF, json!({}));
    world.hints(LEAF, &[alliance, MIDDLE]);
    assert_eq!(path(&world, &[TOP], LEAF).await, [LEAF, alliance, TOP]);
    world.hints(LEAF, &[MIDDLE, alliance]);
    assert_eq!(path(&world, &[TOP], LEAF).await, [LEAF, MIDDLE, TOP]);
    // The first superior contradicts the anchor's policy: its chain is invalid, the other one is not.
    world.vouch(TOP, MIDDLE, json!({"constraints": {"max_path_length": 0}}));
    assert_eq!(path(&world, &[TOP], LEAF).await, [LEAF, alliance, TOP]);
    world.offline(alliance);
    assert_eq!(
        fault(&world, LEAF).await,
        ResolveFault::Invalid(Step::PathLength)
    );
}

#[tokio::test]
async fn the_preferred_anchor_wins_over_the_order_of_hints() {
    let world = World::small();
    let other = "https://other.example";
    world.entity(other, &[], json!({}));
    world.vouch(other, LEAF, json!({}));
    world.hints(LEAF, &[other, MIDDLE]);
    assert_eq!(path(&world, &[TOP, other], LEAF).await, [LEAF, MIDDLE, TOP]);
    assert_eq!(path(&world, &[other, TOP], LEAF).await, [LEAF, other]);
}

#[tokio::test]
async fn an_anchor_below_another_anchor() {
    let world = World::small();
    // middle is configured as an anchor too.
    assert_eq!(
        path(&world, &[TOP, MIDDLE], LEAF).await,
        [LEAF, MIDDLE, TOP]
    );
    assert_eq!(path(&world, &[MIDDLE, TOP], LEAF).await, [LEAF, MIDDLE]);
    assert_eq!(path(&world, &[MIDDLE], LEAF).await, [LEAF, MIDDLE]);
    assert_eq!(path(&world, &[TOP], TOP).await, [TOP]);
    let resolver = world.resolver_to(&[TOP, MIDDLE]);
    let chain = resolver
        .resolve_to(&entity_id(LEAF), &entity_id(MIDDLE), world.now())
        .await;
    assert_eq!(chain.expect("a chain").anchor().as_str(), MIDDLE);
}

#[tokio::test]
async fn loops_end() {
    let world = World::small();
    let (a, b) = ("https://a.example", "https://b.example");
    world.entity(
        a,
        &[b, a, "https://victim.example"],
        relying_party("https://a.example/cb"),
    );
    world.entity(b, &[a, b], json!({}));
    world.vouch(a, b, json!({}));
    world.vouch(b, a, json!({}));
    world.entity(
        "https://victim.example",
        &["https://victim.example", a],
        relying_party("https://v.example/cb"),
    );
    assert_eq!(fault(&world, a).await, ResolveFault::NoAnchor);
    assert_eq!(
        fault(&world, "https://victim.example").await,
        ResolveFault::NoAnchor
    );
    // A loop beside a good way does no harm.
    world.hints(b, &[a, TOP]);
    world.vouch(TOP, b, json!({}));
    assert_eq!(path(&world, &[TOP], a).await, [a, b, TOP]);
}

#[tokio::test]
async fn a_way_that_is_too_long_is_not_followed() {
    let world = World::new();
    let names: Vec<String> = (0..14)
        .map(|n| format!("https://level{n}.example"))
        .collect();
    world.entity(TOP, &[], json!({}));
    world.entity(&names[0], &[TOP], json!({}));
    world.vouch(TOP, &names[0], json!({}));
    for pair in names.windows(2) {
        world.entity(&pair[1], &[&pair[0]], json!({}));
        world.vouch(&pair[0], &pair[1], json!({}));
    }
    assert_eq!(path(&world, &[TOP], &names[8]).await.len(), 10);
    assert_eq!(fault(&world, &names[9]).await, ResolveFault::NoAnchor);
}

#[tokio::test]
async fn a_million_hints_cost_ten_fetches() {
    let world = World::new();
    world.entity(TOP, &[], json!({}));
    world.entity(
        LEAF,
        &["https://x.example"],
        relying_party("https://leaf.example/cb"),
    );
    world.spoil(LEAF, LEAF, |draft| {
        // As many as fit into a bearable statement.
        let hints: Vec<String> = (0..15_000)
            .map(|n| format!("https://h{n}.example"))
            .collect();
        draft.claims.insert("authority_hints".into(), json!(hints));
    });
    let resolver = world.resolver();
    let error = resolver
        .resolve(&entity_id(LEAF), None, world.now())
        .await
        .expect_err("none");
    assert_eq!(error.kind, ResolveFault::NoAnchor);
    assert_eq!(world.fetches(), 1 + 10);
    // The failure is remembered for a while.
    assert!(
        resolver
            .resolve(&entity_id(LEAF), None, world.now().plus(29))
            .await
            .is_err()
    );
    assert_eq!(world.fetches(), 11);
    assert!(
        resolver
            .resolve(&entity_id(LEAF), None, world.now().plus(30))
            .await
            .is_err()
    );
    assert_eq!(world.fetches(), 22);
}

#[tokio::test]
async fn a_lattice_of_superiors_is_given_up() {
    let world = World::new();
    world.entity(TOP, &[], json!({}));
    // Ten entities in each of eight layers, each naming all ten above it: 10^8 ways, none to the anchor.
    let name = |layer: usize, n: usize| format!("https://l{layer}n{n}.example");
    for layer in 0..8 {
        let above: Vec<String> = (0..10).map(|n| name(layer + 1, n)).collect();
        let above: Vec<&str> = above.iter().map(String::as_str).collect();
        for n in 0..10 {
            world.entity(&name(layer, n), &above, json!({}));
        }
    }
    assert_eq!(fault(&world, &name(0, 0)).await, ResolveFault::Exhausted);
    assert!(world.fetches() <= 50, "{} fetches", world.fetches());
}

#[tokio::test]
async fn forged_hops_do_not_pass() {
    let world = World::small();
    // The leaf names the anchor directly, which has never heard of it.
    world.hints(LEAF, &[TOP]);
    assert_eq!(
        fault(&world, LEAF).await,
        ResolveFault::Invalid(Step::Fetched)
    );
    // Somebody else's middle signs the statement.
    world.hints(LEAF, &[MIDDLE]);
    world.spoil(MIDDLE, LEAF, |draft| draft.key = TestKey::of("forger"));
    assert_eq!(
        fault(&world, LEAF).await,
        ResolveFault::Invalid(Step::Signature)
    );
    // Somebody else answers at the middle's address with a consistent configuration of their own.
    let world = World::small();
    world.rekey(MIDDLE, TestKey::of("forger"));
    world.vouch(TOP, MIDDLE, json!({"jwks": TestKey::of(MIDDLE).jwks()}));
    assert_eq!(fault(&world, LEAF).await, ResolveFault::Invalid(Step::Key));
    // A configuration about somebody else.
    let world = World::small();
    world.spoil(LEAF, LEAF, |draft| {
        draft.claims.insert("iss".into(), MIDDLE.into());
        draft.claims.insert("sub".into(), MIDDLE.into());
    });
    assert_eq!(fault(&world, LEAF).await, ResolveFault::Subject);
    // Nobody there.
    assert_eq!(
        fault(&world, "https://nobody.example").await,
        ResolveFault::Subject
    );
    // The fetch endpoint comes from the superior's own configuration only.
    let world = World::small();
    world.spoil(MIDDLE, MIDDLE, |draft| {
        draft.claims.insert("metadata".into(), json!({}));
    });
    world.vouch(
        TOP,
        MIDDLE,
        json!({"metadata": {"federation_entity": {"federation_fetch_endpoint": "https://middle.example/fetch"}}}),
    );
    assert_eq!(
        fault(&world, LEAF).await,
        ResolveFault::Invalid(Step::Fetched)
    );
}

#[tokio::test]
async fn what_is_remembered_serves_while_superiors_are_away_and_not_longer() {
    let world = World::small();
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    assert!(resolver.resolve(&leaf, None, world.now()).await.is_ok());
    world.forget_fetches();
    world.offline(TOP);
    world.offline(MIDDLE);
    for _ in 0..59 {
        world.advance(10);
        let chain = resolver
            .resolve(&leaf, None, world.now())
            .await
            .expect("the remembered chain");
        assert!(chain.expires_at() > world.now());
        tokio::task::yield_now().await;
    }
    world.advance(10);
    assert!(resolver.remembered(&leaf, world.now()).await.is_none());
    assert!(resolver.resolve(&leaf, None, world.now()).await.is_err());
    // They come back.
    world.online(TOP);
    world.online(MIDDLE);
    world.advance(30);
    assert!(resolver.resolve(&leaf, None, world.now()).await.is_ok());
}

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_chain_is_renewed_at_half_its_life_without_anybody_waiting() {
    let world = World::small();
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    let first = resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("a chain");
    world.forget_fetches();
    world.advance(299);
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("remembered");
    settle().await;
    assert_eq!(world.fetches(), 0);
    world.advance(1);
    let same = resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("remembered");
    assert_eq!(same.expires_at(), first.expires_at());
    settle().await;
    assert_eq!(world.fetches(), 5);
    let renewed = resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("renewed");
    assert_eq!(renewed.expires_at(), world.now().plus(600));
}

#[tokio::test]
async fn a_dropped_subordinate_ends_with_its_statement_and_a_signed_refusal_ends_it_sooner() {
    let world = World::small();
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("a chain");
    world.drop_subordinate(MIDDLE, LEAF);
    world.vouch(MIDDLE, "https://other.example", json!({}));
    world.advance(400);
    // The unsigned 404 takes nothing away …
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("still remembered");
    settle().await;
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("still remembered");
    // … but the chain is not used past its end.
    world.advance(200);
    assert!(resolver.resolve(&leaf, None, world.now()).await.is_err());

    let world = World::small();
    let resolver = world.resolver();
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("a chain");
    world.vouch(TOP, MIDDLE, json!({"constraints": {"max_path_length": 0}}));
    world.advance(400);
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("still remembered");
    settle().await;
    assert!(resolver.resolve(&leaf, None, world.now()).await.is_err());
}

#[tokio::test]
async fn a_new_key_is_found_although_the_old_statement_is_remembered() {
    let world = World::small();
    let resolver = world.resolver();
    let (leaf, sister) = (entity_id(LEAF), entity_id("https://sister.example"));
    world.entity(
        sister.as_str(),
        &[MIDDLE],
        relying_party("https://sister.example/cb"),
    );
    world.vouch(MIDDLE, sister.as_str(), json!({}));
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("a chain");
    // middle changes its key; top has said so already; the statements of both are still remembered.
    world.rekey(MIDDLE, TestKey::of("middle's next key"));
    world.vouch(
        TOP,
        MIDDLE,
        json!({"jwks": TestKey::of("middle's next key").jwks()}),
    );
    resolver
        .resolve(&sister, None, world.now())
        .await
        .expect("found with fresh statements");
}

#[tokio::test]
async fn many_at_once_ask_each_superior_once() {
    let world = World::small();
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    let all = (0..200).map(|_| resolver.resolve(&leaf, None, world.now()));
    let chains = futures_util::future::join_all(all).await;
    assert!(chains.iter().all(Result::is_ok));
    assert_eq!(world.fetches(), 5);
}

#[tokio::test]
async fn a_chain_that_is_handed_in_is_used_and_looked_up_soon_after() {
    let world = World::small();
    let leaf = entity_id(LEAF);
    let chain = world.chain(&[LEAF, MIDDLE, TOP]);
    let resolver = world.resolver();
    let held = resolver
        .resolve(&leaf, Some(&chain), world.now())
        .await
        .expect("the chain");
    assert_eq!(world.fetches(), 0);
    assert_eq!(held.path().len(), 3);
    settle().await;
    assert_eq!(
        world.fetches(),
        5,
        "the subject and its superiors are asked nevertheless"
    );

    // A chain of somebody else, a forged one, one to an unknown anchor, an expired one: as if nothing was handed in.
    let spoilt = World::small();
    spoilt.spoil(MIDDLE, LEAF, |draft| draft.key = TestKey::of("forger"));
    let expired = world.chain(&[LEAF, MIDDLE, TOP]);
    world.advance(600);
    for hint in [
        spoilt.chain(&[LEAF, MIDDLE, TOP]),
        world.chain(&[MIDDLE, TOP]),
        expired,
        vec!["x".into()],
    ] {
        let resolver = world.resolver();
        world.forget_fetches();
        resolver
            .resolve(&leaf, Some(&hint), world.now())
            .await
            .expect("found by searching");
        assert_eq!(world.fetches(), 5);
    }
}

#[tokio::test]
async fn an_explanation_tells_every_hop() {
    let world = World::small();
    world.hints(LEAF, &["https://nobody.example", LEAF, MIDDLE]);
    let told = world
        .resolver()
        .explain(&entity_id(LEAF), world.now())
        .await;
    insta::assert_snapshot!(told.to_text());
    world.vouch(
        TOP,
        MIDDLE,
        json!({"metadata_policy": {"openid_relying_party": {"subject_type": {"essential": true}}}}),
    );
    let told = world
        .resolver()
        .explain(&entity_id(LEAF), world.now())
        .await;
    let text = told.to_text();
    let failed: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("FAILED"))
        .collect();
    assert_eq!(
        failed,
        [
            "     FAILED  metadata            openid_relying_party.subject_type (essential) the parameter is missing"
        ]
    );
    assert!(text.contains("NOT trusted: no chain is valid"), "{text}");
    assert_eq!(told.to_json()["trusted"], false);
}

#[tokio::test]
async fn a_worthless_chain_does_not_make_us_ask_others_again() {
    let world = World::new();
    world.entity(TOP, &[], json!({}));
    world.entity(
        LEAF,
        &["https://nobody.example"],
        relying_party("https://leaf.example/cb"),
    );
    let resolver = world.resolver();
    let resolve = async |hint: Option<&[String]>| {
        resolver
            .resolve(&entity_id(LEAF), hint, world.now())
            .await
            .is_err()
    };
    assert!(resolve(None).await);
    let fetches = world.fetches();
    for hint in [vec![], vec!["x".to_owned()]] {
        assert!(resolve(Some(&hint)).await);
    }
    assert_eq!(world.fetches(), fetches);
}
