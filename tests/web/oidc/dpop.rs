//! Tokens and codes bound to a key (RFC 9449): at `/token`, `/par`, `/authorize` and `/userinfo`.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::authn::Factor;
use hefu::crypto::thumb;
use hefu::jose::Jwk;
use serde_json::{Value, json};

use super::{Answer, Browser, CHALLENGE, ISSUER, TestHouse, VERIFIER, basic, encode, payload};
use crate::support::federation::{LEAF, MIDDLE, TestKey};

const WALLET_CB: &str = "https://wallet.example/cb";
const BOX_CB: &str = "https://box.example/cb";

/// A public client and a confidential one; the second takes tokens for a key only.
async fn house(nonces: bool) -> TestHouse {
    TestHouse::with(4, |settings| {
        settings.dpop_nonces = nonces;
        for client in [
            json!({"client_id": "wallet", "redirect_uris": [WALLET_CB], "token_endpoint_auth_method": "none"}),
            json!({"client_id": "box", "client_secret": "s", "redirect_uris": [BOX_CB],
                "dpop_bound_access_tokens": true}),
        ] {
            settings.clients.push(client.as_object().unwrap().clone());
        }
    })
    .await
}

/// A proof for `path`; `more` wins over the usual claims.
pub(super) fn proof(
    house: &TestHouse,
    key: &str,
    jti: &str,
    method: &Method,
    path: &str,
    more: Value,
) -> String {
    let key = TestKey::of(key);
    let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": key.jwk()});
    let mut claims = json!({"jti": jti, "htm": method.as_str(), "htu": format!("{ISSUER}{path}"),
        "iat": house.now()});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    key.sign(header.as_object().unwrap(), &claims.to_string())
}

pub(super) fn jkt(key: &str) -> String {
    Jwk::parse(&TestKey::of(key).jwk())
        .unwrap()
        .thumbprint()
        .to_owned()
}

/// A code of the wallet, with these parameters more.
async fn code(browser: &mut Browser<'_>, more: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("scope", "openid offline_access"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    all.extend(more);
    let told = browser.ask_plain("wallet", WALLET_CB, &all).await.told();
    told.get("code")
        .unwrap_or_else(|| panic!("{told:?}"))
        .clone()
}

async fn redeem(house: &TestHouse, code: &str, proofs: &[&str]) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "wallet"),
        ("code", code),
        ("redirect_uri", WALLET_CB),
        ("code_verifier", VERIFIER),
    ];
    let headers: Vec<_> = proofs.iter().map(|proof| ("DPoP", *proof)).collect();
    house.post_with("/token", &form, &headers).await
}

async fn refresh(house: &TestHouse, token: &str, proof: Option<&str>) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "wallet"),
        ("refresh_token", token),
    ];
    let headers: Vec<_> = proof.map(|proof| ("DPoP", proof)).into_iter().collect();
    house.post_with("/token", &form, &headers).await
}

async fn userinfo(house: &TestHouse, authorization: &str, proof: Option<&str>) -> Answer {
    let mut request = Request::get("/userinfo").header("authorization", authorization);
    if let Some(proof) = proof {
        request = request.header("DPoP", proof);
    }
    house.send(request.body(Body::empty()).unwrap()).await
}

pub(super) fn error(answer: &Answer) -> (u16, String) {
    let code = answer.json()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status.as_u16(), code)
}

fn challenges(answer: &Answer) -> Vec<&str> {
    let all = answer.headers.get_all("www-authenticate").iter();
    all.map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn tokens_of_a_public_client_work_with_its_key_alone() {
    let house = house(false).await;
    let person = house.citizen(true).await;
    house
        .consent(&person, "wallet", "openid offline_access")
        .await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let post = |key: &str, jti: &str| proof(&house, key, jti, &Method::POST, "/token", json!({}));

    let one = code(&mut browser, &[]).await;
    let answer = redeem(&house, &one, &[&post("mine", "1")]).await;
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "DPoP", "{tokens}");
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(payload(token)["cnf"], json!({"jkt": jkt("mine")}));
    assert!(
        payload(tokens["id_token"].as_str().unwrap())
            .get("cnf")
            .is_none()
    );
    assert!(!answer.headers.contains_key("dpop-nonce"));

    // UserInfo (§7): the scheme in any case, a proof of its own each time.
    let get = |key: &str, jti: &str, more: Value| {
        proof(&house, key, jti, &Method::GET, "/userinfo", more)
    };
    let ath = json!({"ath": thumb(token.as_bytes())});
    let good = get("mine", "2", ath.clone());
    let told = userinfo(&house, &format!("dpop {token}"), Some(&good)).await;
    assert_eq!(
        (told.status, &told.json()["sub"]),
        (StatusCode::OK, &payload(token)["sub"])
    );
    let cases = [
        ("Bearer", None, "invalid_token"),
        (
            "Bearer",
            Some(get("mine", "3", ath.clone())),
            "invalid_token",
        ),
        ("DPoP", None, "invalid_dpop_proof"),
        ("DPoP", Some(good), "invalid_dpop_proof"),
        (
            "DPoP",
            Some(get("mine", "4", json!({}))),
            "invalid_dpop_proof",
        ),
        (
            "DPoP",
            Some(get("mine", "5", json!({"ath": thumb(b"other")}))),
            "invalid_dpop_proof",
        ),
        (
            "DPoP",
            Some(get("other", "6", ath.clone())),
            "invalid_token",
        ),
        (
            "DPoP",
            Some(proof(&house, "mine", "7", &Method::POST, "/userinfo", ath)),
            "invalid_dpop_proof",
        ),
    ];
    for (scheme, proof, code) in cases {
        let refused = userinfo(&house, &format!("{scheme} {token}"), proof.as_deref()).await;
        assert_eq!(
            error(&refused),
            (401, code.to_owned()),
            "{scheme} {proof:?}"
        );
        let said = challenges(&refused);
        assert!(
            said[0].starts_with(&format!("{scheme} error=\"{code}\"")),
            "{said:?}"
        );
        assert!(
            said.iter()
                .any(|c| c.starts_with("DPoP ") && c.contains("algs=\"PS256 ES256 EdDSA\""))
        );
        assert_eq!(
            refused.headers["access-control-expose-headers"],
            "dpop-nonce, www-authenticate"
        );
    }
    let form = house
        .post("/userinfo", &[("access_token", token)], None)
        .await;
    assert_eq!(error(&form), (401, "invalid_token".to_owned()));

    // The refresh token goes with the same key, and whoever has another leaves it as it was (§5).
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let grant = (400, "invalid_grant".to_owned());
    assert_eq!(error(&refresh(&house, refresh_token, None).await), grant);
    assert_eq!(
        error(&refresh(&house, refresh_token, Some(&post("other", "8"))).await),
        grant
    );
    let renewed = refresh(&house, refresh_token, Some(&post("mine", "9")))
        .await
        .json();
    assert_eq!(renewed["token_type"], "DPoP", "{renewed}");
    let next = renewed["refresh_token"].as_str().unwrap();
    // A sibling within the grace needs the key too, and so does the next one.
    assert_eq!(
        error(&refresh(&house, refresh_token, Some(&post("other", "10"))).await),
        grant
    );
    assert_eq!(
        error(&refresh(&house, next, Some(&post("other", "11"))).await),
        grant
    );
    assert_eq!(
        refresh(&house, next, Some(&post("mine", "12")))
            .await
            .status,
        StatusCode::OK
    );

    // A token that is bound to nothing gains nothing by a proof.
    let two = code(&mut browser, &[]).await;
    let unbound = redeem(&house, &two, &[]).await.json();
    assert_eq!(unbound["token_type"], "Bearer");
    let free = unbound["access_token"].as_str().unwrap();
    assert_eq!(
        userinfo(&house, &format!("Bearer {free}"), None)
            .await
            .status,
        StatusCode::OK
    );
    let proof = get("mine", "13", json!({"ath": thumb(free.as_bytes())}));
    let refused = userinfo(&house, &format!("DPoP {free}"), Some(&proof)).await;
    assert_eq!(error(&refused), (401, "invalid_token".to_owned()));
}

#[tokio::test]
async fn a_proof_counts_once_and_stands_alone() {
    let house = house(false).await;
    let person = house.citizen(true).await;
    house
        .consent(&person, "wallet", "openid offline_access")
        .await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let post = |jti: &str, more: Value| proof(&house, "mine", jti, &Method::POST, "/token", more);
    let invalid = (400, "invalid_dpop_proof".to_owned());
    let (one, two) = (code(&mut browser, &[]).await, code(&mut browser, &[]).await);
    // What is wrong with a proof leaves the code as it was.
    let old = post("a", json!({"iat": house.now().plus(-61)}));
    for proofs in [
        &[post("a", json!({})), post("b", json!({}))][..],
        &[post("a", json!({"htu": "https://id.example/userinfo"}))],
        &[old],
        &["合".to_owned()],
    ] {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let answer = redeem(&house, &one, &proofs).await;
        assert_eq!(error(&answer), invalid, "{proofs:?}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let good = post("a", json!({}));
    assert_eq!(redeem(&house, &one, &[&good]).await.status, StatusCode::OK);
    assert_eq!(error(&redeem(&house, &two, &[&good]).await), invalid);
}

#[tokio::test]
async fn a_client_that_registered_a_binding_gets_nothing_without() {
    let house = house(false).await;
    let person = house.citizen(true).await;
    house.consent(&person, "box", "openid offline_access").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let told = browser
        .ask_plain("box", BOX_CB, &[("scope", "openid offline_access")])
        .await
        .told();
    let authorization = basic("box", "s");
    let ask = async |form: &[(&str, &str)], proof: Option<&str>| {
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(proof.map(|proof| ("DPoP", proof)));
        house.post_with("/token", form, &headers).await
    };
    let post = |key: &str, jti: &str| proof(&house, key, jti, &Method::POST, "/token", json!({}));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &told["code"]),
        ("redirect_uri", BOX_CB),
    ];
    let invalid = (400, "invalid_dpop_proof".to_owned());
    assert_eq!(error(&ask(&form, None).await), invalid);
    let tokens = ask(&form, Some(&post("first", "1"))).await.json();
    assert_eq!(tokens["token_type"], "DPoP", "{tokens}");
    // A confidential client proves itself: it may bring another key (§5), but must bring one.
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(error(&ask(&form, None).await), invalid);
    let renewed = ask(&form, Some(&post("second", "2"))).await.json();
    assert_eq!(
        payload(renewed["access_token"].as_str().unwrap())["cnf"]["jkt"],
        jkt("second")
    );
}

#[tokio::test]
async fn a_superior_may_demand_a_binding_of_a_client_of_the_federation() {
    let house = house(false).await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let bound = json!({"openid_relying_party": {"dpop_bound_access_tokens": true}});
    house
        .world
        .vouch(MIDDLE, LEAF, json!({ "metadata": bound }));
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let told = browser.ask("1", json!({})).await.told();
    let refused = house.redeem(&told["code"], "1", &[]).await;
    assert_eq!(error(&refused), (400, "invalid_dpop_proof".to_owned()));
}

#[tokio::test]
async fn a_code_is_bound_to_the_key_that_was_named() {
    let house = house(false).await;
    let person = house.citizen(true).await;
    house
        .consent(&person, "wallet", "openid offline_access")
        .await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let post = |key: &str, jti: &str| proof(&house, key, jti, &Method::POST, "/token", json!({}));
    let (grant, mine) = ((400, "invalid_grant".to_owned()), jkt("mine"));
    let named = [("dpop_jkt", mine.as_str())];
    let bound = code(&mut browser, &named).await;
    assert_eq!(
        redeem(&house, &bound, &[&post("mine", "1")]).await.status,
        StatusCode::OK
    );
    let bound = code(&mut browser, &named).await;
    assert_eq!(
        error(&redeem(&house, &bound, &[&post("other", "2")]).await),
        grant
    );
    assert_eq!(
        error(&redeem(&house, &bound, &[&post("mine", "3")]).await),
        grant
    );
    let bound = code(&mut browser, &named).await;
    assert_eq!(error(&redeem(&house, &bound, &[]).await), grant);
    let odd = browser
        .ask_plain(
            "wallet",
            WALLET_CB,
            &[
                ("dpop_jkt", "x"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ],
        )
        .await;
    assert_eq!(odd.told()["error"], "invalid_request");

    // At PAR the proof itself may name the key (§10.1).
    let push = async |more: &[(&str, &str)], proof: &str| {
        let mut form = vec![
            ("client_id", "wallet"),
            ("redirect_uri", WALLET_CB),
            ("response_type", "code"),
            ("scope", "openid offline_access"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        form.extend(more);
        house.post_with("/par", &form, &[("DPoP", proof)]).await
    };
    let par = |key: &str, jti: &str| proof(&house, key, jti, &Method::POST, "/par", json!({}));
    let invalid = (400, "invalid_dpop_proof".to_owned());
    assert_eq!(error(&push(&named, &par("other", "4")).await), invalid);
    assert_eq!(error(&push(&named, &post("mine", "5")).await), invalid);
    for (more, jti) in [(&named[..], "6"), (&[], "7")] {
        let used = par("mine", jti);
        let pushed = push(more, &used).await;
        assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.body);
        assert_eq!(error(&push(more, &used).await), invalid);
        let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
        let query = encode(&[("client_id", "wallet"), ("request_uri", &uri)]);
        let told = browser.get(&format!("/authorize?{query}")).await.told();
        let answer = redeem(&house, &told["code"], &[&post("other", &format!("{jti}a"))]).await;
        assert_eq!(error(&answer), grant);
    }
}

#[tokio::test]
async fn nonces_are_handed_out_and_demanded() {
    let house = house(true).await;
    let person = house.citizen(true).await;
    house
        .consent(&person, "wallet", "openid offline_access")
        .await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let post = |jti: &str, more: Value| proof(&house, "mine", jti, &Method::POST, "/token", more);
    let nonce = |answer: &Answer| answer.headers["dpop-nonce"].to_str().unwrap().to_owned();

    let one = code(&mut browser, &[]).await;
    let asked = redeem(&house, &one, &[&post("1", json!({}))]).await;
    assert_eq!(error(&asked), (400, "use_dpop_nonce".to_owned()));
    assert_eq!(
        asked.headers["access-control-expose-headers"],
        "dpop-nonce, www-authenticate"
    );
    let mut altered = nonce(&asked);
    altered.replace_range(..1, if altered.starts_with('A') { "B" } else { "A" });
    let again = redeem(&house, &one, &[&post("2", json!({"nonce": altered}))]).await;
    assert_eq!(error(&again), (400, "use_dpop_nonce".to_owned()));
    // Neither the code nor the proof's name was used up; the sender's clock does not matter.
    let good = post("1", json!({"nonce": nonce(&again), "iat": 1}));
    let answer = redeem(&house, &one, &[&good]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let tokens = answer.json();
    let token = tokens["access_token"].as_str().unwrap();
    // Each answer brings the next nonce; a resource asks for one in its own way (§9).
    assert_ne!(nonce(&answer), nonce(&again));
    let ath = thumb(token.as_bytes());
    let get = |jti: &str, more: Value| {
        let mut all = json!({"ath": ath});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        proof(&house, "mine", jti, &Method::GET, "/userinfo", all)
    };
    let authorization = format!("DPoP {token}");
    let refused = userinfo(&house, &authorization, Some(&get("3", json!({})))).await;
    assert_eq!(error(&refused), (401, "use_dpop_nonce".to_owned()));
    assert!(challenges(&refused)[0].starts_with("DPoP error=\"use_dpop_nonce\""));
    let proof = get("3", json!({"nonce": nonce(&refused)}));
    let told = userinfo(&house, &authorization, Some(&proof)).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    let late = get("4", json!({"nonce": nonce(&told)}));
    house.clock.advance(299);
    assert_eq!(
        userinfo(&house, &authorization, Some(&late)).await.status,
        StatusCode::OK
    );
    // As long as its nonce is good, the proof is remembered.
    let replayed = userinfo(&house, &authorization, Some(&late)).await;
    assert_eq!(error(&replayed), (401, "invalid_dpop_proof".to_owned()));
    house.clock.advance(1);
    let proof = get("5", json!({"nonce": nonce(&told)}));
    let refused = userinfo(&house, &authorization, Some(&proof)).await;
    assert_eq!(error(&refused), (401, "use_dpop_nonce".to_owned()));
    assert!(URL_SAFE_NO_PAD.decode(nonce(&refused)).is_ok());
    // Who uses no proofs hears nothing of nonces.
    assert!(
        !redeem(&house, "x", &[])
            .await
            .headers
            .contains_key("dpop-nonce")
    );
}
