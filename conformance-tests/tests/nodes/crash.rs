//! One node is killed and the other goes on; started again, it knows everything. A cluster of its own: nobody else wants that.

use conformance_tests::visitor::Visitor;
use reqwest::Method;

use super::cluster::{
    A, B, CLIENT_ID, CLIENT_SECRET, Cluster, PASSWORD, code_form, member, parameter, refusal,
};

#[tokio::test(flavor = "multi_thread")]
async fn one_node_is_killed_and_the_other_goes_on() {
    const PHONE: &str = "14000000221";
    let cluster = Cluster::start().await;
    let person = cluster.newcomer(PHONE).await;
    let jwks = person.at[B].get(&cluster.url("/jwks")).await.json();
    let silent = cluster.authorize(&[("prompt", "none")]);
    let code_at = async |node: usize| {
        let to = person.at[node]
            .get(&silent)
            .await
            .location()
            .expect("a redirect");
        parameter(&to, "code").unwrap_or_else(|| panic!("node {node} asks again: {to}"))
    };
    let issued = code_at(A).await;
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(code_at(A).await);
    }
    // Another browser has a login page of the node that will be gone.
    let half_way = cluster.person();
    let page = half_way.at[A].get(&cluster.authorize(&[])).await;
    let page = half_way.at[A].follow(page, |_| false).await;
    assert!(page.has("login-form"), "{}", page.body);

    // Killed while it answers. Answered as done must be done; unanswered may be either, but nothing is half done.
    let mut tries = tokio::task::JoinSet::new();
    for code in &codes {
        let form: Vec<(String, String)> = code_form(code)
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let (visitor, url, code) = (
            cluster.person().at[A].clone(),
            cluster.url("/token"),
            code.clone(),
        );
        tries.spawn(async move {
            let request = visitor
                .request(Method::POST, &url)
                .basic_auth(CLIENT_ID, Some(CLIENT_SECRET))
                .form(&form);
            let status = request.send().await.ok().map(|a| a.status().as_u16());
            (code, status)
        });
    }
    let mut answered = vec![tries.join_next().await.expect("a try").expect("no panic")];
    cluster.kill(A);
    while let Some(one) = tries.join_next().await {
        answered.push(one.expect("no panic"));
    }
    for (code, status) in &answered {
        let answer = cluster.redeem(B, code).await;
        match status {
            Some(200) => assert_eq!(
                refusal(&answer),
                (400, "invalid_grant".to_owned()),
                "a code was redeemed at both"
            ),
            None if answer.status == 200 => {}
            None => assert_eq!(refusal(&answer), (400, "invalid_grant".to_owned())),
            Some(other) => panic!("a good code was answered {other}"),
        }
    }

    // The other knows the session, the code, and the half-finished login.
    let access_token = member(&cluster.redeem(B, &issued).await, "access_token");
    assert_eq!(cluster.userinfo(B, &access_token).await.status, 200);
    code_at(B).await;
    let fields = [("username", PHONE), ("password", PASSWORD)];
    let page = half_way.at[B].submit(&page, "login-form", &fields).await;
    let to = half_way.at[B]
        .follow(page, |url| url.host_str() == Some("rp.hefu.test"))
        .await;
    let to = to
        .location()
        .unwrap_or_else(|| panic!("{} {}", to.status, to.body));
    assert!(parameter(&to, "code").is_some(), "{to}");

    cluster.serve(A);
    cluster.until_ready(A).await;
    assert_eq!(
        person.at[A].get(&cluster.url("/jwks")).await.json(),
        jwks,
        "other keys after a restart"
    );
    assert_eq!(cluster.userinfo(A, &access_token).await.status, 200);
    let again = cluster.redeem(A, &issued).await;
    assert_eq!(refusal(&again), (400, "invalid_grant".to_owned()));
    code_at(A).await;

    // Told to end in good manners: what was written is sealed, and the log is whole.
    assert!(cluster.stop(A), "{}", cluster.log(A));
    assert!(cluster.stop(B), "{}", cluster.log(B));
    let refused = Visitor::new()
        .request(Method::GET, &cluster.private_url(A, "/healthz"))
        .send()
        .await;
    assert!(refused.is_err(), "it still answers");
    for node in [A, B] {
        let log = cluster.log(node);
        let bad = log
            .lines()
            .find(|l| l.contains("ERROR") || l.contains("panic"));
        assert_eq!(bad, None, "{log}");
        for personal in [PHONE, PASSWORD, issued.as_str(), access_token.as_str()] {
            assert!(!log.contains(personal), "{personal} is in the log");
        }
    }
    // Each of the fourteen redemptions that were answered to the end left a row, done or refused.
    let verdict = cluster.hefu_json(&["audit", "verify"]);
    assert_eq!(verdict["verdict"], "whole", "{verdict}");
    assert_eq!(verdict["waiting"], 0, "{verdict}");
    assert!(
        verdict["sealed"].as_i64().is_some_and(|n| n >= 14),
        "{verdict}"
    );
    assert!(
        verdict["checkpoints"].as_i64().is_some_and(|n| n >= 1),
        "{verdict}"
    );
}
