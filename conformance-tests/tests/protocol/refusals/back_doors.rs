//! Doors that browsers do not use.

use super::*;

/// What is tried, the form, the statuses and the error codes that would be right.
type BackDoor<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a [u16], &'a [&'a str]);

#[tokio::test(flavor = "multi_thread")]
async fn back_doors_are_closed_to_strangers() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let issuer = demo.provider().id.trim_end_matches('/');
    let metadata = visitor
        .get(&format!("{issuer}/.well-known/openid-configuration"))
        .await
        .json();
    let at = |name: &str| metadata[name].as_str().expect("an endpoint").to_owned();
    let token = at("token_endpoint");
    let portal = demo.portal("粤省事").id.as_str();

    // RFC 6749 §5.2, OIDC Core 9
    let cases: &[BackDoor] = &[
        (
            "nothing",
            vec![],
            &[400, 401],
            &["invalid_request", "invalid_client"],
        ),
        (
            "a code, no client",
            vec![("grant_type", "authorization_code"), ("code", "x")],
            &[400, 401],
            &["invalid_client", "invalid_request"],
        ),
        (
            "a portal without its key",
            vec![
                ("grant_type", "authorization_code"),
                ("code", "x"),
                ("client_id", portal),
                ("redirect_uri", "http://a.example"),
            ],
            &[400, 401],
            &["invalid_client"],
        ),
        (
            "a portal with a password",
            vec![
                ("grant_type", "authorization_code"),
                ("code", "x"),
                ("client_id", portal),
                ("client_secret", "guess"),
            ],
            &[400, 401],
            &["invalid_client"],
        ),
        (
            "an assertion of nonsense",
            vec![
                ("grant_type", "authorization_code"),
                ("code", "x"),
                ("client_id", portal),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", "a.b.c"),
            ],
            &[400, 401],
            &["invalid_client"],
        ),
        (
            "a grant nobody offers",
            vec![
                ("grant_type", "password"),
                ("username", "14000000001"),
                ("password", "Hefu-demo-2026"),
            ],
            &[400, 401],
            &[
                "unsupported_grant_type",
                "invalid_client",
                "invalid_request",
            ],
        ),
        (
            "twice",
            vec![
                ("grant_type", "authorization_code"),
                ("grant_type", "refresh_token"),
            ],
            &[400, 401],
            &["invalid_request"],
        ),
    ];
    for (what, form, statuses, codes) in cases {
        let answer = visitor.post(&token, form).await;
        let code = answer.json()["error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            statuses.contains(&answer.status.as_u16()),
            "{what}: {} {}",
            answer.status,
            answer.body
        );
        assert!(codes.contains(&code.as_str()), "{what}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    }
    assert_eq!(
        visitor.get(&token).await.status,
        405,
        "the token endpoint is POST only (RFC 6749 §3.2)"
    );

    // PAR answers the client directly (RFC 9126 §2.3).
    let answer = visitor
        .post(
            &at("pushed_authorization_request_endpoint"),
            &[
                ("client_id", portal),
                ("response_type", "code"),
                ("scope", "openid"),
            ],
        )
        .await;
    assert!(
        [400, 401].contains(&answer.status.as_u16()),
        "{} {}",
        answer.status,
        answer.body
    );
    assert!(
        [
            "invalid_client",
            "invalid_request",
            "invalid_request_object"
        ]
        .contains(&answer.json()["error"].as_str().unwrap_or_default())
    );

    // RFC 6750 §3: a challenge; without credentials no error code.
    let userinfo = at("userinfo_endpoint");
    let answer = visitor.get(&userinfo).await;
    assert_eq!(answer.status, 401);
    assert!(
        answer.header("www-authenticate").starts_with("Bearer"),
        "{:?}",
        answer.headers
    );
    for bad in ["x", "a.b.c", ""] {
        let answer = visitor
            .send(
                visitor
                    .request(Method::GET, &userinfo)
                    .header("authorization", format!("Bearer {bad}")),
            )
            .await;
        assert!(
            [400, 401].contains(&answer.status.as_u16()),
            "`{bad}`: {}",
            answer.status
        );
    }
    // A token in the address would land in logs (RFC 9700 §4.3.2).
    let answer = visitor.get(&format!("{userinfo}?access_token=x")).await;
    assert!([400, 401].contains(&answer.status.as_u16()));
    still_well(demo).await;
}
