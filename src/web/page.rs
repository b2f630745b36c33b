//! A page as an HTTP answer: the document and the headers that every page of ours carries.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use url::Url;

use super::view::Page;

/// The answer that shows `page`. Its forms may lead to ourselves only.
pub fn page(status: StatusCode, page: &dyn Page) -> Response {
    page_leading_to(status, page, &[])
}

/// The same, where a form of the page may end, after redirects, at one of `targets` (browsers check `form-action` along
/// the whole way): every page of an interaction names the redirect URI.
pub fn page_leading_to(status: StatusCode, page: &dyn Page, targets: &[&str]) -> Response {
    let mut answer = (status, Html(page.html())).into_response();
    answer.headers_mut().extend(guarding_headers(targets, &[]));
    answer
}

/// The same for a page that loads exactly these pages of others in frames.
pub fn page_with_frames(status: StatusCode, page: &dyn Page, frames: &[Url]) -> Response {
    let mut answer = (status, Html(page.html())).into_response();
    answer.headers_mut().extend(guarding_headers(&[], frames));
    answer
}

/// 303 to `location` (RFC 9700 §4.12: never 307 after a form), not stored anywhere.
pub fn see_other(location: &str) -> Response {
    let mut answer = StatusCode::SEE_OTHER.into_response();
    let headers = answer.headers_mut();
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, location);
    } else {
        // Addresses are parsed before they come here; one that no header can hold is a fault of ours.
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return answer;
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    answer
}

/// Adds a `Set-Cookie`.
pub fn with_cookie(mut answer: Response, cookie: HeaderValue) -> Response {
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    answer
}

fn guarding_headers(targets: &[&str], frames: &[Url]) -> HeaderMap {
    let mut form_action = "'self'".to_owned();
    for source in targets.iter().filter_map(|t| csp_source(t)) {
        form_action.push(' ');
        form_action.push_str(&source);
    }
    let mut frame_src = String::new();
    for source in frames.iter().filter_map(exact_source) {
        frame_src.push_str(if frame_src.is_empty() {
            "frame-src "
        } else {
            " "
        });
        frame_src.push_str(&source);
    }
    if !frame_src.is_empty() {
        frame_src.push_str("; ");
    }
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
         manifest-src 'self'; {frame_src}form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut headers = HeaderMap::new();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Nothing for others; to ourselves, so that forms carry their `Origin` (`csrf`).
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        "cross-origin-opener-policy",
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
    );
    headers
}

/// A page as a CSP source: origin and path, or the origin alone when the path has characters that the directive gives a meaning.
fn exact_source(url: &Url) -> Option<String> {
    let path = url.path();
    let plain = path
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/._~-%".contains(&b));
    let origin = csp_source(url.as_str())?;
    Some(if plain {
        format!("{origin}{path}")
    } else {
        origin
    })
}

/// The origin of a URL as a CSP source; the scheme for private schemes of native apps. Nothing that could end the directive.
fn csp_source(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let source = match url.scheme() {
        "https" | "http" => url.origin().ascii_serialization(),
        scheme => format!("{scheme}:"),
    };
    source
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b":/.-[]+_".contains(&b))
        .then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_cannot_end_their_directive() {
        for (url, source) in [
            ("https://rp.example/cb?x=1;y", Some("https://rp.example")),
            (
                "http://gd.localhost:8080/callback",
                Some("http://gd.localhost:8080"),
            ),
            ("com.example.app:/cb", Some("com.example.app:")),
            ("https://[::1]:9/", Some("https://[::1]:9")),
            ("not a url", None),
        ] {
            assert_eq!(csp_source(url).as_deref(), source, "{url}");
        }
        for (url, source) in [
            ("https://rp.example/out?x=1", "https://rp.example/out"),
            ("https://rp.example", "https://rp.example/"),
            ("https://rp.example/a;script-src *", "https://rp.example"),
            ("https://rp.example/a,b", "https://rp.example"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(exact_source(&url).as_deref(), Some(source), "{url}");
        }
    }
}
