//! Explicit registration (OpenID Federation 1.0 §12.2): what a relying party posts, what it is told, and that it then is a
//! client like any other, until its chain ends.

use axum::body::Body;
use axum::http::{Request, header};
use hefu::authn::Factor;
use hefu::federation::registration::Registrar;
use hefu::provider::{explicit, sweep};
use serde_json::{Map, Value, json};

use super::{Answer, CHALLENGE, ISSUER, LEAF_CB, TestHouse, payload};
use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey, World, entity_id};

const PATH: &str = "/federation/register";
const STATEMENT: &str = "application/entity-statement+jwt";
const CHAIN: &str = "application/trust-chain+json";

async fn house() -> TestHouse {
    TestHouse::with(4, |settings| settings.explicit_registration = true).await
}

fn metadata() -> Value {
    json!({
        "redirect_uris": [LEAF_CB],
        "client_registration_types": ["explicit"],
        "client_name": "my own idea of my name",
        "jwks": TestKey::of("protocol key").jwks(),
        "scope": "openid real_name phone",
    })
}

/// The leaf's request with these changes; `null` removes a member.
fn request_with(house: &TestHouse, changes: &Value, header: &Value, key: &TestKey) -> String {
    let mut claims = json!({
        "iss": LEAF, "sub": LEAF, "aud": ISSUER, "iat": house.now().0 - 5, "exp": house.now().0 + 3600,
        "jwks": TestKey::of(LEAF).jwks(),
        "authority_hints": [MIDDLE],
        "metadata": {"openid_relying_party": metadata()},
    });
    let mut head = json!({"typ": "entity-statement+jwt", "alg": "EdDSA", "kid": key.kid});
    merge(&mut claims, changes);
    merge(&mut head, header);
    key.sign(head.as_object().unwrap(), &claims.to_string())
}

fn merge(into: &mut Value, changes: &Value) {
    let members = into.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
}

fn request(house: &TestHouse, changes: &Value) -> String {
    request_with(house, changes, &json!({}), &TestKey::of(LEAF))
}

fn with_metadata(changes: &Value) -> Value {
    let mut metadata = metadata();
    merge(&mut metadata, changes);
    json!({"metadata": {"openid_relying_party": metadata}})
}

async fn post(house: &TestHouse, media_type: &str, body: impl Into<String>) -> Answer {
    let request = Request::post(PATH).header(header::CONTENT_TYPE, media_type);
    house
        .send(request.body(Body::from(body.into())).unwrap())
        .await
}

fn pass(house: &TestHouse, seconds: i64) {
    house.clock.advance(seconds);
    house.world.advance(seconds);
}

/// A plain request of the leaf: a client that registered need not sign what it asks.
async fn ask(house: &TestHouse, redirect_uri: &str) -> Answer {
    let person = house.citizen_once().await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let more = [
        ("scope", "openid real_name"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    browser.ask_plain(LEAF, redirect_uri, &more).await
}

#[tokio::test]
async fn a_portal_registers_itself_and_its_citizens_log_in() {
    let house = house().await;
    // It need not publish anything: what counts is what it posts and what its superiors say.
    house.world.offline(LEAF);
    house.world.vouch(
        TOP,
        MIDDLE,
        json!({"metadata_policy": {"openid_relying_party": {
            "scope": {"subset_of": ["openid", "real_name"]},
            "id_token_signed_response_alg": {"default": "ES256"},
        }}}),
    );
    assert_eq!(ask(&house, LEAF_CB).await.status, 400, "not registered yet");
    pass(&house, 31);

    let answer = post(&house, STATEMENT, request(&house, &json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "application/explicit-registration-response+jwt"
    );
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let (head, _) = hefu::jose::jwt::peek(&answer.body, 100_000).unwrap();
    assert!(head.is_typ("explicit-registration-response+jwt"));
    let mut told = payload(&answer.body);
    let now = house.now().0;
    assert_eq!(told["iat"], now);
    // The least of the chain: statements of the superiors live 600 seconds.
    assert_eq!(told["exp"], now + 600);
    for name in ["iat", "exp"] {
        told.as_object_mut().unwrap().remove(name);
    }
    told["metadata"]["openid_relying_party"]["jwks"] = json!("the keys");
    insta::assert_json_snapshot!(told, @r#"
    {
      "aud": "https://leaf.example",
      "authority_hints": [
        "https://middle.example"
      ],
      "iss": "https://id.example",
      "metadata": {
        "openid_relying_party": {
          "client_id": "https://leaf.example",
          "client_name": "my own idea of my name",
          "client_registration_types": [
            "explicit"
          ],
          "grant_types": [
            "authorization_code"
          ],
          "id_token_signed_response_alg": "ES256",
          "jwks": "the keys",
          "redirect_uris": [
            "https://leaf.example/cb"
          ],
          "response_types": [
            "code"
          ],
          "scope": "openid real_name",
          "subject_type": "pairwise",
          "token_endpoint_auth_method": "private_key_jwt"
        }
      },
      "sub": "https://leaf.example",
      "trust_anchor": "https://top.example"
    }
    "#);

    let code = ask(&house, LEAF_CB).await.told()["code"].clone();
    let tokens = house.redeem(&code, "one", &[]).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let tokens = tokens.json();
    let userinfo = house
        .userinfo(tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(userinfo.json()["assurance_level"], "rn2");
    assert!(userinfo.json().get("phone_number").is_none());

    // Another process, which has met nobody yet and reaches nobody, knows it from the database.
    for superior in [MIDDLE, TOP] {
        house.world.offline(superior);
    }
    let clients = house.beside();
    let client = clients
        .find(&house.store, LEAF, None, house.now())
        .await
        .unwrap();
    assert_eq!(client.redirect_uris, [LEAF_CB]);

    // Until the chain ends: then nobody serves it, and nothing is kept of it.
    pass(&house, 599);
    assert!(
        clients
            .find(&house.store, LEAF, None, house.now())
            .await
            .is_ok()
    );
    pass(&house, 1);
    assert!(
        clients
            .find(&house.store, LEAF, None, house.now())
            .await
            .is_err()
    );
    assert_eq!(ask(&house, LEAF_CB).await.status, 400);
    assert_eq!(house.count("explicit_registrations").await, 1);
    let mut conn = house.store.read().await.unwrap();
    sweep::sweep(&mut conn, house.now()).await.unwrap();
    drop(conn);
    assert_eq!(house.count("explicit_registrations").await, 0);
}

#[tokio::test]
async fn a_new_request_takes_the_place_of_the_earlier_one() {
    let house = house().await;
    let earlier = request(&house, &json!({}));
    assert_eq!(post(&house, STATEMENT, &*earlier).await.status, 200);
    pass(&house, 1);
    let other = "https://leaf.example/other";
    let later = request(&house, &with_metadata(&json!({"redirect_uris": [other]})));
    assert_eq!(post(&house, STATEMENT, &*later).await.status, 200);
    assert_eq!(ask(&house, LEAF_CB).await.status, 400);
    assert!(ask(&house, other).await.told().contains_key("code"));
    // Somebody who saw the first one cannot bring it back; the same one again changes nothing.
    let replayed = post(&house, STATEMENT, &*earlier).await;
    assert_eq!(
        (
            replayed.status.as_u16(),
            &*replayed.json()["error"].to_string()
        ),
        (400, "\"invalid_request\"")
    );
    assert_eq!(post(&house, STATEMENT, &*later).await.status, 200);
    assert!(ask(&house, other).await.told().contains_key("code"));
    assert_eq!(house.count("explicit_registrations").await, 1);
}

#[tokio::test]
async fn chains_may_be_handed_in() {
    let house = house().await;
    let world = &house.world;
    world.entity(
        ISSUER,
        &[TOP],
        json!({"openid_provider": {"issuer": ISSUER}}),
    );
    world.vouch(TOP, ISSUER, json!({}));
    let own = world.chain(&[LEAF, MIDDLE, TOP]);
    let peer = world.chain(&[ISSUER, TOP]);
    let leaf = TestKey::of(LEAF);
    let by_header = |header: &Value| request_with(&house, &json!({}), header, &leaf);
    let as_chain = |first: String, rest: &[String]| {
        let mut chain = vec![first];
        chain.extend_from_slice(rest);
        json!(chain).to_string()
    };
    let foreign = {
        let stranger = World::new();
        stranger.entity("https://else.example", &[], json!({}));
        stranger.entity(
            LEAF,
            &["https://else.example"],
            json!({"openid_relying_party": {}}),
        );
        stranger.vouch("https://else.example", LEAF, json!({}));
        stranger.chain(&[LEAF, "https://else.example"])
    };
    let cases = [
        (
            "trust_chain",
            STATEMENT,
            by_header(&json!({"trust_chain": own})),
            None,
        ),
        (
            "both chains",
            STATEMENT,
            by_header(&json!({"trust_chain": own, "peer_trust_chain": peer})),
            None,
        ),
        (
            "peer_trust_chain alone",
            STATEMENT,
            by_header(&json!({"peer_trust_chain": peer})),
            Some((400, "invalid_request")),
        ),
        (
            "a peer chain of somebody else",
            STATEMENT,
            by_header(&json!({"trust_chain": own, "peer_trust_chain": own})),
            Some((400, "invalid_trust_chain")),
        ),
        (
            "a chain of somebody else",
            STATEMENT,
            by_header(&json!({"trust_chain": peer})),
            Some((400, "invalid_trust_chain")),
        ),
        (
            "an anchor that is not ours",
            STATEMENT,
            by_header(&json!({"trust_chain": foreign})),
            Some((404, "invalid_trust_anchor")),
        ),
        (
            "no chain",
            STATEMENT,
            by_header(&json!({"trust_chain": "x"})),
            Some((400, "invalid_request")),
        ),
        (
            "the chain as the body",
            CHAIN,
            as_chain(request(&house, &json!({})), &own[1..]),
            None,
        ),
        (
            "a body whose first statement is no request",
            CHAIN,
            as_chain(own[0].clone(), &own[1..]),
            Some((400, "invalid_trust_chain")),
        ),
        (
            "a body that lacks a statement",
            CHAIN,
            as_chain(request(&house, &json!({})), &own[2..]),
            Some((400, "invalid_trust_chain")),
        ),
        (
            "an empty body",
            CHAIN,
            "[]".to_owned(),
            Some((400, "invalid_request")),
        ),
        (
            "no JSON",
            CHAIN,
            "x".to_owned(),
            Some((400, "invalid_request")),
        ),
    ];
    // What is handed in is enough: nobody is asked.
    for id in [LEAF, MIDDLE, TOP] {
        world.offline(id);
    }
    for (what, media_type, body, refused) in cases {
        let answer = post(&house, media_type, body).await;
        match refused {
            None => assert_eq!(answer.status, 200, "{what}: {}", answer.body),
            Some((status, error)) => {
                assert_eq!(answer.status, status, "{what}: {}", answer.body);
                assert_eq!(answer.json()["error"], error, "{what}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn requests_that_are_refused() {
    let house = house().await;
    house.world.vouch(
        TOP,
        MIDDLE,
        json!({"metadata_policy": {"openid_relying_party": {"contacts": {"essential": true}}}}),
    );
    let bad = |changes: Value, error: &'static str| (request(&house, &changes), error);
    let leaf = TestKey::of(LEAF);
    let other = TestKey::of("another key");
    let rp = |changes: Value, error: &'static str| {
        let mut changes = changes;
        merge(&mut changes, &json!({"contacts": ["a@leaf.example"]}));
        bad(with_metadata(&changes), error)
    };
    let headed = |header: Value, error: &'static str| {
        (request_with(&house, &json!({}), &header, &leaf), error)
    };
    let now = house.now().0;
    let ended = {
        let mut changes = with_metadata(&json!({"contacts": ["a@leaf.example"]}));
        merge(&mut changes, &json!({"exp": now - 1}));
        bad(changes, "invalid_trust_chain")
    };
    let cases = vec![
        bad(json!({"aud": null}), "invalid_request"),
        bad(json!({"aud": LEAF}), "invalid_request"),
        bad(json!({"aud": [ISSUER, LEAF]}), "invalid_request"),
        bad(json!({"aud": format!("{ISSUER}/")}), "invalid_request"),
        bad(json!({"sub": MIDDLE}), "invalid_request"),
        bad(json!({"iss": MIDDLE}), "invalid_request"),
        bad(json!({"iat": null}), "invalid_request"),
        bad(json!({"iat": now + 120}), "invalid_request"),
        bad(json!({"exp": null}), "invalid_request"),
        bad(json!({"exp": now - 120}), "invalid_request"),
        // Within the leeway for clocks, but nothing that can be registered.
        ended,
        bad(json!({"jwks": null}), "invalid_request"),
        bad(json!({"jwks": other.jwks()}), "invalid_request"),
        bad(json!({"authority_hints": null}), "invalid_request"),
        bad(json!({"authority_hints": []}), "invalid_request"),
        bad(
            json!({"authority_hints": ["https://nobody.example"]}),
            "invalid_trust_anchor",
        ),
        bad(json!({"authority_hints": [TOP]}), "invalid_trust_chain"),
        bad(json!({"metadata": {}}), "invalid_request"),
        bad(
            json!({"metadata": {"openid_provider": {}}}),
            "invalid_request",
        ),
        bad(json!({"crit": ["x"], "x": 1}), "invalid_request"),
        bad(json!({"trust_anchor": TOP}), "invalid_request"),
        headed(json!({"typ": "JWT"}), "invalid_request"),
        headed(json!({"kid": null}), "invalid_request"),
        headed(json!({"alg": "none"}), "invalid_request"),
        headed(json!({"jwk": leaf.jwk()}), "invalid_request"),
        // Signed with a key that only the leaf itself shows, or that it does not even show.
        (
            request_with(&house, &json!({"jwks": other.jwks()}), &json!({}), &other),
            "invalid_trust_chain",
        ),
        (
            request_with(&house, &json!({}), &json!({}), &other),
            "invalid_request",
        ),
        ("x".to_owned(), "invalid_request"),
        // What policy forbids.
        bad(json!({}), "invalid_metadata"),
        // What cannot be a client.
        rp(json!({"redirect_uris": null}), "invalid_redirect_uri"),
        rp(
            json!({"redirect_uris": ["http://leaf.example/cb"]}),
            "invalid_redirect_uri",
        ),
        rp(
            json!({"redirect_uris": ["https://leaf.example/cb#x"]}),
            "invalid_redirect_uri",
        ),
        rp(
            json!({"client_registration_types": ["automatic"]}),
            "invalid_client_metadata",
        ),
        rp(
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            "invalid_client_metadata",
        ),
        rp(
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            "invalid_client_metadata",
        ),
        rp(
            json!({"response_types": ["id_token"]}),
            "invalid_client_metadata",
        ),
        rp(
            json!({"id_token_signed_response_alg": "none"}),
            "invalid_client_metadata",
        ),
        rp(json!({"jwks": null}), "invalid_client_metadata"),
        rp(
            json!({"client_id": "https://other.example"}),
            "invalid_client_metadata",
        ),
        rp(json!({"subject_type": "x"}), "invalid_client_metadata"),
    ];
    for (at, (token, error)) in cases.iter().enumerate() {
        let answer = post(&house, STATEMENT, &**token).await;
        let status = if *error == "invalid_trust_anchor" {
            404
        } else {
            400
        };
        assert_eq!(answer.status, status, "case {at}: {}", answer.body);
        assert_eq!(answer.json()["error"], *error, "case {at}: {}", answer.body);
        assert!(answer.json()["error_description"].is_string());
    }
    let good = {
        let changes = with_metadata(&json!({"contacts": ["a@leaf.example"]}));
        request(&house, &changes)
    };
    // The media type decides what a body is.
    for media_type in ["application/json", "application/jwt", CHAIN, "text/plain"] {
        let answer = post(&house, media_type, &*good).await;
        assert_eq!(answer.status, 400, "{media_type}");
        assert_eq!(answer.json()["error"], "invalid_request");
    }
    assert_eq!(house.count("explicit_registrations").await, 0);
    let loud = "Application/Entity-Statement+JWT; charset=utf-8";
    assert_eq!(post(&house, loud, &*good).await.status, 200);
    let request = Request::get(PATH).body(Body::empty()).unwrap();
    assert_eq!(house.send(request).await.status, 405);
}

#[tokio::test]
async fn one_address_registers_only_so_often() {
    let house = TestHouse::with(4, |settings| {
        settings.explicit_registration = true;
        settings.registrations_per_hour = 2;
    })
    .await;
    let token = request(&house, &json!({}));
    for status in [200, 200, 429] {
        assert_eq!(post(&house, STATEMENT, &*token).await.status, status);
    }
}

#[tokio::test]
async fn it_is_there_and_promised_exactly_when_it_is_on() {
    for on in [false, true] {
        let house = TestHouse::with(4, |settings| settings.explicit_registration = on).await;
        let get = Request::get("/.well-known/openid-configuration");
        let said: Map<String, Value> =
            serde_json::from_str(&house.send(get.body(Body::empty()).unwrap()).await.body).unwrap();
        let (types, endpoint, status) = if on {
            let endpoint = format!("{ISSUER}{PATH}");
            (json!(["automatic", "explicit"]), Some(json!(endpoint)), 200)
        } else {
            (json!(["automatic"]), None, 404)
        };
        assert_eq!(said["client_registration_types_supported"], types);
        assert_eq!(
            said.get("federation_registration_endpoint"),
            endpoint.as_ref()
        );
        let token = request(&house, &json!({}));
        assert_eq!(post(&house, STATEMENT, &*token).await.status, status);
    }
}

#[tokio::test]
async fn a_registration_does_not_outlive_the_anchor_that_it_came_by() {
    let house = house().await;
    let token = request(&house, &json!({}));
    assert_eq!(post(&house, STATEMENT, &*token).await.status, 200);
    let mut conn = house.store.read().await.unwrap();
    let kept = explicit::find(&mut conn, &entity_id(LEAF), house.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.len(), 4);
    assert_eq!(kept[0], token);
    let elsewhere = Registrar::new(house.world.resolver_to(&["https://else.example"]));
    assert!(
        elsewhere
            .kept(&kept, &entity_id(ISSUER), house.now())
            .is_err()
    );
    let here = Registrar::new(house.world.resolver());
    assert!(here.kept(&kept, &entity_id(ISSUER), house.now()).is_ok());
    // Nor can another provider use what was sent to this one.
    assert!(here.kept(&kept, &entity_id(TOP), house.now()).is_err());
}
