use hefu::client::registered;

use super::*;

#[tokio::test]
async fn clients_are_registered_changed_rotated_and_removed() {
    let counter = Counter::of(Role::Provider).await;
    let mut browser = counter.joined("security_officer").await;
    let page = browser.get("/clients/new").await;
    let wrong = [("client-id", "cl_1"), ("metadata", "[]")];
    let wrong = browser.submit(&page, "/clients/new", &wrong).await;
    assert!(wrong.has("metadata-problem"), "{}", wrong.body);
    let odd = [("client-id", "cl_1"), ("metadata", "{}")];
    let odd = browser.submit(&page, "/clients/new", &odd).await;
    assert!(odd.has("refused-reason"), "{}", odd.body);
    let good = [
        ("client-id", "cl_1"),
        (
            "metadata",
            r#"{"client_name": "市民之家", "redirect_uris": ["https://rp.example/cb"]}"#,
        ),
    ];
    let preview = browser.submit(&page, "/clients/new", &good).await;
    let done = browser.confirm(&preview).await;
    assert!(done.has("secret"), "{}", done.body);
    assert_eq!(done.headers[header::CACHE_CONTROL], "no-store");

    let list = browser.get("/clients?q=市民").await;
    assert!(list.body.contains("data-client=\"cl_1\""), "{}", list.body);
    let page = browser.get("/clients/show?client=cl_1").await;
    let which = [("client", "cl_1")];
    let secret = async || {
        let mut conn = counter.store.read().await.unwrap();
        let id = hefu::id::ClientId("cl_1".to_owned());
        registered::find(&mut conn, &id)
            .await
            .unwrap()
            .map(|c| c.secret)
    };
    let before = secret().await;
    let preview = browser.submit(&page, "/clients/rotate", &which).await;
    assert_eq!(secret().await, before, "only shown");
    let done = browser.confirm(&preview).await;
    assert!(
        done.has("secret") && secret().await != before,
        "{}",
        done.body
    );

    let set = [
        ("client", "cl_1"),
        (
            "metadata",
            r#"{"client_name": "办事大厅", "redirect_uris": ["https://rp.example/cb"]}"#,
        ),
    ];
    let preview = browser.submit(&page, "/clients/set", &set).await;
    assert!(preview.body.contains("市民之家") && preview.body.contains("办事大厅"));
    browser.confirm(&preview).await;
    assert!(browser.get("/clients").await.body.contains("办事大厅"));

    let preview = browser.submit(&page, "/clients/remove", &which).await;
    browser.confirm(&preview).await;
    assert_eq!(secret().await, None);
    let gone = browser.get("/clients/show?client=cl_1").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_help_desk_reads_what_the_auditor_reads_but_the_log() {
    let counter = Counter::of(Role::Provider).await;
    counter
        .apply(json!({"act": "add_client", "client_id": "cl_1",
            "metadata": {"redirect_uris": ["https://rp.example/cb"]}}))
        .await;
    for (role, log) in [
        ("help_desk", StatusCode::FORBIDDEN),
        ("auditor", StatusCode::OK),
    ] {
        let mut browser = counter.joined(role).await;
        let page = browser.get("/clients/show?client=cl_1").await;
        assert!(
            page.has("metadata") && !page.has("metadata-form"),
            "{}",
            page.body
        );
        let own = browser.get("/").await;
        let refused = browser
            .submit(&own, "/clients/remove", &[("client", "cl_1")])
            .await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert_eq!(browser.get("/logouts").await.status, StatusCode::OK);
        assert_eq!(browser.get("/audit").await.status, log, "{role}");
        // A provider vouches for nobody.
        let none = browser.get("/subordinates").await;
        assert_eq!(none.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_log_is_read_page_by_page() {
    let counter = Counter::anchor().await;
    for _ in 0..130 {
        counter.clock.advance(1);
        counter.enrol(LEAF).await;
    }
    let mut browser = counter.joined("auditor").await;
    let first = browser.get("/audit").await;
    assert_eq!(first.body.matches("data-kind").count(), 100);
    let (_, rest) = first.body.split_once("id=\"page-after\"").unwrap();
    let older = rest
        .split("href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let second = browser.get(older).await;
    // Enrolments, an invitation, a joining.
    assert_eq!(second.body.matches("data-kind").count(), 32);
    assert!(second.has("page-first") && !second.has("page-after"));
}

#[tokio::test]
async fn chains_that_cannot_be_renewed_stand_out() {
    let counter = Counter::anchor().await;
    let now = counter.world.now();
    counter
        .resolver
        .resolve(&entity_id(LEAF), None, now)
        .await
        .unwrap();
    let unknown = entity_id("https://nobody.example");
    assert!(counter.resolver.resolve(&unknown, None, now).await.is_err());
    counter.clock.set(now);
    let mut browser = counter.joined("federation_officer").await;
    let page = browser.get("/chains").await;
    for row in [
        format!("data-entity=\"{LEAF}\" data-state=\"good\""),
        "data-entity=\"https://nobody.example\" data-state=\"missing\"".to_owned(),
    ] {
        assert!(page.body.contains(&row), "{row}: {}", page.body);
    }
    let home = browser.get("/").await;
    assert!(home.body.contains("data-room=\"chains\""), "{}", home.body);
}
