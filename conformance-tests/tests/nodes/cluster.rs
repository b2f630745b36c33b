//! The two nodes and people who visit either of them. What stands beside the nodes is in `beside`.

use std::{
    fs::File,
    net::{IpAddr, SocketAddr, TcpListener as StdListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::{
    demo::binary,
    keeper::Keeper,
    postgres,
    production::{free_address, write_private},
    visitor::{Answer, Visitor},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Method, cookie::Jar};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use url::Url;

use super::beside::stand_beside;

/// The nodes, by the address that each listens on; the port is the same, so both are the issuer's host to those who believe it.
pub const A: usize = 0;
pub const B: usize = 1;
const ADDRESSES: [[u8; 4]; 2] = [[127, 0, 0, 1], [127, 0, 0, 2]];

pub const CLIENT_ID: &str = "stranger";
pub const CLIENT_SECRET: &str = "a-secret-that-an-operator-made-43-characters-long";
pub const REDIRECT_URI: &str = "https://rp.hefu.test/callback";
pub const PASSWORD: &str = "korrekt-pferd-batterie-7";
/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Whom the register knows.
pub const CITIZENS: [(&str, &str); 2] = [
    ("测试己", "219999197908080072"),
    ("测试甲", "449999195003010014"),
];

pub struct Cluster {
    pub issuer: String,
    /// Where clients show certificates: another host and another port.
    pub alias: String,
    pub ca_pem: String,
    issuing: CertifiedIssuer<'static, KeyPair>,
    private: [SocketAddr; 2],
    nodes: [Mutex<Option<Process>>; 2],
    messages: Arc<Mutex<Vec<Value>>>,
    folder: TempDir,
}

struct Process {
    child: Child,
    keeper: Keeper,
}

/// The cluster of all tests that neither kill a node nor begin before the first one.
pub async fn shared() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER.get_or_init(Cluster::start).await
}

impl Cluster {
    /// Migrated, both nodes started in the same moment, both ready.
    pub async fn start() -> Self {
        let cluster = tokio::task::spawn_blocking(Self::prepare)
            .await
            .expect("files and a database");
        let migrated = cluster.hefu(&["migrate"], A);
        assert!(migrated.status.success(), "{}", said(&migrated));
        cluster.serve(A);
        cluster.serve(B);
        cluster.until_ready(A).await;
        cluster.until_ready(B).await;
        cluster
    }

    /// Files, an empty database, gateway and register; no node yet.
    pub fn prepare() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuing = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("a certificate authority");
        let (certificate, key) = certificate(&issuing);
        let at = |name: &str| folder.path().join(name);
        write_private(&at("ca.pem"), &issuing.pem());
        write_private(&at("certificate.pem"), &certificate);
        write_private(&at("key.pem"), &key);
        write_private(&at("kek"), &URL_SAFE_NO_PAD.encode([0x5a; 32]));
        std::fs::create_dir(at("vault")).expect("a folder");

        let messages = Arc::new(Mutex::new(Vec::new()));
        let gateway = stand_beside(messages.clone(), certificate, key);
        let port = common_port();
        let alias = common_port();
        assert_ne!(port, alias);
        let cluster = Self {
            issuer: format!("https://id.hefu.test:{port}"),
            alias: format!("https://mtls.hefu.test:{alias}"),
            ca_pem: issuing.pem(),
            issuing,
            private: [free_address(), free_address()],
            nodes: [Mutex::default(), Mutex::default()],
            messages,
            folder,
        };
        let database = postgres::server().new_database("nodes");
        for node in [A, B] {
            let text = cluster.configuration(node, [port, alias], &database, gateway);
            std::fs::write(cluster.config(node), text).expect("a file");
        }
        cluster
    }

    fn configuration(
        &self,
        node: usize,
        ports: [u16; 2],
        database: &str,
        gateway: SocketAddr,
    ) -> String {
        let [address, asking] = ports.map(|port| SocketAddr::from((ADDRESSES[node], port)));
        let Self {
            issuer,
            alias,
            private,
            ..
        } = self;
        format!(
            r#"
[node]
name = "node-{node}"
listen = ["{address}"]
mtls_listen = ["{asking}"]
private_listen = "{private}"
tls = {{ certificate = "certificate.pem", key = "key.pem" }}
kek = {{ file = "kek" }}
log = "text"

[node.outbound]
allow = ["127.0.0.0/8"]
trust_roots = ["ca.pem"]

[[entity]]
name = "id"
role = "provider"
id = "{issuer}"
database = "{database}"
vault = "vault"
federation.authority_hints = ["https://anchor.hefu.test"]

[entity.people]
sms_gateway_url = "https://{gateway}/sms"
register_url = "https://{gateway}/register"

[entity.provider]
dpop_nonces = true
mtls = {{ url = "{alias}", ca = "ca.pem" }}

[[entity.provider.clients]]
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
client_name = "陌生人的测试"
redirect_uris = ["{REDIRECT_URI}"]
post_logout_redirect_uris = ["https://rp.hefu.test/"]
grant_types = ["authorization_code", "refresh_token"]
scope = "openid profile phone real_name offline_access"
"#,
            private = private[node],
        )
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self, node: usize) -> PathBuf {
        self.path(&format!("node-{node}.toml"))
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    pub fn address(&self, node: usize) -> SocketAddr {
        let issuer: Url = self.issuer.parse().expect("a URL");
        SocketAddr::from((ADDRESSES[node], issuer.port().expect("a port")))
    }

    pub fn private_url(&self, node: usize, path: &str) -> String {
        format!("http://{}{path}", self.private[node])
    }

    /// Runs one verb of the command line to its end, with the configuration of `node`.
    pub fn hefu(&self, words: &[&str], node: usize) -> Output {
        hefu(words, &self.config(node))
    }

    /// The same, with `--json`: what it said, read.
    pub fn hefu_json(&self, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let done = self.hefu(&words, A);
        assert!(done.status.success(), "{words:?}: {}", said(&done));
        one_line_of_json(&done)
    }

    pub fn serve(&self, node: usize) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file(node))
            .expect("a log file");
        let child = Command::new(binary())
            .args(["serve", "--config"])
            .arg(self.config(node))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("hefu starts");
        let keeper = Keeper::of(child.id(), Some(self.folder.path()));
        *self.nodes[node].lock().expect("no panic before") = Some(Process { child, keeper });
    }

    /// `kill -9`, and wait until it is gone.
    pub fn kill(&self, node: usize) {
        let process = self.nodes[node].lock().expect("no panic before").take();
        let mut process = process.expect("it runs");
        process.child.kill().expect("it was running");
        process.child.wait().expect("it ends");
        process.keeper.dismiss();
    }

    /// Asks it to end, as a service manager does, and answers whether it called that a success.
    pub fn stop(&self, node: usize) -> bool {
        let process = self.nodes[node].lock().expect("no panic before").take();
        let mut process = process.expect("it runs");
        let told = Command::new("kill")
            .args(["-s", "TERM"])
            .arg(process.child.id().to_string())
            .status()
            .expect("kill runs");
        assert!(told.success());
        let status = process.child.wait().expect("it ends");
        process.keeper.dismiss();
        status.success()
    }

    /// Until `/readyz` of its private listener says so.
    pub async fn until_ready(&self, node: usize) {
        let deadline = Instant::now() + Duration::from_secs(90);
        let stranger = Visitor::new();
        let url = self.private_url(node, "/readyz");
        loop {
            let answer = stranger.request(Method::GET, &url).send().await;
            if answer.is_ok_and(|a| a.status().is_success()) {
                return;
            }
            let ended = match &mut *self.nodes[node].lock().expect("no panic before") {
                Some(process) => process.child.try_wait().expect("it can be asked"),
                None => None,
            };
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "node {node} does not become ready ({ended:?}):\n{}",
                self.log(node)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn log_file(&self, node: usize) -> PathBuf {
        self.path(&format!("node-{node}.log"))
    }

    pub fn log(&self, node: usize) -> String {
        std::fs::read_to_string(self.log_file(node)).unwrap_or_default()
    }

    /// A person with a browser of their own.
    pub fn person(&self) -> Person {
        let jar = Arc::new(Jar::default());
        Person {
            at: ADDRESSES.map(|a| Visitor::at(&self.ca_pem, IpAddr::from(a), jar.clone())),
            turn: AtomicUsize::new(0),
        }
    }

    /// A program that shows `identity` (PEM of certificate and key) to whoever asks.
    pub fn program(&self, node: usize, identity: Option<&str>) -> Visitor {
        Visitor::showing(&self.ca_pem, IpAddr::from(ADDRESSES[node]), identity)
    }

    /// PEM of a certificate for `name`, of the authority that the nodes believe, and its key.
    pub fn client_identity(&self, name: &str) -> String {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .expect("a name")
            .signed_by(&key, &self.issuing)
            .expect("a certificate");
        format!("{}{}", certificate.pem(), key.serialize_pem())
    }

    /// A new certificate of the same authority takes the place of the files. The key first: in between they do not fit together.
    pub fn replace_certificate(&self) -> String {
        let (certificate, key) = certificate(&self.issuing);
        for (name, text) in [("key.pem", &key), ("certificate.pem", &certificate)] {
            let new = self.path(&format!("{name}.new"));
            write_private(&new, text);
            std::fs::rename(new, self.path(name)).expect("a renamed file");
        }
        certificate
    }

    /// The code in the newest message to `phone`.
    pub async fn sms_code(&self, phone: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let text = self
                .messages
                .lock()
                .expect("no panic before")
                .iter()
                .rfind(|m| m["to"] == format!("+86{phone}"))
                .map(|m| m["text"].as_str().expect("a text").to_owned());
            if let Some(text) = text {
                let code = text
                    .split(|c: char| !c.is_ascii_digit())
                    .find(|run| run.len() == 6);
                return code.expect("a code of six digits").to_owned();
            }
            assert!(
                Instant::now() < deadline,
                "no message to {phone}:\n{}\n{}",
                self.log(A),
                self.log(B)
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// What the client of the configuration asks for; `more` wins, an empty value leaves a parameter out.
    pub fn authorize(&self, more: &[(&str, &str)]) -> String {
        let mut url: Url = self.url("/authorize").parse().expect("a URL");
        let usual = [
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "af0ifjsldkj"),
            ("nonce", "n-0S6_WzA2Mj"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in usual {
            if !more.iter().any(|(n, _)| *n == name) {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url.query_pairs_mut()
            .extend_pairs(more.iter().filter(|(_, value)| !value.is_empty()));
        url.into()
    }

    /// A new account with this phone, made at whichever node has its turn, real name left for later; answers who has it.
    pub async fn newcomer(&self, phone: &str) -> Person {
        let person = self.person();
        let page = person.follow(person.get(&self.authorize(&[])).await).await;
        let page = person.open(&page, "login-create").await;
        let page = person
            .submit(&page, "phone-form", &[("phone", phone)])
            .await;
        let page = person.follow(page).await;
        let code = self.sms_code(phone).await;
        let page = person.submit(&page, "code-form", &[("code", &code)]).await;
        let page = person.follow(page).await;
        let fields = [("new-password", PASSWORD), ("repeat-password", PASSWORD)];
        let page = person.submit(&page, "password-form", &fields).await;
        let to = self.to_the_end(&person, phone, page).await;
        assert!(parameter(&to, "code").is_some(), "{to}");
        person
    }

    /// Through whatever pages come, each at the other node, until the answer for the relying party.
    pub async fn to_the_end(&self, person: &Person, phone: &str, from: Answer) -> Url {
        let mut answer = from;
        for _ in 0..8 {
            answer = person.follow(answer).await;
            if let Some(to) = answer.location() {
                return to;
            }
            answer = if answer.has("login-form") {
                let fields = [("username", phone), ("password", PASSWORD)];
                person.submit(&answer, "login-form", &fields).await
            } else if answer.has("consent-form") {
                let fields = [("decision", "allow")];
                person.submit(&answer, "consent-form", &fields).await
            } else if answer.has("verify-later") {
                person.open(&answer, "verify-later").await
            } else {
                panic!(
                    "{} at {}: {}\n{}\n{}",
                    answer.status,
                    answer.url,
                    answer.body,
                    self.log(A),
                    self.log(B)
                );
            };
        }
        panic!("no end of pages, last {}", answer.url);
    }

    /// A code for the client of the configuration, for a person who is signed in.
    pub async fn code(&self, person: &Person, more: &[(&str, &str)]) -> String {
        let to = self
            .to_the_end(person, "", person.get(&self.authorize(more)).await)
            .await;
        parameter(&to, "code").unwrap_or_else(|| panic!("no code: {to}"))
    }

    pub async fn redeem(&self, node: usize, code: &str) -> Answer {
        self.token(node, &code_form(code)).await
    }

    pub async fn refresh(&self, node: usize, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(node, &form).await
    }

    async fn token(&self, node: usize, form: &[(&str, &str)]) -> Answer {
        self.token_as(node, CLIENT_ID, CLIENT_SECRET, form).await
    }

    pub async fn token_as(
        &self,
        node: usize,
        id: &str,
        secret: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let party = self.person();
        let request = party.at[node].request(Method::POST, &self.url("/token"));
        party.at[node]
            .send(request.basic_auth(id, Some(secret)).form(form))
            .await
    }

    pub async fn userinfo(&self, node: usize, access_token: &str) -> Answer {
        let party = self.person();
        let request = party.at[node].request(Method::GET, &self.url("/userinfo"));
        party.at[node].send(request.bearer_auth(access_token)).await
    }
}

/// One person's browser: the cookies are the same at both nodes.
pub struct Person {
    pub at: [Visitor; 2],
    turn: AtomicUsize,
}

impl Person {
    /// The visitor of the node that was not asked the last time.
    fn next(&self) -> &Visitor {
        &self.at[self.turn.fetch_add(1, Ordering::Relaxed) % 2]
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.next().get(url).await
    }

    pub async fn submit(&self, page: &Answer, form: &str, fields: &[(&str, &str)]) -> Answer {
        self.next().submit(page, form, fields).await
    }

    /// Follows a link of a page.
    pub async fn open(&self, page: &Answer, id: &str) -> Answer {
        let href = page.attribute(id, "href").expect("a link");
        self.get(page.url.join(&href).expect("a URL").as_str())
            .await
    }

    /// Follows redirects, each at the other node, to a page or to the relying party, whom nobody serves.
    pub async fn follow(&self, mut answer: Answer) -> Answer {
        for _ in 0..20 {
            match answer.location() {
                Some(next) if next.host_str() != Some("rp.hefu.test") => {
                    answer = self.get(next.as_str()).await;
                }
                _ => return answer,
            }
        }
        panic!("redirected for ever, last to {}", answer.url);
    }
}

pub fn code_form(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ]
}

/// Runs one verb to its end; `--config` with `config` goes behind the words.
pub fn hefu(words: &[&str], config: &Path) -> Output {
    Command::new(binary())
        .args(words)
        .arg("--config")
        .arg(config)
        .env_remove("HEFU_CONFIG")
        .stdin(Stdio::null())
        .output()
        .expect("hefu runs")
}

/// Both streams, for a sentence to be looked for or shown.
pub fn said(done: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
}

/// With `--json` standard output is one line, and nothing but JSON.
pub fn one_line_of_json(done: &Output) -> Value {
    let text = String::from_utf8(done.stdout.clone()).expect("text");
    assert_eq!(text.lines().count(), 1, "{}", said(done));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("not JSON ({e}): {text}"))
}

pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.into_owned())
}

/// Status and error code of a refusal in JSON.
pub fn refusal(answer: &Answer) -> (u16, String) {
    let error = answer.json()["error"].as_str().map(str::to_owned);
    (
        answer.status.as_u16(),
        error.unwrap_or_else(|| panic!("no error: {}", answer.body)),
    )
}

pub fn member(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {}", answer.body))
        .to_owned()
}

/// For the host and the loopback address: PEM of certificate and key.
fn certificate(issuing: &CertifiedIssuer<'static, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let names = ["id.hefu.test", "mtls.hefu.test", "127.0.0.1"].map(str::to_owned);
    let certificate = CertificateParams::new(names.to_vec())
        .expect("names")
        .signed_by(&key, issuing)
        .expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

/// A port that was free on both addresses a moment ago.
fn common_port() -> u16 {
    for _ in 0..50 {
        let first = StdListener::bind(SocketAddr::from((ADDRESSES[A], 0))).expect("a port");
        let port = first.local_addr().expect("its address").port();
        if StdListener::bind(SocketAddr::from((ADDRESSES[B], port))).is_ok() {
            return port;
        }
    }
    panic!("no port is free on both addresses");
}
