//! Which trust marks count.

use hefu::federation::trust_mark::{self, TrustMark};
use serde_json::{Value, json};

use crate::support::federation::{LEAF, MIDDLE, START, TOP, TestKey, World, entity_id};

const FULL_ID: &str = "https://top.example/marks/full-id";
const OWNED: &str = "https://top.example/marks/owned";
const OWNER: &str = "https://owner.example";

fn claims(trust_mark_type: &str) -> Value {
    json!({"iss": MIDDLE, "sub": LEAF, "trust_mark_type": trust_mark_type, "iat": START.0 - 5, "exp": START.0 + 500})
}

fn delegation(change: impl Fn(&mut Value)) -> String {
    let mut claims =
        json!({"iss": OWNER, "sub": MIDDLE, "trust_mark_type": OWNED, "iat": START.0 - 5});
    change(&mut claims);
    TestKey::of(OWNER).jwt("trust-mark-delegation+jwt", &claims)
}

async fn counted(trust_mark_type: &str, jwt: &str) -> Vec<TrustMark> {
    let world = World::small();
    world.spoil(TOP, TOP, |draft| {
        draft.claims.insert(
            "trust_mark_issuers".into(),
            json!({FULL_ID: [MIDDLE], OWNED: []}),
        );
        let owner = json!({OWNED: {"sub": OWNER, "jwks": TestKey::of(OWNER).jwks()}});
        draft.claims.insert("trust_mark_owners".into(), owner);
    });
    world.trust_mark(LEAF, trust_mark_type, jwt);
    let resolver = world.resolver();
    let chain = resolver
        .resolve(&entity_id(LEAF), None, world.now())
        .await
        .expect("a chain");
    trust_mark::counted(&resolver, &chain, world.now()).await
}

async fn counts(trust_mark_type: &str, jwt: &str) -> bool {
    !counted(trust_mark_type, jwt).await.is_empty()
}

#[tokio::test]
async fn marks_count_when_the_anchor_knows_their_issuer() {
    let key = TestKey::of(MIDDLE);
    let good = key.jwt("trust-mark+jwt", &claims(FULL_ID));
    let marks = counted(FULL_ID, &good).await;
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0].iss.as_str(), MIDDLE);
    assert_eq!(marks[0].exp, Some(START.plus(500)));

    let spoilt = |change: fn(&mut Value)| {
        let mut claims = claims(FULL_ID);
        change(&mut claims);
        key.jwt("trust-mark+jwt", &claims)
    };
    let bad = [
        ("another subject", spoilt(|c| c["sub"] = json!(MIDDLE))),
        ("expired", spoilt(|c| c["exp"] = json!(START.0 - 60))),
        (
            "from the future",
            spoilt(|c| c["iat"] = json!(START.0 + 61)),
        ),
        (
            "another type inside",
            spoilt(|c| c["trust_mark_type"] = json!(OWNED)),
        ),
        (
            "an issuer without the right",
            spoilt(|c| c["iss"] = json!(TOP)),
        ),
        (
            "an unknown issuer",
            spoilt(|c| c["iss"] = json!("https://x.example")),
        ),
        (
            "an old name of the claim",
            spoilt(|c| {
                c["id"] = c["trust_mark_type"].take();
                c.as_object_mut().expect("claims").remove("trust_mark_type");
            }),
        ),
        (
            "a delegation nobody asked for",
            spoilt(|c| c["delegation"] = json!(delegation(|_| ()))),
        ),
        ("another typ", key.jwt("JWT", &claims(FULL_ID))),
        (
            "a statement",
            key.jwt("entity-statement+jwt", &claims(FULL_ID)),
        ),
        (
            "another key",
            TestKey::of("x")
                .named(&key.kid)
                .jwt("trust-mark+jwt", &claims(FULL_ID)),
        ),
        ("no JWT", "x".to_owned()),
    ];
    for (what, jwt) in bad {
        assert!(!counts(FULL_ID, &jwt).await, "{what}");
    }
    // A type that the anchor does not list.
    let unknown = "https://top.example/marks/unknown";
    assert!(!counts(unknown, &key.jwt("trust-mark+jwt", &claims(unknown))).await);
}

#[tokio::test]
async fn owned_types_need_the_owners_delegation() {
    let key = TestKey::of(MIDDLE);
    let mark = |delegation: Option<String>| {
        let mut claims = claims(OWNED);
        if let Some(delegation) = delegation {
            claims["delegation"] = delegation.into();
        }
        key.jwt("trust-mark+jwt", &claims)
    };
    assert!(counts(OWNED, &mark(Some(delegation(|_| ())))).await);
    assert!(!counts(OWNED, &mark(None)).await);
    let bad: [(&str, fn(&mut Value)); 4] = [
        ("for another issuer", |c| c["sub"] = json!(TOP)),
        ("by somebody else", |c| c["iss"] = json!(TOP)),
        ("for another type", |c| {
            c["trust_mark_type"] = json!(FULL_ID);
        }),
        ("expired", |c| c["exp"] = json!(START.0 - 60)),
    ];
    for (what, change) in bad {
        assert!(
            !counts(OWNED, &mark(Some(delegation(change)))).await,
            "{what}"
        );
    }
    let claims = json!({"iss": OWNER, "sub": MIDDLE, "trust_mark_type": OWNED, "iat": START.0});
    let forged = TestKey::of("x")
        .named(&format!("key of {OWNER}"))
        .jwt("trust-mark-delegation+jwt", &claims);
    assert!(!counts(OWNED, &mark(Some(forged))).await);
}
