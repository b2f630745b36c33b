use super::*;

#[tokio::test]
async fn a_sign_in_ends_when_idle_and_in_any_case() {
    let counter = Counter::anchor().await;
    let mut browser = counter.joined("auditor").await;
    counter.clock.advance(899);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    counter.clock.advance(900);
    let away = browser.get("/").await;
    assert_eq!(away.status, StatusCode::SEE_OTHER, "idle");
    assert!(!browser.is_signed_in());

    browser.sign_in().await;
    let begun = counter.clock.now();
    while counter.clock.now().since(begun) < 8 * 3600 - 600 {
        counter.clock.advance(600);
        assert_eq!(browser.get("/").await.status, StatusCode::OK);
    }
    counter.clock.set(begun.plus(8 * 3600));
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_disabled_operator_is_out_at_once_and_comes_in_no_more() {
    let counter = Counter::anchor().await;
    let (operator, token) = counter.invite("auditor").await;
    let mut browser = counter.browser();
    browser.join(&token).await;
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    counter
        .apply(json!({"act": "disable_operator", "operator": operator}))
        .await;
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
    let refused = browser.sign_in().await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let written = counter.audit().await;
    assert!(written.contains(&("operator.sign_in".to_owned(), "refused".to_owned(), None)));
}

#[tokio::test]
async fn an_assertion_of_another_ceremony_or_holder_is_refused() {
    let counter = Counter::anchor().await;
    let mut browser = counter.joined("auditor").await;
    let (key, _) = browser.key.clone().unwrap();
    // Another user handle than the credential's owner has.
    browser.key = Some((key, json!("AAAAAAAAAAAAAAAAAAAAAA")));
    assert_eq!(browser.sign_in().await.status, StatusCode::UNAUTHORIZED);
    // A credential that nobody registered here.
    let elsewhere = Counter::anchor().await;
    let mut stranger = elsewhere.joined("auditor").await;
    let mut guest = counter.browser();
    std::mem::swap(&mut guest.device, &mut stranger.device);
    guest.key = stranger.key.clone();
    assert_eq!(guest.sign_in().await.status, StatusCode::UNAUTHORIZED);
}
