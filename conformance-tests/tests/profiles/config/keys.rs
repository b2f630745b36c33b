//! Keys, algorithms and the methods of authentication, as promised.

use super::*;

/// 2.7 and 2.9.
#[tokio::test(flavor = "multi_thread")]
async fn the_keys_are_public_and_told_apart() {
    let ground = ground().await;
    let answer = ground.program().get(ground.endpoint("jwks_uri")).await;
    let kind = answer.header("content-type");
    assert!(
        ["application/json", "application/jwk-set+json"].contains(&kind),
        "{kind}"
    );
    let jwks = answer.json();
    let keys = jwks["keys"].as_array().expect("keys");
    let mut kids = BTreeSet::new();
    let mut algorithms = BTreeSet::new();
    for key in keys {
        let map = key.as_object().expect("an object");
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!map.contains_key(private), "{private}: {key}");
        }
        assert!(kids.insert(text(key, "kid")), "{key}");
        assert!(["sig", "enc"].contains(&&*text(key, "use")), "{key}");
        assert!(["RSA", "EC", "OKP"].contains(&&*text(key, "kty")), "{key}");
        if key["use"] == "sig" {
            algorithms.insert(text(key, "alg"));
        }
        for member in ["n", "e", "x", "y"] {
            let part = map.get(member).and_then(Value::as_str).unwrap_or_default();
            let plain = part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            assert!(plain, "{member}: {key}");
        }
        if key["kty"] == "RSA" {
            assert!(text(key, "n").len() >= 342, "2048 bits: {key}");
        }
    }
    let promised: BTreeSet<String> = list(ground, "id_token_signing_alg_values_supported")
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(algorithms, promised);
}

/// Every algorithm under which we sign.
#[tokio::test(flavor = "multi_thread")]
async fn we_sign_as_promised() {
    let ground = ground().await;
    let jwks = ground.jwks().await;
    for alg in list(ground, "id_token_signing_alg_values_supported") {
        for name in ["authorization", "introspection"] {
            let list = list(ground, &format!("{name}_signing_alg_values_supported"));
            assert!(list.contains(&alg), "{name} {alg}");
        }
        let members = json!({"id_token_signed_response_alg": alg, "authorization_signed_response_alg": alg,
            "introspection_signed_response_alg": alg});
        let client = Client::with(ground, members).await;
        let told = client
            .ask(ground, &ground.citizen, &[("response_mode", "jwt")])
            .await;
        let response = conformance_tests::statement::verify(told.get("response"), &jwks);
        assert_eq!(response.header["alg"], alg);
        let tokens = client
            .redeem(ground, &text(&response.claims, "code"), &[])
            .await
            .json();
        let token = client.id_token(ground, &text(&tokens, "id_token")).await;
        assert_eq!(token.header["alg"], alg);
        let program = ground.program();
        let request = program.request(Method::POST, ground.endpoint("introspection_endpoint"));
        let access_token = text(&tokens, "access_token");
        let request = client
            .proven(ground, request, &[("token", &access_token)])
            .header("accept", "application/token-introspection+jwt");
        let said = program.send(request).await;
        let said = conformance_tests::statement::verify(&said.body, &jwks);
        assert_eq!(said.header["alg"], alg);
    }
}

/// Every algorithm that we read: of assertions, request objects and proofs.
#[tokio::test(flavor = "multi_thread")]
async fn we_read_as_promised() {
    let ground = ground().await;
    let endpoint = ground.endpoint("token_endpoint");
    let proofs = list(ground, "token_endpoint_auth_signing_alg_values_supported");
    let objects = list(ground, "request_object_signing_alg_values_supported");
    let bound = list(ground, "dpop_signing_alg_values_supported");
    for name in ["revocation", "introspection"] {
        let same = list(
            ground,
            &format!("{name}_endpoint_auth_signing_alg_values_supported"),
        );
        assert_eq!(same, proofs);
    }
    assert!(objects.iter().chain(&bound).all(|alg| proofs.contains(alg)));
    for alg in proofs {
        let by_secret = alg.starts_with("HS");
        let mut members = json!({"token_endpoint_auth_signing_alg": alg,
            "token_endpoint_auth_method": if by_secret { "client_secret_jwt" } else { "private_key_jwt" }});
        let key = Key::of(if by_secret { "ES256" } else { alg });
        if !by_secret {
            members["jwks"] = json!({"keys": [key.public()]});
        }
        if objects.contains(&alg) {
            members["request_object_signing_alg"] = alg.into();
        }
        let mut client = Client::with(ground, members).await;
        client.key = key;
        let mut more = vec![
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let object = json!({"iss": client.id, "aud": ground.issuer(), "client_id": client.id, "exp": now() + 60,
            "nbf": now(), "state": alg});
        let object = client.key.sign("oauth-authz-req+jwt", &object);
        if objects.contains(&alg) {
            more.push(("request", &object));
        }
        let told = client.ask(ground, &ground.citizen, &more).await;
        if objects.contains(&alg) {
            assert_eq!(told.get("state"), alg);
        }
        let claims = json!({"iss": client.id, "sub": client.id, "aud": ground.issuer(), "jti": jti(),
            "iat": now(), "exp": now() + 60});
        let assertion = if by_secret {
            under_secret(&client.secret, alg, &claims)
        } else {
            client.key.sign("JWT", &claims)
        };
        let code = told.code();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ];
        let program = ground.program();
        let mut request = program.request(Method::POST, endpoint).form(&form);
        if bound.contains(&alg) {
            request = request.header("DPoP", client.key.proof("POST", endpoint, &json!({})));
        }
        let answer = program.send(request).await;
        assert_eq!(answer.status, 200, "{alg}: {}", answer.body);
        let tokens = answer.json();
        if !bound.contains(&alg) {
            continue;
        }
        assert_eq!(tokens["token_type"], "DPoP", "{alg}");
        let access = text(&tokens, "access_token");
        let here = ground.endpoint("userinfo_endpoint");
        let proof = client
            .key
            .proof("GET", here, &json!({"ath": hash(access.as_bytes())}));
        let request = program
            .request(Method::GET, here)
            .header("authorization", format!("DPoP {access}"))
            .header("DPoP", proof);
        assert_eq!(program.send(request).await.status, 200, "{alg}");
    }
    // RS256 is promised for assertions and not for proofs.
    let rsa = Key::of("RS256");
    let client = Client::open(ground).await;
    let code = client.code(ground, &[]).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", REDIRECT_URI),
    ];
    let program = ground.program();
    let request = program.request(Method::POST, endpoint);
    let request = client
        .proven(ground, request, &form)
        .header("DPoP", rsa.proof("POST", endpoint, &json!({})));
    let answer = program.send(request).await;
    assert_eq!(refused(&answer), (400, "invalid_dpop_proof".to_owned()));
}

/// Every method of authentication can be registered; those with certificates are used in `fapi2`, the others in `tokens`.
#[tokio::test(flavor = "multi_thread")]
async fn methods_of_authentication_can_be_registered() {
    let ground = ground().await;
    let key = Key::new().public();
    let methods = list(ground, "token_endpoint_auth_methods_supported");
    for method in &methods {
        let mut metadata =
            json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": method});
        match *method {
            "private_key_jwt" => metadata["jwks"] = json!({"keys": [key]}),
            "self_signed_tls_client_auth" => {
                metadata["jwks_uri"] = "https://rp.hefu.test/jwks".into();
            }
            "tls_client_auth" => metadata["tls_client_auth_san_dns"] = "rp.hefu.test".into(),
            _ => {}
        }
        let answer = register(ground, &metadata).await;
        assert_eq!(answer.status, 201, "{method}: {}", answer.body);
        let told = answer.json();
        assert_eq!(
            told["client_secret"].is_string(),
            method.starts_with("client_secret"),
            "{method}"
        );
    }
    assert_eq!(
        list(ground, "revocation_endpoint_auth_methods_supported"),
        methods
    );
    let mut confidential = methods;
    confidential.retain(|method| *method != "none");
    assert_eq!(
        list(ground, "introspection_endpoint_auth_methods_supported"),
        confidential
    );
}
