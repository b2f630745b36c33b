use super::*;

#[tokio::test]
async fn a_subordinate_is_dropped_in_two_steps() {
    let counter = Counter::anchor().await;
    counter.enrol(LEAF).await;
    let mut browser = counter.joined("federation_officer").await;
    let list = browser.get("/subordinates").await;
    assert!(
        list.body.contains(&format!("data-entity=\"{LEAF}\"")),
        "{}",
        list.body
    );
    assert!(list.body.contains("粤省事"));

    let page = browser
        .get(&format!("/subordinates/show?entity={LEAF}"))
        .await;
    assert!(
        page.has("drop-form") && page.body.contains("source_endpoint"),
        "{}",
        page.body
    );
    let preview = browser
        .submit(&page, "/subordinates/drop", &[("entity", LEAF)])
        .await;
    assert!(preview.has("confirm-what"), "{}", preview.body);
    assert!(
        preview.body.contains("<bdi>10</bdi> 分钟后"),
        "{}",
        preview.body
    );
    // Nothing has happened yet.
    let list = browser.get("/subordinates").await;
    assert!(list.body.contains(&format!("data-entity=\"{LEAF}\"")));

    let done = browser.confirm(&preview).await;
    assert_eq!(
        done.headers[header::LOCATION],
        "/console/anchor/subordinates?notice=act-done"
    );
    let list = browser.get("/subordinates?notice=act-done").await;
    assert!(
        list.has("notice") && !list.body.contains("data-entity"),
        "{}",
        list.body
    );
    let written = counter.audit().await;
    let (_, outcome, actor) = written
        .iter()
        .find(|(kind, ..)| kind == "federation.drop")
        .expect("an audit row");
    assert_eq!(outcome, "done");
    assert!(actor.as_ref().unwrap().starts_with("op_"));

    // The same page once more: it is gone, nothing changes.
    let again = browser.confirm(&preview).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.has("refused-reason"), "{}", again.body);
}

#[tokio::test]
async fn what_was_shown_is_for_whom_it_was_shown_to_and_not_forever() {
    let counter = Counter::anchor().await;
    counter.enrol(LEAF).await;
    let mut browser = counter.joined("federation_officer").await;
    let mut colleague = counter.joined("federation_officer").await;
    let page = browser
        .get(&format!("/subordinates/show?entity={LEAF}"))
        .await;
    let drop = [("entity", LEAF)];
    let preview = browser.submit(&page, "/subordinates/drop", &drop).await;
    let sealed = preview.field("act");

    let own = colleague.get("/").await;
    let refused = colleague.submit(&own, "/acts", &[("act", &sealed)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let changed = format!("A{}", &sealed[1..]);
    let refused = browser
        .submit(&preview, "/acts", &[("act", &changed)])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // Forms without a token, or with one that was shown to somebody else.
    let refused = browser.post("/acts", &[("act", &sealed)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let foreign = own.field("csrf_token");
    let fields = [("csrf_token", foreign.as_str()), ("act", &sealed)];
    let refused = browser.post("/acts", &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    counter.clock.advance(600);
    browser.get("/").await;
    counter.clock.advance(301);
    let late = browser.confirm(&preview).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
    assert!(browser.get("/subordinates").await.body.contains(LEAF));
}

#[tokio::test]
async fn who_may_not_hears_who_may() {
    let counter = Counter::anchor().await;
    counter.enrol(LEAF).await;
    // An auditor reads and has no buttons; what is posted anyway is refused.
    let mut auditor = counter.joined("auditor").await;
    let page = auditor
        .get(&format!("/subordinates/show?entity={LEAF}"))
        .await;
    assert!(
        page.has("statement") && !page.has("drop-form"),
        "{}",
        page.body
    );
    let refused = auditor
        .submit(&page, "/subordinates/drop", &[("entity", LEAF)])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.has("refused-roles") && refused.body.contains("联邦管理员"),
        "{}",
        refused.body
    );
    // The help desk does not see the room, nor a door to it.
    let mut help = counter.joined("help_desk").await;
    assert!(!help.get("/").await.has("room-subordinates"));
    let refused = help.get("/subordinates").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("审计员"), "{}", refused.body);
    let written = counter.audit().await;
    for kind in ["console.act", "console.enter"] {
        let row = written.iter().find(|(found, ..)| found == kind).unwrap();
        assert_eq!(row.1, "refused");
    }
}

#[tokio::test]
async fn a_policy_is_changed_and_an_entity_enrolled() {
    let counter = Counter::anchor().await;
    counter.enrol(LEAF).await;
    let mut browser = counter.joined("federation_officer").await;
    let page = browser
        .get(&format!("/subordinates/show?entity={LEAF}"))
        .await;
    let policy = |text| [("entity", LEAF), ("policy", text)];
    let wrong = browser
        .submit(&page, "/subordinates/policy", &policy("{"))
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.has("policy-problem"), "{}", wrong.body);
    let odd = r#"{"openid_relying_party": {"scope": {"subset_of": 7}}}"#;
    let wrong = browser
        .submit(&page, "/subordinates/policy", &policy(odd))
        .await;
    assert!(wrong.has("refused-reason"), "{}", wrong.body);
    let good =
        r#"{"openid_relying_party": {"grant_types": {"subset_of": ["authorization_code"]}}}"#;
    let preview = browser
        .submit(&page, "/subordinates/policy", &policy(good))
        .await;
    assert!(preview.has("confirm-before"), "{}", preview.body);
    browser.confirm(&preview).await;
    let page = browser
        .get(&format!("/subordinates/show?entity={LEAF}"))
        .await;
    let statement = page.body.split("id=\"statement\"").nth(1).unwrap();
    assert!(
        statement
            .split("</pre>")
            .next()
            .unwrap()
            .contains("metadata_policy")
    );

    let page = browser.get("/subordinates/new").await;
    let jwks = TestKey::of(MIDDLE).jwks().to_string();
    let mut form = vec![
        ("entity", MIDDLE),
        ("type", "federation_entity"),
        ("name", "广东省"),
        ("jwks", "{"),
    ];
    let wrong = browser.submit(&page, "/subordinates/new", &form).await;
    assert!(
        wrong.has("jwks-problem") && wrong.body.contains("广东省"),
        "{}",
        wrong.body
    );
    form[3].1 = &jwks;
    let preview = browser.submit(&page, "/subordinates/new", &form).await;
    assert!(!preview.has("confirm-before"), "{}", preview.body);
    browser.confirm(&preview).await;
    for (search, found) in [("", 2), ("广东", 1), ("粤", 1), ("nobody", 0)] {
        let query: String = url::form_urlencoded::byte_serialize(search.as_bytes()).collect();
        let list = browser.get(&format!("/subordinates?q={query}")).await;
        assert_eq!(list.body.matches("data-entity").count(), found, "{search}");
    }
}
