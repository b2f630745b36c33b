//! What may be used once is used once, on any number of nodes; what one node signed, every node knows.

use conformance_tests::{
    statement::{peek, verify},
    visitor::Answer,
};
use serde_json::json;

use super::cluster::{A, B, member, parameter, refusal, shared};
use super::signer::Signer;

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_one_node_is_redeemed_once_at_either() {
    let cluster = shared().await;
    let person = cluster.newcomer("14000000211").await;
    let to = person.at[A].get(&cluster.authorize(&[])).await.location();
    let code = parameter(&to.expect("a redirect"), "code").expect("a code");
    let answer = cluster.redeem(B, &code).await;
    let access_token = member(&answer, "access_token");
    for node in [A, B] {
        assert_eq!(cluster.userinfo(node, &access_token).await.status, 200);
        let jwks = person.at[node].get(&cluster.url("/jwks")).await.json();
        let claims = verify(&member(&answer, "id_token"), &jwks).claims;
        assert_eq!(claims["iss"], cluster.issuer);
    }
    let again = cluster.redeem(A, &code).await;
    assert_eq!(refusal(&again), (400, "invalid_grant".to_owned()));
    for node in [A, B] {
        let answer = cluster.userinfo(node, &access_token).await;
        assert_eq!(answer.status, 401, "RFC 6749 §4.1.2: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_redemptions_at_once_one_wins() {
    let cluster = shared().await;
    let person = cluster.newcomer("14000000212").await;
    for round in 0..8 {
        let code = cluster.code(&person, &[]).await;
        let (a, b) = tokio::join!(cluster.redeem(A, &code), cluster.redeem(B, &code));
        let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
        let access_token = member(&won, "access_token");
        assert_eq!(
            refusal(&lost),
            (400, "invalid_grant".to_owned()),
            "round {round}"
        );
        // Who of the two was the thief nobody knows: neither keeps anything.
        assert_eq!(
            cluster.userinfo(A, &access_token).await.status,
            401,
            "round {round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_used_at_both_nodes_at_once_stays_one_family() {
    let cluster = shared().await;
    let person = cluster.newcomer("14000000213").await;
    let more = [("scope", "openid offline_access"), ("prompt", "consent")];
    for round in 0..4 {
        let code = cluster.code(&person, &more).await;
        let first = member(&cluster.redeem(A, &code).await, "refresh_token");
        let (a, b) = tokio::join!(cluster.refresh(A, &first), cluster.refresh(B, &first));
        assert!(a.status == 200 || b.status == 200, "{} {}", a.body, b.body);
        let mut family = Vec::new();
        for answer in [a, b] {
            if answer.status == 200 {
                let token = member(&answer, "refresh_token");
                assert!(
                    token != first && !family.contains(&token),
                    "round {round}: not rotated"
                );
                family.push(token);
            } else {
                assert_eq!(refusal(&answer), (400, "invalid_grant".to_owned()));
            }
        }
        // What ends one ends all: here the code, repeated.
        assert_eq!(cluster.redeem(B, &code).await.status, 400);
        for token in &family {
            for node in [A, B] {
                let answer = cluster.refresh(node, token).await;
                assert_eq!(
                    refusal(&answer),
                    (400, "invalid_grant".to_owned()),
                    "round {round}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_met_at_both_nodes_at_once_has_one_sub() {
    let cluster = shared().await;
    let person = cluster.newcomer("14000000215").await;
    let (one, other) = (
        cluster.code(&person, &[]).await,
        cluster.code(&person, &[]).await,
    );
    let (a, b) = tokio::join!(cluster.redeem(A, &one), cluster.redeem(B, &other));
    let sub = |answer| peek(&member(answer, "id_token")).claims["sub"].clone();
    assert!(sub(&a).is_string());
    assert_eq!(sub(&a), sub(&b));
    let again = cluster.code(&person, &[]).await;
    assert_eq!(sub(&cluster.redeem(A, &again).await), sub(&a));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_nodes_publish_the_same_keys() {
    let cluster = shared().await;
    let person = cluster.person();
    let mut seen = Vec::new();
    for node in [A, B] {
        let jwks = person.at[node].get(&cluster.url("/jwks")).await.json();
        let statement = person.at[node]
            .get(&cluster.url("/.well-known/openid-federation"))
            .await;
        assert_eq!(statement.status, 200, "{}", statement.body);
        let metadata = person.at[node]
            .get(&cluster.url("/.well-known/openid-configuration"))
            .await;
        seen.push((
            jwks,
            peek(&statement.body).claims["jwks"].clone(),
            metadata.json(),
        ));
    }
    assert!(
        seen[0].0["keys"].as_array().is_some_and(|k| k.len() >= 3),
        "{}",
        seen[0].0
    );
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jti_is_spent_at_all_nodes() {
    let cluster = shared().await;
    let signer = Signer::registered(cluster, &json!({}));
    let person = cluster.newcomer("14000000214").await;

    // Client assertions (RFC 7523 §3): refused at the other node, and of two at once one passes.
    for round in 0..4 {
        let to = person
            .get(&cluster.authorize(&[("client_id", &signer.id)]))
            .await;
        let to = cluster.to_the_end(&person, "", to).await;
        let code = parameter(&to, "code").unwrap_or_else(|| panic!("no code: {to}"));
        let assertion = signer.assertion(&cluster.issuer);
        let first = signer.redeem(cluster, A, &assertion, &code).await;
        assert_eq!(first.status, 200, "{}", first.body);
        let replay = signer.redeem(cluster, B, &assertion, &code).await;
        assert_eq!(
            refusal(&replay),
            (401, "invalid_client".to_owned()),
            "round {round}"
        );
        let assertion = signer.assertion(&cluster.issuer);
        let (a, b) = tokio::join!(
            signer.redeem(cluster, A, &assertion, "none"),
            signer.redeem(cluster, B, &assertion, "none")
        );
        let mut errors = [refusal(&a).1, refusal(&b).1];
        errors.sort();
        assert_eq!(errors, ["invalid_client", "invalid_grant"], "round {round}");
    }

    // Request objects (RFC 9101), pushed: the assertion is fresh each time, the object is not.
    for round in 0..4 {
        let object = signer.object(&cluster.issuer);
        let (a, b) = tokio::join!(
            signer.push(cluster, A, &object),
            signer.push(cluster, B, &object)
        );
        let (won, lost) = if a.status == 201 { (a, b) } else { (b, a) };
        assert_eq!(won.status, 201, "{}", won.body);
        assert_eq!(
            refusal(&lost),
            (400, "invalid_request_object".to_owned()),
            "round {round}"
        );
        // What was pushed to one is answered by the other, once.
        let pushed = won.json()["request_uri"]
            .as_str()
            .expect("a request_uri")
            .to_owned();
        let mut url: url::Url = cluster.url("/authorize").parse().expect("a URL");
        url.query_pairs_mut()
            .append_pair("client_id", &signer.id)
            .append_pair("request_uri", &pushed);
        let (a, b) = tokio::join!(
            person.at[A].get(url.as_str()),
            person.at[B].get(url.as_str())
        );
        let codes = [a, b]
            .iter()
            .filter_map(Answer::location)
            .filter(|to| parameter(to, "code").is_some())
            .count();
        assert_eq!(codes, 1, "round {round}: one pushed request, {codes} codes");
    }

    // In the address of the authorization request.
    let object = signer.object(&cluster.issuer);
    let mut url: url::Url = cluster.url("/authorize").parse().expect("a URL");
    url.query_pairs_mut()
        .append_pair("client_id", &signer.id)
        .append_pair("response_type", "code")
        .append_pair("scope", "openid")
        .append_pair("request", &object);
    let first = person.at[A]
        .get(url.as_str())
        .await
        .location()
        .expect("a redirect");
    assert!(parameter(&first, "code").is_some(), "{first}");
    let again = person.at[B].get(url.as_str()).await;
    match again.location() {
        Some(to) => assert_eq!(
            parameter(&to, "error").as_deref(),
            Some("invalid_request_object"),
            "{to}"
        ),
        None => assert!(
            again.status.is_client_error(),
            "{} {}",
            again.status,
            again.body
        ),
    }
}
