//! Clients that nobody here wrote, unmodified, each in its own language and process, log the laboratory's citizen in over TLS.
//! The programs and what they say: `clients/README.md` of this package. Which libraries there are: `party`; what must hold for each: here.

pub mod party;
pub mod program;

use conformance_tests::{
    lab::{self, Lab, REDIRECT_URI, SIGNED_OUT_URI},
    visitor::Visitor,
};
use serde_json::{Map, Value, json};

use party::{GO, JAVA, NODE, PYTHON, Proof};
use program::Library;

/// What the citizen of `deploy/lab.toml` has, by scope `profile email address phone` (OIDC Core 5.4).
fn citizen() -> Value {
    json!({
        "name": "测试午", "given_name": "午", "family_name": "测试", "middle_name": "小", "nickname": "午午",
        "preferred_username": "lab-citizen", "profile": "https://people.hefu.test/lab-citizen",
        "picture": "https://people.hefu.test/lab-citizen.png", "website": "https://lab-citizen.hefu.test",
        "gender": "male", "birthdate": "1985-04-12", "zoneinfo": "Asia/Shanghai", "locale": "zh-CN",
        "email": "lab-citizen@hefu.test", "email_verified": true,
        "address": {"formatted": "测试路1号\n广东省测试市 510000\n中国", "street_address": "测试路1号", "locality": "测试市",
            "region": "广东省", "postal_code": "510000", "country": "中国"},
        "phone_number": "+8614000000900", "phone_number_verified": true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_of_node_logs_in() {
    logs_in(&NODE, Proof::Secret, &[]).await;
    logs_in(&NODE, Proof::Key, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_of_node_pushes_its_request() {
    let seen = logs_in(&NODE, Proof::Key, &["par"]).await;
    assert!(seen.contains("request_uri="), "{seen}");
    assert!(
        !seen.contains("nonce="),
        "the request was not pushed: {seen}"
    );
}

/// RFC 9449: the library's own proofs at PAR, token endpoint and UserInfo.
#[tokio::test(flavor = "multi_thread")]
async fn openid_client_of_node_binds_its_tokens_to_a_key() {
    logs_in(&NODE, Proof::Key, &["par", "dpop"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_of_node_keeps_the_fapi_profile() {
    logs_in(&NODE, Proof::Key, &["par", "dpop", "fapi"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_of_python_logs_in() {
    logs_in(&PYTHON, Proof::Secret, &[]).await;
    logs_in(&PYTHON, Proof::Key, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn go_oidc_logs_in() {
    logs_in(&GO, Proof::Secret, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nimbus_of_java_logs_in() {
    logs_in(&JAVA, Proof::Secret, &[]).await;
    logs_in(&JAVA, Proof::Key, &[]).await;
}

/// RFC 6749 §5.2, as each library tells it to the program that uses it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_invalid_client_to_every_library() {
    let lab = lab::shared().await;
    for library in [&NODE, &PYTHON, &GO, &JAVA] {
        let (mut party, _) = party::start(library, lab, Proof::WrongSecret, &[]).await;
        let browser = lab.browser();
        let go = party.hear().await;
        let back = lab.visit(&browser, address(&go), REDIRECT_URI).await;
        party.tell(back.as_str()).await;
        assert_eq!(
            party.hear().await,
            json!({"error": "invalid_client"}),
            "{}",
            library.folder
        );
        party.ends_well().await;
    }
}

/// From discovery to logout; answers the authorization request that the library made.
async fn logs_in(library: &Library, proof: Proof, switches: &[&str]) -> String {
    let lab = lab::shared().await;
    let browser = lab.browser();
    let (mut party, client_id) = party::start(library, lab, proof, switches).await;
    let started = party.hear().await;
    let go = address(&started);
    assert!(go.starts_with(&lab.issuer), "{go}");
    let back = lab.visit(&browser, go, REDIRECT_URI).await;
    party.tell(back.as_str()).await;
    let result = party.hear().await;
    party.ends_well().await;

    let id_token = object(&result, "id_token");
    assert_eq!(id_token["iss"], lab.issuer, "{result}");
    assert!(names(&id_token["aud"], &client_id), "{result}");
    for claim in ["exp", "iat", "sub"] {
        assert!(id_token.contains_key(claim), "no {claim}: {result}");
    }
    for moment in ["userinfo", "userinfo_after_refresh"] {
        let userinfo = object(&result, moment);
        assert_eq!(userinfo["sub"], id_token["sub"], "{moment}: {result}");
        for (claim, value) in citizen().as_object().expect("an object") {
            assert_eq!(userinfo.get(claim), Some(value), "{moment}: {result}");
        }
    }
    let bound = switches.contains(&"dpop");
    let token_type = result["token_type"].as_str().unwrap_or_default();
    assert!(
        token_type.eq_ignore_ascii_case(if bound { "dpop" } else { "bearer" }),
        "{result}"
    );
    // RFC 9700 §4.14.2 has them rotated, FAPI 2.0 §5.3.2.1 has them stay.
    let rotated = !switches.contains(&"fapi");
    assert_eq!(result["rotated"], rotated, "{result}");

    signs_out(lab, &browser, address(&result), go).await;
    go.to_owned()
}

/// RP-Initiated Logout §2 and 3: back at the client's page, and the session is gone: the same request asks for a login again.
async fn signs_out(lab: &Lab, browser: &Visitor, out: &str, go: &str) {
    let left = lab.visit(browser, out, SIGNED_OUT_URI).await;
    assert!(left.as_str().starts_with(SIGNED_OUT_URI), "{left}");
    if go.contains("request_uri=") {
        return; // a pushed request is good once
    }
    let page = browser.get(go).await;
    let page = browser.follow(page, |_| false).await;
    assert!(page.has("login-form"), "{} {}", page.url, page.body);
}

fn address(said: &Value) -> &str {
    said["go"]
        .as_str()
        .unwrap_or_else(|| panic!("no address: {said}"))
}

fn object<'a>(result: &'a Value, name: &str) -> &'a Map<String, Value> {
    result[name]
        .as_object()
        .unwrap_or_else(|| panic!("no {name}: {result}"))
}

/// `aud` is one string or several (OIDC Core 2).
fn names(aud: &Value, client_id: &str) -> bool {
    aud == client_id
        || aud
            .as_array()
            .is_some_and(|all| all.iter().any(|a| a == client_id))
}
