//! From a request to the entity it is meant for: exact host, then the longest path. A host that is none of ours gets
//! 421 (RFC 9110 §15.5.20), and so does a request whose `Host` and `:authority` disagree.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum_server::tls::TlsInfo;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use ipnet::IpNet;
use tower::ServiceExt;
use tower::util::MapResponseLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::config::Address;
use crate::crypto::ClientCertificate;
use crate::web::source::Source;

/// The longest body that any door reads.
const BODY_LIMIT: usize = 128 * 1024;
/// Longer than any outgoing request that a door waits for.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// RFC 8414 §3.1 puts the well-known name before the issuer's path.
const BEFORE_PATH: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

/// Which router serves which identifier.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    /// Hosts below this one are served all alike.
    below: Option<(String, Router)>,
    proxies: Vec<IpNet>,
    /// `Strict-Transport-Security` of every answer.
    hsts: Option<HeaderValue>,
}

#[derive(Debug)]
struct Row {
    address: Address,
    router: Router,
}

impl Table {
    pub fn new(proxies: Vec<IpNet>) -> Self {
        Self {
            rows: Vec::new(),
            below: None,
            proxies,
            hsts: None,
        }
    }

    /// Browsers are told to keep to https for so many seconds (RFC 6797 §6.1; FAPI 2.0 §5.2.2). Of the hosts asked alone: what lives
    /// below them is not ours to speak for.
    #[must_use]
    pub fn with_hsts(mut self, seconds: Option<u32>) -> Self {
        self.hsts = seconds.and_then(|s| HeaderValue::try_from(format!("max-age={s}")).ok());
        self
    }

    pub fn add(&mut self, address: Address, router: Router) {
        self.rows.push(Row { address, router });
        // Longest path first, so that /gd/gz is found before /gd.
        self.rows
            .sort_by_key(|r| std::cmp::Reverse(r.address.path.len()));
    }

    /// Every host that ends with `.` and `authority`, where no entity has it.
    pub fn add_below(&mut self, authority: String, router: Router) {
        self.below = Some((format!(".{authority}"), router));
    }

    /// The service that the listeners run.
    pub fn into_router(self) -> Router {
        let trace = TraceLayer::new_for_http()
            .make_span_with(|request: &Request| {
                // The path only: queries hold codes, states and hints.
                let id = request.headers().get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
                tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
            })
            .on_request(())
            .on_failure(());
        let hsts = self.hsts.clone();
        let hsts = MapResponseLayer::new(move |mut response: Response| {
            if let Some(value) = &hsts {
                response
                    .headers_mut()
                    .insert(header::STRICT_TRANSPORT_SECURITY, value.clone());
            }
            response
        });
        Router::new()
            .fallback(dispatch)
            .with_state(Arc::new(self))
            .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
            .layer(TimeoutLayer::with_status_code(
                StatusCode::SERVICE_UNAVAILABLE,
                TIME_LIMIT,
            ))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(trace)
            .layer(hsts)
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(tower::util::MapRequestLayer::new(without_odd_request_id))
    }

    fn find(&self, authority: &str, path: &str) -> Option<(&Row, String)> {
        self.rows
            .iter()
            .filter(|r| r.address.authority == authority)
            .find_map(|row| {
                let base = row.address.path.as_str();
                if base.is_empty() {
                    return Some((row, path.to_owned()));
                }
                if let Some(rest) = path.strip_prefix(base)
                    && (rest.is_empty() || rest.starts_with('/'))
                {
                    return Some((
                        row,
                        if rest.is_empty() {
                            "/".to_owned()
                        } else {
                            rest.to_owned()
                        },
                    ));
                }
                BEFORE_PATH
                    .iter()
                    .find(|known| path.strip_prefix(*known) == Some(base))
                    .map(|known| (row, (*known).to_owned()))
            })
    }

    /// The peer, or the last address in `X-Forwarded-For` that is not one of our proxies.
    fn source(&self, peer: IpAddr, headers: &HeaderMap) -> Source {
        let listed = |ip: &IpAddr| {
            self.proxies
                .iter()
                .any(|net| net.contains(&ip.to_canonical()))
        };
        if !listed(&peer) {
            return Source(peer.to_canonical());
        }
        let forwarded = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|v| v.to_str().ok());
        let all = forwarded.collect::<Vec<_>>().join(",");
        let addresses = all
            .rsplit(',')
            .map_while(|part| part.trim().parse::<IpAddr>().ok());
        Source(
            addresses
                .map(|ip| ip.to_canonical())
                .find(|ip| !listed(ip))
                .unwrap_or(peer),
        )
    }
}

/// A sender's `x-request-id` is kept when it looks like one: it stands in every log line of the request.
fn without_odd_request_id(mut request: Request) -> Request {
    let plain = |value: &HeaderValue| {
        value.len() <= 64
            && value
                .as_bytes()
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_')
    };
    if request
        .headers()
        .get_all("x-request-id")
        .iter()
        .any(|value| !plain(value))
    {
        request.headers_mut().remove("x-request-id");
    }
    request
}

/// Headers by which proxies tell of certificates (RFC 9440, and what is in use). Only a handshake of ours is believed, and
/// nothing behind this point may be tempted.
const CERTIFICATE_HEADERS: [&str; 8] = [
    "client-cert",
    "client-cert-chain",
    "ssl-client-cert",
    "x-client-cert",
    "x-client-certificate",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "x-ssl-client-cert",
];

/// What the client showed in this connection's handshake, for the doors.
fn with_certificate(request: &mut Request) {
    for name in CERTIFICATE_HEADERS {
        request.headers_mut().remove(name);
    }
    let shown = request
        .extensions()
        .get::<Arc<TlsInfo>>()
        .and_then(|tls| ClientCertificate::new(tls.peer_certificates.clone()));
    if let Some(certificate) = shown {
        request.extensions_mut().insert(certificate);
    }
}

async fn dispatch(State(table): State<Arc<Table>>, mut request: Request) -> Response {
    let Some(authority) = authority(request.uri(), request.headers()) else {
        return misdirected();
    };
    let Some((row, path)) = table.find(&authority, request.uri().path()) else {
        return match &table.below {
            Some((below, router)) if authority.ends_with(below) => {
                let Ok(response) = router.clone().oneshot(request).await;
                response
            }
            _ => misdirected(),
        };
    };
    if let Some(uri) = with_path(request.uri(), &path) {
        *request.uri_mut() = uri;
    } else {
        return StatusCode::BAD_REQUEST.into_response();
    }
    with_certificate(&mut request);
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|c| c.0.ip());
    if let Some(peer) = peer {
        let source = table.source(peer, request.headers());
        request.extensions_mut().insert(source);
    }
    let response = match row.router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    count(&row.address, response.status());
    response
}

/// Counted by entity and kind of answer alone: labels hold nothing that strangers choose.
fn count(address: &Address, status: StatusCode) {
    let kind = match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("hefu_requests_total", "entity" => address.id.clone(), "status" => kind)
        .increment(1);
}

/// The host the client means, lower case. HTTP/2 says it in `:authority`, HTTP/1.1 in `Host`; where both are there
/// they must agree.
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(one), None) => Some(one.to_str().ok()?.to_ascii_lowercase()),
        (None, None) => None,
        _ => return None,
    };
    match (
        uri.authority().map(|a| a.as_str().to_ascii_lowercase()),
        host,
    ) {
        (Some(a), Some(b)) if a != b => None,
        (Some(a), _) => Some(a),
        (None, host) => host,
    }
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let text = uri
        .query()
        .map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    text.parse().ok()
}

fn misdirected() -> Response {
    let text = "421 Misdirected Request: no entity of this name lives on this node.\n";
    (
        StatusCode::MISDIRECTED_REQUEST,
        [(header::CACHE_CONTROL, "no-store")],
        text,
    )
        .into_response()
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response<Body> {
    let said = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)");
    tracing::error!(panic = said, "a handler panicked; this is a bug");
    let mut response = (
        StatusCode::INTERNAL_SERVER_ERROR,
        "{\"error\":\"server_error\"}",
    )
        .into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    fn table(proxies: &[&str]) -> Table {
        let mut table = Table::new(proxies.iter().map(|p| p.parse().unwrap()).collect());
        for (id, name) in [
            ("https://a.cn", "a"),
            ("https://b.cn/gd", "gd"),
            ("https://b.cn/gd/gz", "gz"),
        ] {
            let router = Router::new().fallback(get(move |uri: Uri, source: Source| async move {
                format!("{name} {uri} {}", source.0)
            }));
            table.add(Address::parse(id, false).unwrap(), router);
        }
        table
    }

    async fn ask(table: Table, uri: &str, headers: &[(&str, &str)]) -> String {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 9], 1))));
        let response = table.into_router().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 9999)
            .await
            .unwrap();
        if status.is_success() {
            String::from_utf8(body.to_vec()).unwrap()
        } else {
            status.as_u16().to_string()
        }
    }

    #[tokio::test]
    async fn the_entity_is_found_by_exact_host_and_longest_path() {
        for (uri, host, expected) in [
            ("/x?q=1", "a.cn", "a /x?q=1 10.0.0.9"),
            ("/x", "A.CN", "a /x 10.0.0.9"),
            ("/gd/x", "b.cn", "gd /x 10.0.0.9"),
            ("/gd", "b.cn", "gd / 10.0.0.9"),
            ("/gd/gz/x", "b.cn", "gz /x 10.0.0.9"),
            (
                "/gd/.well-known/openid-federation",
                "b.cn",
                "gd /.well-known/openid-federation 10.0.0.9",
            ),
            (
                "/.well-known/oauth-authorization-server/gd",
                "b.cn",
                "gd /.well-known/oauth-authorization-server 10.0.0.9",
            ),
            ("/gdx", "b.cn", "421"),
            ("/", "b.cn", "421"),
            ("/", "c.cn", "421"),
            ("/", "a.cn:8443", "421"),
            ("/", "a.cn.", "421"),
        ] {
            assert_eq!(
                ask(table(&[]), uri, &[("host", host)]).await,
                expected,
                "{host}{uri}"
            );
        }
        assert_eq!(ask(table(&[]), "/", &[]).await, "421");
        assert_eq!(
            ask(table(&[]), "https://a.cn/x", &[]).await,
            "a /x 10.0.0.9"
        );
        assert_eq!(
            ask(table(&[]), "https://a.cn/x", &[("host", "b.cn")]).await,
            "421"
        );
        assert_eq!(
            ask(table(&[]), "/", &[("host", "a.cn"), ("host", "a.cn")]).await,
            "421"
        );
    }

    #[tokio::test]
    async fn forwarded_addresses_count_only_from_listed_proxies() {
        let from = |proxies: &'static [&str], said: &'static str| async move {
            let answer = ask(
                table(proxies),
                "/",
                &[("host", "a.cn"), ("x-forwarded-for", said)],
            )
            .await;
            answer.rsplit(' ').next().unwrap().to_owned()
        };
        assert_eq!(from(&[], "1.2.3.4").await, "10.0.0.9");
        assert_eq!(from(&["10.0.0.0/8"], "1.2.3.4").await, "1.2.3.4");
        // What stands in front of the last foreign address was written by the client itself.
        assert_eq!(
            from(&["10.0.0.0/8"], "6.6.6.6, 1.2.3.4, 10.0.0.7").await,
            "1.2.3.4"
        );
        assert_eq!(from(&["10.0.0.0/8"], "nonsense").await, "10.0.0.9");
    }

    #[test]
    fn certificates_come_from_the_handshake_alone() {
        let shown = |tls: Option<TlsInfo>| {
            let mut request = Request::get("/")
                .header("Client-Cert", ":MIIB:")
                .header("X-SSL-Client-Cert", "MIIB")
                .body(Body::empty())
                .unwrap();
            if let Some(tls) = tls {
                request.extensions_mut().insert(Arc::new(tls));
            }
            with_certificate(&mut request);
            assert!(request.headers().is_empty());
            request.extensions().get::<ClientCertificate>().cloned()
        };
        let mut tls = TlsInfo::default();
        assert_eq!(shown(None), None);
        assert_eq!(shown(Some(tls.clone())), None);
        tls.peer_certificates = vec![b"own".to_vec(), b"issuer".to_vec()];
        assert_eq!(shown(Some(tls)).unwrap().der(), b"own");
    }

    #[test]
    fn odd_request_ids_are_replaced() {
        let with = |id: &str| {
            let request = Request::get("/")
                .header("x-request-id", id)
                .body(Body::empty())
                .unwrap();
            without_odd_request_id(request)
                .headers()
                .contains_key("x-request-id")
        };
        assert!(with("0197-ab_C"));
        assert!(!with(&"a".repeat(65)) && !with("a b") && !with("a\tb"));
    }

    #[tokio::test]
    async fn every_answer_tells_browsers_to_keep_to_https_where_it_is_said() {
        for (seconds, told) in [
            (None, None),
            (Some(31_536_000), Some("max-age=31536000")),
            (Some(60), Some("max-age=60")),
        ] {
            // One of an entity, one of nobody, one that is too large to be read.
            for (host, length, status) in
                [("a.cn", 0, 200), ("c.cn", 0, 421), ("a.cn", 1 << 20, 413)]
            {
                let request = Request::get("/")
                    .header("host", host)
                    .header("content-length", length)
                    .body(Body::empty())
                    .unwrap();
                let router = table(&[]).with_hsts(seconds).into_router();
                let response = router.oneshot(request).await.unwrap();
                assert_eq!(response.status(), status);
                let header = response.headers().get("strict-transport-security");
                assert_eq!(header.map(|v| v.to_str().unwrap()), told, "{host} {status}");
            }
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let mut table = Table::new(Vec::new());
        #[expect(clippy::panic, reason = "this is what is tested")]
        async fn broken() {
            panic!("bug");
        }
        table.add(
            Address::parse("https://a.cn", false).unwrap(),
            Router::new().fallback(get(broken)),
        );
        assert_eq!(ask(table, "/", &[("host", "a.cn")]).await, "500");
    }
}
