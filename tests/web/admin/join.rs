use super::*;

#[tokio::test]
async fn an_invitation_makes_one_operator_who_signs_in_by_passkey() {
    let counter = Counter::anchor().await;
    let (operator, token) = counter.invite("federation_officer").await;
    let mut browser = counter.browser();

    let page = browser.get(&format!("/join?invitation={token}")).await;
    for said in ["测试庚", "联邦管理员", "operator", TOP] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let switch = page.body.split("id=\"language-switch\"").nth(1).unwrap();
    assert!(!switch.split('>').next().unwrap().contains(&token));
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");

    let answer = browser.join(&token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.json()["next"], "/console/anchor/");
    let home = browser.get("/").await;
    assert!(home.has("console-operator"), "{}", home.body);

    // Used: its page says so, and nobody joins with it again.
    let over = browser.get(&format!("/join?invitation={token}")).await;
    assert_eq!(over.status, StatusCode::NOT_FOUND);
    assert!(over.has("invitation-over"));

    let out = browser.submit(&home, "/sign-out", &[]).await;
    assert_eq!(out.headers[header::LOCATION], "/console/anchor/sign-in");
    assert!(!browser.is_signed_in());
    let away = browser.get("/").await;
    assert_eq!(away.headers[header::LOCATION], "/console/anchor/sign-in");

    let answer = browser.sign_in().await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(browser.get("/").await.has("console-operator"));

    let mut written: Vec<(String, Option<String>)> = counter
        .audit()
        .await
        .into_iter()
        .map(|(kind, outcome, actor)| {
            assert_eq!(outcome, "done", "{kind}");
            (kind, actor)
        })
        .collect();
    written.sort();
    let by = |kind: &str, actor: &str| (kind.to_owned(), Some(actor.to_owned()));
    assert_eq!(
        written,
        [
            by("operator.invite", "operator"),
            by("operator.join", &operator),
            by("operator.sign_in", &operator),
            by("operator.sign_out", &operator),
        ]
    );
}

#[tokio::test]
async fn an_invitation_is_refused_where_it_does_not_hold() {
    let counter = Counter::anchor().await;
    let (_, token) = counter.invite("auditor").await;
    let mut browser = counter.browser();
    let page = browser.get(&format!("/join?invitation={token}")).await;
    let csrf = page.script_token();
    let path = format!("/join/finish?invitation={token}");
    let finish = browser.registration(&csrf, &token).await;

    // Without the form's token, for another invitation, in another browser.
    let forged = browser.script("forged", &path, &finish).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let (_, other) = counter.invite("security_officer").await;
    let path_of_other = format!("/join/finish?invitation={other}");
    let wrong = browser.script(&csrf, &path_of_other, &finish).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let mut stranger = counter.browser();
    let page = stranger.get(&format!("/join?invitation={token}")).await;
    let foreign = stranger.script(&page.script_token(), &path, &finish).await;
    assert_eq!(foreign.status, StatusCode::BAD_REQUEST);
    let unknown = stranger.get("/join?invitation=unknown").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);

    // It still works where it holds; then no more, and not after its time.
    let finish = browser.registration(&csrf, &token).await;
    let joined = browser.script(&csrf, &path, &finish).await;
    assert_eq!(joined.status, StatusCode::OK, "{}", joined.body);
    let again = browser.script(&csrf, &path, &finish).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    counter.clock.advance(3601);
    let late = stranger.get(&format!("/join?invitation={other}")).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn ceremonies_are_bounded_by_source() {
    let counter = Counter::anchor().await;
    let mut browser = counter.joined("auditor").await;
    let page = browser.get("/sign-in").await;
    let mut last = StatusCode::OK;
    let mut begun = 1;
    while last == StatusCode::OK && begun < 100 {
        let answer = browser
            .script(&page.script_token(), "/sign-in/options", &json!({}))
            .await;
        last = answer.status;
        begun += 1;
    }
    assert_eq!((last, begun), (StatusCode::TOO_MANY_REQUESTS, 31));
    "192.0.2.2".clone_into(&mut browser.source);
    assert_eq!(browser.sign_in().await.status, StatusCode::OK);
}
