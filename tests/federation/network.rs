//! Documents over real HTTP: media types, statuses, addresses.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use hefu::federation::resolve::{Document, Fetch, FetchError, Network};
use hefu::federation::{EntityId, Schemes};
use hefu::outbound::{Guard, Limits, Options, Outbound};

async fn serve() -> (String, Arc<dyn Fetch>) {
    let typed = |content_type: &'static str, body: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, content_type)], body) })
    };
    let router = Router::new()
        .route(
            "/.well-known/openid-federation",
            typed("Application/Entity-Statement+JWT; charset=utf-8", "ec"),
        )
        .route(
            "/html/.well-known/openid-federation",
            typed("text/html", "<p>"),
        )
        .route(
            "/json/.well-known/openid-federation",
            typed("application/json", "{}"),
        )
        .route(
            "/long/.well-known/openid-federation",
            get(|| async {
                (
                    [(header::CONTENT_TYPE, "application/entity-statement+jwt")],
                    "x".repeat(2000),
                )
            }),
        )
        .route(
            "/moved/.well-known/openid-federation",
            get(|| async {
                (
                    StatusCode::FOUND,
                    [(header::LOCATION, "/.well-known/openid-federation")],
                )
            }),
        )
        .route(
            "/fetch",
            get(|uri: axum::http::Uri| async move {
                let query = uri.query().unwrap_or_default().to_owned();
                (
                    [(header::CONTENT_TYPE, "application/entity-statement+jwt")],
                    query,
                )
            }),
        )
        .route("/jwks", typed("application/json", "{}"))
        .route("/list", typed("application/json", "[]"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let outbound = Outbound::new(Options {
        guard: Guard {
            demo_port: Some(port),
            ..Guard::default()
        },
        ..Options::default()
    })
    .expect("a client");
    let limits = Limits {
        body: 1000,
        ..Limits::default()
    };
    let fetch = Network::new(outbound, limits, Schemes::HttpsOrLoopbackHttp);
    (format!("http://a.localhost:{port}"), Arc::new(fetch))
}

#[tokio::test]
async fn documents_are_taken_only_as_what_they_are() {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let (base, fetch) = serve().await;
    let configuration = async |path: &str| {
        let id = EntityId::parse(&format!("{base}{path}"), Schemes::HttpsOrLoopbackHttp)
            .expect("an identifier");
        fetch.fetch(&Document::Configuration(id)).await
    };
    assert_eq!(configuration("").await.as_deref(), Ok("ec"));
    for path in ["/html", "/json", "/moved", "/missing"] {
        assert!(
            matches!(configuration(path).await, Err(FetchError::Answer(_))),
            "{path}"
        );
    }
    assert!(matches!(
        configuration("/long").await,
        Err(FetchError::Unreachable(_))
    ));

    // A query of the endpoint's own is kept (§8).
    let subject =
        EntityId::parse("https://x.example/ü", Schemes::HttpsOnly).expect("an identifier");
    let document = Document::Subordinate {
        endpoint: format!("{base}/fetch?tenant=1"),
        subject,
    };
    assert_eq!(
        fetch.fetch(&document).await.as_deref(),
        Ok("tenant=1&sub=https%3A%2F%2Fx.example%2F%C3%BC")
    );
    assert!(
        fetch
            .fetch(&Document::Jwks {
                url: format!("{base}/jwks")
            })
            .await
            .is_ok()
    );
    assert!(
        fetch
            .fetch(&Document::SignedJwks {
                url: format!("{base}/jwks")
            })
            .await
            .is_err()
    );
    assert!(
        fetch
            .fetch(&Document::List {
                endpoint: format!("{base}/list")
            })
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn addresses_inside_are_not_asked() {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let (_, fetch) = serve().await;
    for url in [
        "http://169.254.169.254/latest",
        "https://169.254.169.254/latest",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://10.0.0.1/x",
        "http://a.example/x",
        "file:///etc/passwd",
        "https://a.example/x#f",
        "https://u:p@a.example/x",
        "nonsense",
    ] {
        let answer = fetch
            .fetch(&Document::Jwks {
                url: url.to_owned(),
            })
            .await;
        assert!(
            matches!(answer, Err(FetchError::Unreachable(_))),
            "{url}: {answer:?}"
        );
    }
}
