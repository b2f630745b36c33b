//! Tokens from the authorization endpoint alone. Requirements 3.4 (where), 3.7 (nonce), 4.2 and 4.3 (what the ID Token says).

use conformance_tests::lab::REDIRECT_URI;

use super::ground::ground;
use super::party::{Client, Faults, NONCE, Place, STATE};
use super::signing::left_half;

const TYPES: [&str; 2] = ["id_token", "id_token token"];

#[tokio::test(flavor = "multi_thread")]
async fn tokens_come_in_the_fragment() {
    let ground = ground().await;
    for kind in TYPES {
        let client = Client::for_type(ground, kind).await;
        let reversed: Vec<&str> = kind.split(' ').rev().collect();
        for written in [kind.to_owned(), reversed.join(" ")] {
            let more = [("response_type", &*written), ("scope", "openid email")];
            let told = client.ask(ground, &ground.citizen, &more).await;
            assert_eq!(told.place, Place::Fragment, "{told:?}");
            assert!(
                told.answer
                    .header("location")
                    .starts_with(&format!("{REDIRECT_URI}#"))
            );
            assert_eq!(told.get("state"), STATE);
            assert_eq!(told.get("iss"), ground.issuer());
            let token = client.id_token(ground, told.get("id_token")).await;
            assert_eq!(token.claims["nonce"], NONCE);
            assert!(!told.has("code") && !told.has("refresh_token"));
            if kind == "id_token" {
                assert!(!told.has("access_token"));
                assert_eq!(token.claims["email"], "lab-citizen@hefu.test", "4.3");
                continue;
            }
            assert_eq!(told.get("token_type"), "Bearer");
            assert!(told.get("expires_in").parse::<i64>().is_ok_and(|n| n > 0));
            assert_eq!(
                token.claims["at_hash"],
                left_half(told.get("access_token")),
                "4.2"
            );
            assert_eq!(token.claims.get("email"), None, "4.3");
            let userinfo = ground.userinfo(told.get("access_token")).await.json();
            assert_eq!(userinfo["email"], "lab-citizen@hefu.test");
            assert_eq!(userinfo["sub"], token.claims["sub"]);
        }
    }
}

/// 3.4 and 3.7: errors stand where the answer would have stood.
#[tokio::test(flavor = "multi_thread")]
async fn errors_come_in_the_fragment() {
    let ground = ground().await;
    let mut faults = Faults::default();
    for kind in TYPES {
        let client = Client::for_type(ground, kind).await;
        for (more, error) in [
            (("nonce", ""), "invalid_request"),
            (("scope", "email"), "invalid_scope"),
            (("response_mode", "query"), "invalid_request"),
            (("response_mode", "query.jwt"), "invalid_request"),
            (("response_mode", "pigeon"), "invalid_request"),
            (("max_age", "soon"), "invalid_request"),
            (("prompt", "none"), "consent_required"),
        ] {
            let all = [("response_type", kind), more];
            let told = client.begin(ground, &ground.citizen, &all).await;
            if more.1 == "query.jwt" {
                faults.same((kind, more), &told.place, &Place::Fragment);
                continue;
            }
            faults.same((kind, more), &told.refusal(), &(Place::Fragment, error));
            faults.same((kind, more), &told.get("state"), &STATE);
        }
        // A type that is not its own, and none at all: the query.
        let told = client.begin(ground, &ground.citizen, &[]).await;
        faults.same(
            (kind, "code"),
            &told.refusal(),
            &(Place::Query, "unauthorized_client"),
        );
        let told = client
            .begin(ground, &ground.citizen, &[("response_type", "")])
            .await;
        faults.same(
            (kind, ""),
            &told.refusal(),
            &(Place::Query, "invalid_request"),
        );
        // OIDC Core 11: ignored where no code comes out.
        let all = [("response_type", kind), ("scope", "openid offline_access")];
        let told = client.ask(ground, &ground.citizen, &all).await;
        faults.same(kind, &told.has("refresh_token"), &false);
    }
    faults.none();
}
