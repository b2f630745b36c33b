//! `POST /federation/trust_mark_status`

use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::trust_mark::{TESTED, path};
use super::{Anchor, body, decoded, error_of, shown};
use crate::support::federation::{LEAF, MIDDLE, START, TOP, TestKey};

const STATUS: &str = "/federation/trust_mark_status";

async fn mark(anchor: &Anchor) -> String {
    body(anchor.get(&path(TESTED, MIDDLE)).await).await
}

async fn status(anchor: &Anchor, mark: &str) -> Value {
    let answer = anchor.post(STATUS, &[("trust_mark", mark)]).await;
    assert_eq!(answer.status(), 200);
    let (_, claims) = decoded(&body(answer).await);
    assert_eq!(claims["trust_mark"], mark);
    claims["status"].clone()
}

#[tokio::test]
async fn a_mark_that_holds() {
    let anchor = Anchor::new().await;
    anchor.give(TESTED, MIDDLE, None).await;
    let mark = mark(&anchor).await;
    let text = shown(anchor.post(STATUS, &[("trust_mark", &mark)]).await).await;
    insta::assert_snapshot!(text.replace(&mark, "[the mark]"));
}

#[tokio::test]
async fn what_becomes_of_a_mark() {
    let anchor = Anchor::new().await;
    anchor.give(TESTED, MIDDLE, None).await;
    let first = mark(&anchor).await;
    assert_eq!(status(&anchor, &first).await, "active");
    anchor.clock.advance(1);
    anchor.revoke(TESTED, MIDDLE).await;
    assert_eq!(status(&anchor, &first).await, "revoked");
    // Given anew: what was signed before stays revoked.
    anchor.clock.advance(1);
    anchor.give(TESTED, MIDDLE, None).await;
    let second = mark(&anchor).await;
    assert_ne!(first, second);
    assert_eq!(status(&anchor, &first).await, "revoked");
    assert_eq!(status(&anchor, &second).await, "active");
    // Prolonged: nothing changes for what was signed.
    anchor.clock.advance(1);
    anchor.give(TESTED, MIDDLE, Some(START.plus(100_000))).await;
    assert_eq!(status(&anchor, &second).await, "active");
    anchor.clock.advance(7200);
    assert_eq!(status(&anchor, &second).await, "expired");
    let claims = json!({"iss": TOP, "sub": MIDDLE, "trust_mark_type": TESTED, "iat": START.0 + 3});
    let key = TestKey::of(TOP);
    for (what, forged) in [
        (
            "another key",
            TestKey::of("x")
                .named(&key.kid)
                .jwt("trust-mark+jwt", &claims),
        ),
        (
            "an unknown key",
            TestKey::of("x").jwt("trust-mark+jwt", &claims),
        ),
        (
            "another kind of object",
            key.jwt("entity-statement+jwt", &claims),
        ),
    ] {
        assert_eq!(status(&anchor, &forged).await, "invalid", "{what}");
    }
}

#[tokio::test]
async fn questions_about_one_mark_cost_one_signature_for_a_while() {
    let anchor = Anchor::new().await;
    anchor.give(TESTED, MIDDLE, None).await;
    let mark = mark(&anchor).await;
    let before = anchor.signatures();
    for _ in 0..5 {
        status(&anchor, &mark).await;
    }
    assert_eq!(anchor.signatures(), before + 1);
    anchor.revoke(TESTED, MIDDLE).await;
    assert_eq!(status(&anchor, &mark).await, "revoked", "at once");
}

#[tokio::test]
async fn what_a_key_signed_that_is_published_no_longer_is_not_given_out() {
    let anchor = Anchor::new().await;
    anchor.give(TESTED, MIDDLE, None).await;
    let old = mark(&anchor).await;
    let statement = format!("/federation/fetch?sub={MIDDLE}");
    let before = body(anchor.get(&statement).await).await;
    anchor.signer.rekey(TestKey::of("the next key of top"));
    assert_eq!(status(&anchor, &old).await, "invalid");
    let new = mark(&anchor).await;
    assert_eq!(decoded(&new).0["kid"], "key of the next key of top");
    assert_eq!(status(&anchor, &new).await, "active");
    assert_ne!(body(anchor.get(&statement).await).await, before);
}

#[tokio::test]
async fn refusals() {
    let anchor = Anchor::new().await;
    anchor.give(TESTED, MIDDLE, None).await;
    let mark = mark(&anchor).await;
    let foreign = |change: &dyn Fn(&mut Value)| {
        let mut claims =
            json!({"iss": TOP, "sub": MIDDLE, "trust_mark_type": TESTED, "iat": START.0});
        change(&mut claims);
        TestKey::of(TOP).jwt("trust-mark+jwt", &claims)
    };
    let by_another = foreign(&|claims| claims["iss"] = json!(MIDDLE));
    let never_given = foreign(&|claims| claims["sub"] = json!(LEAF));
    let of_no_type = foreign(&|claims| claims["trust_mark_type"] = json!(1));
    let long = "x".repeat(70_000);
    let cases: [(&[(&str, &str)], u16, &str); 8] = [
        (&[("trust_mark", &by_another)], 404, "not_found"),
        (&[("trust_mark", &never_given)], 404, "not_found"),
        (&[("trust_mark", &of_no_type)], 400, "invalid_request"),
        (&[("trust_mark", "x")], 400, "invalid_request"),
        (&[("trust_mark", "")], 400, "invalid_request"),
        (&[("trust_mark", &long)], 400, "invalid_request"),
        (&[], 400, "invalid_request"),
        (
            &[("trust_mark", &mark), ("trust_mark", &mark)],
            400,
            "invalid_request",
        ),
    ];
    for (form, status, code) in cases {
        let answer = anchor.post(STATUS, form).await;
        assert_eq!(answer.status(), status, "{code}");
        assert_eq!(error_of(&body(answer).await), code);
    }
    let answer = anchor.get(&format!("{STATUS}?trust_mark={mark}")).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    // Without a form there is nothing to read.
    let answer = anchor.request(Request::post(STATUS)).await;
    assert_eq!(error_of(&body(answer).await), "invalid_request");
}
