//! How a login is asked for. Requirements 3.8 to 3.12 (prompt, age, level, hints), 3.17 to 3.20 (its pages and cookies).

use conformance_tests::lab::{CITIZEN, REDIRECT_URI};
use serde_json::json;

use super::ground::ground;
use super::party::{Client, Faults, Place, second_after, text, to_the_end, to_the_first};
use super::signing::{tampered, unsigned};

/// 3.8.
#[tokio::test(flavor = "multi_thread")]
async fn prompt_none_never_shows_a_page() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let none = [("prompt", "none")];
    let nobody = ground.lab.browser();
    let told = client.begin(ground, &nobody, &none).await;
    assert_eq!(told.refusal(), (Place::Query, "login_required"));
    let told = client.begin(ground, &ground.citizen, &none).await;
    assert_eq!(told.refusal(), (Place::Query, "consent_required"));
    client.code(ground, &[]).await;
    client.begin(ground, &ground.citizen, &none).await.code();
    // More than was agreed to.
    let more = [("prompt", "none"), ("scope", "openid email")];
    let told = client.begin(ground, &ground.citizen, &more).await;
    assert_eq!(told.refusal(), (Place::Query, "consent_required"));
    // Remembered consent reaches to what it was given for.
    client.code(ground, &more[1..]).await;
    client.begin(ground, &ground.citizen, &more).await.code();
    // Nobody is older than this.
    let old = [("prompt", "none"), ("max_age", "0")];
    let told = client.begin(ground, &ground.citizen, &old).await;
    assert_eq!(told.refusal(), (Place::Query, "login_required"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_prompts_ask_what_they_say() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let (browser, _) = ground.newcomer(&client).await;
    let mut faults = Faults::default();
    for (prompt, form) in [
        ("login", "login-form"),
        ("consent", "consent-form"),
        ("login consent", "login-form"),
        ("select_account", "login-form"),
    ] {
        let told = client.begin(ground, &browser, &[("prompt", prompt)]).await;
        faults.same(prompt, &told.asks(), &form);
    }
    faults.none();
    let nobody = ground.lab.browser();
    let told = client.begin(ground, &nobody, &[("prompt", "create")]).await;
    assert_eq!(told.asks(), "phone-form");
    let told = client
        .begin(ground, &browser, &[("prompt", "unheard_of")])
        .await;
    told.code();
    // The form of `login consent` leads to the other.
    let told = client
        .begin(ground, &browser, &[("prompt", "login consent")])
        .await;
    let answer = browser.submit(&told.answer, "login-form", &CITIZEN).await;
    let told = to_the_first(&browser, answer).await;
    assert_eq!(told.asks(), "consent-form");
}

/// 3.9, OIDC Core 2.
#[tokio::test(flavor = "multi_thread")]
async fn the_age_of_a_login_is_true() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let strict = Client::with(
        ground,
        json!({"default_max_age": 0, "require_auth_time": true}),
    )
    .await;
    let (browser, told) = ground.newcomer(&client).await;
    let auth_time = async |client: &Client, code: &str| {
        let tokens = client.redeem(ground, code, &[]).await.json();
        let token = client.id_token(ground, &text(&tokens, "id_token")).await;
        token.claims["auth_time"].as_i64().expect("auth_time")
    };
    let first = auth_time(&client, &told.code()).await;
    let aged = [("max_age", "3600")];
    let same = client.ask(ground, &browser, &aged).await.code();
    assert_eq!(auth_time(&client, &same).await, first);
    for (client, more) in [(&client, &[("max_age", "0")][..]), (&strict, &[])] {
        let told = client.begin(ground, &browser, more).await;
        assert_eq!(told.asks(), "login-form");
    }
    second_after(first).await;
    let again = [("prompt", "login")];
    let code = client.ask(ground, &browser, &again).await.code();
    let second = auth_time(&client, &code).await;
    assert!(second > first, "{second} {first}");
    let code = client.ask(ground, &browser, &[]).await.code();
    assert_eq!(auth_time(&client, &code).await, second);
}

/// 3.10: the citizen has a password and nothing else, which is the first level.
#[tokio::test(flavor = "multi_thread")]
async fn levels_are_wishes_unless_they_are_essential() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let levels = ground.metadata["acr_values_supported"]
        .as_array()
        .expect("a list");
    let [low, .., high] = &levels[..] else {
        panic!("{levels:?}")
    };
    let (low, high) = (low.as_str().expect("text"), high.as_str().expect("text"));
    client.code(ground, &[]).await;
    let none = |more: &[(&'static str, String)]| {
        let mut all = vec![("prompt", "none".to_owned())];
        all.extend_from_slice(more);
        all
    };
    let essential = |acr: &str| json!({"id_token": {"acr": {"essential": true, "values": [acr]}}});
    let wish = |acr: &str| json!({"id_token": {"acr": {"values": [acr]}}});
    for (more, reached) in [
        (vec![("acr_values", low.to_owned())], true),
        (vec![("acr_values", format!("{high} {low}"))], true),
        (vec![("acr_values", "urn:unheard_of".to_owned())], true),
        (vec![("acr_values", high.to_owned())], true),
        (vec![("claims", wish(high).to_string())], true),
        (vec![("claims", essential(low).to_string())], true),
        (vec![("claims", essential(high).to_string())], false),
        (
            vec![("claims", essential("urn:unheard_of").to_string())],
            false,
        ),
    ] {
        let all = none(&more);
        let all: Vec<_> = all.iter().map(|(n, v)| (*n, &**v)).collect();
        let told = client.begin(ground, &ground.citizen, &all).await;
        if !reached {
            let (place, error) = told.refusal();
            assert_eq!(place, Place::Query);
            assert!(
                [
                    "interaction_required",
                    "login_required",
                    "unmet_authentication_requirements"
                ]
                .contains(&error),
                "{more:?}: {error}"
            );
            continue;
        }
        let tokens = client.redeem(ground, &told.code(), &[]).await.json();
        let token = client.id_token(ground, &text(&tokens, "id_token")).await;
        assert_eq!(token.claims["acr"], low, "{more:?}");
        assert!(token.claims["amr"].is_array(), "{}", token.claims);
    }
}

/// 3.11, OIDC Core 15.1.
#[tokio::test(flavor = "multi_thread")]
async fn hints_that_mean_nothing_change_nothing() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    client.code(ground, &[]).await;
    let nobody = ground.lab.browser();
    let plain = client.begin(ground, &nobody, &[]).await;
    for more in [
        ("display", "wap"),
        ("display", "unheard_of"),
        ("ui_locales", "xx-YY tlh"),
        ("claims_locales", "xx"),
        ("login_hint", "nobody@hefu.test"),
        ("login_hint", "14000000900"),
        ("id_token_hint", "nothing"),
        ("registration", "{}"),
    ] {
        client.begin(ground, &ground.citizen, &[more]).await.code();
        let told = client.begin(ground, &nobody, &[more]).await;
        assert_eq!(told.asks(), "login-form", "{more:?}");
        assert_eq!(
            told.answer.text("heading"),
            plain.answer.text("heading"),
            "{more:?}"
        );
    }
}

/// 3.12.
#[tokio::test(flavor = "multi_thread")]
async fn a_hint_names_who_is_meant() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let token = text(&client.tokens(ground, &[]).await, "id_token");
    let other = json!({"id_token": {"sub": {"value": "somebody-else"}}}).to_string();
    let sub = client.id_token(ground, &token).await.claims["sub"].clone();
    let same = json!({"id_token": {"sub": {"value": sub}}}).to_string();
    for (more, refused) in [
        (("id_token_hint", &*token), false),
        (("claims", &*same), false),
        (("claims", &*other), true),
        // Counts as none.
        (
            (
                "id_token_hint",
                &*tampered(&token, &json!({"sub": "somebody-else"})),
            ),
            false,
        ),
        (
            (
                "id_token_hint",
                &*unsigned(&json!({"sub": "somebody-else"})),
            ),
            false,
        ),
    ] {
        let told = client
            .begin(ground, &ground.citizen, &[("prompt", "none"), more])
            .await;
        if refused {
            assert_eq!(told.refusal(), (Place::Query, "login_required"));
        } else {
            told.code();
        }
    }
}

/// 3.17 and 3.18: pages can be read again; the way out is `access_denied`.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_can_be_reloaded_and_left() {
    let ground = ground().await;
    let members = json!({"client_name": "<b>party & co</b>", "policy_uri": "https://rp.hefu.test/policy",
        "tos_uri": "https://rp.hefu.test/terms", "logo_uri": "https://rp.hefu.test/logo.png"});
    let client = Client::with(ground, members).await;
    let browser = ground.lab.browser();
    let told = client.begin(ground, &browser, &[]).await;
    let page = &told.answer;
    assert!(!page.body.contains("<b>party"), "{}", page.body);
    assert!(page.text("claimed-name").contains("<b>party & co</b>"));
    for (id, href) in [
        ("claimed-policy", "https://rp.hefu.test/policy"),
        ("claimed-terms", "https://rp.hefu.test/terms"),
    ] {
        assert_eq!(page.attribute(id, "href").as_deref(), Some(href));
    }
    // Never a stranger's picture from a stranger's place.
    assert!(
        !page.body.contains("src=\"https://rp.hefu.test"),
        "{}",
        page.body
    );
    let again = browser.get(page.url.as_str()).await;
    assert!(again.has("login-form"));
    let elsewhere = ground.lab.browser().get(page.url.as_str()).await;
    assert!(!elsewhere.has("login-form"), "bound to the browser");
    let answer = browser.submit(&again, "cancel-form", &[]).await;
    let told = to_the_first(&browser, answer).await;
    assert_eq!(told.refusal(), (Place::Query, "access_denied"));
    // So is a no to the consent.
    let told = client.begin(ground, &ground.citizen, &[]).await;
    let no = [("decision", "deny")];
    let answer = ground
        .citizen
        .submit(&told.answer, "consent-form", &no)
        .await;
    let told = to_the_first(&ground.citizen, answer).await;
    assert_eq!(told.refusal(), (Place::Query, "access_denied"));
    // An answered one is over.
    let page = browser.get(again.url.as_str()).await;
    let page = browser
        .follow(page, |to| to.as_str().starts_with(REDIRECT_URI))
        .await;
    assert!(!page.has("login-form"), "{}", page.body);
}

/// 3.18 to 3.20: a form needs its token, the page no inline script, the cookie its marks.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_login_are_guarded() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let browser = ground.lab.browser();
    let begun = browser.get(&client.url(ground, &[])).await;
    let cookies: Vec<_> = begun.headers.get_all("set-cookie").iter().collect();
    assert!(!cookies.is_empty());
    for cookie in cookies {
        let cookie = cookie.to_str().expect("text");
        for mark in [
            "__Host-",
            "; Secure",
            "; HttpOnly",
            "; Path=/",
            "; SameSite=",
        ] {
            assert!(cookie.contains(mark), "{mark}: {cookie}");
        }
    }
    let page = to_the_first(&browser, begun).await.answer;
    let csp = page.header("content-security-policy");
    for part in [
        "frame-ancestors 'none'",
        "default-src 'none'",
        "base-uri 'none'",
    ] {
        assert!(csp.contains(part), "{part}: {csp}");
    }
    assert!(!csp.contains("unsafe-inline"), "{csp}");
    assert!(!page.body.contains("<script>"), "{}", page.body);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert!(["no-referrer", "same-origin"].contains(&page.header("referrer-policy")));
    let mut form = CITIZEN.to_vec();
    form.push(("csrf_token", "forged"));
    for forged in [&CITIZEN[..], &form] {
        let answer = browser.post(page.url.as_str(), forged).await;
        assert!(
            answer.status.is_client_error(),
            "{} {}",
            answer.status,
            answer.body
        );
    }
    let wrong = [CITIZEN[0], ("password", "Not-the-password-1")];
    let unknown = [
        ("username", "14000000901"),
        ("password", "Not-the-password-1"),
    ];
    let one = browser.submit(&page, "login-form", &wrong).await;
    let two = browser.submit(&page, "login-form", &unknown).await;
    assert_eq!(one.status, two.status);
    assert_eq!(
        one.text("problems"),
        two.text("problems"),
        "nobody learns who has an account"
    );
    let answer = browser.submit(&page, "login-form", &CITIZEN).await;
    let told = to_the_end(&browser, answer).await;
    told.code();
}
