//! A running `hefu demo`, read as its JSON line tells.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    time::{Duration, Instant},
};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{keeper::Keeper, visitor::Visitor};

/// How long a first start may take: keys of a dozen entities are made, on a busy machine.
const START: Duration = Duration::from_mins(2);

/// The brands of the demo's portals, and the host names they are served at.
const PORTALS: &[(&str, &str)] = &[
    ("粤省事", "yueshengshi"),
    ("苏服办", "sufuban"),
    ("渝快办", "yukuaiban"),
    ("贵人服务", "guirenfuwu"),
    ("海易办", "haiyiban"),
    ("示范村便民", "shifancun"),
];

/// What `hefu demo --json` says, in one line.
#[derive(Clone, Debug, Deserialize)]
pub struct Said {
    pub version: u32,
    pub pid: u32,
    pub data_dir: PathBuf,
    pub connect: String,
    pub ca_file: Option<PathBuf>,
    pub outbox_url: String,
    pub entities: Vec<Entity>,
    pub citizens: Vec<Citizen>,
    pub console: Vec<Console>,
}

/// The operators' console of one entity.
#[derive(Clone, Debug, Deserialize)]
pub struct Console {
    pub entity: String,
    pub url: String,
    pub role: String,
    /// Works once.
    pub invitation: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Entity {
    pub name: String,
    pub role: String,
    pub id: String,
    pub url: String,
    pub superiors: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Citizen {
    pub username: String,
    pub phone: String,
    pub password: String,
    pub name: String,
    pub id_number: String,
    pub state: String,
}

pub struct Demo {
    pub said: Said,
    child: Child,
    keeper: Keeper,
}

/// The demo that most tests share: each uses citizens of its own. Gone when the test process is gone.
pub async fn shared() -> &'static Demo {
    static DEMO: OnceCell<(Demo, TempDir)> = OnceCell::const_new();
    let (demo, _) = DEMO
        .get_or_init(|| async {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let demo = Demo::start(folder.path()).await;
            (demo, folder)
        })
        .await;
    demo
}

impl Demo {
    /// Starts on any free port, with its data in `folder` (kept from an earlier run, or new).
    pub async fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[]).await
    }

    pub async fn start_with(folder: &Path, more: &[&str]) -> Self {
        let (folder, more) = (
            folder.to_owned(),
            more.iter().map(|&s| s.to_owned()).collect::<Vec<_>>(),
        );
        tokio::task::spawn_blocking(move || Self::start_blocking(&folder, &more))
            .await
            .expect("the demo starts")
    }

    fn start_blocking(folder: &Path, more: &[String]) -> Self {
        let log = folder.join("stderr.log");
        let stderr = std::fs::File::create(&log).expect("a log file");
        let mut child = Command::new(binary())
            .args(["demo", "--json", "--port", "0", "--data"])
            .arg(folder.join("data"))
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .expect("hefu starts");
        let keeper = Keeper::of(child.id(), Some(folder));

        let stdout = child.stdout.take().expect("its standard output");
        let (tell, hear) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            let _ = tell.send(read.map(|_| line));
        });
        let line = match hear.recv_timeout(START) {
            Ok(Ok(line)) if !line.trim().is_empty() => line,
            other => {
                let _ = child.kill();
                let _ = child.wait();
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                panic!(
                    "`hefu demo --json` said nothing on standard output ({other:?}); on standard error:\n{log}"
                );
            }
        };
        let said: Said = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("not the promised JSON ({e}):\n{line}"));
        assert_eq!(said.version, 1);
        assert_eq!(said.pid, child.id());
        Self {
            said,
            child,
            keeper,
        }
    }

    /// `kill -9`, and wait until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it ends");
        self.keeper.dismiss();
    }

    pub fn entity(&self, name: &str) -> &Entity {
        self.said
            .entities
            .iter()
            .find(|e| e.name == name)
            .unwrap_or_else(|| {
                let names: Vec<&str> = self.said.entities.iter().map(|e| e.name.as_str()).collect();
                panic!("the demo has no entity `{name}`, only {names:?}")
            })
    }

    /// A portal, by the brand that citizens know.
    pub fn portal(&self, brand: &str) -> &Entity {
        let (_, host) = PORTALS
            .iter()
            .find(|(b, _)| *b == brand)
            .expect("a brand of the demo");
        let portals = self.of_role("portal");
        portals
            .into_iter()
            .find(|e| e.url.contains(&format!("//{host}.")))
            .unwrap_or_else(|| {
                let urls: Vec<&str> = self.said.entities.iter().map(|e| e.url.as_str()).collect();
                panic!("no portal at {host}.localhost, only {urls:?}")
            })
    }

    pub fn of_role(&self, role: &str) -> Vec<&Entity> {
        let found: Vec<&Entity> = self
            .said
            .entities
            .iter()
            .filter(|e| e.role == role)
            .collect();
        assert!(!found.is_empty(), "the demo has no {role}");
        found
    }

    pub fn provider(&self) -> &Entity {
        self.of_role("provider")[0]
    }

    pub fn anchor(&self) -> &Entity {
        self.of_role("anchor")[0]
    }

    pub fn citizen(&self, username: &str) -> &Citizen {
        self.said
            .citizens
            .iter()
            .find(|c| c.username == username)
            .expect("a citizen of the demo")
    }

    /// What the server wrote on standard error, for a failed test to show.
    pub fn log(&self) -> String {
        let folder = self
            .said
            .data_dir
            .parent()
            .expect("the folder that the test made");
        std::fs::read_to_string(folder.join("stderr.log")).unwrap_or_default()
    }

    /// How many messages the outbox holds for a phone: ask before an act, then wait for one more with `sms_code`.
    pub async fn sms_count(&self, phone: &str) -> usize {
        codes(&self.outbox(phone).await).len()
    }

    /// The newest code in the outbox, once there are more than `before` of them.
    pub async fn sms_code(&self, phone: &str, before: usize) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let outbox = self.outbox(phone).await;
            let codes = codes(&outbox);
            if codes.len() > before {
                return newest(&outbox);
            }
            assert!(
                Instant::now() < deadline,
                "no new code for {phone} in the outbox: {outbox}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn outbox(&self, phone: &str) -> serde_json::Value {
        let mut url: url::Url = self.said.outbox_url.parse().expect("outbox_url is a URL");
        let page = url
            .path()
            .trim_end_matches('/')
            .trim_end_matches(".json")
            .to_owned();
        url.set_path(&format!("{page}.json"));
        url.query_pairs_mut().append_pair("to", phone);
        Visitor::new().get(url.as_str()).await.json()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.keeper.dismiss();
    }
}

/// The messages of an outbox answer: a list, or an object that holds one.
fn messages(outbox: &serde_json::Value) -> &[serde_json::Value] {
    outbox
        .as_array()
        .or_else(|| outbox["messages"].as_array())
        .map_or(&[], Vec::as_slice)
}

fn codes(outbox: &serde_json::Value) -> Vec<&serde_json::Value> {
    messages(outbox)
        .iter()
        .filter(|m| m["code"].is_string())
        .collect()
}

fn newest(outbox: &serde_json::Value) -> String {
    let all = codes(outbox);
    let latest = all
        .iter()
        .max_by_key(|m| (m["sent_at"].as_i64(), m["id"].as_i64()))
        .expect("a message");
    latest["code"].as_str().expect("a code").to_owned()
}

/// The `hefu` under test: `HEFU_BIN`, or built here in this test's own profile, together with its tests, so that nothing is
/// compiled twice.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("HEFU_BIN") {
            return PathBuf::from(path);
        }
        let me = std::env::current_exe().expect("the path of this test");
        let profile = me
            .parent()
            .and_then(Path::parent)
            .expect("target/<profile>/deps");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args([
            "test", "--quiet", "-p", "hefu", "--locked", "--no-run", "--test", "hefu",
        ]);
        if profile.file_name() == Some(OsStr::new("release")) {
            cargo.arg("--release");
        }
        let built = cargo
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .stdout(Stdio::null())
            .status()
            .expect("cargo runs");
        assert!(built.success(), "hefu does not compile");
        profile.join("hefu")
    })
}
