//! Signed requests and signed answers.

use super::*;

fn object(ground: &Ground, client: &Client, more: &Value) -> Value {
    let usual = json!({"iss": client.id, "aud": ground.issuer(), "client_id": client.id, "jti": jti(),
        "iat": now(), "nbf": now(), "exp": now() + 60, "response_type": "code", "redirect_uri": REDIRECT_URI,
        "scope": "openid", "state": "inner", "nonce": "inner",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256"});
    changed(usual, more)
}

/// 7.4, MS 5.3.1.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_must_sign_signs() {
    let ground = ground().await;
    let client = Client::fapi(ground, json!({"require_signed_request_object": true})).await;
    let plain = push(ground, &client, &[]).await;
    assert_eq!(refused(&plain), (400, "invalid_request".to_owned()));
    let mut faults = Faults::default();
    let mut uri = String::new();
    let (past, future) = (now() - 4000, now() + 4000);
    for (more, good) in [
        (json!({}), true),
        (json!({"aud": [ground.issuer()]}), true),
        (json!({"nbf": now() + 8, "iat": now() + 8}), true),
        (json!({"nbf": now() - 1800, "exp": now() + 1700}), true),
        (json!({"nbf": null}), false),
        (json!({"exp": null}), false),
        (json!({"nbf": past}), false),
        (json!({"exp": future}), false),
        (json!({"nbf": now() + 120, "exp": now() + 180}), false),
        (json!({"exp": now() - 90}), false),
        (json!({"aud": "https://other.hefu.test"}), false),
        (json!({"iss": "nobody"}), false),
        (json!({"client_id": "nobody"}), false),
    ] {
        let signed = client
            .key
            .sign("oauth-authz-req+jwt", &object(ground, &client, &more));
        let form = [("client_id", &*client.id), ("request", &signed)];
        let answer = client
            .post(ground, "pushed_authorization_request_endpoint", &form)
            .await;
        if good {
            faults.same(&more, &answer.status.as_u16(), &201);
            uri = text(&answer.json(), "request_uri");
        } else if answer.status == 201 {
            faults.same(&more, &"pushed", &"invalid_request_object");
        } else {
            faults.same(
                &more,
                &refused(&answer),
                &(400, "invalid_request_object".to_owned()),
            );
        }
    }
    // 3.14: nothing outside counts.
    let signed = client.key.sign(
        "oauth-authz-req+jwt",
        &object(ground, &client, &json!({"state": null})),
    );
    let form = [
        ("client_id", &*client.id),
        ("request", &signed),
        ("state", "outer"),
    ];
    let answer = client
        .post(ground, "pushed_authorization_request_endpoint", &form)
        .await;
    let outer = text(&answer.json(), "request_uri");
    let told = arrive(ground, &ground.citizen, &client.id, &uri).await;
    faults.same("state", &told.get("state"), &"inner");
    let told = arrive(ground, &ground.citizen, &client.id, &outer).await;
    faults.same("outer state", &told.has("state"), &false);
    // Another algorithm than those of the profile.
    let (own, mut rsa) = (Key::new(), Key::of("PS256"));
    rsa.kid = "k2";
    let keys = json!({"jwks": {"keys": [own.public(), rsa.public()]}});
    let mut client = Client::fapi(ground, keys).await;
    client.key = own;
    // The same key and the same object: the algorithm alone makes the difference.
    for (algorithm, due) in [("PS256", 201), ("RS256", 400)] {
        rsa.algorithm = algorithm;
        let claims = object(ground, &client, &json!({}));
        let signed = rsa.sign("oauth-authz-req+jwt", &claims);
        let form = [("client_id", &*client.id), ("request", &signed)];
        let answer = client
            .post(ground, "pushed_authorization_request_endpoint", &form)
            .await;
        faults.same(algorithm, &answer.status.as_u16(), &due);
        if due == 400 {
            faults.same(algorithm, &&*refused(&answer).1, &"invalid_request_object");
        }
    }
    faults.none();
}

/// 7.5, 3.4, MS 5.4 and JARM: whole answers as one JWT.
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_signed() {
    let ground = ground().await;
    let jwks = ground.jwks().await;
    let fapi = Client::fapi(ground, json!({})).await;
    let plain = Client::with(
        ground,
        json!({"authorization_signed_response_alg": "ES256"}),
    )
    .await;
    let default = Client::open(ground).await;
    let hybrid = Client::for_type(ground, "code id_token").await;
    let mut faults = Faults::default();
    for (client, kind, mode, place, alg) in [
        (&plain, "code", "jwt", Place::Query, "ES256"),
        (&plain, "code", "query.jwt", Place::Query, "ES256"),
        (&plain, "code", "fragment.jwt", Place::Fragment, "ES256"),
        (&plain, "code", "form_post.jwt", Place::Form, "ES256"),
        (&default, "code", "jwt", Place::Query, "RS256"),
        (&hybrid, "code id_token", "jwt", Place::Fragment, "RS256"),
        (
            &hybrid,
            "code id_token",
            "form_post.jwt",
            Place::Form,
            "RS256",
        ),
        (&fapi, "code", "jwt", Place::Query, "PS256"),
    ] {
        for error in [false, true] {
            let prompt = if error { "none" } else { "consent" };
            let more = [
                ("response_type", kind),
                ("response_mode", mode),
                ("prompt", prompt),
                ("max_age", if error { "0" } else { "" }),
            ];
            let told = if client.id == fapi.id {
                let pushed = push(ground, client, &more).await;
                let uri = text(&pushed.json(), "request_uri");
                arrive(ground, &ground.citizen, &client.id, &uri).await
            } else {
                client.ask(ground, &ground.citizen, &more).await
            };
            faults.same((kind, mode), &told.place, &place);
            let names: Vec<&str> = told.values.keys().map(String::as_str).collect();
            faults.same((kind, mode), &names, &vec!["response"]);
            let response = verify(told.get("response"), &jwks);
            let claims = &response.claims;
            faults.same((kind, mode), &response.header["alg"].as_str(), &Some(alg));
            assert_eq!(claims["iss"], ground.issuer());
            assert_eq!(claims["aud"], client.id);
            assert_eq!(claims["state"], STATE);
            let exp = claims["exp"].as_i64().expect("exp");
            assert!(exp > now() && exp <= now() + 600, "{claims}");
            if error {
                faults.same((kind, mode), &claims["error"], &json!("login_required"));
                assert!(claims["error_description"].is_string());
            } else {
                assert!(claims["code"].is_string(), "{claims}");
            }
        }
    }
    faults.none();
    let told = hybrid
        .begin(
            ground,
            &ground.citizen,
            &[
                ("response_type", "code id_token"),
                ("response_mode", "query.jwt"),
            ],
        )
        .await;
    let response = verify(told.get("response"), &jwks).claims;
    assert_eq!(
        (told.place, &response["error"]),
        (Place::Fragment, &json!("invalid_request"))
    );
}
