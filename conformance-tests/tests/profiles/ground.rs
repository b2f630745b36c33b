//! The laboratory that all profiles share, its citizen, and a place elsewhere: a web server of the stranger's own that the provider
//! fetches documents from and tells of logouts.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use conformance_tests::{
    lab::{Beside, Lab},
    visitor::{Answer, Visitor},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::party::{Client, Told};

/// Two resources, an exchange, a kind of detail and a floor: what a deployment must name partners for.
const OFFERS: &str = r#"
[[entity.provider.resources]]
uri = "https://records.hefu.test/"
name = "档案"
scopes = [{ name = "records.read", text = "查看档案" }, { name = "records.write", text = "修改档案" }]
servers = ["lab-post"]

[[entity.provider.resources]]
uri = "https://pension.hefu.test/"
name = "养老金"
scopes = [{ name = "pension.read", text = "查看养老金" }]

[[entity.provider.authorization_details]]
type = "visit"
text = "预约"
members = [{ name = "actions", text = "操作", required = true, values = ["book", "cancel"] }]

[[entity.provider.exchanges]]
client = "lab-two"
subjects = ["lab-one"]
resources = ["https://records.hefu.test/"]

[entity.provider.userinfo_floor]
acr = "https://hefu.example/acr/L2"
scopes = ["records.write"]
"#;

pub struct Ground {
    pub lab: Lab,
    /// The discovery document.
    pub metadata: Value,
    pub elsewhere: Elsewhere,
    /// The citizen's browser, logged in already. Nobody logs out here.
    pub citizen: Visitor,
    /// The file in which the provider finds the authority of `elsewhere`.
    _roots: tempfile::NamedTempFile,
}

pub async fn ground() -> &'static Ground {
    static GROUND: OnceCell<Ground> = OnceCell::const_new();
    GROUND.get_or_init(Ground::lay).await
}

impl Ground {
    async fn lay() -> Self {
        let elsewhere = Elsewhere::open();
        let roots = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(roots.path(), &elsewhere.ca).expect("a written file");
        let environment = [
            ("HEFU_LAB_ALLOW", "\"127.0.0.0/8\"".to_owned()),
            (
                "HEFU_LAB_TRUST_ROOTS",
                format!("\"{}\"", roots.path().display()),
            ),
        ];
        let lab = Lab::start(Beside {
            more: OFFERS,
            environment: &environment,
            ..Beside::default()
        })
        .await;
        let citizen = lab.browser();
        let discovery = format!("{}/.well-known/openid-configuration", lab.issuer);
        let metadata = citizen.get(&discovery).await.json();
        let ground = Self {
            lab,
            metadata,
            elsewhere,
            citizen,
            _roots: roots,
        };
        let client = Client::open(&ground).await;
        let told = client.ask(&ground, &ground.citizen, &[]).await;
        told.code();
        ground
    }

    pub fn issuer(&self) -> &str {
        &self.lab.issuer
    }

    /// An address of the discovery document.
    pub fn endpoint(&self, name: &str) -> &str {
        self.metadata[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} is not in the discovery document"))
    }

    /// A program of nobody.
    pub fn program(&self) -> Visitor {
        self.lab.browser()
    }

    pub async fn jwks(&self) -> Value {
        self.program().get(self.endpoint("jwks_uri")).await.json()
    }

    /// Another browser in which the citizen has logged in at `client`.
    pub async fn newcomer(&self, client: &Client) -> (Visitor, Told) {
        let browser = self.lab.browser();
        let told = client.ask(self, &browser, &[]).await;
        told.code();
        (browser, told)
    }

    pub async fn userinfo(&self, access_token: &str) -> Answer {
        let program = self.program();
        let request = program
            .request(Method::GET, self.endpoint("userinfo_endpoint"))
            .bearer_auth(access_token);
        program.send(request).await
    }
}

/// What somebody sent to a place elsewhere.
#[derive(Clone, Debug)]
pub struct Visit {
    pub method: Method,
    pub content_type: String,
    pub body: String,
}

#[derive(Default)]
struct Places {
    /// By path: content type and body.
    documents: BTreeMap<String, (String, String)>,
    visits: Vec<(String, Visit)>,
}

/// A server with a certificate for 127.0.0.1, on a thread and a runtime of its own: those of a test end with it.
pub struct Elsewhere {
    pub origin: String,
    ca: String,
    places: Arc<Mutex<Places>>,
}

impl Elsewhere {
    fn open() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("a certificate authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .expect("a name")
            .signed_by(&key, &ca)
            .expect("a certificate");
        let places: Arc<Mutex<Places>> = Arc::default();
        let address = serve(certificate.pem(), key.serialize_pem(), places.clone());
        Self {
            origin: format!("https://{address}"),
            ca: ca.pem(),
            places,
        }
    }

    /// Puts a document at `path`; answers its address.
    pub fn put(&self, path: &str, content_type: &str, body: impl Into<String>) -> String {
        let document = (content_type.to_owned(), body.into());
        let mut places = self.places.lock().expect("no panic before");
        places.documents.insert(path.to_owned(), document);
        format!("{}{path}", self.origin)
    }

    pub fn visits(&self, path: &str) -> Vec<Visit> {
        let places = self.places.lock().expect("no panic before");
        let here = places.visits.iter().filter(|(p, _)| p == path);
        here.map(|(_, visit)| visit.clone()).collect()
    }

    /// The first visit, as soon as it comes.
    pub async fn visited(&self, path: &str) -> Visit {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(visit) = self.visits(path).into_iter().next() {
                return visit;
            }
            assert!(Instant::now() < deadline, "nobody came to {path}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn serve(certificate: String, key: String, places: Arc<Mutex<Places>>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a socket for tokio");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let tls =
                axum_server::tls_rustls::RustlsConfig::from_pem(certificate.into(), key.into())
                    .await
                    .expect("TLS");
            let router = Router::new().fallback(receive).with_state(places);
            axum_server::from_tcp_rustls(listener, tls)
                .expect("a listener")
                .serve(router.into_make_service())
                .await
                .expect("it serves");
        });
    });
    address
}

async fn receive(
    State(places): State<Arc<Mutex<Places>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let content_type = headers.get(header::CONTENT_TYPE);
    let visit = Visit {
        method: method.clone(),
        content_type: content_type
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let mut places = places.lock().expect("no panic before");
    let document = places.documents.get(&path).cloned();
    places.visits.push((path, visit));
    match document {
        _ if method == Method::POST => StatusCode::OK.into_response(),
        Some((kind, body)) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
