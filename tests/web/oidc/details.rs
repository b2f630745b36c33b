//! Rich authorization requests (RFC 9396).

use hefu::authn::Factor;
use serde_json::{Value, json};

use super::offers::{self, HEALTH, shop, text};
use super::{Browser, SHOP_CB, TestHouse, basic, payload};

const ASKED: &str = r#"[{"type":"records","actions":["read","list"],"hospital":"<b>市一</b>"}]"#;

/// Says yes on the consent page; the page's text, and what the shop is told.
async fn agree(browser: &mut Browser<'_>, asked: &[(&str, &str)]) -> (String, String) {
    let begun = browser.ask_plain("shop", SHOP_CB, asked).await.location();
    let page = browser.get(begun.path()).await.location();
    assert!(page.path().ends_with("/consent"), "{page}");
    let page = browser.get(page.path()).await;
    let (csrf, path) = (page.csrf(), format!("{}/consent", begun.path()));
    let form = [("csrf_token", csrf.as_str()), ("decision", "allow")];
    let back = browser.post(&path, &form).await.location();
    let told = browser.get(back.path()).await.told();
    (page.body, told["code"].clone())
}

async fn redeem(house: &TestHouse, code: &str, more: &[(&str, &str)]) -> Value {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", SHOP_CB),
    ];
    form.extend(more);
    shop(house, &form).await.json()
}

#[tokio::test]
async fn details_are_shown_in_words_granted_narrowed_and_told() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let asked = [("scope", "openid"), ("authorization_details", ASKED)];
    let (page, code) = agree(&mut browser, &asked).await;
    assert!(page.contains("查看病历") && page.contains("操作") && page.contains("read, list"));
    assert!(
        page.contains("&lt;b&gt;市一") || page.contains("&#60;b&#62;市一"),
        "{page}"
    );
    let whole: Value = serde_json::from_str(ASKED).unwrap();
    let answer = redeem(&house, &code, &[]).await;
    assert_eq!(answer["authorization_details"], whole);
    let access = text(&answer, "access_token");
    assert_eq!(payload(&access)["authorization_details"], whole);
    let told = house
        .post(
            "/introspect",
            &[("token", &access)],
            Some(&basic("shop", "shop secret")),
        )
        .await
        .json();
    assert_eq!(told["authorization_details"], whole);

    // Another occasion: asked again, although the shop may have everything else.
    let (_, code) = agree(&mut browser, &asked).await;
    let narrower = r#"[{"type":"records","actions":["read"],"hospital":"<b>市一</b>"}]"#;
    let answer = redeem(&house, &code, &[("authorization_details", narrower)]).await;
    assert_eq!(
        answer["authorization_details"],
        serde_json::from_str::<Value>(narrower).unwrap()
    );
    let (_, code) = agree(&mut browser, &asked).await;
    let wider = r#"[{"type":"records","actions":["read"]}]"#;
    let refused = redeem(&house, &code, &[("authorization_details", wider)]).await;
    assert_eq!(refused["error"], "invalid_authorization_details");
    // Without a page there is no yes.
    let silent = [asked[0], asked[1], ("prompt", "none")];
    let told = browser.ask_plain("shop", SHOP_CB, &silent).await.told();
    assert_eq!(told["error"], "consent_required");
}

#[tokio::test]
async fn what_no_type_allows_is_refused_everywhere() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    for wrong in [
        r#"[{"type":"payments","actions":["read"]}]"#,
        r#"[{"type":"records","actions":["write"]}]"#,
        r#"[{"type":"records"}]"#,
        r#"{"type":"records","actions":["read"]}"#,
        "nonsense",
    ] {
        let more = [("authorization_details", wrong)];
        let told = browser.ask_plain("shop", SHOP_CB, &more).await.told();
        assert_eq!(told["error"], "invalid_authorization_details", "{wrong}");
        let form = [
            ("client_id", "shop"),
            ("redirect_uri", SHOP_CB),
            ("response_type", "code"),
            ("scope", "openid"),
            more[0],
        ];
        let pushed = house
            .post("/par", &form, Some(&basic("shop", "shop secret")))
            .await;
        assert_eq!(pushed.json()["error"], "invalid_authorization_details");
        if let Ok(value) = serde_json::from_str::<Value>(wrong) {
            let told = browser
                .ask(wrong, json!({"authorization_details": value}))
                .await
                .told();
            assert_eq!(told["error"], "invalid_authorization_details");
        }
    }
    // No types are configured: every detail is unknown, none is ignored.
    let plain = TestHouse::new().await;
    let told = plain
        .browser()
        .ask_plain("shop", SHOP_CB, &[("authorization_details", ASKED)])
        .await
        .told();
    assert_eq!(told["error"], "invalid_authorization_details");
}

#[tokio::test]
async fn details_of_a_place_go_there_alone() {
    let house = offers::house().await;
    let person = house.citizen(true).await;
    house.consent(&person, "shop", "openid pension.read").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let details = format!(r#"[{{"type":"records","actions":["read"],"locations":["{HEALTH}"]}}]"#);
    let asked = [
        ("scope", "openid"),
        ("authorization_details", details.as_str()),
    ];
    // The detail is what is allowed at the resource; no scope of it is needed.
    let begun = browser
        .get(&format!(
            "/authorize?{}",
            super::encode(&[
                ("client_id", "shop"),
                ("redirect_uri", SHOP_CB),
                ("response_type", "code"),
                asked[0],
                asked[1],
                ("resource", HEALTH),
                ("resource", super::ISSUER),
            ])
        ))
        .await
        .location();
    let page = browser.get(&format!("{}/consent", begun.path())).await;
    let csrf = page.csrf();
    let form = [("csrf_token", csrf.as_str()), ("decision", "allow")];
    let path = format!("{}/consent", begun.path());
    let back = browser.post(&path, &form).await.location();
    let told = browser.get(back.path()).await.told();
    let first = redeem(&house, &told["code"], &[("resource", super::ISSUER)]).await;
    assert!(first.get("authorization_details").is_none(), "{first}");
    let access = text(&first, "access_token");
    assert!(payload(&access).get("authorization_details").is_none());
}
