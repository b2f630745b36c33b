//! In which language and how large: read from cookies, the account, `ui_locales` and `Accept-Language`, changed at `/preferences` for this
//! browser (`account::appearance` changes it for the account). Two cookies that say nothing about who somebody is.

use axum::{
    Router,
    extract::Query,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;

use super::view::Language;
use crate::identity::person::Appearance;

const LANGUAGE_COOKIE: &str = "lang";
const MODE_COOKIE: &str = "ui_mode";

/// `GET /preferences?lang=…|mode=…&back=/…`: sets the cookie and goes back to a page of this host.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/preferences", get(choose))
}

/// What the person chose, as far as they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    language: Option<Language>,
    elder: Option<bool>,
    accepted: Option<Language>,
}

impl Preferences {
    pub fn of(headers: &HeaderMap) -> Self {
        let mut chosen = Self {
            accepted: headers
                .get(header::ACCEPT_LANGUAGE)
                .and_then(|value| value.to_str().ok())
                .and_then(Language::accepted),
            ..Self::default()
        };
        let cookies = headers
            .get_all(header::COOKIE)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        for (name, value) in cookies {
            match (name, value) {
                (LANGUAGE_COOKIE, tag) => chosen.language = Language::of(tag),
                (MODE_COOKIE, value) => chosen.elder = mode(value),
                _ => {}
            }
        }
        chosen
    }

    /// The person's own choice first, then what the platform asks for (`ui_locales`, space separated), then the browser's, then Chinese.
    pub fn language(&self, ui_locales: Option<&str>) -> Language {
        self.language
            .or_else(|| Language::first_of(ui_locales.unwrap_or_default().split(' ')))
            .or(self.accepted)
            .unwrap_or_default()
    }

    pub fn elder(&self) -> bool {
        self.elder.unwrap_or_default()
    }

    /// With what the account remembers, where no choice was made in this browser.
    #[must_use]
    pub fn or_of_account(mut self, appearance: &Appearance) -> Self {
        let language = appearance.language.as_deref().and_then(Language::of);
        self.language = self.language.or(language);
        self.elder = self.elder.or(Some(appearance.elder));
        self
    }
}

/// What a value of `mode` means: elder mode or not.
pub fn mode(value: &str) -> Option<bool> {
    match value {
        "elder" => Some(true),
        "standard" => Some(false),
        _ => None,
    }
}

/// Lets this browser remember what was chosen.
pub fn keep(headers: &mut HeaderMap, language: Option<Language>, elder: Option<bool>) {
    let mut set = |name: &str, value: &str| {
        let cookie = format!("{name}={value}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    };
    if let Some(language) = language {
        set(LANGUAGE_COOKIE, language.tag());
    }
    if let Some(elder) = elder {
        set(MODE_COOKIE, if elder { "elder" } else { "standard" });
    }
}

#[derive(Deserialize)]
struct Choice {
    lang: Option<String>,
    mode: Option<String>,
    back: Option<String>,
}

async fn choose(Query(choice): Query<Choice>) -> Response {
    let back = choice
        .back
        .filter(|back| is_ours(back))
        .and_then(|back| HeaderValue::try_from(back).ok())
        .unwrap_or(HeaderValue::from_static("/"));
    let mut headers = HeaderMap::new();
    headers.insert(header::LOCATION, back);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let language = choice.lang.as_deref().and_then(Language::of);
    let elder = choice.mode.as_deref().and_then(mode);
    keep(&mut headers, language, elder);
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// A path of this host: nothing a browser could read as another host.
fn is_ours(back: &str) -> bool {
    back.starts_with('/')
        && !back.starts_with("//")
        && !back.contains('\\')
        && back.bytes().all(|byte| byte.is_ascii_graphic())
        && back.len() <= 60_000
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_choice_is_kept_and_leads_back() {
        for (query, location, cookies) in [
            (
                "lang=en&back=%2Finteraction%2Fx%2Flogin%3Fa%3D1",
                "/interaction/x/login?a=1",
                1,
            ),
            ("mode=elder&back=/", "/", 1),
            ("lang=fr&back=/", "/", 0),
            ("lang=en&back=//evil.example", "/", 1),
            ("lang=en&back=https://evil.example", "/", 1),
            ("lang=en&back=/%5Cevil.example", "/", 1),
            ("lang=en&back=/%09/evil.example", "/", 1),
            ("lang=en&back=/%0d%0aSet-Cookie:x", "/", 1),
            ("", "/", 0),
        ] {
            let answer = router::<()>()
                .oneshot(
                    Request::get(format!("/preferences?{query}"))
                        .body(Body::empty())
                        .unwrap(),
                )
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{query}");
            assert_eq!(answer.headers()[header::LOCATION], location, "{query}");
            let set = answer.headers().get_all(header::SET_COOKIE);
            assert_eq!(set.iter().count(), cookies, "{query}");
        }
    }

    #[test]
    fn own_choice_then_platform_then_browser() {
        let mut headers = HeaderMap::new();
        assert_eq!(Preferences::of(&headers).language(None), Language::Chinese);
        headers.insert(
            header::ACCEPT_LANGUAGE,
            HeaderValue::from_static("en-US,en"),
        );
        let browser = Preferences::of(&headers);
        assert_eq!(browser.language(None), Language::English);
        assert_eq!(browser.language(Some("fr zh-CN en")), Language::Chinese);
        assert_eq!(browser.language(Some("xx <y>")), Language::English);
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("a=b; lang=zh-CN; ui_mode=elder"),
        );
        let chosen = Preferences::of(&headers);
        assert_eq!(chosen.language(Some("en")), Language::Chinese);
        assert!(chosen.elder());
        assert!(!browser.elder());
    }

    #[test]
    fn this_browser_first_then_the_account() {
        let account = |elder, language: Option<&str>| Appearance {
            elder,
            language: language.map(str::to_owned),
        };
        for (cookie, appearance, elder, language) in [
            ("", account(true, Some("en")), true, Language::English),
            ("", account(false, None), false, Language::Chinese),
            (
                "ui_mode=standard; lang=zh-CN",
                account(true, Some("en")),
                false,
                Language::Chinese,
            ),
            (
                "ui_mode=?; lang=?",
                account(true, Some("en")),
                true,
                Language::English,
            ),
            (
                "ui_mode=elder",
                account(false, Some("?")),
                true,
                Language::Chinese,
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
            let found = Preferences::of(&headers).or_of_account(&appearance);
            let at = format!("{cookie} {appearance:?}");
            assert_eq!(
                (found.elder(), found.language(Some("zh"))),
                (elder, language),
                "{at}"
            );
        }
    }
}
