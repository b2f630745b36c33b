//! Answers as a form that posts itself. Requirements 3.4, 3.19 (it works without script) and 3.2.

use conformance_tests::lab::REDIRECT_URI;
use reqwest::Method;

use super::ground::ground;
use super::party::{Client, Faults, Place, STATE, to_the_end};

const TYPES: [&str; 6] = [
    "code",
    "id_token",
    "id_token token",
    "code id_token",
    "code token",
    "code id_token token",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_type_can_be_posted() {
    let ground = ground().await;
    for kind in TYPES {
        let client = Client::for_type(ground, kind).await;
        let more = [("response_type", kind), ("response_mode", "form_post")];
        let told = client.ask(ground, &ground.citizen, &more).await;
        assert_eq!(told.place, Place::Form, "{kind}: {told:?}");
        let page = &told.answer;
        assert_eq!(page.status, 200);
        assert_eq!(
            page.attribute("form-post", "action").as_deref(),
            Some(REDIRECT_URI)
        );
        assert_eq!(
            page.attribute("form-post", "method").as_deref(),
            Some("post")
        );
        assert!(
            page.has("form-post-submit"),
            "a button for browsers without script"
        );
        assert_eq!(page.header("cache-control"), "no-store");
        let csp = page.header("content-security-policy");
        assert!(!csp.contains("unsafe-inline"), "{csp}");
        // FP 2, and CSP3: a form-action that named the address would have to be right for every redirect after it.
        assert!(
            !csp.contains("form-action 'none'") && !csp.contains("form-action 'self';"),
            "{csp}"
        );
        assert_eq!(told.get("state"), STATE);
        assert_eq!(told.get("iss"), ground.issuer());
        let parts: Vec<&str> = kind.split(' ').collect();
        for (part, name) in [
            ("code", "code"),
            ("id_token", "id_token"),
            ("token", "access_token"),
        ] {
            assert_eq!(told.has(name), parts.contains(&part), "{kind}: {name}");
        }
        if kind.contains("code") {
            let answer = client.redeem(ground, &told.code(), &[]).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }
}

/// 3.4: errors as well, also when the type is missing or unknown.
#[tokio::test(flavor = "multi_thread")]
async fn errors_are_posted_too() {
    let ground = ground().await;
    let mut faults = Faults::default();
    for kind in ["code", "id_token", "code id_token token"] {
        let client = Client::for_type(ground, kind).await;
        for (name, value, error) in [
            ("scope", "email", "invalid_scope"),
            ("response_type", "", "invalid_request"),
            ("response_type", "unheard_of", "unsupported_response_type"),
            ("prompt", "none", "consent_required"),
        ] {
            let mut all = vec![("response_mode", "form_post"), (name, value)];
            if name != "response_type" {
                all.push(("response_type", kind));
            }
            let told = client.begin(ground, &ground.citizen, &all).await;
            faults.same((kind, name, value), &told.refusal(), &(Place::Form, error));
            faults.same((kind, name, value), &told.get("state"), &STATE);
            faults.same((kind, name, value), &told.get("iss"), &ground.issuer());
        }
        let all = [
            ("response_mode", "form_post"),
            ("response_type", kind),
            ("redirect_uri", "https://evil.hefu.test/"),
        ];
        let told = client.begin(ground, &ground.citizen, &all).await;
        faults.same(kind, &told.refusal(), &(Place::Page, "invalid_request"));
    }
    faults.none();
}

/// 3.1: asked by POST from another site, where no cookie comes along.
#[tokio::test(flavor = "multi_thread")]
async fn a_posted_request_is_answered_by_a_form() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let form = client.request(&[("response_mode", "form_post")]);
    let browser = ground.lab.browser();
    let request = browser
        .request(Method::POST, ground.endpoint("authorization_endpoint"))
        .header("origin", "https://rp.hefu.test")
        .form(&form);
    let told = to_the_end(&browser, browser.send(request).await).await;
    assert_eq!(told.place, Place::Form);
    told.code();
}
