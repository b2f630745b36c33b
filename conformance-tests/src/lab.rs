//! The laboratory of `docs/lab.md`, started by its one command, and its only citizen, who logs in where a client that others wrote
//! sends the browser.

use std::{
    fs::File,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Method;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    demo::binary, keeper::Keeper, production::free_address, production::write_private,
    visitor::Visitor,
};

/// A client of `deploy/lab.toml`: client_secret_basic.
pub const CLIENT: (&str, &str) = ("lab-one", "lab-secret-of-client-one-43-characters-long");
pub const REDIRECT_URI: &str = "https://rp.hefu.test/callback";
pub const SIGNED_OUT_URI: &str = "https://rp.hefu.test/signed-out";

/// What its only citizen types into the login form.
pub const CITIZEN: [(&str, &str); 2] = [("username", "14000000900"), ("password", "Hefu-lab-2026")];

/// How a laboratory differs from the one of `deploy/lab.toml`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// More of the provider, in TOML, after the last line of the file.
    pub more: &'a str,
    /// Variables of `docs/lab.md`.
    pub environment: &'a [(&'a str, String)],
    /// The host in its identifiers, instead of `localhost`.
    pub host: Option<&'a str>,
    /// Who vouches for the certificate that `environment` names.
    pub ca: Option<&'a Path>,
}

pub struct Lab {
    pub issuer: String,
    environment: Vec<(String, String)>,
    address: SocketAddr,
    mtls: SocketAddr,
    ca: PathBuf,
    folder: TempDir,
    keeper: Option<Keeper>,
}

/// The laboratory that all tests share; gone when the test process is gone.
pub async fn shared() -> &'static Lab {
    static LAB: OnceCell<Lab> = OnceCell::const_new();
    LAB.get_or_init(|| Lab::start(Beside::default())).await
}

impl Lab {
    pub async fn start(beside: Beside<'_>) -> Self {
        let address = free_address();
        let own = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let host = beside.host.unwrap_or("localhost");
        let ca = beside.ca.map(Path::to_owned);
        let mut lab = Self {
            environment: beside.environment.iter().map(own).collect(),
            issuer: format!("https://{host}:{}", address.port()),
            address,
            mtls: free_address(),
            ca: ca.unwrap_or_else(|| folder.path().join("ca.pem")),
            folder,
            keeper: None,
        };
        for (name, more) in [("lab.sh", ""), ("lab.toml", beside.more)] {
            let text = std::fs::read_to_string(deploy(name)).expect("a file of the repository");
            write_private(&lab.own(name), &format!("{text}\n{more}"));
        }
        let log = File::create(lab.folder.path().join("log")).expect("a log file");
        #[expect(
            clippy::zombie_processes,
            reason = "the keeper ends it when this process is gone"
        )]
        let child = lab
            .told(Command::new("bash").arg(lab.own("lab.sh")).arg(binary()))
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("the laboratory starts");
        lab.keeper = Some(Keeper::of(child.id(), Some(lab.folder.path())));
        lab.wait_until_it_answers().await;
        lab
    }

    /// In the environment that makes `deploy/lab.toml` this laboratory.
    fn told<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("HEFU_LAB_FOLDER", self.folder.path())
            .env("HEFU_LAB_HOST", self.issuer.trim_start_matches("https://"))
            .env("HEFU_LAB_LISTEN", self.address.to_string())
            .env(
                "HEFU_LAB_MTLS_HOST",
                format!("localhost:{}", self.mtls.port()),
            )
            .env("HEFU_LAB_MTLS_LISTEN", self.mtls.to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
    }

    async fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        let discovery = format!("{}/.well-known/openid-configuration", self.issuer);
        loop {
            // The certificate is made on the way.
            if let Ok(ca) = std::fs::read_to_string(self.ca())
                && let Ok(answer) = Visitor::trusting(&ca)
                    .request(Method::GET, &discovery)
                    .send()
                    .await
                && answer.status().is_success()
            {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the laboratory did not start:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The certificate authority that clients are to trust.
    pub fn ca(&self) -> PathBuf {
        self.ca.clone()
    }

    /// A file of this laboratory's own.
    pub fn own(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Registers a client by the operator's hand, with this metadata as JSON.
    pub fn register(&self, client_id: &str, metadata: &str) {
        let file = self.folder.path().join(format!("{client_id}.json"));
        write_private(&file, metadata);
        let add = ["client", "add", "--client-id", client_id, "--metadata"];
        let mut command = Command::new(binary());
        command.args(add).arg(&file);
        command.arg("--config").arg(self.own("lab.toml"));
        let done = self.told(&mut command).output().expect("hefu runs");
        assert!(
            done.status.success(),
            "{client_id}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// A browser of nobody yet.
    pub fn browser(&self) -> Visitor {
        let ca =
            std::fs::read_to_string(self.ca()).expect("it was there when the laboratory started");
        Visitor::trusting(&ca)
    }

    /// What the citizen does from `go` on, until the browser would leave for an address that begins with `end`: that address.
    pub async fn visit(&self, browser: &Visitor, go: &str, end: &str) -> Url {
        let mut answer = browser.get(go).await;
        for _ in 0..8 {
            answer = browser
                .follow(answer, |to| to.as_str().starts_with(end))
                .await;
            if let Some(to) = answer.location() {
                return to;
            }
            answer = if answer.has("login-form") {
                browser.submit(&answer, "login-form", &CITIZEN).await
            } else if answer.has("consent-form") {
                let yes = [("decision", "allow")];
                browser.submit(&answer, "consent-form", &yes).await
            } else {
                panic!(
                    "{} at {}: {}\n{}",
                    answer.status,
                    answer.url,
                    answer.body,
                    self.log()
                );
            };
        }
        panic!("no end of pages, last {}", answer.url);
    }
}

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name)
}
