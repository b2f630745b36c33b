//! Client authentication at federation endpoints (OpenID Federation 1.0 §8.8).

use hefu::config::authority::Authority as Section;
use serde_json::{Value, json};

use super::trust_mark::{TESTED, path};
use super::{Anchor, body, decoded, error_of};
use crate::support::federation::{LEAF, MIDDLE, START, TOP, TestKey};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn guarded() -> Anchor {
    let section: Section = toml::from_str(
        "auth_methods = { trust_mark = [\"private_key_jwt\"], resolve = [\"none\", \"private_key_jwt\"], trust_mark_status = [\"private_key_jwt\"] }",
    )
    .expect("a section");
    let anchor = Anchor::with(section).await;
    anchor.give(TESTED, MIDDLE, None).await;
    anchor
}

fn claims(caller: &str, jti: &str) -> Value {
    json!({"iss": caller, "sub": caller, "aud": TOP, "jti": jti, "iat": START.0, "exp": START.0 + 60})
}

fn assertion(caller: &str, jti: &str) -> String {
    TestKey::of(caller).jwt("JWT", &claims(caller, jti))
}

async fn fetch(anchor: &Anchor, assertion_type: &str, assertion: &str) -> (u16, String) {
    let form = [
        ("trust_mark_type", TESTED),
        ("sub", MIDDLE),
        ("client_assertion_type", assertion_type),
        ("client_assertion", assertion),
    ];
    let answer = anchor.post("/federation/trust_mark", &form).await;
    (answer.status().as_u16(), body(answer).await)
}

#[tokio::test]
async fn subordinates_and_whoever_has_a_chain_are_known() {
    let anchor = guarded().await;
    // By our own table, and by the chain that leads to us.
    for caller in [MIDDLE, LEAF] {
        let (status, text) = fetch(&anchor, TYPE, &assertion(caller, "1")).await;
        assert_eq!(status, 200, "{caller}: {text}");
        assert_eq!(decoded(&text).1["sub"], MIDDLE);
    }
    let answer = anchor.get(&path(TESTED, MIDDLE)).await;
    assert_eq!(answer.status(), 401, "a GET cannot authenticate");
    assert_eq!(error_of(&body(answer).await), "invalid_client");
    let answer = anchor
        .post(
            "/federation/trust_mark",
            &[("trust_mark_type", TESTED), ("sub", MIDDLE)],
        )
        .await;
    assert_eq!(answer.status(), 401);
    let answer = anchor
        .post("/federation/trust_mark_status", &[("trust_mark", "x.y.z")])
        .await;
    assert_eq!(
        answer.status(),
        401,
        "a status too, where it is so configured"
    );
}

#[tokio::test]
async fn an_assertion_works_once() {
    let anchor = guarded().await;
    let once = assertion(MIDDLE, "once");
    assert_eq!(fetch(&anchor, TYPE, &once).await.0, 200);
    let (status, text) = fetch(&anchor, TYPE, &once).await;
    assert_eq!((status, error_of(&text).as_str()), (401, "invalid_client"));
    // Another caller may use the same jti.
    assert_eq!(fetch(&anchor, TYPE, &assertion(LEAF, "once")).await.0, 200);
    assert_eq!(
        anchor
            .authority
            .forget_callers(START.plus(119))
            .await
            .expect("swept"),
        0
    );
    assert_eq!(
        anchor
            .authority
            .forget_callers(START.plus(120))
            .await
            .expect("swept"),
        2
    );
}

#[tokio::test]
async fn assertions_that_do_not_hold() {
    let anchor = guarded().await;
    let spoilt = |change: fn(&mut Value)| {
        let mut claims = claims(MIDDLE, "x");
        change(&mut claims);
        TestKey::of(MIDDLE).jwt("JWT", &claims)
    };
    let key = TestKey::of(MIDDLE);
    let cases = [
        ("no JWT", "x".to_owned()),
        ("another sub", spoilt(|c| c["sub"] = json!(LEAF))),
        ("no sub", spoilt(|c| c["sub"] = json!(null))),
        (
            "iss is no identifier",
            spoilt(|c| (c["iss"], c["sub"]) = (json!("x"), json!("x"))),
        ),
        ("another aud", spoilt(|c| c["aud"] = json!(MIDDLE))),
        ("two aud", spoilt(|c| c["aud"] = json!([TOP, MIDDLE]))),
        (
            "the endpoint as aud",
            spoilt(|c| c["aud"] = json!(format!("{TOP}/federation/trust_mark"))),
        ),
        ("no aud", spoilt(|c| c["aud"] = json!(null))),
        ("no jti", spoilt(|c| c["jti"] = json!(null))),
        ("an empty jti", spoilt(|c| c["jti"] = json!(""))),
        ("no exp", spoilt(|c| c["exp"] = json!(null))),
        ("expired", spoilt(|c| c["exp"] = json!(START.0 - 60))),
        (
            "lives for a day",
            spoilt(|c| c["exp"] = json!(START.0 + 86_400)),
        ),
        (
            "from the future",
            spoilt(|c| c["iat"] = json!(START.0 + 61)),
        ),
        (
            "another kind",
            key.jwt("entity-statement+jwt", &claims(MIDDLE, "x")),
        ),
        (
            "another key",
            TestKey::of("x")
                .named(&key.kid)
                .jwt("JWT", &claims(MIDDLE, "x")),
        ),
    ];
    for (what, assertion) in cases {
        let (status, text) = fetch(&anchor, TYPE, &assertion).await;
        assert_eq!(
            (status, error_of(&text).as_str()),
            (401, "invalid_client"),
            "{what}"
        );
    }
    let (status, _) = fetch(&anchor, "urn:x", &assertion(MIDDLE, "x")).await;
    assert_eq!(status, 401);
    assert_eq!(
        anchor.world.fetches(),
        0,
        "nobody is asked for keys before the rest holds"
    );
    let (status, text) = fetch(&anchor, TYPE, &assertion("https://stranger.example", "x")).await;
    assert_eq!((status, error_of(&text).as_str()), (401, "invalid_client"));
}

#[tokio::test]
async fn where_it_is_optional_the_answer_is_for_the_caller_alone() {
    let anchor = guarded().await;
    let uri = format!("/federation/resolve?sub={LEAF}&trust_anchor={TOP}");
    let answer = anchor.get(&uri).await;
    assert_eq!(answer.headers()["cache-control"], "public, max-age=60");
    assert_eq!(decoded(&body(answer).await).1.get("aud"), None);
    let assertion = assertion(MIDDLE, "1");
    let form = [
        ("sub", LEAF),
        ("trust_anchor", TOP),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion.as_str()),
    ];
    let answer = anchor.post("/federation/resolve", &form).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(decoded(&body(answer).await).1["aud"], MIDDLE);
    // Where nothing is configured, there is no POST.
    let answer = anchor.post("/federation/fetch", &form).await;
    assert_eq!(answer.status(), 405);
}
