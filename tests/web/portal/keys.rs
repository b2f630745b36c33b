//! The provider's keys: carried by the chain, fetched, renewed while citizens log in.

use hefu::crypto::{Purpose, Signer};
use serde_json::json;

use super::Portals;
use super::provider::Claims;

fn empty(jwks: &mut Claims) {
    jwks.insert("keys".to_owned(), json!([]));
}

#[tokio::test]
async fn a_key_that_begins_to_sign_is_found_at_the_next_login() {
    let portals = Portals::new().await;
    let provider = &portals.provider;
    provider.behave(|manners| manners.jwks = Box::new(empty));
    let answer = portals.browser().log_in(provider, |_| ()).await;
    assert_eq!(answer.text("error-code"), "invalid_token");
    assert_eq!(provider.count("/jwks"), 1);

    provider.behave(|_| ());
    portals.clock.advance(11);
    portals.signed_in().await;
    portals.signed_in().await;
    assert_eq!(provider.count("/jwks"), 2);
    // Once in a while the set is fetched again, so that a withdrawn key is forgotten.
    portals.clock.advance(300);
    provider.behave(|manners| manners.jwks = Box::new(empty));
    let answer = portals.browser().log_in(provider, |_| ()).await;
    assert_eq!(answer.text("error-code"), "invalid_token");
}

#[tokio::test]
async fn keys_that_the_chain_carries_need_no_request() {
    let portals = Portals::new().await;
    let jwks = (*portals.provider.ring.published(Purpose::IdToken)).clone();
    portals.trust.change(|metadata| {
        metadata.insert("jwks".to_owned(), jwks);
    });
    portals.signed_in().await;
    assert_eq!(portals.provider.count("/jwks"), 0);
    // A key that is newer than the chain is looked for where it is published.
    portals.trust.change(|metadata| {
        metadata.insert("jwks".to_owned(), json!({"keys": []}));
    });
    portals.signed_in().await;
    assert_eq!(portals.provider.count("/jwks"), 1);
}

#[tokio::test]
async fn keys_that_are_not_understood_spoil_nothing() {
    let portals = Portals::new().await;
    portals.provider.behave(|manners| {
        manners.jwks = Box::new(|jwks| {
            let keys = jwks["keys"].as_array_mut().unwrap();
            keys.insert(
                0,
                json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "pq"}),
            );
            keys.insert(0, json!({"kty": "EC"}));
        });
    });
    portals.signed_in().await;
}
