//! A private PostgreSQL server for one test process: made from the installed binaries, reached over a Unix socket only,
//! gone when the process is gone, however it ends.
//!
//! It is not a stand-in: when PostgreSQL is not installed, the test fails and names the command that installs it.
//! Shared by the crate's tests and by `conformance-tests` (which includes this file), so it knows nothing of `hefu`.

use std::{
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// What to do on a machine without PostgreSQL.
const MISSING: &str = "PostgreSQL's server is not installed here, and these tests do not pass without it.\n\
    Debian, Ubuntu: apt-get install -y postgresql      (or let `bash tests/run.sh` do it)";

/// The one server of this test process.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

pub struct Server {
    folder: PathBuf,
    bin: PathBuf,
    user: Option<User>,
    /// Holds the pipe whose end tells the keeper that this process is gone.
    _keeper: Child,
}

/// PostgreSQL refuses to run as root; root lends it one of these instead.
struct User {
    uid: u32,
    gid: u32,
}

impl Server {
    /// Makes an empty database and answers its URL; `name` is for people who look at the server.
    pub fn new_database(&self, name: &str) -> String {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let name = format!(
            "{name}_{}",
            NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        );
        let made = self
            .command("psql")
            .args([
                "-XqAt",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "hefu",
                "-d",
                "postgres",
                "-h",
            ])
            .arg(&self.folder)
            .args(["-c", &format!("CREATE DATABASE {name}")])
            .output()
            .expect("psql runs");
        assert!(
            made.status.success(),
            "CREATE DATABASE {name}: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        format!(
            "postgres://hefu@localhost/{name}?host={}",
            self.folder.display()
        )
    }

    fn start() -> Self {
        let bin = binaries().unwrap_or_else(|| panic!("{MISSING}"));
        let user = unprivileged_user();
        let folder = std::env::temp_dir().join(format!("hefu-test-pg-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder for the server");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))
            .expect("a private folder");
        if let Some(User { uid, gid }) = user {
            chown(&folder, Some(uid), Some(gid)).expect("handing the folder to the server's user");
        }
        // From here on the keeper removes what is made, also when something below fails.
        let keeper = keeper(&bin, &folder, user.as_ref());
        let server = Self {
            folder,
            bin,
            user,
            _keeper: keeper,
        };

        let data = server.folder.join("data");
        let made = server
            .command("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=hefu",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );

        let log = server.folder.join("log");
        let started = server
            .command("pg_ctl")
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(&log)
            .args(["-w", "-t", "60", "-o"])
            // Durability is for data that outlives the test.
            .arg(format!(
                "-k {} -c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
                 -c max_connections=300 -c shared_buffers=32MB",
                server.folder.display()
            ))
            .arg("start")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("pg_ctl runs");
        assert!(
            started.success(),
            "PostgreSQL did not start:\n{}",
            std::fs::read_to_string(&log).unwrap_or_else(|e| format!("(no log: {e})"))
        );
        server
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(&self.folder).env("LC_ALL", "C");
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// A shell that waits for this process to end (its standard input closes then, even after `kill -9`), stops the server
/// and removes the folder. Statics are never dropped and tests may abort, so nothing inside this process could.
fn keeper(bin: &Path, folder: &Path, user: Option<&User>) -> Child {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(
            "trap '' INT TERM HUP; cd \"$2\"; read -r _; \
             \"$1/pg_ctl\" -D \"$2/data\" -m immediate -w stop; cd /; rm -rf \"$2\"/* ; rmdir \"$2\"",
        )
        .args(["sh".as_ref(), bin.as_os_str(), folder.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if let Some(User { uid, gid }) = user {
        shell.uid(*uid).gid(*gid);
    }
    shell.spawn().expect("a shell")
}

/// The folder of `initdb`, `pg_ctl` and `psql`, the newest version first: Debian keeps them out of the PATH.
fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort_by_key(|bin| {
        let version = bin
            .parent()
            .and_then(Path::file_name)
            .and_then(|v| v.to_str());
        std::cmp::Reverse(version.and_then(|v| v.parse::<u32>().ok()).unwrap_or(0))
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|bin| {
            ["initdb", "pg_ctl", "psql", "postgres"]
                .iter()
                .all(|program| bin.join(program).exists())
        })
}

fn unprivileged_user() -> Option<User> {
    let id = |flag: &str, name: Option<&str>| -> Option<u32> {
        let answer = Command::new("id")
            .arg(flag)
            .args(name)
            .stderr(Stdio::null())
            .output()
            .ok()?;
        std::str::from_utf8(&answer.stdout)
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    if id("-u", None) != Some(0) {
        return None;
    }
    ["postgres", "nobody"].into_iter().find_map(|name| {
        Some(User {
            uid: id("-u", Some(name))?,
            gid: id("-g", Some(name))?,
        })
    })
}
