//! Authorization answers as JWTs (JWT Secured Authorization Response Mode for OAuth 2.0).

use std::collections::BTreeMap;

use hefu::authn::Factor;
use hefu::crypto::{Purpose, Signer as _};
use hefu::jose::UnverifiedJws;
use hefu::oauth::{Algorithm, ResponseType};
use serde_json::{Value, json};

use super::{Answer, Browser, ISSUER, LEAF_CB, SHOP_CB, TestHouse, payload};
use crate::support::federation::LEAF;

/// The answer's members, after everything about its JWT was checked; and nothing stands beside it.
fn opened(
    house: &TestHouse,
    told: &BTreeMap<String, String>,
    client: &str,
    alg: Algorithm,
) -> Value {
    assert_eq!(told.keys().collect::<Vec<_>>(), ["response"]);
    let token = &told["response"];
    let jws = UnverifiedJws::parse(token, 20_000).unwrap();
    let kid = jws.header.kid.clone().expect("a kid");
    assert_eq!(jws.header.alg, alg.as_str());
    let signed = house.ring.verify(
        Purpose::IdToken,
        &kid,
        alg,
        jws.signing_input(),
        jws.signature(),
    );
    assert!(signed);
    let mut claims = payload(token);
    let members = claims.as_object_mut().unwrap();
    assert_eq!(members.remove("iss"), Some(json!(ISSUER)));
    assert_eq!(members.remove("aud"), Some(json!(client)));
    let lives = members.remove("exp").unwrap().as_i64().unwrap() - house.now().0;
    assert!((1..=600).contains(&lives), "{lives}");
    claims
}

fn in_place(answer: &Answer, place: &str) -> BTreeMap<String, String> {
    match place {
        "form" => answer.told_in_form(),
        "fragment" => {
            let location = answer.location();
            url::form_urlencoded::parse(location.fragment().unwrap().as_bytes())
                .into_owned()
                .collect()
        }
        _ => {
            assert_eq!(answer.location().fragment(), None);
            let mut told = answer.told();
            told.remove("keep");
            told
        }
    }
}

async fn signed_in(house: &TestHouse) -> Browser<'_> {
    let person = house.citizen(true).await;
    house.consent(&person, "shop", "openid").await;
    house.consent(&person, "front", "openid").await;
    house.session(&person, &[Factor::Password]).await.1
}

#[tokio::test]
async fn every_mode_carries_the_whole_answer_and_nothing_else() {
    let house = TestHouse::new().await;
    let mut browser = signed_in(&house).await;
    for (mode, place) in [
        ("jwt", "query"),
        ("query.jwt", "query"),
        ("fragment.jwt", "fragment"),
        ("form_post.jwt", "form"),
    ] {
        let before = house.ring.signatures();
        let answer = browser
            .ask_plain("shop", SHOP_CB, &[("response_mode", mode)])
            .await;
        let claims = opened(&house, &in_place(&answer, place), "shop", Algorithm::RS256);
        assert_eq!(house.ring.signatures() - before, 1, "{mode}");
        assert_eq!(claims["state"], "a b&c", "{mode}");
        assert!(claims["code"].is_string());
        assert_eq!(claims.as_object().unwrap().len(), 2, "{claims}");
        // Errors as well.
        let more = [("response_mode", mode), ("prompt", "none")];
        let answer = house.browser().ask_plain("shop", SHOP_CB, &more).await;
        let claims = opened(&house, &in_place(&answer, place), "shop", Algorithm::RS256);
        assert_eq!(claims["error"], "login_required", "{mode}");
        assert!(claims["error_description"].is_string());
        assert_eq!(claims["state"], "a b&c");
        assert_eq!(claims.as_object().unwrap().len(), 3, "{claims}");
    }
}

#[tokio::test]
async fn errors_of_the_request_itself_are_signed_too() {
    let house = TestHouse::new().await;
    for (more, error) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "odd")], "unsupported_response_type"),
        (&[("scope", "profile")], "invalid_scope"),
        (&[("code_challenge", "x")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
    ] {
        let more = [more, &[("response_mode", "jwt")]].concat();
        let answer = house.browser().ask_plain("shop", SHOP_CB, &more).await;
        let told = in_place(&answer, "query");
        let claims = opened(&house, &told, "shop", Algorithm::RS256);
        assert_eq!(claims["error"], error, "{more:?}");
    }
    // A mode that is none: plain, since nobody knows what was meant.
    let answer = house
        .browser()
        .ask_plain("shop", SHOP_CB, &[("response_mode", "odd.jwt")])
        .await;
    assert_eq!(answer.told()["error"], "invalid_request");
}

#[tokio::test]
async fn the_algorithm_is_the_clients_and_tokens_stay_out_of_the_query() {
    let types = ["code", "code id_token", "id_token token"];
    let house = TestHouse::with(4, |settings| {
        settings.response_types = types.map(|t| ResponseType::parse(t).unwrap()).to_vec();
        let client = json!({"client_id": "front", "client_secret": "s", "response_types": types,
            "redirect_uris": ["https://front.example/cb"], "authorization_signed_response_alg": "EdDSA",
            "id_token_signed_response_alg": "ES256"});
        settings.clients.push(client.as_object().unwrap().clone());
    })
    .await;
    let mut browser = signed_in(&house).await;
    let mut ask = async |response_type: &str, mode: &str| {
        let more = [
            ("response_type", response_type),
            ("nonce", "n"),
            ("response_mode", mode),
        ];
        browser
            .ask_plain("front", "https://front.example/cb", &more)
            .await
    };
    for (response_type, mode, place, members) in [
        ("code", "jwt", "query", &["code", "state"][..]),
        (
            "code id_token",
            "jwt",
            "fragment",
            &["code", "id_token", "state"],
        ),
        (
            "id_token token",
            "form_post.jwt",
            "form",
            &[
                "access_token",
                "expires_in",
                "id_token",
                "scope",
                "state",
                "token_type",
            ],
        ),
    ] {
        let answer = ask(response_type, mode).await;
        let told = in_place(&answer, place);
        let claims = opened(&house, &told, "front", Algorithm::EdDSA);
        let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, members, "{response_type}");
    }
    // JARM 2.3.1: not in the query without encryption; the refusal is signed, in the fragment.
    let refused = ask("code id_token", "query.jwt").await;
    assert_eq!(refused.location().query(), None);
    let told = in_place(&refused, "fragment");
    let claims = opened(&house, &told, "front", Algorithm::EdDSA);
    assert_eq!(claims["error"], "invalid_request");
}

#[tokio::test]
async fn a_client_of_the_federation_gets_it_by_its_request_object() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let answer = browser.ask("j", json!({"response_mode": "jwt"})).await;
    assert!(answer.location().as_str().starts_with(LEAF_CB));
    let told = in_place(&answer, "query");
    let claims = opened(&house, &told, LEAF, Algorithm::RS256);
    let code = claims["code"].as_str().unwrap();
    assert_eq!(house.redeem(code, "r", &[]).await.status, 200);
    // The answer is no hint and no token of another kind.
    let hint = super::encode(&[("id_token_hint", &told["response"])]);
    let page = browser.get(&format!("/logout?{hint}")).await;
    assert!(page.body.contains("logout-confirm"));
    assert_eq!(house.userinfo(&told["response"]).await.status, 401);
}
