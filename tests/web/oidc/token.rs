//! `/token` and `/userinfo`.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::authn::Factor;
use hefu::clock::Clock;
use hefu::crypto::sha256;
use hefu::id::PersonId;
use hefu::provider::grants;
use serde_json::{Value, json};

use super::{Browser, CHALLENGE, ISSUER, SHOP_CB, TestHouse, VERIFIER, basic, payload};
use crate::support::federation::LEAF;

async fn citizen(house: &TestHouse) -> (PersonId, Browser<'_>) {
    let person = house.citizen(true).await;
    house
        .consent(&person, LEAF, "openid real_name phone offline_access")
        .await;
    house
        .consent(&person, "shop", "openid profile phone offline_access")
        .await;
    house.consent(&person, "spa", "openid").await;
    let (_, browser) = house.session(&person, &[Factor::Password]).await;
    (person, browser)
}

async fn code(browser: &mut Browser<'_>, jti: &str) -> String {
    browser.ask(jti, json!({})).await.told()["code"].clone()
}

#[tokio::test]
async fn a_code_becomes_tokens_and_claims() {
    let house = TestHouse::new().await;
    let (_, mut browser) = citizen(&house).await;
    let code = code(&mut browser, "1").await;
    let answer = house.redeem(&code, "a", &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let tokens = answer.json();
    assert_eq!(
        (tokens["token_type"].as_str(), tokens["expires_in"].as_i64()),
        (Some("Bearer"), Some(300))
    );
    let id_token = payload(tokens["id_token"].as_str().unwrap());
    let sub = id_token["sub"].as_str().unwrap().to_owned();
    let sid = id_token["sid"].as_str().unwrap().to_owned();
    // OIDC Core 3.1.3.6, RS256: the left half of SHA-256.
    let hash = sha256(tokens["access_token"].as_str().unwrap().as_bytes());
    let at_hash = URL_SAFE_NO_PAD.encode(&hash[..16]);
    let expected = json!({"iss": ISSUER, "at_hash": at_hash, "aud": LEAF, "sub": sub, "sid": sid, "iat": house.now().0, "exp": house.now().0 + 300,
        "auth_time": house.now().0, "nonce": "n", "acr": "https://hefu.example/acr/L1", "amr": ["pwd"]});
    assert_eq!(id_token, expected);
    let access = payload(tokens["access_token"].as_str().unwrap());
    assert_eq!(
        (
            access["aud"].as_str(),
            access["client_id"].as_str(),
            access["scope"].as_str()
        ),
        (Some(ISSUER), Some(LEAF), Some("openid real_name"))
    );
    let claims = house
        .userinfo(tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(
        claims.json(),
        json!({"sub": sub, "name": "测试甲", "cn_id_number_masked": "4499**********0014", "assurance_level": "rn2"})
    );
    // An ID Token is no access token.
    let wrong = house.userinfo(tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(
        (wrong.status, wrong.json()["error"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("invalid_token"))
    );
    assert!(
        wrong.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Bearer error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn a_code_used_twice_ends_everything_it_gave() {
    let house = TestHouse::new().await;
    let (_, mut browser) = citizen(&house).await;
    let code = code(&mut browser, "1").await;
    let tokens = house.redeem(&code, "a", &[]).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(house.userinfo(access).await.status, StatusCode::OK);
    let again = house.redeem(&code, "b", &[]).await;
    assert_eq!(
        (again.status, again.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_grant"))
    );
    assert_eq!(
        house.userinfo(access).await.json()["error"],
        "invalid_token"
    );
}

#[tokio::test]
async fn what_is_refused_and_what_it_costs() {
    let house = TestHouse::new().await;
    let (_, mut browser) = citizen(&house).await;
    let wrong_verifier = "x".repeat(43);
    let expired = crate::support::federation::TestKey::of("protocol key").jwt(
        "JWT",
        &json!({"iss": LEAF, "sub": LEAF, "aud": ISSUER, "jti": "e", "exp": house.now().0 - 60}),
    );
    let cases: Vec<(Vec<(&str, &str)>, u16, &str)> = vec![
        (
            vec![("code_verifier", &wrong_verifier)],
            400,
            "invalid_grant",
        ),
        (vec![("code_verifier", "")], 400, "invalid_grant"),
        (
            vec![("redirect_uri", "https://leaf.example/other")],
            400,
            "invalid_grant",
        ),
        (vec![("redirect_uri", "")], 400, "invalid_grant"),
        (vec![("code", "nothing")], 400, "invalid_grant"),
        (vec![("code", "")], 400, "invalid_request"),
        (
            vec![("grant_type", "password")],
            400,
            "unsupported_grant_type",
        ),
        (vec![("grant_type", "")], 400, "invalid_request"),
        (vec![("client_id", "shop")], 401, "invalid_client"),
        (
            vec![("client_assertion", "x.y.z"), ("client_id", "")],
            401,
            "invalid_client",
        ),
        (vec![("client_assertion", "")], 401, "invalid_client"),
        (
            vec![("client_assertion", ""), ("client_assertion_type", "")],
            401,
            "invalid_client",
        ),
        (vec![("client_assertion", &expired)], 401, "invalid_client"),
        (vec![("client_secret", "s")], 400, "invalid_request"),
    ];
    for (i, (changes, status, error)) in cases.into_iter().enumerate() {
        let code = code(&mut browser, &format!("j{i}")).await;
        let answer = house.redeem(&code, &format!("a{i}"), &changes).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"].as_str()),
            (status, Some(error)),
            "{changes:?}: {}",
            answer.body
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    // A code lives 60 s.
    let late = code(&mut browser, "late").await;
    house.clock.advance(60);
    assert_eq!(
        house.redeem(&late, "late", &[]).await.json()["error"],
        "invalid_grant"
    );
    // An assertion is used once; the code it came with is not lost by that.
    let (one, two) = (
        code(&mut browser, "o1").await,
        code(&mut browser, "o2").await,
    );
    assert_eq!(house.redeem(&one, "same", &[]).await.status, StatusCode::OK);
    assert_eq!(
        house.redeem(&two, "same", &[]).await.json()["error"],
        "invalid_client"
    );
    assert_eq!(
        house.redeem(&two, "other", &[]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn secrets_and_public_clients() {
    let house = TestHouse::new().await;
    let (_, mut browser) = citizen(&house).await;
    let ask = async |browser: &mut Browser<'_>| {
        browser.ask_plain("shop", SHOP_CB, &[]).await.told()["code"].clone()
    };
    let form = |code: &str| {
        vec![
            ("grant_type".to_owned(), "authorization_code".to_owned()),
            ("code".to_owned(), code.to_owned()),
            ("redirect_uri".to_owned(), SHOP_CB.to_owned()),
        ]
    };
    let send = async |form: Vec<(String, String)>, authorization: Option<String>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        house.post("/token", &form, authorization.as_deref()).await
    };
    let code = ask(&mut browser).await;
    let wrong = send(form(&code), Some(basic("shop", "wrong"))).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.json()["error"].as_str()),
        (401, Some("invalid_client"))
    );
    assert!(
        wrong.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Basic")
    );
    // The registered method and no other.
    let mut by_post = form(&code);
    by_post.extend([
        ("client_id".to_owned(), "shop".to_owned()),
        ("client_secret".to_owned(), "shop secret".to_owned()),
    ]);
    assert_eq!(send(by_post, None).await.json()["error"], "invalid_client");
    // A foreign client does not burn the code.
    let mut foreign = form(&code);
    foreign.extend([
        ("client_id".to_owned(), "post".to_owned()),
        ("client_secret".to_owned(), "s".to_owned()),
    ]);
    assert_eq!(send(foreign, None).await.json()["error"], "invalid_grant");
    // A verifier without a challenge is a downgrade; it burns the code.
    let good = send(form(&code), Some(basic("shop", "shop secret"))).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.body);
    let code = ask(&mut browser).await;
    let mut downgraded = form(&code);
    downgraded.push(("code_verifier".to_owned(), super::VERIFIER.to_owned()));
    assert_eq!(
        send(downgraded, Some(basic("shop", "shop secret")))
            .await
            .json()["error"],
        "invalid_grant"
    );

    let spa = "https://spa.example/cb";
    let more = [
        ("code_challenge", super::CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let code = browser.ask_plain("spa", spa, &more).await.told()["code"].clone();
    let answer = house
        .post(
            "/token",
            &[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", spa),
                ("client_id", "spa"),
                ("code_verifier", super::VERIFIER),
            ],
            None,
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let (header, _) =
        hefu::jose::jwt::peek(answer.json()["id_token"].as_str().unwrap(), 10_000).unwrap();
    assert_eq!(header.alg, "EdDSA");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_ends_the_family() {
    let house = TestHouse::new().await;
    let (_, mut browser) = citizen(&house).await;
    let code = browser
        .ask_plain(
            "shop",
            SHOP_CB,
            &[("scope", "openid profile offline_access"), ("nonce", "n")],
        )
        .await
        .told()["code"]
        .clone();
    let authorization = basic("shop", "shop secret");
    let send = async |form: &[(&str, &str)]| house.post("/token", form, Some(&authorization)).await;
    let first = send(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", SHOP_CB),
    ])
    .await
    .json();
    let refresh = async |token: &Value, scope: &str| {
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token.as_str().unwrap()),
        ];
        if !scope.is_empty() {
            form.push(("scope", scope));
        }
        send(&form).await
    };
    house.clock.advance(100);
    assert_eq!(
        refresh(&first["refresh_token"], "openid phone")
            .await
            .json()["error"],
        "invalid_scope"
    );
    let second = refresh(&first["refresh_token"], "openid").await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    let second = second.json();
    assert_eq!(second["scope"], "openid");
    let (before, after) = (
        payload(first["id_token"].as_str().unwrap()),
        payload(second["id_token"].as_str().unwrap()),
    );
    assert_eq!(
        (&before["sub"], &before["auth_time"], &before["sid"]),
        (&after["sub"], &after["auth_time"], &after["sid"])
    );
    assert!(after.get("nonce").is_none() && after["iat"].as_i64() > before["iat"].as_i64());
    // The answer may have been lost: within the grace the old one gets a sibling.
    let sibling = refresh(&first["refresh_token"], "").await;
    assert_eq!(sibling.status, StatusCode::OK);
    house.clock.advance(31);
    let third = refresh(&second["refresh_token"], "").await.json();
    // Later it was stolen, by whoever came first.
    assert_eq!(
        refresh(&first["refresh_token"], "").await.json()["error"],
        "invalid_grant"
    );
    assert_eq!(
        refresh(&third["refresh_token"], "").await.json()["error"],
        "invalid_grant"
    );
    assert_eq!(
        house
            .userinfo(third["access_token"].as_str().unwrap())
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn withdrawing_consent_and_ending_the_session_end_tokens() {
    let house = TestHouse::new().await;
    let (person, mut browser) = citizen(&house).await;
    let token = async |browser: &mut Browser<'_>, jti: &str| {
        let code = code(browser, jti).await;
        house.redeem(&code, jti, &[]).await.json()["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let access = token(&mut browser, "1").await;
    assert_eq!(house.userinfo(&access).await.status, StatusCode::OK);
    let consents =
        hefu::consent::list_for(&mut house.store.read().await.unwrap(), &person, house.now())
            .await
            .unwrap();
    let leaf = consents.iter().find(|c| c.client.as_str() == LEAF).unwrap();
    let mut tx = house.store.write().await.unwrap();
    let withdrawn = grants::withdraw_consent(&mut tx, &person, &leaf.id, house.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(withdrawn.unwrap().as_str(), LEAF);
    assert_eq!(
        house.userinfo(&access).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert!(
        browser
            .ask("2", json!({}))
            .await
            .location()
            .path()
            .starts_with("/interaction/")
    );

    house.consent(&person, LEAF, "openid real_name").await;
    let access = token(&mut browser, "3").await;
    let unredeemed = code(&mut browser, "4").await;
    let mut conn = house.store.read().await.unwrap();
    hefu::session::end_all(
        &mut conn,
        &person,
        None,
        hefu::session::End::Security,
        house.clock.now(),
    )
    .await
    .unwrap();
    drop(conn);
    assert_eq!(
        house.userinfo(&access).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        house.redeem(&unredeemed, "5", &[]).await.json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn the_forms_of_userinfo() {
    let house = TestHouse::new().await;
    let (_, mut browser) = citizen(&house).await;
    let code = code(&mut browser, "1").await;
    let access = house.redeem(&code, "a", &[]).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let posted = house
        .post("/userinfo", &[("access_token", &access)], None)
        .await;
    assert_eq!(posted.status, StatusCode::OK);
    let twice = house
        .post(
            "/userinfo",
            &[("access_token", &access)],
            Some(&format!("Bearer {access}")),
        )
        .await;
    assert_eq!(
        (twice.status.as_u16(), twice.json()["error"].as_str()),
        (400, Some("invalid_request"))
    );
    let in_query = house
        .send(
            Request::get(format!("/userinfo?access_token={access}"))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(
        (
            in_query.status.as_u16(),
            in_query.headers[header::WWW_AUTHENTICATE].to_str().unwrap()
        ),
        (
            401,
            "Bearer resource_metadata=\"https://id.example/.well-known/oauth-protected-resource\""
        )
    );
    house.clock.advance(301);
    assert_eq!(
        house.userinfo(&access).await.json()["error"],
        "invalid_token"
    );
}

#[tokio::test]
async fn bodies_that_are_not_read() {
    let house = TestHouse::new().await;
    let big = "x".repeat(200_000);
    assert_eq!(
        house.post("/token", &[("code", &big)], None).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let json_body = Request::post("/token")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(
        house.send(json_body).await.json()["error"],
        "invalid_request"
    );
    let get = house
        .send(Request::get("/token").body(Body::empty()).unwrap())
        .await;
    assert_eq!(
        (get.status, get.headers[header::ALLOW].to_str().unwrap()),
        (StatusCode::METHOD_NOT_ALLOWED, "POST")
    );
    let twice = Request::post("/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("code=a&code=b"))
        .unwrap();
    assert_eq!(house.send(twice).await.json()["error"], "invalid_request");
}

#[tokio::test]
async fn what_policy_took_from_the_scopes_is_not_to_be_had_by_name() {
    let house = TestHouse::new().await;
    let (_, mut browser) = citizen(&house).await;
    // `profile`, which carries it, is not among the leaf's scopes.
    let asked = json!({"claims": {"userinfo": {"birthdate": null}, "id_token": {"birthdate": {"essential": true}}}});
    let code = browser.ask("1", asked).await.told()["code"].clone();
    let tokens = house.redeem(&code, "a", &[]).await.json();
    let id_token = payload(tokens["id_token"].as_str().unwrap());
    let told = house
        .userinfo(tokens["access_token"].as_str().unwrap())
        .await
        .json();
    assert!(id_token.get("birthdate").is_none() && told.get("birthdate").is_none());
    assert_eq!(told["name"], "测试甲");
}

#[tokio::test]
async fn sms_alone_before_the_real_name_opens_none_of_it_after() {
    let house = TestHouse::new().await;
    let person = house.citizen(false).await;
    house.consent(&person, "shop", "openid profile phone").await;
    let (_, mut browser) = house.session(&person, &[Factor::Sms]).await;
    let told = browser
        .ask_plain("shop", SHOP_CB, &[("scope", "openid profile phone")])
        .await
        .told();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &told["code"]),
        ("redirect_uri", SHOP_CB),
    ];
    let tokens = house
        .post("/token", &form, Some(&basic("shop", "shop secret")))
        .await
        .json();
    house.clock.advance(10);
    house.prove_name(&person).await;
    let told = house
        .userinfo(tokens["access_token"].as_str().unwrap())
        .await
        .json();
    assert_eq!(told["phone_number"], "+8614000000001");
    assert!(
        told.get("name").is_none() && told.get("birthdate").is_none(),
        "{told}"
    );
}

#[tokio::test]
async fn what_was_taken_from_a_client_is_not_renewed() {
    let house = TestHouse::new().await;
    let (person, mut browser) = citizen(&house).await;
    let id = hefu::id::ClientId("late".to_owned());
    let redirect_uri = "https://late.example/cb";
    let metadata = |scope: &str| {
        json!({"redirect_uris": [redirect_uri], "scope": scope, "token_endpoint_auth_method": "none",
            "id_token_signed_response_alg": "ES256", "grant_types": ["authorization_code", "refresh_token"]})
    };
    let granted = "openid profile phone offline_access";
    hefu::client::registered::add(
        &mut house.store.read().await.unwrap(),
        &mut hefu::random::RngSource::System.rng(),
        &*house.ring,
        hefu::client::registered::New {
            id: &id,
            metadata: metadata(granted).as_object().unwrap(),
            secret_expires_at: None,
            registration_token: None,
        },
        house.now(),
    )
    .await
    .unwrap();
    house.consent(&person, "late", granted).await;
    let told = browser
        .ask_plain(
            "late",
            redirect_uri,
            &[
                ("scope", granted),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ],
        )
        .await
        .told();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &told["code"]),
        ("redirect_uri", redirect_uri),
        ("code_verifier", VERIFIER),
        ("client_id", "late"),
    ];
    let tokens = house.post("/token", &form, None).await.json();
    let refresh = async |token: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", "late"),
        ];
        house.post("/token", &form, None).await.json()
    };
    let tokens = refresh(tokens["refresh_token"].as_str().unwrap()).await;
    sqlx::query("UPDATE clients SET metadata = $1 WHERE id = $2")
        .bind(metadata("openid phone offline_access").to_string())
        .bind(&id)
        .execute(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    house.clock.advance(10);
    let refused = refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refused["error"], "invalid_grant", "{refused}");
}
