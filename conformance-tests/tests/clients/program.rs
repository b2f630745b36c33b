//! A program of `clients/` as a child process, which is told and answers in JSON, a line each.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A library's program, and how it is started in its folder. What starts it must exist: `tests/run.sh` installs it.
pub struct Library {
    pub folder: &'static str,
    pub program: &'static str,
    pub arguments: &'static [&'static str],
    pub installed: &'static str,
}

pub struct Program {
    library: &'static str,
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

/// Far longer than anything takes: a virtual machine of Java starts on a busy computer.
const PATIENCE: Duration = Duration::from_mins(2);

impl Program {
    /// Starts it; it believes the certificate authorities in `ca` and no other.
    pub fn start(library: &Library, ca: &Path) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("clients")
            .join(library.folder);
        assert!(
            folder.join(library.installed).exists(),
            "the client of {} is not installed here, and these tests do not pass without it: `bash tests/run.sh` does that",
            library.folder
        );
        // A program in the folder itself, or one of the machine.
        let program = if library.program.contains('/') {
            folder.join(library.program)
        } else {
            library.program.into()
        };
        let mut child = Command::new(program)
            .args(library.arguments)
            .current_dir(&folder)
            .env("NODE_EXTRA_CA_CERTS", ca)
            .env("SSL_CERT_FILE", ca)
            .env("REQUESTS_CA_BUNDLE", ca)
            .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"].map(|name| (name, "")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", library.folder));
        let to = child.stdin.take().expect("it is piped");
        let from = child.stdout.take().expect("it is piped");
        Self {
            library: library.folder,
            child,
            to,
            from: BufReader::new(from).lines(),
        }
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
