//! What becomes of the tokens.

use super::*;

async fn redeem(house: &TestHouse, code: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CB),
    ];
    house
        .post("/token", &form, Some(&basic("front", "s")))
        .await
}

#[tokio::test]
async fn both_id_tokens_are_of_one_login_and_a_repeated_code_ends_all_tokens() {
    let house = house().await;
    let mut browser = signed_in(&house, "openid").await;
    let told = ask(&mut browser, "code id_token token", &[])
        .await
        .told_in_fragment();
    let front = &told["access_token"];
    assert_eq!(house.userinfo(front).await.status, StatusCode::OK);
    house.clock.advance(5);
    let answer = redeem(&house, &told["code"]).await.json();
    let (first, second) = (
        payload(&told["id_token"]),
        payload(answer["id_token"].as_str().unwrap()),
    );
    for name in [
        "iss",
        "sub",
        "aud",
        "auth_time",
        "acr",
        "amr",
        "nonce",
        "sid",
    ] {
        assert_eq!(first[name], second[name], "{name}");
    }
    let back = answer["access_token"].as_str().unwrap();
    for token in [front.as_str(), back] {
        assert_eq!(house.userinfo(token).await.status, StatusCode::OK);
    }
    // RFC 6749 §4.1.2.
    assert_eq!(
        redeem(&house, &told["code"]).await.json()["error"],
        "invalid_grant"
    );
    for token in [front.as_str(), back] {
        assert_eq!(house.userinfo(token).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn front_tokens_end_with_what_they_rest_on() {
    for end in ["session", "consent", "wrong binding"] {
        let house = house().await;
        let mut browser = signed_in(&house, "openid").await;
        let told = ask(&mut browser, "code token", &[("nonce", "")])
            .await
            .told_in_fragment();
        let token = &told["access_token"];
        assert_eq!(house.userinfo(token).await.status, StatusCode::OK, "{end}");
        let mut conn = house.store.read().await.unwrap();
        let row: (String, String) = sqlx::query_as("SELECT session, subject FROM grants")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        match end {
            "session" => {
                let id = hefu::id::SessionId(row.0);
                hefu::session::end(&mut conn, &id, End::SignedOut, house.now())
                    .await
                    .unwrap();
            }
            "consent" => {
                sqlx::query("UPDATE consents SET withdrawn_at = $1 WHERE subject = $2")
                    .bind(house.now())
                    .bind(row.1)
                    .execute(&mut *conn)
                    .await
                    .unwrap();
            }
            _ => {
                drop(conn);
                let form = [
                    ("grant_type", "authorization_code"),
                    ("code", told["code"].as_str()),
                    ("redirect_uri", "https://front.example/other"),
                ];
                let refused = house
                    .post("/token", &form, Some(&basic("front", "s")))
                    .await;
                assert_eq!(refused.json()["error"], "invalid_grant");
            }
        }
        assert_eq!(
            house.userinfo(token).await.status,
            StatusCode::UNAUTHORIZED,
            "{end}"
        );
    }
}

#[tokio::test]
async fn without_a_code_there_is_nothing_to_redeem_and_no_access_while_away() {
    let house = house().await;
    let mut browser = signed_in(&house, "openid offline_access").await;
    let told = ask(
        &mut browser,
        "id_token token",
        &[("scope", "openid offline_access")],
    )
    .await
    .told_in_fragment();
    // OIDC Core 11: ignored where no code comes out.
    assert_eq!(told["scope"], "openid");
    let mut conn = house.store.read().await.unwrap();
    let unredeemed: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM grants WHERE redeemed_at IS NULL OR offline_until IS NOT NULL",
    )
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    assert_eq!(unredeemed, 0);
    let events: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM audit_events WHERE kind = 'grant.front'")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert_eq!(events.len(), 1);
    drop(conn);
    let told = ask(
        &mut browser,
        "code token",
        &[("scope", "openid offline_access")],
    )
    .await
    .told_in_fragment();
    assert_eq!(told["scope"], "openid offline_access");
    assert!(redeem(&house, &told["code"]).await.json()["refresh_token"].is_string());
}
