//! A program of `clients/` as a child process, which is told and answers in JSON, a line each.

use std::{path::Path, process::Stdio, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::lab::{CLIENT, Lab, REDIRECT_URI, SIGNED_OUT_URI};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A library's program, and how it is started in its folder. What starts it must exist: `tests/run.sh` installs it.
pub struct Library {
    pub folder: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    installed: &'static str,
}

pub const NODE: Library = Library {
    folder: "node",
    program: "node",
    arguments: &["client.js"],
    installed: "node_modules/openid-client",
};
pub const PYTHON: Library = Library {
    folder: "python",
    program: "venv/bin/python",
    arguments: &["client.py"],
    installed: "venv/bin/python",
};
pub const GO: Library = Library {
    folder: "go",
    program: "built/client",
    arguments: &[],
    installed: "built/client",
};
pub const JAVA: Library = Library {
    folder: "java",
    program: "java",
    arguments: &[
        "-XX:TieredStopAtLevel=1",
        "-cp",
        "built:built/lib/*",
        "Client",
    ],
    installed: "built/Client.class",
};

/// How the client proves itself at the token endpoint.
#[derive(Clone, Copy)]
pub enum Proof {
    Secret,
    Key,
    WrongSecret,
}

pub struct Party {
    library: &'static str,
    client_id: String,
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

/// Far longer than anything takes: a virtual machine of Java starts on a busy computer.
const PATIENCE: Duration = Duration::from_mins(2);

impl Party {
    /// Starts the program and tells it what it is. `switches` are told as `true`.
    pub async fn start(library: &Library, lab: &Lab, proof: Proof, switches: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("clients")
            .join(library.folder);
        assert!(
            folder.join(library.installed).exists(),
            "the client of {} is not installed here, and these tests do not pass without it: `bash tests/run.sh` does that",
            library.folder
        );
        let mut told = json!({
            "issuer": lab.issuer, "redirect_uri": REDIRECT_URI, "post_logout_redirect_uri": SIGNED_OUT_URI,
            "scope": "openid profile email address phone offline_access", "ca": lab.ca(),
        });
        let client_id = match proof {
            Proof::Secret | Proof::WrongSecret => CLIENT.0.to_owned(),
            Proof::Key => {
                let id = format!("lab-key-{}{}", library.folder, switches.concat());
                told["key"] = registered(lab, &id, switches.contains(&"fapi"));
                id
            }
        };
        told["client_id"] = client_id.clone().into();
        match proof {
            Proof::Secret => told["client_secret"] = CLIENT.1.into(),
            Proof::WrongSecret => told["client_secret"] = CLIENT.1.replace("one", "two").into(),
            Proof::Key => {}
        }
        for switch in switches {
            told[*switch] = true.into();
        }
        // A program in the folder itself, or one of the machine.
        let program = if library.program.contains('/') {
            folder.join(library.program)
        } else {
            library.program.into()
        };
        let mut child = Command::new(program)
            .args(library.arguments)
            .current_dir(&folder)
            .env("NODE_EXTRA_CA_CERTS", lab.ca())
            .env("SSL_CERT_FILE", lab.ca())
            .env("REQUESTS_CA_BUNDLE", lab.ca())
            .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"].map(|name| (name, "")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", library.folder));
        let to = child.stdin.take().expect("it is piped");
        let from = child.stdout.take().expect("it is piped");
        let mut party = Self {
            library: library.folder,
            client_id,
            child,
            to,
            from: BufReader::new(from).lines(),
        };
        party.tell(&told.to_string()).await;
        party
    }

    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    pub async fn tell(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.to
            .write_all(line.as_bytes())
            .await
            .unwrap_or_else(|e| panic!("{} does not listen: {e}", self.library));
    }

    /// The next line that it says.
    pub async fn hear(&mut self) -> Value {
        let line = timeout(PATIENCE, self.from.next_line())
            .await
            .unwrap_or_else(|_| panic!("{} says nothing", self.library))
            .expect("text")
            .unwrap_or_else(|| panic!("{} ended; why stands above", self.library));
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{}: {e}: {line}", self.library))
    }

    pub async fn ends_well(&mut self) {
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("{} does not end", self.library))
            .expect("it was started");
        assert!(status.success(), "{}: {status}", self.library);
    }
}

/// Makes a key, registers a client that proves itself with it, and answers the private key as a JWK.
fn registered(lab: &Lab, client_id: &str, fapi: bool) -> Value {
    let pair = KeyPair::generate().expect("a key");
    let point = pair.der_bytes();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = json!({"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256",
        "x": part(&point[1..33]), "y": part(&point[33..65])});
    let metadata = json!({
        "client_name": client_id, "redirect_uris": [REDIRECT_URI], "post_logout_redirect_uris": [SIGNED_OUT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
        "jwks": {"keys": [public]}, "hefu_profile": if fapi { "fapi2" } else { "oidc" },
    });
    lab.register(client_id, &metadata.to_string());
    let mut private = public;
    private["d"] = part(&scalar(&pair.serialize_der())).into();
    private
}

/// The private scalar of a P-256 key in PKCS #8: the first OCTET STRING of 32 bytes (RFC 5915 §3).
fn scalar(pkcs8: &[u8]) -> [u8; 32] {
    let at = pkcs8
        .windows(2)
        .position(|head| head == [0x04, 0x20])
        .expect("a private key")
        + 2;
    pkcs8[at..at + 32].try_into().expect("32 bytes")
}
