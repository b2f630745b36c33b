//! A login without a browser: forms are filled in as they come, each redirect can be looked at.

use conformance_tests::{
    demo::{Citizen, Demo},
    visitor::{Answer, Visitor},
};
use url::Url;

/// Presses 「国家账号登录」 and answers the portal's redirect, not yet followed: a genuine, signed, unused request.
pub async fn genuine_request(visitor: &Visitor, demo: &Demo, portal: &str) -> Url {
    let home = visitor.get(&demo.portal(portal).url).await;
    let answer = visitor.submit(&home, "portal-login-form", &[]).await;
    let to = answer
        .location()
        .unwrap_or_else(|| panic!("no redirect but {}: {}", answer.status, answer.body));
    assert!(
        to.as_str().starts_with(&demo.provider().url),
        "the portal sends people to {to}"
    );
    to
}

/// Goes on from any answer of a login until the portal's callback is the next address; answers it, not yet visited.
pub async fn until_callback(
    visitor: &Visitor,
    demo: &Demo,
    portal: &str,
    citizen: &Citizen,
    from: Answer,
) -> Callback {
    let callback = demo
        .portal(portal)
        .url
        .parse::<Url>()
        .expect("a URL")
        .join("callback")
        .expect("a URL");
    let ours = |url: &Url| url.path() == callback.path() && url.origin() == callback.origin();
    let mut answer = from;
    let mut seen = Vec::new();
    for _ in 0..8 {
        answer = visitor.follow(answer, ours).await;
        if let Some(to) = answer.location() {
            return Callback { url: to, seen };
        }
        let (form, fields): (&'static str, Vec<(&str, &str)>) = if answer.has("login-form") {
            (
                "login-form",
                vec![
                    ("username", &citizen.username),
                    ("password", &citizen.password),
                ],
            )
        } else if answer.has("consent-form") {
            ("consent-form", vec![("decision", "allow")])
        } else {
            panic!(
                "{} after {seen:?} at {}: {}",
                answer.status, answer.url, answer.body
            );
        };
        seen.push(form);
        answer = visitor.submit(&answer, form, &fields).await;
    }
    panic!("no end of pages: {seen:?}");
}

pub struct Callback {
    pub url: Url,
    /// The forms that had to be filled in on the way.
    pub seen: Vec<&'static str>,
}

/// The whole way; answers the portal's page and the forms that were seen.
pub async fn log_in(
    visitor: &Visitor,
    demo: &Demo,
    portal: &str,
    citizen: &Citizen,
) -> (Answer, Vec<&'static str>) {
    let request = genuine_request(visitor, demo, portal).await;
    let start = visitor.get(request.as_str()).await;
    let callback = until_callback(visitor, demo, portal, citizen, start).await;
    let page = visitor.get(callback.url.as_str()).await;
    let page = visitor.follow(page, |_| false).await;
    assert!(
        page.has("portal-name"),
        "{} at {}: {}",
        page.status,
        page.url,
        page.body
    );
    (page, callback.seen)
}
