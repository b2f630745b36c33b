//! Automatic registration: from an entity identifier to a relying party.

use std::sync::Arc;

use hefu::federation::Registrar;
use hefu::federation::registration::{HintedChains, SubjectType};
use hefu::oauth::{Algorithm, ContentEncryption, Encryption, ErrorCode, KeyManagement};
use serde_json::{Value, json};

use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey, World, entity_id, relying_party};

fn registrar(world: &Arc<World>) -> Registrar {
    Registrar::new(world.resolver())
}

#[tokio::test]
async fn a_portal_that_was_never_registered() {
    let world = World::small();
    world.vouch(
        MIDDLE,
        LEAF,
        json!({"metadata": {"openid_relying_party": {
            "client_name": "Yueshengshi", "client_name#zh-Hans": "粤省事", "logo_uri": "https://leaf.example/logo.svg",
        }}}),
    );
    world.vouch(
        TOP,
        MIDDLE,
        json!({
            "metadata": {"federation_entity": {"organization_name": "广东省"}},
            "metadata_policy": {"openid_relying_party": {
                "scope": {"subset_of": ["openid", "real_name"]},
                "id_token_signed_response_alg": {"default": "ES256"},
                "id_token_encrypted_response_alg": {"value": "ECDH-ES"},
            }},
        }),
    );
    let registrar = registrar(&world);
    let client = registrar
        .client(&entity_id(LEAF), None, world.now())
        .await
        .expect("registered");
    assert_eq!(client.entity_id.as_str(), LEAF);
    assert_eq!(client.redirect_uris, ["https://leaf.example/cb"]);
    assert_eq!(
        client.scope.as_ref().map(ToString::to_string).as_deref(),
        Some("openid real_name")
    );
    assert_eq!(client.id_token_signed_response_alg, Algorithm::ES256);
    // What its federation demands counts like what it says itself.
    assert_eq!(
        client.id_token_encryption,
        Some(Encryption {
            alg: KeyManagement::EcdhEs,
            enc: ContentEncryption::A128CbcHs256,
        })
    );
    assert_eq!(client.userinfo_encryption, None);
    assert_eq!(client.subject_type, SubjectType::Pairwise);
    assert_eq!(client.sector, "leaf.example");
    assert!(
        client
            .token_endpoint_auth_methods
            .contains("private_key_jwt")
    );
    assert!(client.keys.find("key of protocol key").is_some());
    assert_eq!(
        client
            .display_name
            .as_ref()
            .expect("vouched for")
            .best(&["zh-CN"]),
        "粤省事"
    );
    assert_eq!(
        client.logo_uri.as_deref(),
        Some("https://leaf.example/logo.svg")
    );
    assert_eq!(client.superiors.len(), 2);
    assert_eq!(
        client.superiors[0]
            .name
            .as_ref()
            .expect("a name")
            .best(&["zh"]),
        "广东省"
    );
    assert_eq!(client.expires_at, world.now().plus(600));
    // Asking again costs nothing and gives the same.
    let again = registrar
        .client(&entity_id(LEAF), None, world.now())
        .await
        .expect("registered");
    assert!(Arc::ptr_eq(&client, &again));
    assert_eq!(world.fetches(), 5);
}

#[tokio::test]
async fn a_name_that_nobody_vouches_for_is_not_shown() {
    let world = World::small();
    let client = registrar(&world)
        .client(&entity_id(LEAF), None, world.now())
        .await
        .expect("registered");
    assert_eq!(client.display_name, None);
    assert_eq!(client.logo_uri, None);
    assert_eq!(client.host(), "leaf.example");
}

#[tokio::test]
async fn bad_metadata_is_refused() {
    let cases: Vec<(&str, &str, Value)> = vec![
        ("no redirect_uris", "redirect_uris", Value::Null),
        ("empty redirect_uris", "redirect_uris", json!([])),
        (
            "plain http",
            "redirect_uris",
            json!(["http://leaf.example/cb"]),
        ),
        (
            "a fragment",
            "redirect_uris",
            json!(["https://leaf.example/cb#x"]),
        ),
        ("a script", "redirect_uris", json!(["javascript:alert(1)"])),
        (
            "user information",
            "redirect_uris",
            json!(["https://u:p@leaf.example/cb"]),
        ),
        (
            "a backslash",
            "redirect_uris",
            json!(["https://leaf.example\\@evil.example/cb"]),
        ),
        (
            "not a list",
            "redirect_uris",
            json!("https://leaf.example/cb"),
        ),
        (
            "two sectors",
            "redirect_uris",
            json!(["https://leaf.example/cb", "https://b.example/cb"]),
        ),
        (
            "only explicit registration",
            "client_registration_types",
            json!(["explicit"]),
        ),
        (
            "another client_id",
            "client_id",
            json!("https://other.example"),
        ),
        (
            "a secret",
            "token_endpoint_auth_method",
            json!("client_secret_basic"),
        ),
        (
            "no authentication",
            "token_endpoint_auth_method",
            json!("none"),
        ),
        (
            "an unknown algorithm",
            "id_token_signed_response_alg",
            json!("none"),
        ),
        (
            "encryption under a secret",
            "id_token_encrypted_response_alg",
            json!("dir"),
        ),
        (
            "broken encryption",
            "userinfo_encrypted_response_alg",
            json!("RSA1_5"),
        ),
        (
            "an enc without its alg",
            "id_token_encrypted_response_enc",
            json!("A128GCM"),
        ),
        (
            "encryption to us that is not offered",
            "request_object_encryption_alg",
            json!("RSA1_5"),
        ),
        (
            "an unknown subject type",
            "subject_type",
            json!("ephemeral"),
        ),
        ("no keys", "jwks", Value::Null),
        (
            "a private key",
            "jwks",
            json!({"keys": [{"kty": "oct", "k": "AAAA"}]}),
        ),
        ("no usable key", "jwks", json!({"keys": []})),
        (
            "a foreign sector",
            "sector_identifier_uri",
            json!("https://other.example/sector.json"),
        ),
    ];
    for (what, name, value) in cases {
        let world = World::small();
        let mut metadata = relying_party("https://leaf.example/cb");
        let members = metadata["openid_relying_party"]
            .as_object_mut()
            .expect("members");
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), value);
        }
        world.entity(LEAF, &[MIDDLE], metadata);
        world.document(
            "https://other.example/sector.json",
            json!(["https://other.example/cb"]).to_string(),
        );
        let error = registrar(&world)
            .client(&entity_id(LEAF), None, world.now())
            .await
            .expect_err(what);
        assert_eq!(error.code, ErrorCode::InvalidMetadata, "{what}: {error}");
    }
    // Not a relying party at all.
    let world = World::small();
    let error = registrar(&world)
        .client(&entity_id(MIDDLE), None, world.now())
        .await
        .expect_err("no client");
    assert_eq!(error.code, ErrorCode::InvalidMetadata);
}

#[tokio::test]
async fn a_sector_of_several_hosts() {
    let world = World::small();
    let mut metadata = relying_party("https://leaf.example/cb");
    metadata["openid_relying_party"]["redirect_uris"] =
        json!(["https://leaf.example/cb", "https://b.example/cb"]);
    metadata["openid_relying_party"]["sector_identifier_uri"] =
        json!("https://s.example/sector.json");
    world.entity(LEAF, &[MIDDLE], metadata);
    let listed = json!(["https://b.example/cb", "https://leaf.example/cb"]);
    world.document("https://s.example/sector.json", listed.to_string());
    let client = registrar(&world)
        .client(&entity_id(LEAF), None, world.now())
        .await
        .expect("registered");
    assert_eq!(client.sector, "s.example");
}

#[tokio::test]
async fn errors_have_the_specifications_codes() {
    let code = async |world: &Arc<World>, id: &str| {
        let error = registrar(world)
            .client(&entity_id(id), None, world.now())
            .await
            .expect_err("refused");
        error.code
    };
    let world = World::small();
    assert_eq!(
        code(&world, "https://nobody.example").await,
        ErrorCode::InvalidTrustChain
    );
    world.entity(
        "https://alone.example",
        &["https://unknown.example"],
        relying_party("https://alone.example/cb"),
    );
    assert_eq!(
        code(&world, "https://alone.example").await,
        ErrorCode::InvalidTrustAnchor
    );
    world.spoil(MIDDLE, LEAF, |draft| draft.key = TestKey::of("forger"));
    assert_eq!(code(&world, LEAF).await, ErrorCode::InvalidTrustChain);
    let world = World::small();
    let policy = json!({"openid_relying_party": {"subject_type": {"essential": true}}});
    world.vouch(TOP, MIDDLE, json!({ "metadata_policy": policy }));
    assert_eq!(code(&world, LEAF).await, ErrorCode::InvalidMetadata);
}

#[tokio::test]
async fn keys_behind_an_address() {
    let world = World::small();
    let mut metadata = relying_party("https://leaf.example/cb");
    let members = metadata["openid_relying_party"]
        .as_object_mut()
        .expect("members");
    members.remove("jwks");
    members.insert("jwks_uri".into(), json!("https://leaf.example/jwks"));
    world.entity(LEAF, &[MIDDLE], metadata.clone());
    world
        .lifetime
        .store(7200, std::sync::atomic::Ordering::SeqCst);
    world.document(
        "https://leaf.example/jwks",
        TestKey::of("one").jwks().to_string(),
    );
    let registrar = registrar(&world);
    let leaf = entity_id(LEAF);
    let client = registrar
        .client(&leaf, None, world.now())
        .await
        .expect("registered");
    assert!(client.keys.find("key of one").is_some());
    // A new key appears; an unknown kid makes the provider look, but not more than once a minute.
    world.document(
        "https://leaf.example/jwks",
        TestKey::of("two").jwks().to_string(),
    );
    world.advance(59);
    let same = registrar
        .with_fresh_keys(&client, world.now())
        .await
        .expect("known");
    assert!(same.keys.find("key of two").is_none());
    world.advance(1);
    let fresh = registrar
        .with_fresh_keys(&client, world.now())
        .await
        .expect("fresh");
    assert!(fresh.keys.find("key of two").is_some());
    // Nor when the attempts fail, or when many ask with what they held before.
    world.advance(60);
    world.offline(LEAF);
    world.offline(MIDDLE);
    world.document("https://leaf.example/jwks", "nonsense".to_owned());
    world.forget_fetches();
    for _ in 0..20 {
        let _ = registrar.with_fresh_keys(&client, world.now()).await;
    }
    assert!(world.fetches() <= 6, "{} fetches", world.fetches());
    let still = registrar
        .client(&leaf, None, world.now())
        .await
        .expect("known");
    assert!(still.keys.find("key of two").is_some());
    // Many first logins at once fetch the keys once.
    let world = World::small();
    world.entity(LEAF, &[MIDDLE], metadata.clone());
    world.document(
        "https://leaf.example/jwks",
        TestKey::of("one").jwks().to_string(),
    );
    let many = Registrar::new(world.resolver());
    let all = (0..50).map(|_| many.client(&leaf, None, world.now()));
    let clients = futures_util::future::join_all(all).await;
    assert!(clients.iter().all(Result::is_ok));
    assert_eq!(world.fetches(), 6);

    // Signed keys: with a federation key that the superior vouches for.
    let signed = |key: TestKey, sub: &str| {
        let mut claims = TestKey::of("three").jwks();
        claims["iss"] = json!(LEAF);
        claims["sub"] = json!(sub);
        key.jwt("jwk-set+jwt", &claims)
    };
    metadata["openid_relying_party"]["signed_jwks_uri"] = json!("https://leaf.example/jwks.jwt");
    for (what, document, good) in [
        ("good", signed(TestKey::of(LEAF), LEAF), true),
        (
            "another key",
            signed(TestKey::of("x").named(&format!("key of {LEAF}")), LEAF),
            false,
        ),
        (
            "about somebody else",
            signed(TestKey::of(LEAF), MIDDLE),
            false,
        ),
        ("unsigned", TestKey::of("three").jwks().to_string(), false),
    ] {
        let world = World::small();
        world.entity(LEAF, &[MIDDLE], metadata.clone());
        world.document("https://leaf.example/jwks.jwt", document);
        let client = Registrar::new(world.resolver())
            .client(&leaf, None, world.now())
            .await;
        assert_eq!(
            client.is_ok_and(|c| c.keys.find("key of three").is_some()),
            good,
            "{what}"
        );
    }
}

#[tokio::test]
async fn the_chains_of_a_request_decide_whose_policy_counts() {
    // Two anchors vouch for both sides, each leaving the client a different scope.
    let world = World::small();
    let (other, provider) = ("https://other.example", "https://id.example");
    world.entity(other, &[], json!({}));
    let only = |scope: &str| json!({"metadata_policy": {"openid_relying_party": {"scope": {"value": scope}}}});
    world.vouch(MIDDLE, LEAF, only("openid"));
    world.vouch(other, LEAF, only("openid phone"));
    world.hints(LEAF, &[MIDDLE, other]);
    world.entity(
        provider,
        &[TOP, other],
        json!({"openid_provider": {"issuer": provider}}),
    );
    world.vouch(TOP, provider, json!({}));
    world.vouch(other, provider, json!({}));
    let registrar = Registrar::new(world.resolver_to(&[TOP, other]));
    let ask = async |hinted: Option<HintedChains>| {
        registrar
            .client(&entity_id(LEAF), hinted.as_ref(), world.now())
            .await
            .map(|client| client.trust_anchor.to_string())
            .map_err(|error| error.code)
    };
    let own = |path: &[&str]| world.chain(path);
    assert_eq!(ask(None).await, Ok(TOP.to_owned()));
    let hinted = |peer: &[&str]| {
        Some(HintedChains {
            trust_chain: own(&[LEAF, other]),
            peer_trust_chain: Some(world.chain(peer)),
        })
    };
    assert_eq!(ask(hinted(&[provider, other])).await, Ok(other.to_owned()));
    // Not at the same one.
    assert_eq!(
        ask(hinted(&[provider, TOP])).await,
        Err(ErrorCode::InvalidTrustChain)
    );
}
