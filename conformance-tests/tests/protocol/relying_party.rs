//! A relying party written by a stranger, with nothing but HTTP and the specifications, against two production nodes on PostgreSQL:
//! every request is answered by the other node than the one before.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::{
    production::{self, CLIENT_ID, CLIENT_NAME, CLIENT_SECRET, Production, REDIRECT_URI},
    statement::{now, peek, verify},
    visitor::{Answer, Visitor},
};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

const PHONE: &str = "14000000101";
const PASSWORD: &str = "korrekt-pferd-batterie-7";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct Party {
    production: &'static Production,
    metadata: Value,
    jwks: Value,
}

impl Party {
    async fn new() -> Self {
        let production = production::shared().await;
        let visitor = production.visitor();
        let metadata = visitor
            .get(&format!(
                "{}/.well-known/openid-configuration",
                production.issuer
            ))
            .await
            .json();
        let jwks = visitor
            .get(metadata["jwks_uri"].as_str().expect("jwks_uri"))
            .await
            .json();
        let party = Self {
            production,
            metadata,
            jwks,
        };
        party.account().await;
        party
    }

    /// Creates the one account of these tests, the first time.
    async fn account(&self) {
        static ACCOUNT: OnceCell<()> = OnceCell::const_new();
        ACCOUNT
            .get_or_init(|| async {
                let visitor = self.production.visitor();
                let page = visitor.get(&self.authorize(&[])).await;
                let page = visitor.follow(page, leaves).await;
                assert!(page.text("asking").contains(CLIENT_NAME), "{}", page.body);
                assert_eq!(
                    page.attribute("asking-status", "data-vouched").as_deref(),
                    Some("registered")
                );
                let create = page.attribute("login-create", "href").expect("a link");
                let page = visitor
                    .get(page.url.join(&create).expect("a URL").as_str())
                    .await;
                let before = self.production.sms_count(PHONE);
                let page = visitor
                    .submit(&page, "phone-form", &[("phone", PHONE)])
                    .await;
                let page = visitor.follow(page, leaves).await;
                let code = self.production.sms_code(PHONE, before).await;
                let page = visitor.submit(&page, "code-form", &[("code", &code)]).await;
                let page = visitor.follow(page, leaves).await;
                let page = visitor
                    .submit(
                        &page,
                        "password-form",
                        &[("new-password", PASSWORD), ("repeat-password", PASSWORD)],
                    )
                    .await;
                assert!(
                    page.status.is_redirection(),
                    "{} {}",
                    page.status,
                    page.body
                );
            })
            .await;
    }

    fn endpoint(&self, name: &str) -> &str {
        self.metadata[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}"))
    }

    fn authorize(&self, more: &[(&str, &str)]) -> String {
        let mut url: Url = self
            .endpoint("authorization_endpoint")
            .parse()
            .expect("a URL");
        let usual = [
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "af0ifjsldkj"),
            ("nonce", "n-0S6_WzA2Mj"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in usual {
            if !more.iter().any(|(n, _)| *n == name) {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url.query_pairs_mut()
            .extend_pairs(more.iter().filter(|(_, value)| !value.is_empty()));
        url.into()
    }

    /// Through all pages until the answer for the relying party; the forms that were seen on the way.
    async fn go(&self, visitor: &Visitor, more: &[(&str, &str)]) -> (Url, Vec<&'static str>) {
        let mut seen = Vec::new();
        let mut answer = visitor.get(&self.authorize(more)).await;
        for _ in 0..8 {
            answer = visitor.follow(answer, leaves).await;
            if let Some(to) = answer.location() {
                return (to, seen);
            }
            if answer.has("login-form") {
                seen.push("login-form");
                answer = visitor
                    .submit(
                        &answer,
                        "login-form",
                        &[("username", PHONE), ("password", PASSWORD)],
                    )
                    .await;
            } else if answer.has("consent-form") {
                seen.push("consent-form");
                answer = visitor
                    .submit(&answer, "consent-form", &[("decision", "allow")])
                    .await;
            } else if answer.has("verify-later") {
                seen.push("verify-later");
                let later = answer.attribute("verify-later", "href").expect("a link");
                answer = visitor
                    .get(answer.url.join(&later).expect("a URL").as_str())
                    .await;
            } else {
                panic!(
                    "{} at {} after {seen:?}: {}\n{}",
                    answer.status,
                    answer.url,
                    answer.body,
                    self.production.log()
                );
            }
        }
        panic!("no end of pages: {seen:?}");
    }

    async fn code(&self, visitor: &Visitor, more: &[(&str, &str)]) -> String {
        let (url, _) = self.go(visitor, more).await;
        parameter(&url, "code").unwrap_or_else(|| panic!("no code: {url}"))
    }

    async fn redeem(&self, code: &str, verifier: &str) -> Answer {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", verifier),
        ])
        .await
    }

    async fn token(&self, form: &[(&str, &str)]) -> Answer {
        let visitor = self.production.visitor();
        let request = visitor.request(Method::POST, self.endpoint("token_endpoint"));
        visitor
            .send(
                request
                    .basic_auth(CLIENT_ID, Some(CLIENT_SECRET))
                    .form(form),
            )
            .await
    }

    async fn userinfo(&self, access_token: &str) -> Answer {
        let visitor = self.production.visitor();
        visitor
            .send(
                visitor
                    .request(Method::GET, self.endpoint("userinfo_endpoint"))
                    .bearer_auth(access_token),
            )
            .await
    }
}

/// Our own redirect URI: nobody serves it, so it must be looked at, not followed.
fn leaves(url: &Url) -> bool {
    url.host_str() == Some("rp.hefu.test")
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.into_owned())
}

fn error(answer: &Answer) -> String {
    answer.json()["error"]
        .as_str()
        .unwrap_or_else(|| panic!("no error: {}", answer.body))
        .to_owned()
}

fn member(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {}", answer.body))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_flow_by_the_book() {
    let party = Party::new().await;
    let visitor = party.production.visitor();
    let (url, _) = party.go(&visitor, &[]).await;
    assert!(url.as_str().starts_with(REDIRECT_URI));
    assert_eq!(parameter(&url, "state").as_deref(), Some("af0ifjsldkj"));
    assert_eq!(
        parameter(&url, "iss").as_deref(),
        Some(party.production.issuer.as_str())
    ); // RFC 9207
    let code = parameter(&url, "code").expect("a code");

    let answer = party.redeem(&code, VERIFIER).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store"); // RFC 6749 §5.1
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "Bearer");
    let access_token = tokens["access_token"].as_str().expect("an access token");

    // OIDC Core 3.1.3.7
    let id_token = verify(
        tokens["id_token"].as_str().expect("an ID Token"),
        &party.jwks,
    );
    let claims = &id_token.claims;
    assert_eq!(claims["iss"], party.production.issuer);
    let audience = claims["aud"].as_str().or_else(|| claims["aud"][0].as_str());
    assert_eq!(audience, Some(CLIENT_ID));
    assert_eq!(claims["nonce"], "n-0S6_WzA2Mj");
    let (iat, exp) = (
        claims["iat"].as_i64().expect("iat"),
        claims["exp"].as_i64().expect("exp"),
    );
    assert!(
        (now() - iat).abs() < 60 && exp > now() && exp - iat <= 3600,
        "{claims}"
    );
    assert!(
        claims["acr"]
            .as_str()
            .is_some_and(|acr| acr.ends_with("L1")),
        "{claims}"
    );
    if let Some(at_hash) = claims["at_hash"].as_str() {
        let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
        assert_eq!(at_hash, URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])); // 3.1.3.6
    }
    // Hints travel in URLs: nothing about the person but `sub`.
    for personal in ["name", "phone_number", "cn_id_number_masked", "email"] {
        assert!(claims.get(personal).is_none(), "{personal} in the ID Token");
    }

    // RFC 9068 §2
    let access = verify(access_token, &party.jwks);
    assert_eq!(access.header["typ"], "at+jwt");
    assert_eq!(access.claims["client_id"], CLIENT_ID);
    assert_eq!(access.claims["sub"], claims["sub"]);

    let userinfo = party.userinfo(access_token).await;
    assert_eq!(userinfo.status, 200, "{}", userinfo.body);
    assert_eq!(userinfo.json()["sub"], claims["sub"]); // 5.3.2
    assert!(
        userinfo.json().get("phone_number").is_none(),
        "not asked for"
    );

    // The session is known to both nodes: nothing to type, nothing to press.
    let (again, seen) = party.go(&visitor, &[]).await;
    assert_eq!(seen, [] as [&str; 0], "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_and_what_it_gave_dies_with_the_second_try() {
    let party = Party::new().await;
    let visitor = party.production.visitor();
    let code = party.code(&visitor, &[]).await;
    let access_token = member(&party.redeem(&code, VERIFIER).await, "access_token");
    assert_eq!(party.userinfo(&access_token).await.status, 200);

    let again = party.redeem(&code, VERIFIER).await;
    assert_eq!(
        (again.status.as_u16(), error(&again).as_str()),
        (400, "invalid_grant")
    );
    // RFC 6749 §4.1.2: tokens issued on that code SHOULD be revoked.
    let answer = party.userinfo(&access_token).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.header("www-authenticate").contains("invalid_token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_redeem_one_code_at_two_nodes_one_gets_it() {
    let party = std::sync::Arc::new(Party::new().await);
    let visitor = party.production.visitor();
    let code = party.code(&visitor, &[]).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (party, code) = (party.clone(), code.clone());
        tries.spawn(async move { party.redeem(&code, VERIFIER).await.status.as_u16() });
    }
    let mut statuses = tries.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_bound_to_verifier_address_and_client() {
    let party = Party::new().await;
    let visitor = party.production.visitor();
    let other = "A".repeat(43);
    for (redirect_uri, verifier) in [
        (REDIRECT_URI, other.as_str()),
        (REDIRECT_URI, ""),
        ("https://rp.hefu.test/other", VERIFIER),
    ] {
        let code = party.code(&visitor, &[]).await;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect_uri),
        ];
        if !verifier.is_empty() {
            form.push(("code_verifier", verifier));
        }
        let answer = party.token(&form).await;
        assert_eq!(
            answer.status, 400,
            "{redirect_uri} {verifier}: {}",
            answer.body
        );
        assert!(
            ["invalid_grant", "invalid_request"].contains(&error(&answer).as_str()),
            "{}",
            answer.body
        );
    }
    let code = party.code(&visitor, &[]).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let request = visitor
        .request(Method::POST, party.endpoint("token_endpoint"))
        .basic_auth(CLIENT_ID, Some("guess"))
        .form(&form);
    let answer = visitor.send(request).await;
    assert_eq!(
        (answer.status.as_u16(), error(&answer).as_str()),
        (401, "invalid_client")
    );
    assert!(
        answer.header("www-authenticate").starts_with("Basic"),
        "RFC 6749 §5.2"
    );
    // The guess has not spent it.
    assert_eq!(party.redeem(&code, VERIFIER).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_rotated_and_its_reuse_ends_the_family() {
    let party = Party::new().await;
    let visitor = party.production.visitor();
    let code = party
        .code(
            &visitor,
            &[("scope", "openid offline_access"), ("prompt", "consent")],
        )
        .await;
    let answer = party.redeem(&code, VERIFIER).await;
    let (first, sub) = (
        member(&answer, "refresh_token"),
        peek(&member(&answer, "id_token")).claims["sub"].clone(),
    );

    let refresh = async |token: &str| {
        party
            .token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    };
    let answer = refresh(&first).await;
    let second = member(&answer, "refresh_token");
    assert_ne!(first, second, "not rotated");
    let access_token = member(&answer, "access_token");
    assert_eq!(party.userinfo(&access_token).await.json()["sub"], sub);

    // An answer that got lost may be asked for again for half a minute. After that somebody else has a copy, so nobody keeps
    // anything (RFC 9700 §4.14.2).
    tokio::time::sleep(std::time::Duration::from_secs(32)).await; // time itself is tested
    let reused = refresh(&first).await;
    assert_eq!(
        (reused.status.as_u16(), error(&reused).as_str()),
        (400, "invalid_grant")
    );
    let answer = refresh(&second).await;
    assert_eq!(
        (answer.status.as_u16(), error(&answer).as_str()),
        (400, "invalid_grant")
    );
    assert_eq!(party.userinfo(&access_token).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_go_to_the_party_only_when_its_address_is_proven() {
    let party = Party::new().await;
    // Without a session: refused on a page, or sent to the redirect URI with state and iss (OIDC Core 3.1.2.6, RFC 9207).
    let cases: &[(&[(&str, &str)], Option<&[&str]>)] = &[
        (&[("redirect_uri", "https://rp.hefu.test/callback/")], None),
        (
            &[("redirect_uri", "https://rp.hefu.test/callback?x=1")],
            None,
        ),
        (&[("redirect_uri", "https://evil.test/")], None),
        (&[("client_id", "nobody")], None),
        (&[("client_id", "")], None),
        (
            &[("response_type", "token")],
            Some(&["unsupported_response_type", "unauthorized_client"]),
        ),
        (&[("response_type", "")], Some(&["invalid_request"])),
        (
            &[("scope", "profile")],
            Some(&["invalid_scope", "invalid_request"]),
        ),
        (
            &[("prompt", "none")],
            Some(&["login_required", "interaction_required"]),
        ),
        (&[("prompt", "none login")], Some(&["invalid_request"])),
        (&[("max_age", "-1")], Some(&["invalid_request"])),
        (
            &[("code_challenge_method", "plain")],
            Some(&["invalid_request"]),
        ),
        (&[("code_challenge", "short")], Some(&["invalid_request"])),
        (&[("claims", "{")], Some(&["invalid_request"])),
        (
            &[("request_uri", "https://rp.hefu.test/r")],
            Some(&[
                "request_uri_not_supported",
                "invalid_request_uri",
                "invalid_request",
            ]),
        ),
    ];
    for (more, expected) in cases {
        let visitor = party.production.visitor();
        let answer = visitor.get(&party.authorize(more)).await;
        let answer = visitor.follow(answer, leaves).await;
        match (answer.location(), expected) {
            (None, None) => {
                assert!(
                    answer.status.is_client_error() && answer.has("error-code"),
                    "{more:?}: {}",
                    answer.status
                );
                assert!(
                    !answer.body.contains("evil.test/\""),
                    "{more:?}: a link to a stranger"
                );
            }
            (Some(mut to), Some(codes)) => {
                assert!(to.as_str().starts_with(REDIRECT_URI), "{more:?}: to {to}");
                // Multiple Response Types §5: who asks for a token is answered in the fragment, with errors too.
                let asks_for_token = more.contains(&("response_type", "token"));
                assert_eq!(to.fragment().is_some(), asks_for_token, "{more:?}: {to}");
                if let Some(fragment) = to.fragment().map(str::to_owned) {
                    to.set_query(Some(&fragment));
                    to.set_fragment(None);
                }
                let code = parameter(&to, "error").unwrap_or_else(|| panic!("{more:?}: {to}"));
                assert!(codes.contains(&code.as_str()), "{more:?}: {code}");
                assert_eq!(
                    parameter(&to, "state").as_deref(),
                    Some("af0ifjsldkj"),
                    "{more:?}"
                );
                assert_eq!(
                    parameter(&to, "iss").as_deref(),
                    Some(party.production.issuer.as_str()),
                    "{more:?}"
                );
                assert!(parameter(&to, "code").is_none());
            }
            (to, _) => panic!("{more:?}: {} {to:?}\n{}", answer.status, answer.body),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prompt_and_max_age_are_obeyed() {
    let party = Party::new().await;
    let visitor = party.production.visitor();
    party.go(&visitor, &[]).await;
    let (url, seen) = party.go(&visitor, &[("prompt", "none")]).await;
    assert!(
        parameter(&url, "code").is_some() && seen.is_empty(),
        "{url}"
    );
    let (url, seen) = party.go(&visitor, &[("prompt", "login")]).await;
    assert!(parameter(&url, "code").is_some());
    assert!(seen.contains(&"login-form"), "prompt=login typed nothing");
    let (url, seen) = party.go(&visitor, &[("prompt", "consent")]).await;
    assert!(parameter(&url, "code").is_some());
    assert!(
        seen.contains(&"consent-form"),
        "prompt=consent asked nothing"
    );
    let (_, seen) = party.go(&visitor, &[("max_age", "0")]).await;
    assert!(seen.contains(&"login-form"), "max_age=0 typed nothing");
    let code = party.code(&visitor, &[("max_age", "3600")]).await;
    let id_token = peek(&member(&party.redeem(&code, VERIFIER).await, "id_token"));
    assert!(
        id_token.claims["auth_time"].is_i64(),
        "required when max_age was asked (OIDC Core 2)"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_in_the_mode_that_was_asked() {
    let party = Party::new().await;
    let visitor = party.production.visitor();
    party.go(&visitor, &[]).await;
    let (url, _) = party.go(&visitor, &[("response_mode", "fragment")]).await;
    assert!(
        url.query().is_none() && url.fragment().is_some_and(|f| f.contains("code=")),
        "{url}"
    );
    // OAuth 2.0 Form Post Response Mode §2; works without script.
    let answer = visitor
        .get(&party.authorize(&[("response_mode", "form_post")]))
        .await;
    let page = visitor.follow(answer, leaves).await;
    assert_eq!(
        page.attribute("form-post", "action").as_deref(),
        Some(REDIRECT_URI),
        "{}",
        page.body
    );
    assert_eq!(
        page.attribute("form-post", "method")
            .map(|m| m.to_ascii_lowercase())
            .as_deref(),
        Some("post")
    );
    for name in ["code", "state", "iss"] {
        assert!(
            page.body.contains(&format!("name=\"{name}\"")),
            "no {name} in the form"
        );
    }
    assert!(page.has("form-post-submit"));
}
