//! `GET /federation/trust_mark`

use super::{Anchor, body, decoded, error_of, shown};
use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey};

pub const TESTED: &str = "https://top.example/marks/tested";

pub fn path(trust_mark_type: &str, sub: &str) -> String {
    format!("/federation/trust_mark?trust_mark_type={trust_mark_type}&sub={sub}")
}

#[tokio::test]
async fn the_mark_of_a_subordinate() {
    let anchor = Anchor::new().await;
    anchor.give(TESTED, MIDDLE, None).await;
    insta::assert_snapshot!(shown(anchor.get(&path(TESTED, MIDDLE)).await).await);
}

#[tokio::test]
async fn one_signature_serves_half_a_life_but_never_past_the_end() {
    let anchor = Anchor::new().await;
    let now = crate::support::federation::START;
    anchor.give(TESTED, MIDDLE, None).await;
    let first = body(anchor.get(&path(TESTED, MIDDLE)).await).await;
    anchor.clock.advance(3599);
    assert_eq!(body(anchor.get(&path(TESTED, MIDDLE)).await).await, first);
    anchor.clock.advance(1);
    assert_ne!(body(anchor.get(&path(TESTED, MIDDLE)).await).await, first);
    // The operator shortens it: what is signed from now on ends then.
    anchor.give(TESTED, MIDDLE, Some(now.plus(4000))).await;
    let (_, claims) = decoded(&body(anchor.get(&path(TESTED, MIDDLE)).await).await);
    assert_eq!(claims["exp"], now.plus(4000).0);
    anchor.clock.advance(400);
    assert_eq!(anchor.get(&path(TESTED, MIDDLE)).await.status(), 404);
}

#[tokio::test]
async fn a_delegation_of_the_types_owner_goes_into_the_mark() {
    use hefu::federation::trust_mark::Delegation;
    let anchor = Anchor::new().await;
    anchor.give(TESTED, MIDDLE, None).await;
    let claims = serde_json::json!({"iss": "https://owner.example", "sub": TOP, "trust_mark_type": TESTED,
        "iat": 1, "exp": crate::support::federation::START.0 + 100});
    let jwt = TestKey::of("owner").jwt("trust-mark-delegation+jwt", &claims);
    let now = crate::support::federation::START;
    let delegation = Delegation::read(&jwt, now).expect("a delegation");
    let mut conn = anchor.store.read().await.expect("a connection");
    delegation.store(&mut conn, now).await.expect("stored");
    drop(conn);
    let (_, claims) = decoded(&body(anchor.get(&path(TESTED, MIDDLE)).await).await);
    assert_eq!(claims["delegation"], jwt);
    assert_eq!(claims["exp"], now.0 + 100, "no longer than the delegation");
}

#[tokio::test]
async fn refusals() {
    let anchor = Anchor::new().await;
    anchor.give(TESTED, MIDDLE, None).await;
    anchor.revoke(TESTED, MIDDLE).await;
    let start = crate::support::federation::START;
    anchor
        .give("https://t.example/2", MIDDLE, Some(start))
        .await;
    for (uri, status, code) in [
        (path(TESTED, MIDDLE), 404, "not_found"),
        (path("https://t.example/2", MIDDLE), 404, "not_found"),
        (path(TESTED, LEAF), 404, "not_found"),
        (path(TESTED, "nonsense"), 404, "not_found"),
        (path("https://t.example/3", MIDDLE), 404, "not_found"),
        (
            format!("/federation/trust_mark?sub={MIDDLE}"),
            400,
            "invalid_request",
        ),
        (
            format!("/federation/trust_mark?trust_mark_type={TESTED}"),
            400,
            "invalid_request",
        ),
        (
            format!("{}&sub={LEAF}", path(TESTED, MIDDLE)),
            400,
            "invalid_request",
        ),
        (
            format!("{}&trust_mark_type=x", path(TESTED, MIDDLE)),
            400,
            "invalid_request",
        ),
    ] {
        let answer = anchor.get(&uri).await;
        assert_eq!(answer.status(), status, "{uri}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        assert_eq!(error_of(&body(answer).await), code, "{uri}");
    }
}
