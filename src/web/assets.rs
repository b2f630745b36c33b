//! The stylesheet, the icon and the scripts, at addresses that change with their content: `/static/<name>.<hash>.<ext>`, kept by
//! browsers for a year. Nothing else is served from disk or memory by name.

use std::{fmt::Write as _, sync::LazyLock};

use axum::{
    Router,
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use serde_json::json;

use super::error::json_answer;
use crate::brand;

/// `GET /static/{file}`. Answers are public and immutable.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/static/{file}", get(serve))
}

pub fn css() -> &'static str {
    &ASSETS[0].path
}

pub fn icon() -> &'static str {
    &ASSETS[1].path
}

pub fn form_post_js() -> &'static str {
    &ASSETS[2].path
}

pub fn passkey_js() -> &'static str {
    &ASSETS[3].path
}

pub fn check_session_js() -> &'static str {
    &ASSETS[4].path
}

pub fn signed_out_js() -> &'static str {
    &ASSETS[5].path
}

/// Address and content of each, for looking at pages without a server.
#[cfg(test)]
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    ASSETS
        .iter()
        .map(|asset| (asset.path.as_str(), asset.body.as_str()))
}

struct Asset {
    path: String,
    content_type: &'static str,
    body: String,
}

static ASSETS: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    [
        Asset::new(
            "app",
            "css",
            "text/css; charset=utf-8",
            include_str!("static/app.css").to_owned() + &brand::stylesheet(),
        ),
        Asset::new(
            "icon",
            "svg",
            "image/svg+xml",
            include_str!("static/icon.svg").to_owned(),
        ),
        Asset::new(
            "form_post",
            "js",
            "text/javascript; charset=utf-8",
            include_str!("static/form_post.js").to_owned(),
        ),
        Asset::new(
            "passkey",
            "js",
            "text/javascript; charset=utf-8",
            include_str!("static/passkey.js").to_owned(),
        ),
        Asset::new(
            "check_session",
            "js",
            "text/javascript; charset=utf-8",
            include_str!("static/check_session.js").to_owned(),
        ),
        Asset::new(
            "signed_out",
            "js",
            "text/javascript; charset=utf-8",
            include_str!("static/signed_out.js").to_owned(),
        ),
    ]
});

impl Asset {
    fn new(name: &str, extension: &str, content_type: &'static str, body: String) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
        let mut hash = String::new();
        for byte in &digest.as_ref()[..8] {
            let _ = write!(hash, "{byte:02x}");
        }
        Self {
            path: format!("/static/{name}.{hash}.{extension}"),
            content_type,
            body,
        }
    }
}

async fn serve(Path(file): Path<String>) -> Response {
    let found = ASSETS
        .iter()
        .find(|asset| asset.path.strip_prefix("/static/") == Some(&file));
    match found {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (
                    HeaderName::from_static("cross-origin-resource-policy"),
                    "same-origin",
                ),
            ],
            asset.body.as_str(),
        )
            .into_response(),
        None => json_answer(
            StatusCode::NOT_FOUND,
            &json!({"error": "not_found", "error_description": "there is no such file"}),
        ),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(path: &str) -> Response {
        router::<()>()
            .oneshot(Request::get(path).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn assets_have_their_exact_types_and_never_change() {
        for (path, content_type) in [
            (css(), "text/css; charset=utf-8"),
            (icon(), "image/svg+xml"),
            (form_post_js(), "text/javascript; charset=utf-8"),
            (passkey_js(), "text/javascript; charset=utf-8"),
            (check_session_js(), "text/javascript; charset=utf-8"),
            (signed_out_js(), "text/javascript; charset=utf-8"),
        ] {
            let answer = ask(path).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], content_type);
            let caching = answer.headers()[header::CACHE_CONTROL].to_str().unwrap();
            assert!(caching.contains("immutable"));
        }
    }

    #[tokio::test]
    async fn other_names_are_not_found() {
        for path in [
            "/static/app.css",
            "/static/..%2f..%2fCargo.toml",
            "/static/app.0000000000000000.css",
        ] {
            assert_eq!(ask(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
