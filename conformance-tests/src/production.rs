//! hefu as it is meant to run: `hefu serve` from a configuration file, TLS, PostgreSQL, two identical nodes behind a balancer,
//! one client registered by hand, an SMS gateway of the stranger's own.

use std::{
    fmt::Write as _,
    net::{SocketAddr, TcpListener as StdListener},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, routing::post};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OnceCell,
};

use crate::{demo::binary, keeper::Keeper, postgres, visitor::Visitor};

pub const CLIENT_ID: &str = "stranger";
pub const CLIENT_SECRET: &str = "a-secret-that-an-operator-made-43-characters-long";
pub const REDIRECT_URI: &str = "https://rp.hefu.test/callback";
pub const CLIENT_NAME: &str = "陌生人的测试";

pub struct Production {
    pub issuer: String,
    pub ca_pem: String,
    sms: Arc<Mutex<Vec<String>>>,
    logs: Vec<PathBuf>,
    _keepers: Vec<Keeper>,
    _folder: TempDir,
}

/// The two nodes that most tests share; gone when the test process is gone.
pub async fn shared() -> &'static Production {
    static PRODUCTION: OnceCell<Production> = OnceCell::const_new();
    PRODUCTION
        .get_or_init(|| async {
            tokio::task::spawn_blocking(Production::start)
                .await
                .expect("two nodes start")
        })
        .await
}

impl Production {
    fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);

        let (ca_pem, certificate, key) = certificates();
        write_private(&at("ca.pem"), &ca_pem);
        write_private(&at("certificate.pem"), &certificate);
        write_private(&at("key.pem"), &key);
        let kek: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap_or(0) ^ 0x5a);
        write_private(&at("kek"), &URL_SAFE_NO_PAD.encode(kek));
        std::fs::create_dir(at("vault")).expect("a folder");

        let sms = Arc::new(Mutex::new(Vec::new()));
        let front = StdListener::bind("127.0.0.1:0").expect("a port");
        let issuer = format!(
            "https://id.hefu.test:{}",
            front.local_addr().expect("its address").port()
        );
        let nodes: Vec<SocketAddr> = (0..2).map(|_| free_address()).collect();
        let gateway = stand_beside(front, nodes.clone(), sms.clone(), certificate, key);

        let database = postgres::server().new_database("production");
        let mut keepers = Vec::new();
        let mut logs = Vec::new();
        let mut private = Vec::new();
        for (name, listen) in ["a", "b"].into_iter().zip(&nodes) {
            private.push(free_address());
            let config = at(&format!("{name}.toml"));
            let ready = private.last().expect("the one just pushed");
            std::fs::write(
                &config,
                configuration(name, *listen, *ready, &issuer, &database, gateway),
            )
            .expect("a file");
            if name == "a" {
                run_to_end(&["config", "check"], &config);
                run_to_end(&["migrate", "--config"], &config);
            }
            let log = at(&format!("{name}.log"));
            let stderr = std::fs::File::create(&log).expect("a log file");
            #[expect(
                clippy::zombie_processes,
                reason = "the keeper ends it when this process is gone"
            )]
            let child = Command::new(binary())
                .args(["serve", "--config"])
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::from(stderr.try_clone().expect("the same file")))
                .stderr(stderr)
                .process_group(0)
                .spawn()
                .expect("hefu starts");
            keepers.push(Keeper::of(child.id(), Some(folder.path())));
            logs.push(log);
        }
        let production = Self {
            issuer,
            ca_pem,
            sms,
            logs,
            _keepers: keepers,
            _folder: folder,
        };
        for address in private {
            production.wait_until_ready(address);
        }
        production
    }

    pub fn visitor(&self) -> Visitor {
        Visitor::trusting(&self.ca_pem)
    }

    /// How many messages have been sent to the phone: ask before an act, then wait with `sms_code`.
    pub fn sms_count(&self, phone: &str) -> usize {
        self.sms
            .lock()
            .expect("no panic before")
            .iter()
            .filter(|m| m.contains(phone))
            .count()
    }

    /// The code in the newest message, once there are more than `before`.
    pub async fn sms_code(&self, phone: &str, before: usize) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.sms_count(phone) <= before {
            assert!(
                Instant::now() < deadline,
                "no message to {phone}; the nodes said:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let messages = self.sms.lock().expect("no panic before");
        let newest = messages
            .iter()
            .rfind(|m| m.contains(phone))
            .expect("counted just now");
        let text: serde_json::Value = serde_json::from_str(newest).expect("JSON");
        let text = text["text"].as_str().expect("a text");
        let code = text
            .split(|c: char| !c.is_ascii_digit())
            .find(|run| run.len() == 6)
            .expect("a code of six digits");
        code.to_owned()
    }

    pub fn log(&self) -> String {
        let mut all = String::new();
        for log in &self.logs {
            let _ = writeln!(
                all,
                "{}:\n{}",
                log.display(),
                std::fs::read_to_string(log).unwrap_or_default()
            );
        }
        all
    }

    /// Until `/readyz` of a node's private listener says so.
    fn wait_until_ready(&self, address: SocketAddr) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let ready = runtime.block_on(async {
                let answer = Visitor::new()
                    .request(reqwest::Method::GET, &format!("http://{address}/readyz"))
                    .send()
                    .await;
                answer.is_ok_and(|a| a.status().is_success())
            });
            if ready {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "a node did not become ready:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn configuration(
    name: &str,
    listen: SocketAddr,
    private: SocketAddr,
    issuer: &str,
    database: &str,
    gateway: SocketAddr,
) -> String {
    format!(
        r#"
[node]
name = "{name}"
listen = ["{listen}"]
private_listen = "{private}"
kek = {{ file = "kek" }}
log = "text"

[node.tls]
certificate = "certificate.pem"
key = "key.pem"

[node.outbound]
allow = ["127.0.0.0/8"]
trust_roots = ["ca.pem"]

[[entity]]
name = "id"
role = "provider"
id = "{issuer}"
database = "{database}"
vault = "vault"

[entity.federation]
authority_hints = ["https://anchor.hefu.test"]

[entity.people]
sms_gateway_url = "https://{gateway}/sms"
register_url = "https://{gateway}/register"

[[entity.provider.clients]]
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
client_name = "{CLIENT_NAME}"
redirect_uris = ["{REDIRECT_URI}"]
post_logout_redirect_uris = ["https://rp.hefu.test/"]
token_endpoint_auth_method = "client_secret_basic"
grant_types = ["authorization_code", "refresh_token"]
response_types = ["code"]
scope = "openid profile phone real_name offline_access"
"#
    )
}

/// The balancer (each connection goes to the other node) and the SMS gateway, on a thread and a runtime of their own: those of a
/// test end with it. Answers the gateway's address.
fn stand_beside(
    front: StdListener,
    nodes: Vec<SocketAddr>,
    sms: Arc<Mutex<Vec<String>>>,
    certificate: String,
    key: String,
) -> SocketAddr {
    let (tell, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let gateway = StdListener::bind("127.0.0.1:0").expect("a port");
            gateway.set_nonblocking(true).expect("a socket for tokio");
            tell.send(gateway.local_addr().expect("its address"))
                .expect("somebody waits for it");
            let tls =
                axum_server::tls_rustls::RustlsConfig::from_pem(certificate.into(), key.into())
                    .await
                    .expect("TLS");
            let messages = post(move |body: Bytes| async move {
                sms.lock()
                    .expect("no panic before")
                    .push(String::from_utf8_lossy(&body).into_owned());
                "{}"
            });
            let router = Router::new().route("/sms", messages);
            tokio::spawn(async move {
                let server = axum_server::from_tcp_rustls(gateway, tls).expect("a listener");
                server
                    .serve(router.into_make_service())
                    .await
                    .expect("the gateway serves");
            });

            front.set_nonblocking(true).expect("a socket for tokio");
            let front = TcpListener::from_std(front).expect("a socket of tokio");
            let turn = AtomicUsize::new(0);
            loop {
                let (mut from, _) = front.accept().await.expect("a connection");
                let node = nodes[turn.fetch_add(1, Ordering::Relaxed) % nodes.len()];
                tokio::spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(node).await {
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        });
    });
    hear.recv().expect("the thread says where it is")
}

/// A certificate authority, and a certificate for everything here: PEM of CA, certificate, key.
pub fn certificates() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    // A name of its own: OpenSSL takes a certificate for self-signed whose subject has the issuer's name.
    params
        .distinguished_name
        .push(DnType::CommonName, "the stranger's authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
        .expect("a certificate authority");
    let key = KeyPair::generate().expect("a key");
    let names = vec!["id.hefu.test".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .expect("names")
        .signed_by(&key, &ca)
        .expect("a certificate");
    (ca.pem(), certificate.pem(), key.serialize_pem())
}

pub fn run_to_end(words: &[&str], config: &Path) {
    let done = Command::new(binary())
        .args(words)
        .arg(config)
        .stdin(Stdio::null())
        .output()
        .expect("hefu runs");
    assert!(
        done.status.success(),
        "hefu {words:?}: {}{}\n{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
        std::fs::read_to_string(config).unwrap_or_default()
    );
}

/// A port that was free a moment ago.
pub fn free_address() -> SocketAddr {
    StdListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
}

pub fn write_private(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .expect("a new file");
    file.write_all(text.as_bytes()).expect("a written file");
}
