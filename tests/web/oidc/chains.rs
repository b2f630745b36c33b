//! Trust chains in the header of a request object (OpenID Federation 1.0 §4.3, §4.4): the client's, and ours as it sees it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{CHALLENGE, ISSUER, LEAF_CB, TestHouse};
use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey};

const OTHER: &str = "https://other.example";

/// A house whose provider stands below the anchor too, and one more anchor that nobody here trusts.
async fn house() -> TestHouse {
    let house = TestHouse::new().await;
    let world = &house.world;
    world.entity(
        ISSUER,
        &[TOP],
        json!({"openid_provider": {"issuer": ISSUER}}),
    );
    world.vouch(TOP, ISSUER, json!({}));
    world.entity(OTHER, &[], json!({}));
    world.vouch(OTHER, ISSUER, json!({}));
    house
}

/// What pushing a request object with these header members is answered with: its error, or none.
async fn push(house: &TestHouse, jti: &str, members: Value) -> Option<String> {
    let key = TestKey::of("protocol key");
    let mut header = json!({"typ": "oauth-authz-req+jwt", "alg": "EdDSA", "kid": key.kid});
    for (name, value) in members.as_object().unwrap() {
        header[name] = value.clone();
    }
    let claims = json!({"iss": LEAF, "client_id": LEAF, "aud": ISSUER, "jti": jti, "exp": house.now().0 + 60,
        "response_type": "code", "redirect_uri": LEAF_CB, "scope": "openid", "state": "s", "nonce": "n",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256"});
    let object = key.sign(header.as_object().unwrap(), &claims.to_string());
    let answer = house
        .post("/par", &[("client_id", LEAF), ("request", &object)], None)
        .await;
    if answer.status == StatusCode::CREATED {
        return None;
    }
    Some(answer.json()["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn both_chains_end_at_one_anchor_and_ours_begins_with_us() {
    let house = house().await;
    let world = &house.world;
    let own = || json!(world.chain(&[LEAF, MIDDLE, TOP]));
    let peer = || json!(world.chain(&[ISSUER, TOP]));
    let refused = |error: &str| Some(error.to_owned());

    assert_eq!(push(&house, "1", json!({"trust_chain": own()})).await, None);
    let both = json!({"trust_chain": own(), "peer_trust_chain": peer()});
    assert_eq!(push(&house, "2", both).await, None);
    // Only together.
    let alone = json!({"peer_trust_chain": peer()});
    assert_eq!(
        push(&house, "3", alone).await,
        refused("invalid_request_object")
    );
    // About somebody else.
    let foreign = json!({"trust_chain": own(), "peer_trust_chain": own()});
    assert_eq!(
        push(&house, "4", foreign).await,
        refused("invalid_request_object")
    );
    // Not chains at all.
    for (n, malformed) in [json!([]), json!("x"), json!([1])].into_iter().enumerate() {
        let members = json!({"trust_chain": own(), "peer_trust_chain": malformed});
        let error = push(&house, &format!("5-{n}"), members).await;
        assert!(
            error == refused("invalid_request_object") || error == refused("invalid_trust_chain"),
            "{error:?}"
        );
    }
    // To an anchor that is not ours; one that does not hold.
    let elsewhere =
        json!({"trust_chain": own(), "peer_trust_chain": world.chain(&[ISSUER, OTHER])});
    assert_eq!(
        push(&house, "6", elsewhere).await,
        refused("invalid_trust_chain")
    );
    world.spoil(TOP, ISSUER, |draft| draft.key = TestKey::of("forger"));
    let forged = json!({"trust_chain": own(), "peer_trust_chain": peer()});
    assert_eq!(
        push(&house, "7", forged).await,
        refused("invalid_trust_chain")
    );
}
