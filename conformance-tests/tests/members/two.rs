//! Two federations around one provider, the laboratory's: ours, an anchor and a province that `hefu serve` runs, and those of
//! strangers, whose anchors stand on their board. The provider stands below all anchors and trusts all of them.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::{
    demo::binary,
    keeper::Keeper,
    lab::{Beside, Lab},
    production::{certificates, free_address, run_to_end, write_private},
    statement::peek,
    visitor::Visitor,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::board::Board;
use crate::clients::party::key;

pub struct World {
    pub lab: Lab,
    /// Entity identifier of our anchor, and its keys as they were received out of band.
    pub anchor: String,
    pub anchor_jwks: Value,
    pub province: String,
    pub board: Board,
    pub theirs: Vec<Anchor>,
    folder: TempDir,
    _keeper: Keeper,
}

/// An anchor of a stranger: the library in this folder signs with its key.
pub struct Anchor {
    pub folder: &'static str,
    pub id: String,
    pub private: Value,
    pub public: Value,
}

/// Shared by all tests; gone when the test process is gone.
pub async fn shared() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD.get_or_init(World::start).await
}

impl World {
    async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let (ca_pem, certificate, certificate_key) = certificates();
        write_private(&at("ca.pem"), &ca_pem);
        write_private(&at("certificate.pem"), &certificate);
        write_private(&at("key.pem"), &certificate_key);
        write_private(&at("hosts"), "127.0.0.1 localhost\n");

        let (origin, keeper) = authorities(folder.path());
        let (anchor, province) = (format!("{origin}/anchor"), format!("{origin}/province"));
        let log = at("log");
        let anchor_jwks = keys_once_it_answers(&ca_pem, &anchor, &log).await;
        let province_jwks = keys_once_it_answers(&ca_pem, &province, &log).await;

        let board = Board::start(&certificate, &certificate_key);
        let theirs: Vec<Anchor> = ["java", "node"]
            .map(|folder| {
                let (private, public) = key("anchor");
                let id = board.id(&format!("{folder}/anchor"));
                Anchor {
                    folder,
                    id,
                    private,
                    public,
                }
            })
            .into();

        let mut hints = vec![format!("{anchor:?}")];
        let mut trusted = vec![format!("{{ id = {anchor:?}, jwks = '{anchor_jwks}' }}")];
        for Anchor { id, public, .. } in &theirs {
            hints.push(format!("{id:?}"));
            let jwks = json!({"keys": [public]});
            trusted.push(format!("{{ id = {id:?}, jwks = '{jwks}' }}"));
        }
        let text = |path: PathBuf| path.to_str().expect("a path in UTF-8").to_owned();
        let told = [
            ("HEFU_LAB_CERTIFICATE", text(at("certificate.pem"))),
            ("HEFU_LAB_KEY", text(at("key.pem"))),
            ("HEFU_LAB_ALLOW", "\"127.0.0.0/8\"".to_owned()),
            ("HEFU_LAB_TRUST_ROOTS", format!("{:?}", text(at("ca.pem")))),
            ("HEFU_LAB_AUTHORITY_HINTS", hints.join(", ")),
            ("HEFU_LAB_TRUST_ANCHORS", trusted.join(", ")),
        ];
        let lab = Lab::start(Beside {
            environment: &told,
            host: Some("127.0.0.1"),
            ca: Some(&at("ca.pem")),
            ..Beside::default()
        })
        .await;

        let world = Self {
            lab,
            anchor,
            anchor_jwks,
            province,
            board,
            theirs,
            folder,
            _keeper: keeper,
        };
        let provider_jwks = world.provider_jwks().await;
        let (province, provider) = (world.province.as_str(), world.lab.issuer.as_str());
        let intermediate = ["--type", "federation_entity", "--intermediate"];
        world.enrol("anchor", province, &province_jwks, &intermediate);
        let kind = ["--type", "openid_provider"];
        world.enrol("anchor", provider, &provider_jwks, &kind);
        world
    }

    /// The provider's federation keys.
    pub async fn provider_jwks(&self) -> Value {
        let ca_pem = std::fs::read_to_string(self.ca()).expect("it was written at the start");
        let log = self.folder.path().join("log");
        keys_once_it_answers(&ca_pem, &self.lab.issuer, &log).await
    }

    /// Whom programs are to believe.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Our operator meets a member and takes its keys: `hefu federation enrol`.
    pub fn enrol(&self, authority: &str, id: &str, jwks: &Value, more: &[&str]) {
        let name = URL_SAFE_NO_PAD.encode(id);
        let file = self.folder.path().join(format!("{name}.jwks.json"));
        write_private(&file, &jwks.to_string());
        let done = Command::new(binary())
            .args(["federation", "enrol", id, "--entity", authority, "--config"])
            .arg(self.folder.path().join("authorities.toml"))
            .arg("--jwks")
            .arg(file)
            .args(more)
            .stdin(Stdio::null())
            .output()
            .expect("hefu runs");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{id}: {said}");
    }

    /// A policy as a file for `enrol`.
    pub fn policy(&self, name: &str, policy: &Value) -> String {
        let file = self.folder.path().join(format!("{name}.policy.json"));
        write_private(&file, &policy.to_string());
        file.to_str().expect("a path in UTF-8").to_owned()
    }

    /// What our own anchor answers about a member (OpenID Federation 1.0 §8.3).
    pub async fn resolved(&self, id: &str, entity_type: &str) -> Value {
        let endpoint = format!("{}/federation/resolve", self.anchor);
        let answer = resolve_response(&self.lab.browser(), &endpoint, id, &self.anchor).await;
        peek(&answer).claims["metadata"][entity_type].clone()
    }
}

/// What a resolve endpoint of ours answers.
pub async fn resolve_response(visitor: &Visitor, endpoint: &str, id: &str, anchor: &str) -> String {
    let mut url: url::Url = endpoint.parse().expect("a URL");
    url.query_pairs_mut()
        .append_pair("sub", id)
        .append_pair("trust_anchor", anchor);
    let answer = visitor.get(url.as_str()).await;
    assert_eq!(answer.status, 200, "{id}: {}", answer.body);
    answer.body
}

/// An anchor and a province in one process, below one host name.
fn authorities(folder: &Path) -> (String, Keeper) {
    let address = free_address();
    let origin = format!("https://{address}");
    let kek: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap_or(0) ^ 0xa5);
    write_private(&folder.join("kek"), &URL_SAFE_NO_PAD.encode(kek));
    for name in ["anchor", "province"] {
        std::fs::create_dir(folder.join(name)).expect("a folder");
    }
    let config = folder.join("authorities.toml");
    let at = folder.display();
    let text = format!(
        r#"
[node]
listen = ["{address}"]
kek = {{ file = "kek" }}
log = "text"
tls = {{ certificate = "certificate.pem", key = "key.pem" }}

[node.outbound]
allow = ["127.0.0.0/8"]
trust_roots = ["ca.pem"]

[[entity]]
name = "anchor"
role = "anchor"
id = "{origin}/anchor"
database = "sqlite:{at}/anchor.db?mode=rwc"
vault = "anchor"

[[entity]]
name = "province"
role = "intermediate"
id = "{origin}/province"
database = "sqlite:{at}/province.db?mode=rwc"
vault = "province"
federation.authority_hints = ["{origin}/anchor"]
"#
    );
    std::fs::write(&config, text).expect("a file");
    run_to_end(&["config", "check"], &config);
    run_to_end(&["migrate", "--config"], &config);
    let log = File::create(folder.join("log")).expect("a log file");
    #[expect(
        clippy::zombie_processes,
        reason = "the keeper ends it when this process is gone"
    )]
    let child = Command::new(binary())
        .args(["serve", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the same file"))
        .stderr(log)
        .process_group(0)
        .spawn()
        .expect("hefu starts");
    (origin, Keeper::of(child.id(), Some(folder)))
}

/// The federation keys in an entity's own configuration.
async fn keys_once_it_answers(ca_pem: &str, id: &str, log: &Path) -> Value {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let url = format!("{id}/.well-known/openid-federation");
        let asked = Visitor::trusting(ca_pem).request(Method::GET, &url);
        if let Ok(answer) = asked.send().await
            && answer.status().is_success()
        {
            let configuration = answer.text().await.expect("a readable body");
            return peek(&configuration).claims["jwks"].clone();
        }
        assert!(
            Instant::now() < deadline,
            "{id} does not answer:\n{}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
