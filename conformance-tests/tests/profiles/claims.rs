//! What a party is told of the citizen. Requirements 3.13 (the claims parameter), 4.1, 4.3 and 4.4 (ID Token), 6.1 to 6.4 (UserInfo).

use reqwest::Method;
use serde_json::{Value, json};

use super::ground::ground;
use super::party::{Client, Faults, NONCE, refused, text};
use super::signing::{left_half, tampered};

const SCOPES: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "given_name",
            "family_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

fn names(value: &Value) -> Vec<&str> {
    let map = value.as_object().expect("an object");
    map.keys()
        .map(String::as_str)
        .filter(|n| *n != "sub")
        .collect()
}

/// 6.2 and 6.3, OIDC Core 5.1 and 5.4: every claim of a scope, typed, and no other; nothing of it in the ID Token.
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_opens_its_claims_in_userinfo() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let promised = ground.metadata["claims_supported"]
        .as_array()
        .expect("a list");
    for (scope, claims) in SCOPES {
        let tokens = client
            .tokens(ground, &[("scope", &format!("openid {scope}"))])
            .await;
        let answer = ground.userinfo(&text(&tokens, "access_token")).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .header("content-type")
                .starts_with("application/json")
        );
        assert!(!answer.header("date").is_empty(), "6.4");
        assert_eq!(answer.header("cache-control"), "no-store");
        let told = answer.json();
        let mut due = claims.to_vec();
        due.sort_unstable();
        let mut got = names(&told);
        got.sort_unstable();
        assert_eq!(got, due, "{scope}");
        for (name, value) in told.as_object().expect("an object") {
            assert!(promised.contains(&json!(name)), "{name} is not promised");
            let fits = match &**name {
                "updated_at" => value.is_i64(),
                "email_verified" | "phone_number_verified" => value.is_boolean(),
                "address" => value["formatted"].is_string(),
                "birthdate" => value == "1985-04-12",
                _ => value.as_str().is_some_and(|text| !text.is_empty()),
            };
            assert!(fits, "{name}: {value}");
        }
        let id_token = client.id_token(ground, &text(&tokens, "id_token")).await;
        assert_eq!(id_token.claims["sub"], told["sub"], "4.4");
        for claim in claims {
            assert_eq!(id_token.claims.get(*claim), None, "4.3: {claim}");
        }
    }
}

/// 4.1 and 4.5.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_holds_what_it_must() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let tokens = client.tokens(ground, &[]).await;
    let token = client.id_token(ground, &text(&tokens, "id_token")).await;
    assert_eq!(token.header["alg"], "RS256");
    let claims = &token.claims;
    assert_eq!(claims["nonce"], NONCE);
    assert_eq!(claims["at_hash"], left_half(&text(&tokens, "access_token")));
    for name in ["auth_time", "iat", "exp"] {
        assert!(claims[name].is_i64(), "{name}: {claims}");
    }
    for name in ["acr", "sid"] {
        assert!(claims[name].is_string(), "{name}: {claims}");
    }
    let second = client.tokens(ground, &[]).await;
    let again = client.id_token(ground, &text(&second, "id_token")).await;
    for name in ["sid", "sub", "auth_time"] {
        assert_eq!(again.claims[name], claims[name], "{name}");
    }
    // 4.4: another party knows the citizen by another name, and the session too.
    let other = Client::with(
        ground,
        json!({"redirect_uris": ["https://other.hefu.test/cb"]}),
    )
    .await;
    let told = other
        .ask(
            ground,
            &ground.citizen,
            &[("redirect_uri", "https://other.hefu.test/cb")],
        )
        .await;
    let more = [("redirect_uri", "https://other.hefu.test/cb")];
    let theirs = other.redeem(ground, &told.code(), &more).await.json();
    let theirs = other.id_token(ground, &text(&theirs, "id_token")).await;
    assert_ne!(theirs.claims["sub"], claims["sub"]);
    assert_ne!(theirs.claims["sid"], claims["sid"]);
}

/// 4.4: a public subject is the same everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn subjects_are_public_where_registered() {
    let ground = ground().await;
    let mut subs = Vec::new();
    for uri in ["https://one.hefu.test/cb", "https://two.hefu.test/cb"] {
        let members = json!({"subject_type": "public", "redirect_uris": [uri]});
        let client = Client::with(ground, members).await;
        let told = client
            .ask(ground, &ground.citizen, &[("redirect_uri", uri)])
            .await;
        let more = [("redirect_uri", uri)];
        let tokens = client.redeem(ground, &told.code(), &more).await.json();
        subs.push(
            client
                .id_token(ground, &text(&tokens, "id_token"))
                .await
                .claims["sub"]
                .clone(),
        );
    }
    assert_eq!(subs[0], subs[1]);
}

/// 3.13, OIDC Core 5.5: where it was asked for and nowhere else; what cannot be met is left out.
#[tokio::test(flavor = "multi_thread")]
async fn the_claims_parameter_says_what_goes_where() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let mut faults = Faults::default();
    for (asked, in_userinfo, in_id_token) in [
        (
            json!({"userinfo": {"email": null}}),
            &["email"][..],
            &[][..],
        ),
        (json!({"id_token": {"email": null}}), &[], &["email"]),
        (
            json!({"userinfo": {"nickname": {"essential": true}}, "id_token": {"email": {"essential": false}}}),
            &["nickname"],
            &["email"],
        ),
        (
            json!({"userinfo": {"email": {"value": "lab-citizen@hefu.test"}, "nickname": {"values": ["a", "午午"]}}}),
            &["email", "nickname"],
            &[],
        ),
        (
            json!({"userinfo": {"unheard_of": {"essential": true}, "\u{1F600}\" <": null}}),
            &[],
            &[],
        ),
        (json!({"unheard_of": {"email": null}}), &[], &[]),
        (json!({}), &[], &[]),
    ] {
        let tokens = client
            .tokens(ground, &[("claims", &asked.to_string())])
            .await;
        let userinfo = ground.userinfo(&text(&tokens, "access_token")).await.json();
        let id_token = client.id_token(ground, &text(&tokens, "id_token")).await;
        faults.same(&asked, &names(&userinfo), &in_userinfo.to_vec());
        let of_people: Vec<&str> = names(&id_token.claims)
            .into_iter()
            .filter(|name| ["email", "nickname", "unheard_of"].contains(name))
            .collect();
        faults.same(&asked, &of_people, &in_id_token.to_vec());
    }
    faults.none();
}

/// 6.1 and 6.4, RFC 6750.
#[tokio::test(flavor = "multi_thread")]
async fn userinfo_takes_a_token_in_its_places() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let tokens = client.tokens(ground, &[]).await;
    let token = text(&tokens, "access_token");
    let endpoint = ground.endpoint("userinfo_endpoint");
    let program = ground.program();
    let ask = |method: Method| program.request(method, endpoint);
    let with = |scheme: &str| format!("{scheme} {token}");
    for request in [
        ask(Method::GET).header("authorization", with("Bearer")),
        ask(Method::GET).header("authorization", with("bearer")),
        ask(Method::GET).header("authorization", with("BEARER")),
        ask(Method::POST).header("authorization", with("Bearer")),
        ask(Method::POST).form(&[("access_token", &token)]),
    ] {
        let answer = program.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.json()["sub"].is_string());
    }
    let id_token = text(&tokens, "id_token");
    let changed = tampered(&token, &json!({"sub": "somebody-else"}));
    for (request, status, error) in [
        (
            ask(Method::GET).bearer_auth("nothing"),
            401,
            "invalid_token",
        ),
        (ask(Method::GET).bearer_auth(&changed), 401, "invalid_token"),
        (
            ask(Method::GET).bearer_auth(&id_token),
            401,
            "invalid_token",
        ),
        (
            ask(Method::GET).header("authorization", with("Basic")),
            400,
            "invalid_request",
        ),
        (
            ask(Method::POST)
                .bearer_auth(&token)
                .form(&[("access_token", &token)]),
            400,
            "invalid_request",
        ),
    ] {
        let answer = program.send(request).await;
        assert_eq!(refused(&answer), (status, error.to_owned()), "{answer:?}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.contains(&format!("error=\"{error}\"")),
            "{challenge}"
        );
        assert!(!answer.header("date").is_empty());
    }
    // FAPI 2.0 5.3.4: never in the query. Without a token nothing is said but the scheme (RFC 6750 3.1).
    for request in [
        ask(Method::GET),
        program.request(Method::GET, &format!("{endpoint}?access_token={token}")),
    ] {
        let answer = program.send(request).await;
        assert_eq!(answer.status, 401);
        assert!(
            answer.header("www-authenticate").starts_with("Bearer"),
            "{answer:?}"
        );
        assert!(!answer.header("www-authenticate").contains("error="));
    }
}
