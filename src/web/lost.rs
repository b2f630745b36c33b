//! Requests that lead nowhere: an address that an entity does not have, or a method that an address does not know. A
//! person gets a page with the way back, a program gets JSON. Hosts that are none of ours are answered by `server::dispatch`.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::error::{error_page, json_answer};
use super::view::error::ErrorKind;
use super::view::{Frame, Way};
use crate::oauth::{Error, ErrorCode};

/// What the page of a lost request stands in: the entity's frame, and the number by which the log entry is found.
pub type Surroundings = Arc<dyn Fn(&HeaderMap) -> (Frame, String) + Send + Sync>;

/// `router` with an answer for every address and method that it does not know. Called last, when all doors are there.
pub fn found(router: Router, surroundings: Surroundings) -> Router {
    let here = Arc::clone(&surroundings);
    router
        .fallback(async move |headers: HeaderMap| {
            let error = Error::new(ErrorCode::NotFound, "there is nothing at this address");
            answer(
                StatusCode::NOT_FOUND,
                ErrorKind::NotFound,
                &error,
                &headers,
                &here,
            )
        })
        .method_not_allowed_fallback(async move |headers: HeaderMap| {
            let error = Error::invalid_request("this address does not take this method");
            let status = StatusCode::METHOD_NOT_ALLOWED;
            answer(
                status,
                ErrorKind::BadRequest,
                &error,
                &headers,
                &surroundings,
            )
        })
}

fn answer(
    status: StatusCode,
    kind: ErrorKind,
    error: &Error,
    headers: &HeaderMap,
    surroundings: &Surroundings,
) -> Response {
    if !reads_pages(headers) {
        let body = serde_json::json!({
            "error": error.code.as_str(), "error_description": error.description,
        });
        return json_answer(status, &body);
    }
    let (frame, reference) = surroundings(headers);
    let back = Some(Way {
        name: frame.brand_name(),
        url: format!("{}/", frame.root),
    });
    let mut page = error_page(frame, kind, error, reference, back);
    *page.status_mut() = status;
    page
}

/// Browsers name HTML; programs that take anything get JSON.
pub(super) fn reads_pages(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|media| {
            ["text/html", "application/xhtml+xml"]
                .iter()
                .any(|html| media.trim().eq_ignore_ascii_case(html))
        })
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use axum::routing::{get, post};
    use tower::ServiceExt as _;

    use super::*;
    use crate::brand::Brand;
    use crate::web::view::Place;

    async fn ask(method: &str, path: &str, accept: &str) -> (StatusCode, HeaderMap, String) {
        let router = Router::new()
            .route("/door", get(async || "in"))
            .route("/form", post(async || "sent"));
        let surroundings = Arc::new(|_: &HeaderMap| {
            let frame = Frame::new(Place::Portal, Brand::other("<b>粤"));
            (frame, "0123".to_owned())
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, accept)
            .body(Body::empty())
            .unwrap();
        let (parts, body) = found(router, surroundings)
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        let body = to_bytes(body, 100_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (parts.status, parts.headers, body)
    }

    #[tokio::test]
    async fn no_answer_is_empty() {
        const BROWSER: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
        for (method, path, status, code, allow) in [
            ("GET", "/nope", 404, "not_found", None),
            ("POST", "/nope", 404, "not_found", None),
            ("GET", "/door/", 404, "not_found", None),
            ("POST", "/door", 405, "invalid_request", Some("GET,HEAD")),
            ("GET", "/form", 405, "invalid_request", Some("POST")),
        ] {
            for accept in [BROWSER, "*/*", "application/json"] {
                let at = format!("{method} {path} {accept}");
                let (found, headers, body) = ask(method, path, accept).await;
                assert_eq!(found.as_u16(), status, "{at}");
                let allowed = headers.get(header::ALLOW).map(|v| v.to_str().unwrap());
                assert_eq!(allowed, allow, "{at}");
                assert_eq!(headers["x-content-type-options"], "nosniff", "{at}");
                assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{at}");
                if accept == BROWSER {
                    assert!(body.contains(&format!("id=\"error-code\">{code}<")), "{at}");
                    assert!(body.contains("id=\"error-back\" href=\"/\""), "{at}");
                    assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
                    assert!(!body.contains("<b>粤"));
                } else {
                    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
                    assert_eq!(body["error"], code, "{at}");
                }
            }
        }
    }

    #[tokio::test]
    async fn head_works_where_get_does() {
        let (status, headers, body) = ask("HEAD", "/door", "*/*").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
        assert_eq!(headers[header::CONTENT_LENGTH], "2");
        assert_eq!(ask("HEAD", "/nope", "text/html").await.0, 404);
    }
}
