//! Every standard claim for which a value is held goes where it was asked for, and is shown before it is told.

use hefu::authn::Factor;
use hefu::identity::details::{self, Detail};
use serde_json::{Value, json};

use super::{SHOP_CB, TestHouse, basic};

/// What the citizen of these tests has told of herself.
fn told() -> Value {
    json!({
        "given_name": "甲", "family_name": "测试", "middle_name": "中", "nickname": "小甲",
        "preferred_username": "jia", "profile": "https://people.example.cn/jia",
        "picture": "https://people.example.cn/jia.png", "website": "https://jia.example.cn/",
        "zoneinfo": "Asia/Shanghai", "locale": "zh-CN", "email": "jia@example.cn", "email_verified": true,
        "address": {"country": "CN", "region": "广东省", "locality": "广州市", "street_address": "某路 1 号"},
    })
}

#[tokio::test]
async fn each_scope_brings_all_its_claims() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    let mut conn = house.store.read().await.unwrap();
    for (claim, value) in told().as_object().unwrap() {
        let detail = Detail::parse(claim, value).unwrap();
        details::keep(
            &mut conn,
            &*house.ring,
            &person,
            &detail,
            house.now().plus(7),
        )
        .await
        .unwrap();
    }
    drop(conn);
    let all = "openid profile email address phone";
    house.consent(&person, "shop", all).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    for (scope, claims) in [
        ("openid", json!({})),
        (
            "openid email",
            json!({"email": "jia@example.cn", "email_verified": true}),
        ),
        ("openid address", json!({"address": told()["address"]})),
        (
            "openid phone",
            json!({"phone_number": "+8614000000001", "phone_number_verified": true}),
        ),
        (
            "openid profile",
            json!({
                "name": "测试甲", "given_name": "甲", "family_name": "测试", "middle_name": "中", "nickname": "小甲",
                "preferred_username": "jia", "profile": "https://people.example.cn/jia",
                "picture": "https://people.example.cn/jia.png", "website": "https://jia.example.cn/",
                "gender": "male", "birthdate": "1950-03-01", "zoneinfo": "Asia/Shanghai", "locale": "zh-CN",
                "updated_at": house.now().plus(7).0,
            }),
        ),
    ] {
        let code = browser
            .ask_plain("shop", SHOP_CB, &[("scope", scope)])
            .await
            .told()["code"]
            .clone();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", SHOP_CB),
        ];
        let tokens = house
            .post("/token", &form, Some(&basic("shop", "shop secret")))
            .await
            .json();
        let mut answer = house
            .userinfo(tokens["access_token"].as_str().unwrap())
            .await
            .json();
        let sub = answer.as_object_mut().unwrap().remove("sub");
        assert!(sub.is_some_and(|sub| sub.is_string()), "{scope}");
        assert_eq!(answer, claims, "{scope}");
    }
}

#[tokio::test]
async fn the_consent_shows_what_would_be_told() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    let mut conn = house.store.read().await.unwrap();
    for claim in ["email", "address"] {
        let detail = Detail::parse(claim, &told()[claim]).unwrap();
        details::keep(&mut conn, &*house.ring, &person, &detail, house.now())
            .await
            .unwrap();
    }
    drop(conn);
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let page = browser
        .ask_plain(
            "shop",
            SHOP_CB,
            &[("scope", "openid profile email address")],
        )
        .await;
    let consent = page.location().path().to_owned() + "/consent";
    let page = browser.get(&consent).await;
    for (claim, words) in [
        ("email", "jia@example.cn"),
        ("address", "CN 广东省 广州市 某路 1 号"),
        ("gender", "男"),
        ("birthdate", "****-**-**"),
        // Not told yet; the yes covers it.
        ("nickname", "—"),
    ] {
        let mark = format!("id=\"consent-item-{claim}\"");
        let item = page.body.split(&mark).nth(1).unwrap_or_default();
        let item = item.split("</div>").next().unwrap_or_default();
        assert!(item.contains(words), "{claim}: {item}");
    }
}

/// Labs name people who do not exist; nobody who could is let in.
#[tokio::test]
async fn only_synthetic_people_are_made_by_configuration() {
    use hefu::config::people::Synthetic;
    use hefu::identity::synthetic;
    let now = hefu::clock::UnixTime(1_795_413_900);
    let good = Synthetic {
        phone: "14000000101".to_owned(),
        password: "Lab-2026-password".to_owned(),
        name: "测试甲".to_owned(),
        number: "449999195003010014".to_owned(),
        claims: told().as_object().unwrap().clone(),
    };
    assert!(synthetic::configured(&good, now).is_ok());
    let refused = |change: &dyn Fn(&mut Synthetic)| {
        let mut citizen = good.clone();
        change(&mut citizen);
        synthetic::configured(&citizen, now)
            .expect_err("not synthetic")
            .to_string()
    };
    let real = "could be a real person";
    assert!(refused(&|c| "11010519491231002X".clone_into(&mut c.number)).contains(real));
    assert!(refused(&|c| "13800000000".clone_into(&mut c.phone)).contains(real));
    assert!(refused(&|c| "449999195003010015".clone_into(&mut c.number)).contains("well-formed"));
    assert!(
        refused(&|c| drop(c.claims.insert("sub".to_owned(), json!("x"))))
            .contains("sub is not a claim")
    );
}
