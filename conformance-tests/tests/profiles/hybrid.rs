//! A code beside tokens. Requirements 3.4, 3.7, 4.1 to 4.4.

use super::ground::ground;
use super::party::{Client, Faults, NONCE, Place, STATE, text};
use super::signing::left_half;

const TYPES: [&str; 3] = ["code id_token", "code token", "code id_token token"];

#[tokio::test(flavor = "multi_thread")]
async fn a_code_comes_beside_tokens() {
    let ground = ground().await;
    for kind in TYPES {
        let client = Client::for_type(ground, kind).await;
        let more = [
            ("response_type", kind),
            ("scope", "openid email offline_access"),
        ];
        let told = client.ask(ground, &ground.citizen, &more).await;
        assert_eq!(told.place, Place::Fragment);
        assert_eq!(told.get("state"), STATE);
        assert_eq!(told.get("iss"), ground.issuer());
        let parts: Vec<&str> = kind.split(' ').collect();
        for (part, name) in [
            ("code", "code"),
            ("id_token", "id_token"),
            ("token", "access_token"),
        ] {
            assert_eq!(told.has(name), parts.contains(&part), "{kind}: {name}");
        }
        let answer = client.redeem(ground, &told.code(), &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let tokens = answer.json();
        assert!(tokens["refresh_token"].is_string());
        let second = client
            .id_token(ground, &text(&tokens, "id_token"))
            .await
            .claims;
        assert_eq!(second["nonce"], NONCE);
        assert_eq!(second.get("email"), None, "4.3");
        if told.has("id_token") {
            let first = client.id_token(ground, told.get("id_token")).await.claims;
            assert_eq!(first["c_hash"], left_half(told.get("code")), "4.2");
            for name in ["iss", "sub", "nonce", "auth_time", "sid"] {
                assert_eq!(first[name], second[name], "4.4: {name}");
            }
            assert_eq!(first.get("email"), None);
            let at_hash = told
                .has("access_token")
                .then(|| left_half(told.get("access_token")).into());
            assert_eq!(first.get("at_hash"), at_hash.as_ref(), "4.2");
        }
        if told.has("access_token") {
            assert_eq!(told.get("token_type"), "Bearer");
            for token in [told.get("access_token"), &text(&tokens, "access_token")] {
                let userinfo = ground.userinfo(token).await.json();
                assert_eq!(userinfo["email"], "lab-citizen@hefu.test");
                assert_eq!(userinfo["sub"], second["sub"]);
            }
        }
        // 1.4: a second use takes both access tokens.
        let again = client.redeem(ground, &told.code(), &[]).await;
        assert_eq!(again.json()["error"], "invalid_grant");
        if told.has("access_token") {
            assert_eq!(ground.userinfo(told.get("access_token")).await.status, 401);
        }
    }
}

/// 3.7: a nonce where an ID Token comes from this endpoint, and only there.
#[tokio::test(flavor = "multi_thread")]
async fn errors_come_in_the_fragment() {
    let ground = ground().await;
    let mut faults = Faults::default();
    for kind in TYPES {
        let client = Client::for_type(ground, kind).await;
        for (more, error) in [
            (("scope", "email"), "invalid_scope"),
            (("response_mode", "query"), "invalid_request"),
            (("prompt", "none"), "consent_required"),
        ] {
            let all = [("response_type", kind), more];
            let told = client.begin(ground, &ground.citizen, &all).await;
            faults.same((kind, more), &told.refusal(), &(Place::Fragment, error));
            faults.same((kind, more), &told.get("state"), &STATE);
        }
        let all = [("response_type", kind), ("nonce", "")];
        let told = client.ask(ground, &ground.citizen, &all).await;
        if kind.contains("id_token") {
            faults.same(kind, &told.refusal(), &(Place::Fragment, "invalid_request"));
        } else {
            faults.same(kind, &told.has("code"), &true);
        }
    }
    faults.none();
}
