//! `/authorize`: good requests, and each bad one with what it is told.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{CHALLENGE, ISSUER, LEAF_CB, SHOP_CB, TestHouse, encode};
use crate::support::federation::{LEAF, TestKey};
use hefu::authn::Factor;

#[tokio::test]
async fn with_session_and_consent_the_code_comes_at_once() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let answer = browser.ask("j1", json!({})).await;
    assert!(
        answer
            .location()
            .as_str()
            .starts_with("https://leaf.example/cb?code=")
    );
    let told = answer.told();
    assert_eq!(
        (told["state"].as_str(), told["iss"].as_str()),
        ("st", ISSUER)
    );
    assert_eq!(told.len(), 3);
    assert_eq!(answer.headers["cache-control"], "no-store");
    // Nothing else was stored.
    assert_eq!(
        (
            house.count("interactions").await,
            house.count("grants").await
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn a_stranger_is_led_to_an_interaction_bound_to_the_browser() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let answer = browser.ask("j1", json!({})).await;
    assert!(
        answer
            .location()
            .as_str()
            .starts_with("https://id.example/interaction/")
    );
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-hefu_browser=")
            && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let path = answer.location().path().to_owned();
    let next = browser.get(&path).await;
    assert_eq!(next.location().path(), format!("{path}/login"));
    // Reload and back work; another browser sees nothing.
    assert_eq!(
        browser.get(&path).await.location().path(),
        format!("{path}/login")
    );
    let other = house.browser().get(&path).await;
    assert_eq!(
        (other.status, other.element("error-code").as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
}

#[tokio::test]
async fn request_objects_that_are_refused() {
    let house = TestHouse::new().await;
    let past = house.now().0 - 120;
    // (changes to the object, code, told to the platform?)
    let cases: Vec<(Value, &str)> = vec![
        (
            json!({"aud": "https://other.example"}),
            "invalid_request_object",
        ),
        (
            json!({"aud": [ISSUER, "https://other.example"]}),
            "invalid_request_object",
        ),
        (json!({"aud": null}), "invalid_request_object"),
        (json!({"exp": past}), "invalid_request_object"),
        (json!({"exp": null}), "invalid_request_object"),
        (
            json!({"exp": house.now().0 + 90_000}),
            "invalid_request_object",
        ),
        (json!({"jti": null}), "invalid_request_object"),
        (
            json!({"iss": "https://other.example"}),
            "invalid_request_object",
        ),
        (
            json!({"client_id": "https://other.example"}),
            "invalid_request_object",
        ),
        (json!({"sub": LEAF}), "invalid_request_object"),
        (json!({"sub": "x"}), "invalid_request_object"),
        (json!({"request_uri": "urn:x"}), "invalid_request_object"),
        (
            json!({"nbf": house.now().0 + 100}),
            "invalid_request_object",
        ),
    ];
    for (i, (changes, code)) in cases.into_iter().enumerate() {
        let answer = house
            .browser()
            .ask(&format!("bad{i}"), changes.clone())
            .await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{changes}: {}",
            answer.body
        );
        assert_eq!(answer.element("error-code"), code, "{changes}");
    }
    // Beside a registered redirect URI of the outer request, the platform is told.
    let object = house.request_object("x", json!({"aud": "https://other.example"}));
    let query = encode(&[
        ("client_id", LEAF),
        ("request", &object),
        ("redirect_uri", LEAF_CB),
        ("state", "s"),
    ]);
    let told = house
        .browser()
        .get(&format!("/authorize?{query}"))
        .await
        .told();
    assert_eq!(
        (told["error"].as_str(), told["state"].as_str()),
        ("invalid_request_object", "s")
    );

    let signed = |key: &str, typ: &str| {
        let claims = super::payload(&house.request_object("k", json!({})));
        TestKey::of(key)
            .named("key of protocol key")
            .jwt(typ, &claims)
    };
    let altered = house
        .request_object("a", json!({}))
        .replacen("eyJ", "eyK", 2);
    for object in [
        signed(LEAF, "oauth-authz-req+jwt"),
        signed("protocol key", "client-authentication+jwt"),
        altered,
        "e30.e30.".to_owned(),
        "x".repeat(60_000),
    ] {
        let query = encode(&[("client_id", LEAF), ("request", &object)]);
        let answer = house.browser().get(&format!("/authorize?{query}")).await;
        assert_eq!(
            answer.element("error-code"),
            "invalid_request_object",
            "{object:.60}"
        );
    }
    assert_eq!(
        (
            house.count("interactions").await,
            house.count("replay_marks").await
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn a_request_object_is_used_once() {
    let house = TestHouse::new().await;
    assert!(
        house
            .browser()
            .ask("once", json!({}))
            .await
            .location()
            .path()
            .starts_with("/interaction/")
    );
    let told = house
        .browser()
        .ask("once", json!({"state": "two"}))
        .await
        .told();
    assert_eq!(
        (
            told["error"].as_str(),
            told["state"].as_str(),
            told["iss"].as_str()
        ),
        ("invalid_request_object", "two", ISSUER)
    );
    assert_eq!(house.count("interactions").await, 1);
}

#[tokio::test]
async fn what_is_wrong_inside_a_good_object_is_told_to_the_platform() {
    let house = TestHouse::new().await;
    let cases = [
        (
            json!({"response_type": "none"}),
            "unsupported_response_type",
        ),
        (json!({"response_type": null}), "invalid_request"),
        (json!({"response_mode": "web_message"}), "invalid_request"),
        (json!({"scope": "real_name"}), "invalid_scope"),
        (json!({"scope": "openid \"x\""}), "invalid_scope"),
        (
            json!({"code_challenge": null, "code_challenge_method": null}),
            "invalid_request",
        ),
        (json!({"code_challenge_method": "plain"}), "invalid_request"),
        (json!({"code_challenge_method": null}), "invalid_request"),
        (json!({"code_challenge": "short"}), "invalid_request"),
        (json!({"prompt": "none login"}), "invalid_request"),
        (json!({"prompt": "none"}), "login_required"),
        (json!({"max_age": -1}), "invalid_request"),
        (json!({"max_age": "x"}), "invalid_request"),
        (json!({"claims": []}), "invalid_request"),
        (json!({"nonce": "n".repeat(513)}), "invalid_request"),
    ];
    for (i, (changes, code)) in cases.into_iter().enumerate() {
        let told = house
            .browser()
            .ask(&format!("j{i}"), changes.clone())
            .await
            .told();
        assert_eq!(
            (
                told["error"].as_str(),
                told["state"].as_str(),
                told["iss"].as_str()
            ),
            (code, "st", ISSUER),
            "{changes}"
        );
    }
    // Good ones among odd ones.
    for (i, changes) in [
        json!({"display": "odd", "ui_locales": "xx 合", "claims_locales": "?", "unknown": {"a": 1}, "acr_values": "odd L9"}),
        json!({"login_hint": "nobody<script>", "prompt": "odd", "id_token_hint": "odd"}),
        json!({"claims": {"userinfo": {"x:y#z": {"essential": true}}, "id_token": {"name": null}}, "max_age": 0}),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = house.browser().ask(&format!("ok{i}"), changes).await;
        assert!(answer.location().path().starts_with("/interaction/"));
    }
}

#[tokio::test]
async fn without_a_proven_address_there_is_a_page() {
    let house = TestHouse::new().await;
    let plain = |client: &str, uri: &str| {
        encode(&[
            ("client_id", client),
            ("redirect_uri", uri),
            ("response_type", "code"),
            ("scope", "openid"),
        ])
    };
    let object = house.request_object("w", json!({"redirect_uri": "https://evil.example/cb"}));
    let cases = [
        (plain("nobody", SHOP_CB), "invalid_client"),
        (plain("https://nobody.example", SHOP_CB), "invalid_client"),
        (plain("\0", SHOP_CB), "invalid_request"),
        (plain("shop", "https://evil.example/cb"), "invalid_request"),
        (plain("shop", "https://shop.example/cb"), "invalid_request"),
        (
            plain("shop", "https://shop.example/cb?keep=1&x"),
            "invalid_request",
        ),
        (
            encode(&[("client_id", "shop"), ("response_type", "code")]),
            "invalid_request",
        ),
        (encode(&[("redirect_uri", SHOP_CB)]), "invalid_request"),
        (
            format!("{}&client_id=spa", plain("shop", SHOP_CB)),
            "invalid_request",
        ),
        (
            format!("{}&redirect_uri=x", plain("shop", SHOP_CB)),
            "invalid_request",
        ),
        (
            encode(&[("client_id", LEAF), ("request", &object)]),
            "invalid_request",
        ),
        (
            encode(&[
                ("client_id", "shop"),
                ("request_uri", "urn:ietf:params:oauth:request_uri:nothing"),
            ]),
            "invalid_request_uri",
        ),
        (encode(&[("parked", "nothing")]), "invalid_request"),
        (String::new(), "invalid_request"),
    ];
    for (query, code) in cases {
        let answer = house.browser().get(&format!("/authorize?{query}")).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{query}: {}",
            answer.body
        );
        assert_eq!(answer.element("error-code"), code, "{query}");
        assert!(
            answer.headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("frame-ancestors 'none'")
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn plain_requests_of_registered_clients() {
    let house = TestHouse::new().await;
    let ask = async |client, uri, more| house.browser().ask_plain(client, uri, more).await;
    assert!(
        ask("shop", SHOP_CB, &[])
            .await
            .location()
            .path()
            .starts_with("/interaction/")
    );
    // A registered query stays, state comes back byte for byte.
    let refused = ask("shop", SHOP_CB, &[("prompt", "none")]).await;
    assert!(
        refused
            .location()
            .as_str()
            .starts_with("https://shop.example/cb?keep=1&error=login_required")
    );
    assert_eq!(refused.told()["state"], "a b&c");
    let spa = "https://spa.example/cb";
    for (client, uri, more, error) in [
        ("spa", spa, &[][..], "invalid_request"),
        (
            "shop",
            SHOP_CB,
            &[("request_uri", "https://shop.example/r")],
            "request_uri_not_supported",
        ),
        (
            "shop",
            SHOP_CB,
            &[("state", ""), ("scope", "")],
            "invalid_scope",
        ),
        (
            LEAF,
            LEAF_CB,
            &[
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ],
            "invalid_request",
        ),
    ] {
        assert_eq!(
            ask(client, uri, more).await.told()["error"],
            error,
            "{client} {more:?}"
        );
    }
    let twice = house
        .browser()
        .get(&format!(
            "/authorize?{}&scope=openid&scope=x",
            encode(&[
                ("client_id", "shop"),
                ("redirect_uri", SHOP_CB),
                ("response_type", "code")
            ])
        ))
        .await;
    assert_eq!(twice.told()["error"], "invalid_request");
}

#[tokio::test]
async fn the_other_response_modes() {
    let house = TestHouse::new().await;
    let fragment = house
        .browser()
        .ask("f", json!({"response_mode": "fragment", "prompt": "none"}))
        .await
        .location();
    assert!(
        fragment.query().is_none()
            && fragment
                .fragment()
                .unwrap()
                .starts_with("error=login_required&")
    );
    let form = house
        .browser()
        .ask(
            "p",
            json!({"response_mode": "form_post", "prompt": "none", "state": "\"><script>"}),
        )
        .await;
    assert_eq!(form.status, StatusCode::OK);
    assert!(
        form.body.contains("action=\"https://leaf.example/cb\"")
            && form.body.contains("login_required")
    );
    assert!(!form.body.contains("\"><script>"), "{}", form.body);
    let policy = form.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("form-action 'self' https://leaf.example;") && !policy.contains("unsafe"),
        "{policy}"
    );
}

#[tokio::test]
async fn a_post_from_another_site_is_parked_and_comes_back_by_get() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let object = house.request_object("parked", json!({}));
    let form = [("client_id", LEAF), ("request", object.as_str())];
    // Lax cookies do not come along.
    let parked = house.browser().post("/authorize", &form).await;
    let resumed = parked.location();
    assert!(
        resumed
            .as_str()
            .starts_with("https://id.example/authorize?parked="),
        "{resumed}"
    );
    let answer = browser
        .get(&format!("{}?{}", resumed.path(), resumed.query().unwrap()))
        .await;
    assert!(answer.told().contains_key("code"));
    // From our own site the same POST is answered at once.
    let object = house.request_object("direct", json!({}));
    let answer = browser
        .post("/authorize", &[("client_id", LEAF), ("request", &object)])
        .await;
    assert!(answer.told().contains_key("code"));
}
