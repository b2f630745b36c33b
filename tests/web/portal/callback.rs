//! `GET /callback`: every way in which an answer can be wrong. Each is refused in words, with a way to try again, and changes nothing.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::crypto::Purpose;
use hefu::oauth::Algorithm;
use serde_json::json;

use super::provider::{Manners, SUB};
use super::{Answer, Browser, PORTAL, Portals, now};

fn spoil(parameters: &mut Vec<(String, String)>, name: &str, value: Option<&str>) {
    parameters.retain(|(n, _)| n != name);
    if let Some(value) = value {
        parameters.push((name.to_owned(), value.to_owned()));
    }
}

async fn refused(browser: &Browser, answer: &Answer, code: &str, what: &str) {
    assert_eq!(answer.text("error-code"), code, "{what}");
    assert!(answer.has("error-back"), "{what}");
    assert_eq!(browser.session(), None, "{what}");
    assert!(!browser.is_signed_in().await, "{what}");
}

#[tokio::test]
async fn an_answer_that_is_not_ours_reaches_no_token_endpoint() {
    let portals = Portals::new().await;
    let provider = &portals.provider;
    let issuer = provider.issuer.clone();
    let slash = format!("{issuer}/");
    let cases: [(&str, Option<&str>, &str); 9] = [
        ("iss", Some("http://evil.localhost:1"), "invalid_issuer"),
        ("iss", Some(&slash), "invalid_issuer"),
        ("iss", Some(""), "invalid_issuer"),
        ("iss", None, "invalid_issuer"), // it says that it names itself
        ("state", Some("made-up"), "invalid_request"),
        ("state", Some(""), "invalid_request"),
        ("state", None, "invalid_request"),
        ("code", None, "invalid_request"),
        ("error", Some("login_required"), "invalid_request"), // beside a code
    ];
    for (name, value, code) in cases {
        let mut browser = portals.browser();
        let answer = browser.log_in(provider, |p| spoil(p, name, value)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        refused(&browser, &answer, code, &format!("{name} = {value:?}")).await;
    }
    for name in ["code", "state", "iss"] {
        let mut browser = portals.browser();
        let twice = |p: &mut Vec<(String, String)>| {
            let again = p.iter().find(|(n, _)| n == name).unwrap().clone();
            p.push(again);
        };
        let answer = browser.log_in(provider, twice).await;
        refused(&browser, &answer, "invalid_request", &format!("two {name}")).await;
    }
    let mut browser = portals.browser();
    let answer = browser.get("/callback").await;
    refused(&browser, &answer, "invalid_request", "nothing at all").await;
    assert_eq!(provider.count("/token"), 0);
}

#[tokio::test]
async fn a_provider_that_never_names_itself_need_not() {
    let portals = Portals::new().await;
    portals.trust.change(|metadata| {
        metadata.remove("authorization_response_iss_parameter_supported");
    });
    let mut browser = portals.browser();
    let answer = browser
        .log_in(&portals.provider, |p| spoil(p, "iss", None))
        .await;
    assert_eq!(answer.location.as_deref(), Some("/"));
    // But when it does, it must be right.
    let wrong = Some("http://evil.localhost:1");
    let mut browser = portals.browser();
    let answer = browser
        .log_in(&portals.provider, |p| spoil(p, "iss", wrong))
        .await;
    refused(&browser, &answer, "invalid_issuer", "unasked and wrong").await;
}

#[tokio::test]
async fn an_answer_is_good_once_in_its_own_browser_in_time() {
    let portals = Portals::new().await;
    let mut browser = portals.browser();
    let location = browser.press_login().await;
    let (claims, code) = portals.provider.authorize(&location);
    let back = [
        ("code".to_owned(), code),
        (
            "state".to_owned(),
            claims["state"].as_str().unwrap().to_owned(),
        ),
        ("iss".to_owned(), portals.provider.issuer.clone()),
    ];
    // Somebody else's browser, with a cookie of its own and with none.
    let mut stranger = portals.browser();
    stranger.get("/").await;
    let answer = stranger.come_back(&back).await;
    refused(&stranger, &answer, "invalid_request", "a foreign cookie").await;
    let mut nobody = portals.browser();
    let answer = nobody.come_back(&back).await;
    refused(&nobody, &answer, "invalid_request", "no cookie").await;
    assert_eq!(portals.provider.count("/token"), 0);

    // That has not spoiled it for the right one.
    let answer = browser.come_back(&back).await;
    assert_eq!(answer.location.as_deref(), Some("/"), "{}", answer.body);
    let first = browser.session().cloned();
    let answer = browser.come_back(&back).await;
    assert_eq!(answer.text("error-code"), "invalid_request");
    assert_eq!(portals.provider.count("/token"), 1);
    assert_eq!(browser.session().cloned(), first);
    assert!(browser.is_signed_in().await);

    let mut late = portals.browser();
    let location = late.press_login().await;
    let (claims, code) = portals.provider.authorize(&location);
    portals.clock.advance(3601);
    let back = [
        ("code".to_owned(), code),
        (
            "state".to_owned(),
            claims["state"].as_str().unwrap().to_owned(),
        ),
        ("iss".to_owned(), portals.provider.issuer.clone()),
    ];
    let answer = late.come_back(&back).await;
    refused(&late, &answer, "invalid_request", "too late").await;
}

#[tokio::test]
async fn a_citizen_who_refuses_is_told_so_kindly() {
    let portals = Portals::new().await;
    let cases = [
        ("access_denied", StatusCode::FORBIDDEN, "access_denied"),
        (
            "unmet_authentication_requirements",
            StatusCode::FORBIDDEN,
            "unmet_authentication_requirements",
        ),
        ("login_required", StatusCode::BAD_GATEWAY, "login_required"),
        ("<script>", StatusCode::BAD_GATEWAY, "server_error"),
    ];
    for (error, status, shown) in cases {
        let mut browser = portals.browser();
        let answer = browser
            .log_in(&portals.provider, |p| {
                spoil(p, "code", None);
                spoil(p, "error", Some(error));
                spoil(p, "error_description", Some("<b>\u{202e}合符</b>"));
            })
            .await;
        assert_eq!(answer.status, status, "{error}");
        assert!(!answer.body.contains("<b>") && !answer.body.contains("<script>"));
        refused(&browser, &answer, shown, error).await;
    }
    assert_eq!(portals.provider.count("/token"), 0);
}

type Spoiled = (&'static str, Box<dyn Fn(&mut Manners)>);

fn spoiled(what: &'static str, change: impl Fn(&mut Manners) + 'static) -> Spoiled {
    (what, Box::new(change))
}

/// Sets one claim of the ID Token, or removes it.
fn claim(name: &'static str, value: serde_json::Value) -> Spoiled {
    spoiled(name, move |manners| {
        let value = value.clone();
        manners.id_token = Box::new(move |claims| {
            if value.is_null() {
                claims.remove(name);
            } else {
                claims.insert(name.to_owned(), value.clone());
            }
        });
    })
}

#[tokio::test]
async fn an_id_token_that_is_wrong_in_one_way_is_not_believed() {
    let portals = Portals::new().await;
    let provider = &portals.provider;
    let now = now(&portals);
    let issuer = &provider.issuer;
    let cases = [
        claim("nonce", json!("another-nonce")),
        claim("nonce", json!(null)),
        claim("iss", json!("http://evil.localhost:1")),
        claim("iss", json!(format!("{issuer}/"))),
        claim("iss", json!(null)),
        claim("aud", json!("http://sufuban.localhost:9")),
        claim("aud", json!([PORTAL, "http://sufuban.localhost:9"])),
        claim("aud", json!([])),
        claim("aud", json!(null)),
        claim("azp", json!("http://sufuban.localhost:9")),
        claim("exp", json!(now)),
        claim("exp", json!(null)),
        claim("exp", json!("tomorrow")),
        claim("iat", json!(now - 3600)),
        claim("iat", json!(now + 3600)),
        claim("iat", json!(null)),
        claim("sub", json!(null)),
        claim("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        spoiled("another algorithm than ours", |m| m.alg = Algorithm::RS256),
        spoiled("a key that is not for ID Tokens", |m| {
            m.purpose = Purpose::Client;
        }),
        spoiled("an altered payload", |m| {
            m.signed = Box::new(|token| {
                let parts: Vec<&str> = token.split('.').collect();
                let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
                let payload = String::from_utf8(payload).unwrap();
                let payload = payload.replace(SUB, "pw_somebody-else");
                format!(
                    "{}.{}.{}",
                    parts[0],
                    URL_SAFE_NO_PAD.encode(payload),
                    parts[2]
                )
            });
        }),
        spoiled("an altered signature", |m| {
            m.signed = Box::new(|token| {
                let (rest, signature) = token.rsplit_once('.').unwrap();
                let first = if signature.starts_with('A') { "B" } else { "A" };
                format!("{rest}.{first}{}", &signature[1..])
            });
        }),
        spoiled("no signature", |m| {
            m.signed = Box::new(|token| format!("{}.", token.rsplit_once('.').unwrap().0));
        }),
        spoiled("alg none", |m| {
            m.signed = Box::new(|token| {
                let payload = token.split('.').nth(1).unwrap();
                format!("eyJhbGciOiJub25lIn0.{payload}.")
            });
        }),
        spoiled("not a JWT", |m| m.signed = Box::new(|_| "合符".to_owned())),
        spoiled("no ID Token", |m| {
            m.tokens = Box::new(|body| {
                body.remove("id_token");
            });
        }),
    ];
    for (what, change) in cases {
        provider.behave(change);
        let mut browser = portals.browser();
        let answer = browser.log_in(provider, |_| ()).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{what}");
        refused(&browser, &answer, "invalid_token", what).await;
        assert_eq!(provider.count("/userinfo"), 0, "{what}");
    }
    // The fixture itself is good.
    provider.behave(|_| ());
    portals.signed_in().await;
}

#[tokio::test]
async fn tokens_and_userinfo_that_do_not_fit_are_not_believed() {
    let portals = Portals::new().await;
    let provider = &portals.provider;
    let cases = [
        spoiled("userinfo of another person", |m| {
            m.userinfo = Box::new(|body| {
                body.insert("sub".to_owned(), "pw_somebody-else".into());
            });
        }),
        spoiled("userinfo of nobody", |m| {
            m.userinfo = Box::new(|body| {
                body.remove("sub");
            });
        }),
        spoiled("userinfo refuses", |m| m.userinfo_status = 401),
        spoiled("userinfo redirects", |m| m.userinfo_status = 302),
        spoiled("userinfo is a page", |m| m.userinfo_type = "text/html"),
        spoiled("userinfo says JWT and is none", |m| {
            m.userinfo_type = "application/jwt";
        }),
        spoiled("an access token with a line break", |m| {
            m.id_token = Box::new(|claims| {
                claims.remove("at_hash");
            });
            m.tokens = Box::new(|body| {
                body.insert("access_token".to_owned(), "a\r\nX-Evil: 1".into());
            });
        }),
        spoiled("another access token than at_hash says", |m| {
            m.tokens = Box::new(|body| {
                body.insert("access_token".to_owned(), "another".into());
            });
        }),
        spoiled("a token that is not a bearer token", |m| {
            m.tokens = Box::new(|body| {
                body.insert("token_type".to_owned(), "mac".into());
            });
        }),
    ];
    for (what, change) in cases {
        provider.behave(change);
        let mut browser = portals.browser();
        let answer = browser.log_in(provider, |_| ()).await;
        refused(&browser, &answer, "invalid_token", what).await;
    }
    provider.behave(|m| m.token_status = 400);
    let mut browser = portals.browser();
    let answer = browser.log_in(provider, |_| ()).await;
    refused(
        &browser,
        &answer,
        "invalid_grant",
        "the token endpoint refuses",
    )
    .await;

    provider.behave(|m| {
        m.userinfo = Box::new(|body| {
            body.insert("name".to_owned(), "x".repeat(600 * 1024).into());
        });
    });
    let mut browser = portals.browser();
    let answer = browser.log_in(provider, |_| ()).await;
    refused(&browser, &answer, "temporarily_unavailable", "far too long").await;

    let portals = Portals::new().await; // one that holds no keys yet
    portals.provider.behave(|m| m.jwks_status = 500);
    let mut browser = portals.browser();
    let answer = browser.log_in(&portals.provider, |_| ()).await;
    refused(&browser, &answer, "temporarily_unavailable", "no keys").await;
}

#[tokio::test]
async fn a_level_below_what_was_asked_for_is_not_enough() {
    let portals = Portals::with(|settings| {
        settings.acr_values = "https://hefu.example/acr/L2".to_owned();
    })
    .await;
    let provider = &portals.provider;
    for (acr, enough) in [
        (json!("https://hefu.example/acr/L1"), false),
        (json!(null), false),
        (json!("https://other.example/acr/L3"), false),
        (json!("https://hefu.example/acr/L2"), true),
        (json!("https://hefu.example/acr/L3"), true),
    ] {
        let (_, change) = claim("acr", acr.clone());
        provider.behave(change);
        let mut browser = portals.browser();
        let answer = browser.log_in(provider, |_| ()).await;
        if enough {
            assert!(browser.is_signed_in().await, "{acr}");
        } else {
            let code = "unmet_authentication_requirements";
            refused(&browser, &answer, code, &acr.to_string()).await;
        }
    }
}

#[tokio::test]
async fn a_login_begins_a_new_session_and_ends_a_planted_one() {
    let portals = Portals::new().await;
    let attacker = portals.signed_in().await;
    let planted = attacker.session().cloned().unwrap();

    let mut victim = portals.browser();
    victim
        .cookies
        .insert("portal_session".to_owned(), planted.clone());
    let answer = victim.log_in(&portals.provider, |_| ()).await;
    assert_eq!(answer.location.as_deref(), Some("/"));
    assert_ne!(victim.session(), Some(&planted));
    assert!(victim.is_signed_in().await);
    assert!(!attacker.is_signed_in().await);
}

#[tokio::test]
async fn a_hostile_name_stays_text() {
    let portals = Portals::new().await;
    portals.provider.behave(|m| {
        m.userinfo = Box::new(|body| {
            body.insert("name".to_owned(), "<img src=x>\u{202e}𠮷".into());
            body.insert("<b>".to_owned(), json!({"<i>": 1}));
        });
    });
    let mut browser = portals.signed_in().await;
    let home = browser.get("/").await;
    assert_eq!(home.text("portal-sub"), SUB);
    for tag in ["<img", "<b>", "<i>"] {
        assert!(!home.body.contains(tag), "{tag}");
    }
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let portals = Portals::new().await;
    let browser = portals.signed_in().await;
    portals.clock.advance(8 * 3600 - 1);
    assert!(browser.is_signed_in().await);
    portals.clock.advance(1);
    assert!(!browser.is_signed_in().await);
}
