//! The code flow. Requirements 1.3 to 1.5 (codes), 3.1 to 3.7 and 3.16 (the authorization endpoint), 5.8 (what a code is bound to).
//! That a code dies after 60 seconds is tested in `tests/web/oidc` of hefu, where the clock is turned by hand.

use conformance_tests::lab::REDIRECT_URI;
use reqwest::Method;
use serde_json::json;

use super::ground::ground;
use super::party::{
    CHALLENGE, Client, Faults, NONCE, Place, STATE, VERIFIER, refused, text, to_the_end,
};

/// 3.1, OIDC Core 3.1.2.1: a GET, a form POST with the cookies and one without them end the same way.
#[tokio::test(flavor = "multi_thread")]
async fn get_and_post_are_equal() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let endpoint = ground.endpoint("authorization_endpoint");
    let nobody = ground.lab.browser();
    for browser in [&ground.citizen, &nobody] {
        let more = [("unknown", "ignored"), ("scope", "email openid unheard_of")];
        let mut form = client.request(&more);
        form.reverse();
        let request = browser.request(Method::POST, endpoint).form(&form);
        let first = browser.send(request).await;
        let posted = to_the_end(browser, first).await;
        let got = client.ask(ground, browser, &more).await;
        for told in [&posted, &got] {
            assert_eq!(told.place, Place::Query);
            assert_eq!(told.get("state"), STATE);
            assert_eq!(told.get("iss"), ground.issuer());
            assert!(
                told.has("session_state"),
                "session management is on: {told:?}"
            );
            let answer = client.redeem(ground, &told.code(), &[]).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        assert_ne!(posted.code(), got.code());
    }
    let request = nobody.request(Method::POST, endpoint).json(&json!({}));
    let told = to_the_end(&nobody, nobody.send(request).await).await;
    assert_eq!(told.refusal(), (Place::Page, "invalid_request"));
}

/// 3.2 and 3.3: what is wrong before the address is proven is said on a page, never by a redirect.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_an_unproven_address() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let mut faults = Faults::default();
    let longer = format!("{REDIRECT_URI}/");
    let query = format!("{REDIRECT_URI}?a=b");
    let upper = REDIRECT_URI.replace("callback", "Callback");
    let port = REDIRECT_URI.replace(".test/", ".test:443/");
    for (more, error) in [
        (("redirect_uri", ""), "invalid_request"),
        (("redirect_uri", &*longer), "invalid_request"),
        (("redirect_uri", &query), "invalid_request"),
        (("redirect_uri", &upper), "invalid_request"),
        (("redirect_uri", &port), "invalid_request"),
        (
            ("redirect_uri", "https://evil.hefu.test/"),
            "invalid_request",
        ),
        (("redirect_uri", "javascript:alert(1)"), "invalid_request"),
        (("client_id", ""), "invalid_request"),
        (("client_id", "nobody"), "invalid_client"),
    ] {
        let told = client.begin(ground, &ground.citizen, &[more]).await;
        faults.same(more, &told.refusal(), &(Place::Page, error));
        faults.same(more, &told.answer.status.as_u16(), &400);
    }
    for twice in ["client_id", "redirect_uri"] {
        let url = format!("{}&{twice}=again", client.url(ground, &[]));
        let told = to_the_end(&ground.citizen, ground.citizen.get(&url).await).await;
        faults.same(twice, &told.refusal(), &(Place::Page, "invalid_request"));
    }
    faults.none();
}

/// 3.3: the page of an error, in both languages, read without a script.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_page_has_a_heading_a_code_and_a_reason() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let browser = ground.lab.browser();
    let url = client.url(ground, &[("redirect_uri", "https://evil.hefu.test/")]);
    let mut headings = Vec::new();
    for (header, by_request, language) in [
        ("zh-CN", "", "zh-CN"),
        ("en", "", "en"),
        ("en", "&ui_locales=zh-CN", "zh-CN"),
        ("zh-CN", "&ui_locales=en", "en"),
        ("en", "&ui_locales=xx+zh-CN", "zh-CN"),
    ] {
        let request = browser
            .request(Method::GET, &format!("{url}{by_request}"))
            .header("accept-language", header);
        let page = browser.send(request).await;
        assert_eq!(page.status, 400);
        assert!(
            page.body.contains(&format!("lang=\"{language}\"")),
            "{header} {by_request}: {}",
            page.body
        );
        assert_eq!(page.text("error-code"), "invalid_request");
        assert!(!page.text("error-text").is_empty());
        headings.push(page.text("error-heading"));
    }
    assert_ne!(headings[0], headings[1]);
}

/// 3.2 and 3.4 to 3.7: the relying party hears of everything else, with its state and who says so.
#[tokio::test(flavor = "multi_thread")]
async fn the_party_hears_what_is_wrong_with_its_request() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let mut faults = Faults::default();
    let long = "n".repeat(10_000);
    for (more, error) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "none")], "unsupported_response_type"),
        (
            &[("response_type", "code code")],
            "unsupported_response_type",
        ),
        (
            &[("response_type", "code foo")],
            "unsupported_response_type",
        ),
        (&[("response_mode", "pigeon")], "invalid_request"),
        (&[("scope", "")], "invalid_scope"),
        (&[("scope", "profile")], "invalid_scope"),
        (&[("scope", "openid \u{e9}")], "invalid_scope"),
        (&[("nonce", &long)], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("claims", "{")], "invalid_request"),
        (&[("claims", "[]")], "invalid_request"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("code_challenge", CHALLENGE)], "invalid_request"),
        (&[("code_challenge_method", "S256")], "invalid_request"),
        (
            &[
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "plain"),
            ],
            "invalid_request",
        ),
        (
            &[
                ("code_challenge", "short"),
                ("code_challenge_method", "S256"),
            ],
            "invalid_request",
        ),
        (&[("dpop_jkt", "short")], "invalid_request"),
        (
            &[("resource", "https://nowhere.hefu.test/")],
            "invalid_target",
        ),
        (
            &[("authorization_details", "[{\"type\":\"unheard_of\"}]")],
            "invalid_authorization_details",
        ),
        (&[("request", "nothing")], "invalid_request_object"),
        (
            &[("request_uri", "https://rp.hefu.test/object")],
            "invalid_request_uri",
        ),
    ] {
        let told = client.begin(ground, &ground.citizen, more).await;
        if told.place != Place::Query {
            faults.same(more, &told.place, &Place::Query);
            continue;
        }
        faults.same(more, &told.refusal(), &(Place::Query, error));
        faults.same(more, &told.get("state"), &STATE);
        faults.same(more, &told.get("iss"), &ground.issuer());
    }
    for twice in [
        "scope",
        "state",
        "nonce",
        "prompt",
        "response_type",
        "ui_locales",
    ] {
        let url = format!("{}&{twice}=a&{twice}=b", client.url(ground, &[]));
        let told = to_the_end(&ground.citizen, ground.citizen.get(&url).await).await;
        faults.same(twice, &told.refusal(), &(Place::Query, "invalid_request"));
    }
    // Not registered by this client, and not offered to anybody; where tokens would have stood (3.4).
    for (kind, error) in [
        ("code id_token", "unauthorized_client"),
        ("token", "unsupported_response_type"),
    ] {
        let more = [("response_type", kind)];
        let told = client.begin(ground, &ground.citizen, &more).await;
        faults.same(kind, &told.refusal(), &(Place::Fragment, error));
    }
    faults.none();
}

/// 3.6 and 3.7: byte for byte, also when long; a query of 48 KiB is read.
#[tokio::test(flavor = "multi_thread")]
async fn state_and_nonce_come_back_byte_for_byte() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let every: String = (' '..='~').collect();
    let long = every.repeat(5);
    let nonce = &long[..384];
    for (state, nonce) in [(&*long, nonce), ("s", NONCE), (" +%20&=", "合")] {
        let told = client
            .ask(
                ground,
                &ground.citizen,
                &[("state", state), ("nonce", nonce)],
            )
            .await;
        assert_eq!(told.get("state"), state);
        let tokens = client.redeem(ground, &told.code(), &[]).await.json();
        let id_token = client.id_token(ground, &text(&tokens, "id_token")).await;
        assert_eq!(id_token.claims["nonce"], nonce);
    }
    let told = client
        .ask(ground, &ground.citizen, &[("state", ""), ("nonce", "")])
        .await;
    assert!(!told.has("state"));
    let tokens = client.redeem(ground, &told.code(), &[]).await.json();
    let id_token = client.id_token(ground, &text(&tokens, "id_token")).await;
    assert_eq!(id_token.claims.get("nonce"), None);
    let much = "x".repeat(47 * 1024);
    let told = client
        .ask(ground, &ground.citizen, &[("unknown", &much)])
        .await;
    told.code();
}

/// 3.2, RFC 6749 3.1.2: a query of the registered address stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_registered_query_stays() {
    let ground = ground().await;
    let uri = format!("{REDIRECT_URI}?tenant=a%20b&x=");
    let client = Client::with(ground, json!({"redirect_uris": [uri]})).await;
    let told = client
        .ask(ground, &ground.citizen, &[("redirect_uri", &uri)])
        .await;
    let to = told.answer.header("location");
    assert!(to.starts_with(&format!("{uri}&")), "{to}");
    let answer = client
        .redeem(ground, &told.code(), &[("redirect_uri", &uri)])
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// 1.3 and 1.4: once; a second use takes away what the first gave.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let code = client
        .code(ground, &[("scope", "openid offline_access")])
        .await;
    assert!(code.len() >= 22, "128 bits: {code}");
    let first = client.redeem(ground, &code, &[]).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let tokens = first.json();
    let access_token = text(&tokens, "access_token");
    assert_eq!(ground.userinfo(&access_token).await.status, 200);
    let second = client.redeem(ground, &code, &[]).await;
    assert_eq!(refused(&second), (400, "invalid_grant".to_owned()));
    let dead = ground.userinfo(&access_token).await;
    assert_eq!(refused(&dead), (401, "invalid_token".to_owned()));
    let refresh_token = text(&tokens, "refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*refresh_token),
    ];
    let dead = client.post(ground, "token_endpoint", &form).await;
    assert_eq!(refused(&dead), (400, "invalid_grant".to_owned()));
}

/// 1.3, 3.16 and 5.8.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_bound() {
    let ground = ground().await;
    let other_uri = "https://rp.hefu.test/other";
    let client = Client::with(ground, json!({"redirect_uris": [REDIRECT_URI, other_uri]})).await;
    let foreign = Client::open(ground).await;
    let pkce = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let wrong = VERIFIER.replace('d', "e");
    let mut faults = Faults::default();
    for (asked, told, error) in [
        (&pkce[..], &[("code_verifier", VERIFIER)][..], ""),
        (&pkce, &[], "invalid_grant"),
        (&pkce, &[("code_verifier", &*wrong)], "invalid_grant"),
        (&pkce, &[("code_verifier", CHALLENGE)], "invalid_grant"),
        // RFC 9700 4.8.2: nor is one taken that nothing was promised for.
        (&[], &[("code_verifier", VERIFIER)], "invalid_grant"),
        (&[], &[("redirect_uri", other_uri)], "invalid_grant"),
        (&[], &[("redirect_uri", "")], "invalid_grant"),
        (&[], &[("code", "")], "invalid_request"),
        (&[], &[("code", "nothing")], "invalid_grant"),
    ] {
        let code = client.code(ground, asked).await;
        let answer = client.redeem(ground, &code, told).await;
        let due = match error {
            "" => (200, String::new()),
            error => (400, error.to_owned()),
        };
        let got = match answer.status.as_u16() {
            200 => (200, String::new()),
            _ => refused(&answer),
        };
        faults.same((asked, told), &got, &due);
    }
    faults.none();
    let code = client.code(ground, &[]).await;
    let stolen = foreign.redeem(ground, &code, &[]).await;
    assert_eq!(refused(&stolen), (400, "invalid_grant".to_owned()));
    let mixed = client
        .redeem(ground, &code, &[("client_id", &foreign.id)])
        .await;
    let (_, error) = refused(&mixed);
    assert!(
        ["invalid_client", "invalid_grant"].contains(&&*error),
        "{error}"
    );
}

/// 3.16: a client without authentication must bind its code.
#[tokio::test(flavor = "multi_thread")]
async fn a_public_client_needs_pkce() {
    let ground = ground().await;
    let client = Client::with(ground, json!({"token_endpoint_auth_method": "none"})).await;
    assert_eq!(client.told.get("client_secret"), None);
    let told = client.begin(ground, &ground.citizen, &[]).await;
    assert_eq!(told.refusal(), (Place::Query, "invalid_request"));
    let pkce = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let code = client.code(ground, &pkce).await;
    let answer = client
        .redeem(ground, &code, &[("code_verifier", VERIFIER)])
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}
