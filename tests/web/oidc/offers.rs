//! A provider that offers everything beyond logins, and the shop's way to tokens there.

use hefu::authn::Factor;
use hefu::config::offers::{
    DetailMember, DetailType, Exchange, Resource, ResourceScope, TokenKind,
};
use hefu::config::provider::Provider;
use hefu::id::PersonId;
use hefu::provider::device;
use serde_json::{Value, json};

use super::{Answer, Browser, SHOP_CB, TestHouse, basic, encode};

pub const HEALTH: &str = "https://health.example";
pub const PENSION: &str = "https://pension.example/api";
pub const WHOLE: &str = "openid profile offline_access health.read health.write pension.read";

fn resource(uri: &str, name: &str, scopes: &[(&str, &str)], server: &str) -> Resource {
    Resource {
        uri: uri.to_owned(),
        name: name.to_owned(),
        name_en: Some(format!("{name} (en)")),
        scopes: scopes
            .iter()
            .map(|(name, text)| ResourceScope {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
                text_en: None,
            })
            .collect(),
        servers: vec![server.to_owned()],
    }
}

fn member(name: &str, text: &str, required: bool, values: &[&str]) -> DetailMember {
    DetailMember {
        name: name.to_owned(),
        text: text.to_owned(),
        text_en: None,
        required,
        values: values.iter().map(|v| (*v).to_owned()).collect(),
    }
}

/// Resources, details, exchanges and devices, with the clients that use them.
pub fn all(settings: &mut Provider) {
    let mut client = |table: Value| settings.clients.push(table.as_object().unwrap().clone());
    for (id, alg) in [("health", "ES256"), ("gateway", "RS256")] {
        client(
            json!({"client_id": id, "client_secret": "s", "redirect_uris": [format!("https://{id}.example/cb")],
            "introspection_signed_response_alg": alg}),
        );
    }
    client(
        json!({"client_id": "tv", "token_endpoint_auth_method": "none", "client_name": "客厅终端",
        "redirect_uris": ["https://tv.example/cb"], "id_token_signed_response_alg": "ES256",
        "grant_types": [device::GRANT_TYPE, "refresh_token"]}),
    );
    settings.device_grant = true;
    settings.resources = vec![
        resource(
            HEALTH,
            "健康档案",
            &[
                ("health.read", "查看您的健康档案"),
                ("health.write", "修改您的健康档案"),
            ],
            "health",
        ),
        resource(
            PENSION,
            "养老保险",
            &[("pension.read", "查看您的缴费记录")],
            "pension",
        ),
    ];
    settings.authorization_details = vec![DetailType {
        kind: "records".to_owned(),
        text: "查看病历".to_owned(),
        text_en: Some("Read medical records".to_owned()),
        members: vec![
            member("actions", "操作", true, &["read", "list"]),
            member("locations", "地点", false, &[HEALTH]),
            member("hospital", "医院", false, &[]),
        ],
    }];
    settings.exchanges = vec![Exchange {
        client: "gateway".to_owned(),
        subjects: vec!["shop".to_owned(), "tv".to_owned(), "gateway".to_owned()],
        subject_types: vec![TokenKind::AccessToken, TokenKind::IdToken],
        resources: vec![HEALTH.to_owned()],
        actor_required: false,
    }];
}

pub async fn house() -> TestHouse {
    TestHouse::with(4, all).await
}

/// A citizen who agreed to all of it, with a browser that is logged in.
pub async fn citizen(house: &TestHouse) -> (PersonId, Browser<'_>) {
    let person = house.citizen(true).await;
    for client in ["shop", "gateway", "tv"] {
        house.consent(&person, client, WHOLE).await;
    }
    let (_, browser) = house.session(&person, &[Factor::Password]).await;
    (person, browser)
}

/// What the shop gets for a code of this request.
pub async fn code(browser: &mut Browser<'_>, asked: &[(&str, &str)]) -> String {
    let mut form = vec![
        ("client_id", "shop"),
        ("redirect_uri", SHOP_CB),
        ("response_type", "code"),
    ];
    form.extend(asked);
    let answer = browser.get(&format!("/authorize?{}", encode(&form))).await;
    let told = answer.told();
    told.get("code")
        .unwrap_or_else(|| panic!("no code: {told:?}"))
        .clone()
}

/// The shop at the token endpoint.
pub async fn shop(house: &TestHouse, form: &[(&str, &str)]) -> Answer {
    house
        .post("/token", form, Some(&basic("shop", "shop secret")))
        .await
}

/// The shop's tokens for `asked`, narrowed by `at_token`.
pub async fn tokens(
    house: &TestHouse,
    browser: &mut Browser<'_>,
    asked: &[(&str, &str)],
    at_token: &[(&str, &str)],
) -> Answer {
    let code = code(browser, asked).await;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", SHOP_CB),
    ];
    form.extend(at_token);
    shop(house, &form).await
}

/// A member of a JSON answer, as text.
pub fn text(answer: &Value, name: &str) -> String {
    answer[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {answer}"))
        .to_owned()
}
