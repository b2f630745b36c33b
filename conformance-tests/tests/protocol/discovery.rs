//! What the provider says about itself: OpenID Connect Discovery 1.0, RFC 8414, RFC 9207, RFC 9126.

use conformance_tests::{demo, visitor::Visitor};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn discovery_describes_what_is_there() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let issuer = demo.provider().id.trim_end_matches('/').to_owned();
    let answer = visitor
        .get(&format!("{issuer}/.well-known/openid-configuration"))
        .await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .starts_with("application/json"),
        "{}",
        answer.header("content-type")
    );
    let metadata = answer.json();

    // Discovery 1.0 §4.3: identical to the identifier it was asked under.
    assert_eq!(metadata["issuer"], demo.provider().id);
    for endpoint in [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "end_session_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        let url = metadata[endpoint]
            .as_str()
            .unwrap_or_else(|| panic!("no {endpoint}"));
        assert!(
            url.starts_with(&format!("{issuer}/")),
            "{endpoint} is at {url}"
        );
    }
    let lists = [
        ("response_types_supported", "code"),
        ("response_modes_supported", "query"),
        ("response_modes_supported", "form_post"),
        ("grant_types_supported", "authorization_code"),
        ("grant_types_supported", "refresh_token"),
        ("subject_types_supported", "pairwise"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("id_token_signing_alg_values_supported", "ES256"),
        ("id_token_signing_alg_values_supported", "EdDSA"),
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        (
            "token_endpoint_auth_methods_supported",
            "client_secret_basic",
        ),
        ("code_challenge_methods_supported", "S256"),
        ("scopes_supported", "openid"),
        ("client_registration_types_supported", "automatic"),
    ];
    for (member, value) in lists {
        assert!(
            has(&metadata, member, value),
            "{member} lacks {value}: {}",
            metadata[member]
        );
    }
    let refused = [
        ("code_challenge_methods_supported", "plain"),
        ("request_object_signing_alg_values_supported", "none"),
        ("id_token_signing_alg_values_supported", "none"),
        ("id_token_signing_alg_values_supported", "HS256"),
        ("response_types_supported", "token"),
        ("grant_types_supported", "password"),
        ("grant_types_supported", "implicit"),
    ];
    for (member, value) in refused {
        assert!(!has(&metadata, member, value), "{member} offers {value}");
    }
    assert_eq!(
        metadata["authorization_response_iss_parameter_supported"],
        true
    ); // RFC 9207 §3
    assert_eq!(metadata["backchannel_logout_supported"], true);

    // RFC 8414 §3: the same facts under the OAuth name.
    let oauth = visitor
        .get(&format!("{issuer}/.well-known/oauth-authorization-server"))
        .await
        .json();
    for member in [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
    ] {
        assert_eq!(oauth[member], metadata[member], "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_public_named_and_announced_ahead() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let issuer = demo.provider().id.trim_end_matches('/').to_owned();
    let metadata = visitor
        .get(&format!("{issuer}/.well-known/openid-configuration"))
        .await
        .json();
    let answer = visitor
        .get(metadata["jwks_uri"].as_str().expect("jwks_uri"))
        .await;
    assert_eq!(answer.status, 200);
    let keys = answer.json()["keys"].as_array().cloned().expect("keys");
    let mut kids = std::collections::BTreeSet::new();
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(
                key.get(private).is_none(),
                "the private member {private} is published"
            );
        }
        assert!(
            kids.insert(key["kid"].as_str().expect("a kid").to_owned()),
            "a kid twice"
        );
        // An encryption key takes several algorithms; a signing key makes one kind of signature.
        let usage = key["use"].as_str();
        assert!(matches!(usage, Some("sig" | "enc")), "{key}");
        assert_eq!(key["alg"].is_string(), usage == Some("sig"), "{key}");
    }
    // What is encrypted to us reaches the one key of its kind: of those there is no spare to be seen.
    for kty in ["RSA", "EC"] {
        let receiving = keys
            .iter()
            .filter(|k| k["kty"] == kty && k["use"] == "enc")
            .count();
        assert_eq!(receiving, 1, "{kty}");
    }
    // An announced spare stands beside each active key, so that a key signs only when everyone knows it.
    for alg in ["RS256", "ES256", "EdDSA"] {
        let of_alg = keys
            .iter()
            .filter(|k| k["alg"] == alg && k["use"] == "sig")
            .count();
        assert!(of_alg >= 2, "{of_alg} keys for {alg}");
    }
}

fn has(metadata: &Value, member: &str, value: &str) -> bool {
    metadata[member]
        .as_array()
        .is_some_and(|list| list.iter().any(|v| v == value))
}
