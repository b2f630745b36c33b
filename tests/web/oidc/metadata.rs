//! Discovery and keys.

use axum::body::Body;
use axum::http::Request;

use super::{ISSUER, TestHouse};

#[tokio::test]
async fn both_documents_say_the_same_and_only_what_works() {
    let house = TestHouse::new().await;
    let get = async |path: &str| {
        house
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await
    };
    let discovery = get("/.well-known/openid-configuration").await;
    assert_eq!(discovery.headers["content-type"], "application/json");
    assert_eq!(discovery.headers["access-control-allow-origin"], "*");
    assert_eq!(
        get("/.well-known/oauth-authorization-server").await.json(),
        discovery.json()
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&discovery.json()).unwrap());
    assert_eq!(discovery.json()["issuer"], ISSUER);

    let jwks = get("/jwks").await.json();
    let keys = jwks["keys"].as_array().unwrap();
    let mut kids: Vec<&str> = keys.iter().map(|k| k["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), keys.len());
    for key in keys {
        assert!(key.get("d").is_none() && key.get("p").is_none());
    }
    // Signing keys, each with its announced spare; of what others encrypt to, no spare, and no `alg`: a key takes several.
    let mut kinds: Vec<(&str, &str, Option<&str>)> = keys
        .iter()
        .map(|k| {
            let text = |name: &str| k[name].as_str();
            (text("use").unwrap(), text("kty").unwrap(), text("alg"))
        })
        .collect();
    kinds.sort_unstable();
    let expected = [
        ("enc", "EC", None),
        ("enc", "RSA", None),
        ("sig", "EC", Some("ES256")),
        ("sig", "OKP", Some("EdDSA")),
        ("sig", "RSA", Some("PS256")),
        ("sig", "RSA", Some("RS256")),
    ];
    kinds.dedup();
    assert_eq!(kinds, expected);
    assert_eq!(keys.iter().filter(|k| k["use"] == "enc").count(), 2);
}
