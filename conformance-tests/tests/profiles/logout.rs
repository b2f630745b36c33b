//! The end of a session. Requirements 9.1 to 9.6: RP-initiated, session management (what its frame computes runs in a real browser in
//! `browser/watched.rs`), back channel, front channel (frames that hang: `browser/frontchannel.rs`).

use conformance_tests::{
    lab::{REDIRECT_URI, SIGNED_OUT_URI},
    statement::{now, verify},
    visitor::{Answer, Visitor},
};
use serde_json::{Value, json};
use url::Url;

use super::ground::{Ground, ground};
use super::party::{Client, Faults, Place, Told, refused, text};
use super::signing::{hash, jti, tampered, unsigned};

fn members() -> Value {
    json!({"post_logout_redirect_uris": [SIGNED_OUT_URI, format!("{SIGNED_OUT_URI}?x=1")]})
}

/// A browser in which the citizen is logged in at `client`, with the tokens.
async fn logged_in(ground: &Ground, client: &Client) -> (Visitor, Value) {
    let browser = ground.lab.browser();
    let more = [("scope", "openid offline_access")];
    let told = client.ask(ground, &browser, &more).await;
    let tokens = client.redeem(ground, &told.code(), &[]).await.json();
    (browser, tokens)
}

async fn leave(ground: &Ground, browser: &Visitor, more: &[(&str, &str)], post: bool) -> Answer {
    let endpoint = ground.endpoint("end_session_endpoint");
    let first = if post {
        browser.post(endpoint, more).await
    } else {
        let mut url: Url = endpoint.parse().expect("a URL");
        url.query_pairs_mut().extend_pairs(more);
        browser.get(url.as_str()).await
    };
    browser
        .follow(first, |to| to.as_str().starts_with(SIGNED_OUT_URI))
        .await
}

async fn is_in(ground: &Ground, client: &Client, browser: &Visitor) -> bool {
    let none = [("prompt", "none")];
    let told: Told = client.begin(ground, browser, &none).await;
    if told.has("error") {
        assert_eq!(told.refusal(), (Place::Query, "login_required"));
    }
    told.has("code")
}

/// 9.1 to 9.3.
#[tokio::test(flavor = "multi_thread")]
async fn a_hint_and_a_registered_address_lead_back() {
    let ground = ground().await;
    let client = Client::with(ground, members()).await;
    let query = format!("{SIGNED_OUT_URI}?x=1");
    for (post, uri, state, end) in [
        (
            false,
            SIGNED_OUT_URI,
            "a b&c",
            format!("{SIGNED_OUT_URI}?state=a+b%26c"),
        ),
        (true, SIGNED_OUT_URI, "", SIGNED_OUT_URI.to_owned()),
        (false, &query, "s", format!("{query}&state=s")),
    ] {
        let (browser, tokens) = logged_in(ground, &client).await;
        let hint = text(&tokens, "id_token");
        let mut form = vec![("id_token_hint", &*hint), ("post_logout_redirect_uri", uri)];
        if !state.is_empty() {
            form.push(("state", state));
        }
        assert!(is_in(ground, &client, &browser).await);
        let left = leave(ground, &browser, &form, post).await;
        assert_eq!(left.header("location"), end);
        assert!(!is_in(ground, &client, &browser).await, "9.3");
        // Already out: no error, and the way back all the same (RPL 2).
        let again = leave(ground, &browser, &form, post).await;
        assert_eq!(again.header("location"), end);
    }
}

/// 9.3: refresh tokens with offline access outlive the session, access tokens of the session do not matter here.
#[tokio::test(flavor = "multi_thread")]
async fn offline_access_outlives_a_logout() {
    let ground = ground().await;
    let client = Client::with(ground, members()).await;
    let (browser, tokens) = logged_in(ground, &client).await;
    let (hint, token) = (text(&tokens, "id_token"), text(&tokens, "refresh_token"));
    let form = [
        ("id_token_hint", &*hint),
        ("post_logout_redirect_uri", SIGNED_OUT_URI),
    ];
    leave(ground, &browser, &form, false).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
    let answer = client.post(ground, "token_endpoint", &form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// 9.1 and 9.2: no redirect without a hint that holds, and nobody is logged out without being asked.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_hint_is_asked_about() {
    let ground = ground().await;
    let client = Client::with(ground, members()).await;
    let foreign = Client::with(ground, members()).await;
    let (browser, tokens) = logged_in(ground, &client).await;
    let hint = text(&tokens, "id_token");
    let (_, others) = logged_in(ground, &client).await;
    let of_another_session = text(&others, "id_token");
    let claims = conformance_tests::statement::peek(&hint).claims;
    let forged = client.key.sign("JWT", &claims);
    let none = unsigned(&claims);
    let changed = tampered(&hint, &json!({"exp": now() + 99_999}));
    let access_token = text(&tokens, "access_token");
    let back = ("post_logout_redirect_uri", SIGNED_OUT_URI);
    let mut faults = Faults::default();
    for (what, form) in [
        ("nothing", vec![]),
        ("no hint", vec![back]),
        ("client_id alone", vec![back, ("client_id", &client.id)]),
        ("alg none", vec![back, ("id_token_hint", &none)]),
        ("foreign key", vec![back, ("id_token_hint", &forged)]),
        ("changed", vec![back, ("id_token_hint", &changed)]),
        ("access token", vec![back, ("id_token_hint", &access_token)]),
        ("no jwt", vec![back, ("id_token_hint", "nothing")]),
        (
            "another client_id",
            vec![back, ("id_token_hint", &hint), ("client_id", &foreign.id)],
        ),
        (
            "another session",
            vec![back, ("id_token_hint", &of_another_session)],
        ),
    ] {
        for post in [false, true] {
            let page = leave(ground, &browser, &form, post).await;
            faults.same((what, post), &page.has("logout-form"), &true);
            faults.same((what, post), &page.location(), &None);
        }
    }
    faults.none();
    assert!(is_in(ground, &client, &browser).await);
    // A yes ends the session, on our own page.
    let page = leave(ground, &browser, &[back], false).await;
    let answer = browser
        .submit(&page, "logout-form", &[("decision", "logout")])
        .await;
    let page = browser.follow(answer, |_| false).await;
    assert!(
        page.has("signed-out-platforms") || page.has("heading"),
        "{}",
        page.body
    );
    assert_eq!(page.location(), None);
    assert!(!is_in(ground, &client, &browser).await);
    // A no keeps it.
    let (browser, _) = logged_in(ground, &client).await;
    let page = leave(ground, &browser, &[], false).await;
    browser
        .submit(&page, "logout-form", &[("decision", "stay")])
        .await;
    assert!(is_in(ground, &client, &browser).await);
    // An unregistered address with a good hint: out, but not there.
    let (browser, tokens) = logged_in(ground, &client).await;
    let hint = text(&tokens, "id_token");
    for uri in [
        format!("{SIGNED_OUT_URI}/"),
        "https://evil.hefu.test/".to_owned(),
    ] {
        let form = [
            ("id_token_hint", &*hint),
            ("post_logout_redirect_uri", &*uri),
        ];
        let page = leave(ground, &browser, &form, false).await;
        assert_eq!((page.status.as_u16(), page.location()), (200, None));
        assert!(!is_in(ground, &client, &browser).await);
    }
}

/// 9.4, BCL 2.4 to 2.7.
#[tokio::test(flavor = "multi_thread")]
async fn the_back_channel_is_told() {
    let ground = ground().await;
    let path = format!("/back/{}", jti());
    let more = json!({"backchannel_logout_uri": format!("{}{path}", ground.elsewhere.origin),
        "backchannel_logout_session_required": true, "post_logout_redirect_uris": [SIGNED_OUT_URI],
        "id_token_signed_response_alg": "ES256"});
    let client = Client::with(ground, more).await;
    let (browser, tokens) = logged_in(ground, &client).await;
    let hint = text(&tokens, "id_token");
    let id_token = client.id_token(ground, &hint).await.claims;
    let form = [
        ("id_token_hint", &*hint),
        ("post_logout_redirect_uri", SIGNED_OUT_URI),
    ];
    leave(ground, &browser, &form, false).await;
    let visit = ground.elsewhere.visited(&path).await;
    assert_eq!(visit.method, "POST");
    assert_eq!(visit.content_type, "application/x-www-form-urlencoded");
    let token = visit
        .body
        .strip_prefix("logout_token=")
        .expect("logout_token alone");
    let token = verify(token, &ground.jwks().await);
    assert_eq!(token.header["typ"], "logout+jwt");
    assert_eq!(token.header["alg"], "ES256");
    let claims = &token.claims;
    for (name, value) in [
        ("iss", json!(ground.issuer())),
        ("aud", json!(client.id)),
        ("sub", id_token["sub"].clone()),
        ("sid", id_token["sid"].clone()),
        (
            "events",
            json!({"http://schemas.openid.net/event/backchannel-logout": {}}),
        ),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert!(
        claims["jti"].is_string() && claims.get("nonce").is_none(),
        "{claims}"
    );
    let time = |name: &str| claims[name].as_i64().expect("a time");
    assert!(time("iat") <= now() + 1 && time("exp") > now() - 1);
    assert!(time("exp") - time("iat") <= 120, "BCL 4");
}

/// 9.5, FCL 2 and 3.
#[tokio::test(flavor = "multi_thread")]
async fn the_front_channel_is_framed() {
    let ground = ground().await;
    let uri = "https://rp.hefu.test/front?x=1";
    let more = json!({"frontchannel_logout_uri": uri, "frontchannel_logout_session_required": true,
        "post_logout_redirect_uris": [SIGNED_OUT_URI]});
    let client = Client::with(ground, more).await;
    let (browser, tokens) = logged_in(ground, &client).await;
    let hint = text(&tokens, "id_token");
    let sid = text(&client.id_token(ground, &hint).await.claims, "sid");
    let form = [
        ("id_token_hint", &*hint),
        ("post_logout_redirect_uri", SIGNED_OUT_URI),
        ("state", "s"),
    ];
    let page = leave(ground, &browser, &form, false).await;
    assert_eq!(page.status, 200);
    let frame = page.body.split("<iframe").nth(1).expect("a frame");
    let source = frame
        .split("src=\"")
        .nth(1)
        .and_then(|s| s.split('"').next());
    let source = source
        .expect("its address")
        .replace("&amp;", "&")
        .replace("&#38;", "&");
    let url: Url = source.parse().expect("a URL");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let due = [("x", "1"), ("iss", ground.issuer()), ("sid", &sid)];
    let due: Vec<_> = due
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    assert_eq!(pairs, due);
    let csp = page.header("content-security-policy");
    assert!(csp.contains("frame-src https://rp.hefu.test"), "{csp}");
    let next = page
        .attribute("signed-out-back", "href")
        .expect("the way back");
    assert_eq!(next, format!("{SIGNED_OUT_URI}?state=s"));
}

/// 9.6 and 3.6, SM 2 and 3: the state that a party is given is the hash that the frame will compute.
#[tokio::test(flavor = "multi_thread")]
async fn session_state_is_what_the_frame_computes() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let frame = ground
        .program()
        .get(ground.endpoint("check_session_iframe"))
        .await;
    assert_eq!(frame.status, 200);
    assert!(frame.header("content-type").starts_with("text/html"));
    assert!(!frame.headers.contains_key("x-frame-options"));
    assert!(
        !frame
            .header("content-security-policy")
            .contains("frame-ancestors")
    );
    let cookie = frame
        .attribute("check-session", "data-cookie")
        .expect("its cookie");
    // The browser's state lies in a cookie that the frame's script reads.
    let browser = ground.lab.browser();
    let first = browser.get(&client.url(ground, &[])).await;
    let page = browser.follow(first, |_| false).await;
    let answer = browser
        .submit(&page, "login-form", &conformance_tests::lab::CITIZEN)
        .await;
    let set = answer.headers.get_all("set-cookie").iter();
    let set: Vec<&str> = set.map(|value| value.to_str().expect("text")).collect();
    let line = set
        .iter()
        .find(|line| line.starts_with(&format!("{cookie}=")))
        .unwrap_or_else(|| panic!("{cookie} is not set: {set:?}"));
    assert!(
        !line.contains("HttpOnly") && line.contains("SameSite=None"),
        "{line}"
    );
    let state = line[cookie.len() + 1..]
        .split(';')
        .next()
        .unwrap_or_default();
    let told = client.ask(ground, &browser, &[]).await;
    let said = told.get("session_state");
    let (digest, salt) = said.split_once('.').expect("hash and salt");
    let origin = Url::parse(REDIRECT_URI)
        .expect("a URL")
        .origin()
        .ascii_serialization();
    let computed = hash(format!("{} {origin} {state} {salt}", client.id).as_bytes());
    assert_eq!(digest, computed);
    // Another salt each time, and a state for nobody too.
    let again = client.ask(ground, &browser, &[]).await;
    assert_ne!(again.get("session_state"), said);
    let nobody = ground.lab.browser();
    let told = client.begin(ground, &nobody, &[("prompt", "none")]).await;
    assert_eq!(told.refusal(), (Place::Query, "login_required"));
    assert!(told.has("session_state"));
}

/// A logout elsewhere in between: the code of a session that ended is worth nothing.
#[tokio::test(flavor = "multi_thread")]
async fn access_without_offline_ends_with_the_session() {
    let ground = ground().await;
    let client = Client::with(ground, members()).await;
    let browser = ground.lab.browser();
    let told = client.ask(ground, &browser, &[]).await;
    let tokens = client.redeem(ground, &told.code(), &[]).await.json();
    let unused = client.ask(ground, &browser, &[]).await.code();
    let hint = text(&tokens, "id_token");
    let form = [
        ("id_token_hint", &*hint),
        ("post_logout_redirect_uri", SIGNED_OUT_URI),
    ];
    leave(ground, &browser, &form, false).await;
    let answer = client.redeem(ground, &unused, &[]).await;
    assert_eq!(refused(&answer), (400, "invalid_grant".to_owned()));
    let dead = ground.userinfo(&text(&tokens, "access_token")).await;
    assert_eq!(refused(&dead), (401, "invalid_token".to_owned()));
}
