//! `GET /federation/resolve`

use hefu::federation::EntityId;
use hefu::federation::authority::subtree::members;
use serde_json::json;

use super::{Anchor, add_portal, body, decoded, error_of, shown};
use crate::support::federation::{LEAF, MIDDLE, START, TOP, relying_party};

fn path(sub: &str) -> String {
    format!("/federation/resolve?sub={sub}&trust_anchor={TOP}")
}

#[tokio::test]
async fn a_portal_two_levels_below_is_answered_at_the_first_request() {
    let anchor = Anchor::new().await;
    let text = shown(anchor.get(&path(LEAF)).await).await;
    // The chain's statements have their own tests.
    let lines = text.lines().map(|line| {
        if line.contains("\"eyJ") {
            "    [jwt]"
        } else {
            line
        }
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    let (_, claims) = decoded(&body(anchor.get(&path(LEAF)).await).await);
    assert_eq!(claims["trust_chain"].as_array().expect("a chain").len(), 4);
    assert_eq!(
        claims["metadata"]["openid_relying_party"]["scope"],
        "openid real_name phone"
    );
}

#[tokio::test]
async fn answers_are_filtered_and_signed_once() {
    let anchor = Anchor::new().await;
    let one = body(anchor.get(&path(LEAF)).await).await;
    assert_eq!(body(anchor.get(&path(LEAF)).await).await, one);
    assert_eq!(anchor.signatures(), 1);
    let (_, claims) = decoded(
        &body(
            anchor
                .get(&format!("{}&entity_type=openid_provider", path(LEAF)))
                .await,
        )
        .await,
    );
    assert_eq!(claims["metadata"], json!({}));
    // The anchor itself, and an immediate subordinate.
    for sub in [TOP, MIDDLE] {
        assert_eq!(anchor.get(&path(sub)).await.status(), 200, "{sub}");
    }
    // One of several anchors is enough.
    let several =
        format!("/federation/resolve?sub={LEAF}&trust_anchor=https://x.example&trust_anchor={TOP}");
    assert_eq!(anchor.get(&several).await.status(), 200);
}

#[tokio::test]
async fn strangers_are_not_looked_for() {
    let anchor = Anchor::new().await;
    let stranger = "https://stranger.example";
    // It names a superior of ours, but no superior names it.
    anchor.world.entity(
        stranger,
        &[MIDDLE],
        relying_party("https://stranger.example/cb"),
    );
    let answer = anchor.get(&path(stranger)).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(error_of(&body(answer).await), "invalid_subject");
    let fetched = anchor.world.fetched.lock().expect("lock").clone();
    assert!(
        !fetched.iter().any(|what| what.contains("stranger")),
        "{fetched:?}"
    );
    // A flood of strangers costs nothing more.
    anchor.world.forget_fetches();
    for n in 0..100 {
        assert_eq!(
            anchor
                .get(&path(&format!("https://s{n}.example")))
                .await
                .status(),
            404
        );
    }
    assert_eq!(anchor.world.fetches(), 0);
    // A portal that joins is found soon after.
    add_portal(&anchor.world, stranger);
    anchor.clock.advance(15);
    assert_eq!(anchor.get(&path(stranger)).await.status(), 200);
}

#[tokio::test]
async fn a_subtree_that_was_walked_is_answered_without_asking_anybody() {
    let anchor = Anchor::new().await;
    anchor.authority.walk_subtree(START).await.expect("walked");
    assert_eq!(anchor.authority.warm_subtree(START).await.expect("warm"), 2);
    anchor.world.forget_fetches();
    assert_eq!(anchor.get(&path(LEAF)).await.status(), 200);
    assert_eq!(anchor.get(&path(MIDDLE)).await.status(), 200);
    assert_eq!(anchor.world.fetches(), 0);
    // Chains are looked up again before they end, one after the other, and a round that finds nothing due asks nobody.
    anchor.world.advance(301);
    anchor.clock.advance(301);
    let now = START.plus(301);
    assert_eq!(anchor.authority.warm_subtree(now).await.expect("warm"), 2);
    assert!(anchor.world.fetches() > 0);
    anchor.world.forget_fetches();
    assert_eq!(anchor.authority.warm_subtree(now).await.expect("warm"), 2);
    assert_eq!(anchor.world.fetches(), 0);
    let (_, claims) = decoded(&body(anchor.get(&path(LEAF)).await).await);
    assert_eq!(claims["exp"], now.0 + 600);
}

#[tokio::test]
async fn an_intermediate_that_is_away_takes_nobody_with_it() {
    let anchor = Anchor::new().await;
    add_portal(&anchor.world, "https://rp.example");
    anchor.authority.walk_subtree(START).await.expect("walked");
    let known = async || {
        let mut conn = anchor.store.read().await.expect("a connection");
        let members = members(&mut conn, 10).await.expect("members");
        members
            .into_iter()
            .map(EntityId::into_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(known().await, [LEAF, "https://rp.example"]);
    anchor.world.offline(MIDDLE);
    anchor
        .authority
        .walk_subtree(START.plus(60))
        .await
        .expect("walked");
    assert_eq!(known().await, [LEAF, "https://rp.example"]);
    anchor.world.online(MIDDLE);
    anchor.world.drop_subordinate(MIDDLE, "https://rp.example");
    anchor
        .authority
        .walk_subtree(START.plus(120))
        .await
        .expect("walked");
    assert_eq!(known().await, [LEAF]);
    // Whoever stood below a dropped intermediate is a stranger at the next walk.
    anchor.drop_subordinate(MIDDLE).await;
    anchor
        .authority
        .walk_subtree(START.plus(180))
        .await
        .expect("walked");
    assert!(known().await.is_empty());
}

#[tokio::test]
async fn refusals() {
    let anchor = Anchor::new().await;
    let cases = [
        ("/federation/resolve".to_owned(), 400, "invalid_request"),
        (
            format!("/federation/resolve?sub={LEAF}"),
            400,
            "invalid_request",
        ),
        (
            format!("/federation/resolve?trust_anchor={TOP}"),
            400,
            "invalid_request",
        ),
        (path("nonsense"), 400, "invalid_request"),
        (
            format!("/federation/resolve?sub={LEAF}&trust_anchor={MIDDLE}"),
            404,
            "invalid_trust_anchor",
        ),
    ];
    for (uri, status, code) in cases {
        let answer = anchor.get(&uri).await;
        assert_eq!(answer.status(), status, "{uri}");
        assert_eq!(error_of(&body(answer).await), code, "{uri}");
    }
    anchor
        .world
        .vouch(TOP, MIDDLE, json!({"constraints": {"max_path_length": 0}}));
    let answer = anchor.get(&path(LEAF)).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(error_of(&body(answer).await), "invalid_trust_chain");
    anchor.world.offline(LEAF);
    anchor.clock.advance(60);
    let policy = json!({"openid_relying_party": {"contacts": {"essential": true}}});
    anchor
        .world
        .vouch(TOP, MIDDLE, json!({ "metadata_policy": policy }));
    let answer = anchor.get(&path(LEAF)).await;
    assert_eq!(error_of(&body(answer).await), "invalid_metadata");
}
