//! People at two nodes: what they did at one holds at the other.

use super::cluster::{A, B, CITIZENS, CLIENT_ID, PASSWORD, member, parameter, refusal, shared};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_begun_at_one_node_is_finished_at_the_other() {
    const PHONE: &str = "14000000201";
    let cluster = shared().await;
    let person = cluster.person();
    let [a, b] = &person.at;
    let leaves = |url: &url::Url| url.host_str() == Some("rp.hefu.test");

    let page = a
        .get(&cluster.authorize(&[("scope", "openid real_name")]))
        .await;
    let page = a.follow(page, leaves).await;
    let create = page.attribute("login-create", "href").expect("a link");
    let page = a.get(page.url.join(&create).expect("a URL").as_str()).await;
    let sent = a.submit(&page, "phone-form", &[("phone", PHONE)]).await;
    // The code page is shown and answered by the node that did not send the code.
    let page = b.follow(sent, leaves).await;
    let code = cluster.sms_code(PHONE).await;
    let page = b.submit(&page, "code-form", &[("code", &code)]).await;
    let page = b.follow(page, leaves).await;
    let fields = [("new-password", PASSWORD), ("repeat-password", PASSWORD)];
    let page = a.submit(&page, "password-form", &fields).await;
    let page = b.follow(page, leaves).await;
    let (name, number) = CITIZENS[0];
    let fields = [("name", name), ("number", number)];
    let page = a.submit(&page, "verify-form", &fields).await;
    let to = cluster.to_the_end(&person, PHONE, page).await;

    let code = parameter(&to, "code").unwrap_or_else(|| panic!("no code: {to}"));
    let access_token = member(&cluster.redeem(B, &code).await, "access_token");
    for node in [A, B] {
        let claims = cluster.userinfo(node, &access_token).await;
        assert_eq!(claims.status, 200, "{}", claims.body);
        let centre = person.at[node].get(&cluster.url("/account")).await;
        assert!(
            centre.text("person-name").starts_with('测'),
            "{}",
            centre.body
        );
        assert_eq!(
            centre.attribute("person-level", "data-level").as_deref(),
            Some("rn2"),
            "{}",
            centre.body
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_one_at_both_nodes_and_ends_at_both() {
    let cluster = shared().await;
    let person = cluster.newcomer("14000000202").await;
    let [a, b] = &person.at;
    let silent = cluster.authorize(&[("prompt", "none")]);
    let mut tokens = Vec::new();
    for visitor in [a, b] {
        let to = visitor.get(&silent).await.location().expect("a redirect");
        let code = parameter(&to, "code").unwrap_or_else(|| panic!("asked again: {to}"));
        let answer = cluster.redeem(A, &code).await;
        tokens.push(member(&answer, "access_token"));
        if tokens.len() == 2 {
            let hint = member(&answer, "id_token");
            let out = format!(
                "{}?client_id={CLIENT_ID}&id_token_hint={hint}&post_logout_redirect_uri=https%3A%2F%2Frp.hefu.test%2F",
                cluster.url("/logout")
            );
            let back = a.get(&out).await.location().expect("back to the platform");
            assert_eq!(back.as_str(), "https://rp.hefu.test/");
        }
    }
    for (node, visitor) in [(B, b), (A, a)] {
        let to = visitor.get(&silent).await.location().expect("a redirect");
        assert_eq!(
            parameter(&to, "error").as_deref(),
            Some("login_required"),
            "{to}"
        );
        for token in &tokens {
            let answer = cluster.userinfo(node, token).await;
            assert_eq!(
                answer.status, 401,
                "a token outlives its session: {}",
                answer.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_count_wherever_they_are_typed() {
    const PHONE: &str = "14000000203";
    let cluster = shared().await;
    cluster.newcomer(PHONE).await;
    let guesser = cluster.person();
    let mut page = guesser
        .follow(guesser.get(&cluster.authorize(&[])).await)
        .await;
    for i in 0..5 {
        let guess = format!("guess-{i}");
        let fields = [("username", PHONE), ("password", guess.as_str())];
        let answer = guesser.at[i % 2].submit(&page, "login-form", &fields).await;
        assert_eq!(answer.status, 422, "guess {i}: {}", answer.body);
        page = answer;
    }
    for node in [A, B] {
        let fields = [("username", PHONE), ("password", PASSWORD)];
        let answer = guesser.at[node].submit(&page, "login-form", &fields).await;
        assert_eq!(answer.status, 429, "after five guesses: {}", answer.body);
        assert!(answer.location().is_none());
    }
    // Another account from the same place is not locked.
    cluster.newcomer("14000000204").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sms_code_answered_at_both_nodes_at_once_opens_one_door() {
    const PHONE: &str = "14000000205";
    let cluster = shared().await;
    let person = cluster.person();
    let page = person
        .follow(person.get(&cluster.authorize(&[])).await)
        .await;
    let page = person.open(&page, "login-create").await;
    let page = person
        .submit(&page, "phone-form", &[("phone", PHONE)])
        .await;
    let page = person.follow(page).await;
    let code = cluster.sms_code(PHONE).await;
    let fields = [("code", code.as_str())];
    let (first, second) = tokio::join!(
        person.at[A].submit(&page, "code-form", &fields),
        person.at[B].submit(&page, "code-form", &fields),
    );
    let through = [&first, &second]
        .into_iter()
        .filter(|a| {
            a.location()
                .is_some_and(|to| to.path().ends_with("/create/password"))
        })
        .count();
    assert_eq!(through, 1, "{first:?}\n{second:?}");
}

/// The pages of a door carry a token bound to the browser: it is good at both nodes, and for no other browser.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_one_node_is_no_form_of_another_browser() {
    let cluster = shared().await;
    let (person, other) = (cluster.person(), cluster.person());
    let page = person.at[A].get(&cluster.authorize(&[])).await;
    let page = person.at[A].follow(page, |_| false).await;
    let fields = [("username", "14000000299"), ("password", "x")];
    let stolen = other.at[B].submit(&page, "login-form", &fields).await;
    assert!(
        stolen.status.is_client_error() && !stolen.has("login-form"),
        "{}",
        stolen.body
    );
    let own = person.at[B].submit(&page, "login-form", &fields).await;
    assert!(own.has("login-form"), "{} {}", own.status, own.body);
    let unknown = cluster.redeem(B, "nothing").await;
    assert_eq!(refusal(&unknown), (400, "invalid_grant".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_document_proven_at_both_nodes_at_once_belongs_to_one_account() {
    let cluster = shared().await;
    let one = cluster.newcomer("14000000206").await;
    let other = cluster.newcomer("14000000207").await;
    let form = cluster.url("/account/verify");
    let (at_a, at_b) = (one.at[A].get(&form).await, other.at[B].get(&form).await);
    let (name, number) = CITIZENS[1];
    let fields = [("name", name), ("number", number)];
    let (first, second) = tokio::join!(
        one.at[A].submit(&at_a, "verify-form", &fields),
        other.at[B].submit(&at_b, "verify-form", &fields),
    );
    for answer in [&first, &second] {
        assert!(
            answer.status.is_redirection(),
            "{} {}",
            answer.status,
            answer.body
        );
    }
    let mut levels = Vec::new();
    for person in [&one, &other] {
        let centre = person.get(&cluster.url("/account")).await;
        levels.push(
            centre
                .attribute("person-level", "data-level")
                .unwrap_or_default(),
        );
    }
    let bound = levels.iter().filter(|level| *level == "rn2").count();
    assert_eq!(bound, 1, "{levels:?}");
}
