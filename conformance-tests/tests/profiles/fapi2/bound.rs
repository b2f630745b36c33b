//! Tokens and codes that are bound to a key (RFC 9449).

use super::*;

/// 5.5, 5.6, 5.9 and 6.5: the whole way with DPoP.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_bound_to_a_key() {
    let ground = ground().await;
    let client = Client::fapi(ground, json!({})).await;
    let key = Key::new();
    let token_url = ground.endpoint("token_endpoint");
    let code = pushed_code(ground, &client, &[("scope", "openid offline_access")]).await;
    let unbound = redeem(ground, &client, &code, &[]).await;
    assert_eq!(refused(&unbound), (400, "invalid_dpop_proof".to_owned()));
    let proof = key.proof("POST", token_url, &json!({}));
    let answer = redeem(ground, &client, &code, std::slice::from_ref(&proof)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "DPoP");
    let id_token = client.id_token(ground, &text(&tokens, "id_token")).await;
    assert_eq!(id_token.header["alg"], "PS256", "4.1");
    assert_eq!(id_token.claims["nonce"], NONCE);
    let access = text(&tokens, "access_token");
    assert_eq!(
        peek(&access).claims["cnf"],
        json!({"jkt": key.thumbprint()})
    );

    let here = ground.endpoint("userinfo_endpoint");
    let ath = json!({"ath": hash(access.as_bytes())});
    let good = |more: &Value| {
        let mut said = ath.clone();
        for (name, value) in more.as_object().expect("an object") {
            said[name] = value.clone();
        }
        key.proof("GET", here, &said)
    };
    let shouted = here.replace("https://localhost", "HTTPS://LOCALHOST");
    let mut faults = Faults::default();
    for (more, due) in [
        (json!({}), 200),
        (json!({"unheard_of": {"a": 1}, "nonce": "somebody's"}), 200),
        (json!({"htu": format!("{here}?a=b#c")}), 200),
        (json!({"htu": shouted}), 200),
        (json!({"iat": now() + 10}), 200),
        (json!({"iat": now() - 10}), 200),
        (json!({"iat": now() + 120}), 401),
        (json!({"iat": now() - 900}), 401),
        (json!({"iat": null}), 401),
        (json!({"iat": "now"}), 401),
        (json!({"jti": null}), 401),
        (json!({"htm": "POST"}), 401),
        (json!({"htm": "get"}), 401),
        (json!({"htm": null}), 401),
        (json!({"htu": token_url}), 401),
        (json!({"htu": null}), 401),
        (json!({"ath": null}), 401),
        (json!({"ath": hash(b"another")}), 401),
    ] {
        let answer = userinfo(ground, "DPoP", &access, &[good(&more)]).await;
        faults.same(&more, &answer.status.as_u16(), &due);
        if due == 401 && answer.status == 401 {
            faults.same(&more, &refused(&answer).1, &"invalid_dpop_proof".to_owned());
            let challenge = answer.header("www-authenticate").to_owned();
            faults.same(&more, &challenge.starts_with("DPoP "), &true);
        }
    }
    let once = good(&json!({}));
    let invalid = |error: &str| (401, error.to_owned());
    for (what, scheme, proofs, due) in [
        ("lower case", "dpop", vec![once.clone()], None),
        (
            "again",
            "DPoP",
            vec![once.clone()],
            Some("invalid_dpop_proof"),
        ),
        ("none", "DPoP", vec![], Some("invalid_dpop_proof")),
        (
            "two",
            "DPoP",
            vec![good(&json!({})), good(&json!({}))],
            Some("invalid_dpop_proof"),
        ),
        ("bearer", "Bearer", vec![], Some("invalid_token")),
        (
            "bearer with a proof",
            "Bearer",
            vec![good(&json!({}))],
            Some("invalid_token"),
        ),
        (
            "foreign key",
            "DPoP",
            vec![Key::new().proof("GET", here, &ath)],
            Some("invalid_token"),
        ),
        (
            "typ",
            "DPoP",
            vec![key.proof_as("JWT", "GET", here, &ath)],
            Some("invalid_dpop_proof"),
        ),
        (
            "no jwt",
            "DPoP",
            vec!["nothing".to_owned()],
            Some("invalid_dpop_proof"),
        ),
    ] {
        let answer = userinfo(ground, scheme, &access, &proofs).await;
        match due {
            None => faults.same(what, &answer.status.as_u16(), &200),
            Some(_) if answer.status == 200 => faults.same(what, &"answered", &"refused"),
            Some(error) => faults.same(what, &refused(&answer), &invalid(error)),
        }
    }
    faults.none();

    // 5.6: no rotation; a confidential client may bring another key.
    let refresh_token = text(&tokens, "refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*refresh_token),
    ];
    for key in [&key, &Key::new()] {
        let program = ground.program();
        let request = program.request(Method::POST, token_url);
        let request = client
            .proven(ground, request, &form)
            .header("DPoP", key.proof("POST", token_url, &json!({})));
        let answer = program.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.json();
        assert!(
            told.get("refresh_token")
                .is_none_or(|t| *t == *refresh_token)
        );
        let cnf = peek(&text(&told, "access_token")).claims["cnf"].clone();
        assert_eq!(cnf, json!({"jkt": key.thumbprint()}));
    }
}

/// 7.3, RFC 9449 10: a code that is bound to a key before it is born.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_bound_to_a_key() {
    let ground = ground().await;
    let client = Client::fapi(ground, json!({})).await;
    let (key, other) = (Key::new(), Key::new());
    let (par, token_url) = (
        ground.endpoint("pushed_authorization_request_endpoint"),
        ground.endpoint("token_endpoint"),
    );
    let send = async |jkt: &str, proof: Option<String>| {
        let mut more = PKCE.to_vec();
        more.push(("dpop_jkt", jkt));
        let form = client.request(&more);
        let form: Vec<_> = form.iter().map(|(n, v)| (&**n, &**v)).collect();
        let program = ground.program();
        let mut request = client.proven(ground, program.request(Method::POST, par), &form);
        if let Some(proof) = proof {
            request = request.header("DPoP", proof);
        }
        program.send(request).await
    };
    let proof = || Some(key.proof("POST", par, &json!({})));
    for (jkt, proof) in [
        (key.thumbprint(), None),
        (String::new(), proof()),
        (key.thumbprint(), proof()),
    ] {
        for (by, due) in [(&other, 400), (&key, 200)] {
            let pushed = send(
                &jkt,
                proof.as_ref().map(|_| key.proof("POST", par, &json!({}))),
            )
            .await;
            assert_eq!(pushed.status, 201, "{}", pushed.body);
            let uri = text(&pushed.json(), "request_uri");
            let code = arrive(ground, &ground.citizen, &client.id, &uri)
                .await
                .code();
            let answer = redeem(
                ground,
                &client,
                &code,
                &[by.proof("POST", token_url, &json!({}))],
            )
            .await;
            assert_eq!(answer.status, due, "{}", answer.body);
            if due == 400 {
                let (_, error) = refused(&answer);
                assert!(
                    ["invalid_dpop_proof", "invalid_grant"].contains(&&*error),
                    "{error}"
                );
            }
        }
    }
    let differing = send(&other.thumbprint(), proof()).await;
    let (status, error) = refused(&differing);
    assert_eq!(status, 400);
    assert!(
        ["invalid_dpop_proof", "invalid_request"].contains(&&*error),
        "{error}"
    );
    let elsewhere = send("", Some(key.proof("POST", token_url, &json!({})))).await;
    assert_eq!(refused(&elsewhere), (400, "invalid_dpop_proof".to_owned()));
}

/// 5.6 and 6.5 for a client without authentication: its refresh token dies with the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_public_client_keeps_its_key() {
    let ground = ground().await;
    let client = Client::with(ground, json!({"token_endpoint_auth_method": "none"})).await;
    let key = Key::new();
    let token_url = ground.endpoint("token_endpoint");
    let mut more = PKCE.to_vec();
    more.push(("scope", "openid offline_access"));
    let code = client.code(ground, &more).await;
    let answer = redeem(
        ground,
        &client,
        &code,
        &[key.proof("POST", token_url, &json!({}))],
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = text(&answer.json(), "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
    for (key, due) in [(None, 400), (Some(&Key::new()), 400), (Some(&key), 200)] {
        let program = ground.program();
        let mut request = client.proven(ground, program.request(Method::POST, token_url), &form);
        if let Some(key) = key {
            request = request.header("DPoP", key.proof("POST", token_url, &json!({})));
        }
        let answer = program.send(request).await;
        assert_eq!(answer.status, due, "{}", answer.body);
        if due == 400 {
            assert_eq!(refused(&answer).1, "invalid_grant");
        }
    }
}
