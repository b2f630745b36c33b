//! The token endpoint. Requirements 5.1 to 5.7 (who asks, refreshing, offline access), and its errors.

use conformance_tests::{lab::REDIRECT_URI, statement::now};
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::ground;
use super::party::{ASSERTION_TYPE, Client, Faults, refused, second_after, text};
use super::signing::{Key, changed, jti, under_secret, unsigned};

const OFFLINE: [(&str, &str); 1] = [("scope", "openid email offline_access")];

/// 5.4 and 5.5.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_says_what_it_gives() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let code = client.code(ground, &[]).await;
    let answer = client.redeem(ground, &code, &[]).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .starts_with("application/json")
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    assert_eq!(told["token_type"], "Bearer");
    assert!(told["expires_in"].as_i64().is_some_and(|n| n > 0), "{told}");
    assert!(text(&told, "access_token").len() >= 22);
    assert_eq!(told.get("refresh_token"), None, "5.7: not asked for");
}

/// 5.1: exactly the registered method, and no secret in another's place.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_registered_method_counts() {
    let ground = ground().await;
    let basic = Client::open(ground).await;
    let post = Client::with(
        ground,
        json!({"token_endpoint_auth_method": "client_secret_post"}),
    )
    .await;
    let endpoint = ground.endpoint("token_endpoint");
    let program = ground.program();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "nothing"),
        ("redirect_uri", REDIRECT_URI),
    ];
    let ask = |more: &[(&str, &str)]| {
        let form: Vec<_> = form.iter().chain(more).collect();
        program.request(Method::POST, endpoint).form(&form)
    };
    let mut faults = Faults::default();
    let (b, p) = (&basic, &post);
    for (name, request, due) in [
        (
            "basic",
            ask(&[]).basic_auth(&b.id, Some(&b.secret)),
            (400, "invalid_grant"),
        ),
        (
            "post",
            ask(&[("client_id", &p.id), ("client_secret", &p.secret)]),
            (400, "invalid_grant"),
        ),
        (
            "wrong",
            ask(&[]).basic_auth(&b.id, Some("wrong")),
            (401, "invalid_client"),
        ),
        (
            "empty",
            ask(&[]).basic_auth(&b.id, Some("")),
            (401, "invalid_client"),
        ),
        (
            "unknown",
            ask(&[]).basic_auth("nobody", Some("x")),
            (401, "invalid_client"),
        ),
        ("nobody", ask(&[]), (401, "invalid_client")),
        (
            "id alone",
            ask(&[("client_id", &b.id)]),
            (401, "invalid_client"),
        ),
        (
            "post of basic",
            ask(&[("client_id", &b.id), ("client_secret", &b.secret)]),
            (401, "invalid_client"),
        ),
        (
            "basic of post",
            ask(&[]).basic_auth(&p.id, Some(&p.secret)),
            (401, "invalid_client"),
        ),
        (
            "both",
            ask(&[("client_id", &b.id), ("client_secret", &b.secret)])
                .basic_auth(&b.id, Some(&b.secret)),
            (400, "invalid_request"),
        ),
        (
            "another in the form",
            ask(&[("client_id", &p.id)]).basic_auth(&b.id, Some(&b.secret)),
            (401, "invalid_client"),
        ),
    ] {
        let answer = program.send(request).await;
        let (status, error) = refused(&answer);
        faults.same(name, &(status, &*error), &due);
        if status == 401 && ["wrong", "empty", "unknown", "basic of post"].contains(&name) {
            // 5.4: the scheme that was used.
            let challenge = answer.header("www-authenticate");
            faults.same(name, &challenge.starts_with("Basic"), &true);
        }
    }
    faults.none();
}

/// 5.1 and 5.2, RFC 7523 3: what an assertion must say, signed with a key and under a secret.
#[tokio::test(flavor = "multi_thread")]
async fn assertions_are_read_to_the_letter() {
    let ground = ground().await;
    let of_key = Client::with(
        ground,
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": "own"}),
    )
    .await;
    let of_secret = Client::with(
        ground,
        json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS256"}),
    )
    .await;
    let endpoint = ground.endpoint("token_endpoint");
    let mut faults = Faults::default();
    for (name, client) in [("key", &of_key), ("secret", &of_secret)] {
        let sign = |more: &Value| {
            let usual = json!({"iss": client.id, "sub": client.id, "aud": ground.issuer(), "jti": jti(),
                "iat": now(), "exp": now() + 60});
            let claims = changed(usual, more);
            if name == "key" {
                client.key.sign("JWT", &claims)
            } else {
                under_secret(&client.secret, "HS256", &claims)
            }
        };
        let send = async |assertion: &str, more: &[(&str, &str)]| {
            let mut form = vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", "nothing"),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion),
            ];
            form.retain(|(n, _)| !more.iter().any(|(m, _)| m == n));
            form.extend(more);
            let answer = ground.program().post(endpoint, &form).await;
            refused(&answer)
        };
        let good = (400, "invalid_grant".to_owned());
        let bad = (401, "invalid_client".to_owned());
        for (more, due) in [
            (json!({}), &good),
            (json!({"aud": [ground.issuer()]}), &good),
            (json!({"aud": endpoint}), &good),
            (json!({"aud": ["https://other.hefu.test", endpoint]}), &good),
            (json!({"iat": now() + 10, "nbf": now() + 10}), &good),
            (json!({"unheard_of": {"a": 1}}), &good),
            (
                json!({"iat": now() + 90, "nbf": now() + 90, "exp": now() + 120}),
                &bad,
            ),
            (json!({"iss": null}), &bad),
            (json!({"sub": null}), &bad),
            (json!({"aud": null}), &bad),
            (json!({"exp": null}), &bad),
            (json!({"jti": null}), &bad),
            (json!({"iss": "nobody"}), &bad),
            (json!({"sub": "nobody"}), &bad),
            (json!({"aud": "https://other.hefu.test"}), &bad),
            (json!({"exp": now() - 90}), &bad),
            (json!({"exp": "soon"}), &bad),
        ] {
            let got = send(&sign(&more), &[]).await;
            faults.same((name, &more), &got, due);
        }
        let once = sign(&json!({}));
        faults.same((name, "first"), &send(&once, &[]).await, &good);
        faults.same((name, "again"), &send(&once, &[]).await, &bad);
        let claims = json!({"iss": client.id, "sub": client.id, "aud": ground.issuer(), "jti": jti(),
            "iat": now(), "exp": now() + 60});
        for (what, forged) in [
            ("none", unsigned(&claims)),
            ("foreign key", Key::new().sign("JWT", &claims)),
            (
                "foreign secret",
                under_secret("another secret", "HS256", &claims),
            ),
            ("other hash", under_secret(&client.secret, "HS512", &claims)),
            ("typ", client.key.sign("oauth-authz-req+jwt", &claims)),
            ("no jwt", "nothing".to_owned()),
        ] {
            faults.same((name, what), &send(&forged, &[]).await, &bad);
        }
        let kind = [("client_assertion_type", "urn:unheard_of")];
        faults.same((name, "type"), &send(&sign(&json!({})), &kind).await, &bad);
    }
    faults.none();
}

/// 5.3: keys behind an address, and a new one there.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_kid_is_looked_up() {
    let ground = ground().await;
    let key = Key::new();
    let path = format!("/jwks/{}", jti());
    let set = json!({"keys": [key.public()]}).to_string();
    let uri = ground.elsewhere.put(&path, "application/json", set);
    let mut client = Client::with(
        ground,
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri}),
    )
    .await;
    client.key = key;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "nothing"),
    ];
    let answer = client.post(ground, "token_endpoint", &form).await;
    assert_eq!(refused(&answer), (400, "invalid_grant".to_owned()));
    let foreign = Key::new();
    let old = std::mem::replace(&mut client.key, foreign);
    let answer = client.post(ground, "token_endpoint", &form).await;
    assert_eq!(refused(&answer), (401, "invalid_client".to_owned()));
    client.key = old;
    let answer = client.post(ground, "token_endpoint", &form).await;
    assert_eq!(refused(&answer), (400, "invalid_grant".to_owned()));
}

/// 5.4, RFC 6749 5.2.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_grant_is_refused() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let mut faults = Faults::default();
    for (form, error) in [
        (&[][..], "invalid_request"),
        (&[("grant_type", "")], "invalid_request"),
        (&[("grant_type", "password")], "unsupported_grant_type"),
        (
            &[("grant_type", "client_credentials")],
            "unsupported_grant_type",
        ),
        (&[("grant_type", "implicit")], "unsupported_grant_type"),
        (&[("grant_type", "authorization_code")], "invalid_request"),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (
            &[
                ("grant_type", "refresh_token"),
                ("grant_type", "refresh_token"),
            ],
            "invalid_request",
        ),
        (
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", "x"),
                ("refresh_token", "y"),
            ],
            "invalid_request",
        ),
    ] {
        let answer = client.post(ground, "token_endpoint", form).await;
        faults.same(form, &refused(&answer), &(400, error.to_owned()));
    }
    let program = ground.program();
    let request = program
        .request(Method::POST, ground.endpoint("token_endpoint"))
        .basic_auth(&client.id, Some(&client.secret))
        .json(&json!({"grant_type": "authorization_code"}));
    let answer = program.send(request).await;
    faults.same(
        "json",
        &refused(&answer),
        &(400, "invalid_request".to_owned()),
    );
    faults.none();
}

/// 5.6, OIDC Core 12.2: rotation, siblings for a lost answer, and the end of the family.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_rotate() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let stranger = Client::open(ground).await;
    let first = client.tokens(ground, &OFFLINE).await;
    let token = text(&first, "refresh_token");
    let refresh = async |client: &Client, token: &str, more: &[(&str, &str)]| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(more);
        client.post(ground, "token_endpoint", &form).await
    };
    let bad = (400, "invalid_grant".to_owned());
    assert_eq!(refused(&refresh(&stranger, &token, &[]).await), bad);
    assert_eq!(refused(&refresh(&client, "nothing", &[]).await), bad);
    let wider = [("scope", "openid email profile")];
    let answer = refresh(&client, &token, &wider).await;
    assert_eq!(refused(&answer), (400, "invalid_scope".to_owned()));

    // That refusal may have used it up; a new family for the rest.
    let first = client.tokens(ground, &OFFLINE).await;
    let token = text(&first, "refresh_token");
    let before = client
        .id_token(ground, &text(&first, "id_token"))
        .await
        .claims;
    let second = refresh(&client, &token, &[("scope", "openid")]).await;
    assert_eq!(second.status, 200, "{}", second.body);
    let second = second.json();
    let after = client
        .id_token(ground, &text(&second, "id_token"))
        .await
        .claims;
    for name in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!(after.get("nonce"), None);
    let userinfo = ground.userinfo(&text(&second, "access_token")).await.json();
    assert_eq!(userinfo.get("email"), None, "narrower");
    let next = text(&second, "refresh_token");
    assert_ne!(next, token);
    second_after(now()).await;
    // The narrower one narrowed that access token alone (RFC 6749 6).
    let third = refresh(&client, &next, &[]).await;
    assert_eq!(third.status, 200, "{}", third.body);
    let third = third.json();
    let userinfo = ground.userinfo(&text(&third, "access_token")).await.json();
    assert_eq!(userinfo["email"], "lab-citizen@hefu.test");
    // The answer may have been lost: the last one again, at once.
    let sibling = refresh(&client, &next, &[]).await;
    assert_eq!(sibling.status, 200, "{}", sibling.body);
    // One from before that was stolen: all of them end.
    assert_eq!(refused(&refresh(&client, &token, &[]).await), bad);
    let newest = text(&third, "refresh_token");
    assert_eq!(refused(&refresh(&client, &newest, &[]).await), bad);
    let dead = ground.userinfo(&text(&third, "access_token")).await;
    assert_eq!(refused(&dead), (401, "invalid_token".to_owned()));
}

/// 5.7, OIDC Core 11: with the citizen's word, by the code flow, for those who registered the grant.
#[tokio::test(flavor = "multi_thread")]
async fn offline_access_is_asked_for() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    client.code(ground, &[]).await;
    let told = client.begin(ground, &ground.citizen, &OFFLINE).await;
    assert_eq!(told.asks(), "consent-form");
    assert!(told.answer.has("consent-offline"));
    let without = Client::with(ground, json!({"grant_types": ["authorization_code"]})).await;
    let tokens = without.tokens(ground, &OFFLINE).await;
    assert_eq!(tokens.get("refresh_token"), None);
}
