use super::*;

#[tokio::test]
async fn logins_to_the_account_centre_begun_from_one_source_are_limited() {
    let settings = config::provider::Provider {
        begun_per_source: 2,
        ..config::provider::Provider::default()
    };
    let house = TestHouse::with(config::people::People::default(), settings).await;
    for path in ["/account", "/recover"] {
        let page = house.browser().get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
    }
    for path in ["/account", "/account/phone", "/account/recover"] {
        let page = house.browser().get(path).await;
        assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert!(page.has("error-code") && page.headers.contains_key("retry-after"));
    }
    assert_eq!(house.count("interactions").await, 2);
    // Elsewhere, and for whoever is logged in, nothing is begun in vain.
    let mut elsewhere = house.browser_at("192.0.2.2");
    assert!(elsewhere.log_in("14000000001").await.has("person-name"));
    for _ in 0..3 {
        assert!(elsewhere.get("/account").await.has("person-name"));
    }
}
