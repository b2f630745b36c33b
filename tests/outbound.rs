//! The way out against real servers that misbehave: slow, endless, redirecting, unreachable.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Redirect;
use axum::routing::get;
use futures_util::stream;
use hefu::outbound::{Guard, Limits, Options, Outbound, OutboundError, Refusal};
use url::Url;

async fn endless() -> Body {
    let chunk = || Ok::<_, Infallible>(vec![b'x'; 4096]);
    Body::from_stream(stream::unfold(
        (),
        move |()| async move { Some((chunk(), ())) },
    ))
}

/// Never ends its answer; nothing waits for it longer than its limit.
async fn never() -> Body {
    Body::from_stream(stream::pending::<Result<Vec<u8>, Infallible>>())
}

async fn server() -> (u16, Outbound) {
    hefu::server::tls::install_provider();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new()
        .route("/good", get(|| async { "good" }))
        .route("/endless", get(endless))
        .route("/never", get(never))
        .route("/large", get(|| async { "x".repeat(10_000) }))
        .route(
            "/away",
            get(|| async { Redirect::to("http://169.254.169.254/latest") }),
        );
    tokio::spawn(async move { axum::serve(listener, router).await });
    let guard = Guard {
        allow: Vec::new(),
        demo_port: Some(port),
    };
    (
        port,
        Outbound::new(Options {
            guard,
            trust_roots: Vec::new(),
            per_destination: 2,
        })
        .unwrap(),
    )
}

fn url(port: u16, path: &str) -> Url {
    Url::parse(&format!("http://gd.localhost:{port}{path}")).unwrap()
}

fn limits() -> Limits {
    Limits {
        time: Duration::from_millis(700),
        body: 8192,
    }
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time_and_redirects_are_answers() {
    let (port, outbound) = server().await;
    let get = async |path: &str| outbound.get(&url(port, path), "*/*", &limits()).await;
    let good = get("/good").await.unwrap();
    assert_eq!(
        (good.status().as_u16(), good.body().as_slice()),
        (200, b"good".as_slice())
    );
    assert_eq!(get("/away").await.unwrap().status(), 303);
    assert!(matches!(
        get("/large").await,
        Err(OutboundError::TooLarge { limit: 8192, .. })
    ));
    assert!(matches!(
        get("/endless").await,
        Err(OutboundError::TooLarge { .. })
    ));
    assert!(matches!(
        get("/never").await,
        Err(OutboundError::Timeout { .. })
    ));
}

#[tokio::test]
async fn one_slow_destination_does_not_take_the_places_of_another() {
    let (slow_port, outbound) = server().await;
    let slow: Vec<_> = (0..6)
        .map(|_| {
            let outbound = outbound.clone();
            tokio::spawn(async move {
                outbound
                    .get(&url(slow_port, "/never"), "*/*", &limits())
                    .await
                    .is_err()
            })
        })
        .collect();
    // Another name on the same port is another destination.
    let other = Url::parse(&format!("http://js.localhost:{slow_port}/good")).unwrap();
    assert_eq!(
        outbound
            .get(&other, "*/*", &limits())
            .await
            .unwrap()
            .status(),
        200
    );
    for task in slow {
        assert!(task.await.unwrap());
    }
}

#[tokio::test]
async fn refusals_say_why_and_errors_hold_no_query() {
    let (port, outbound) = server().await;
    let said = async |text: &str| match outbound
        .get(&Url::parse(text).unwrap(), "*/*", &limits())
        .await
    {
        Err(e @ OutboundError::Refused { .. }) => e.to_string(),
        other => format!("not refused: {other:?}"),
    };
    assert!(
        said("http://id.example.cn/x?secret=1")
            .await
            .contains("only https")
    );
    assert!(
        !said("http://id.example.cn/x?secret=1")
            .await
            .contains("secret")
    );
    assert!(
        said(&format!("http://127.0.0.1:{port}/good"))
            .await
            .contains("only https")
    );
    assert!(said("https://127.0.0.1/").await.contains("127.0.0.1"));
    assert!(
        said(&format!(
            "http://gd.localhost:{}/",
            port.wrapping_add(1).max(1)
        ))
        .await
        .contains("only https")
    );
    // Without the demonstration's rule the resolver itself refuses what a name resolves to.
    let strict = Outbound::new(Options::default()).unwrap();
    let refused = strict
        .get(
            &Url::parse("https://id.localhost/").unwrap(),
            "*/*",
            &limits(),
        )
        .await;
    assert!(
        matches!(
            refused,
            Err(OutboundError::Refused {
                refusal: Refusal::Name(_),
                ..
            })
        ),
        "{refused:?}"
    );
}
