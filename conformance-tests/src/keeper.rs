//! Cleans up after this process, however it ends: statics are never dropped, and tests may abort.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A shell that waits for its standard input to close, which happens when this process is gone, even after `kill -9`.
/// Then it ends one process group of ours and removes one folder.
pub struct Keeper {
    shell: Child,
}

impl Keeper {
    /// `group` is the id of a process group that this process started itself.
    pub fn of(group: u32, folder: Option<&Path>) -> Self {
        let shell = Command::new("sh")
            .arg("-c")
            .arg("trap '' INT TERM HUP; read -r _ && exit; kill -s KILL -- \"-$1\"; test -z \"$2\" || rm -rf -- \"$2\"")
            .arg("sh")
            .arg(group.to_string())
            .arg(folder.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self { shell }
    }

    /// The group has ended in another way; its id may be somebody else's soon.
    pub fn dismiss(&mut self) {
        if let Some(mut line) = self.shell.stdin.take() {
            let _ = line.write_all(b"\n");
        }
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep")
            .arg("60")
            .process_group(0)
            .spawn()
            .expect("a process")
    }

    #[test]
    fn what_is_kept_ends_with_its_keeper() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut kept = sleeper();
        let mut keeper = Keeper::of(kept.id(), Some(folder.path()));
        drop(keeper.shell.stdin.take()); // as when this process is gone
        assert_eq!(kept.wait().expect("it ends").signal(), Some(9));
        keeper.shell.wait().expect("it ends as well");
        assert!(!folder.path().exists());
    }

    #[test]
    fn a_dismissed_keeper_touches_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut let_be = sleeper();
        Keeper::of(let_be.id(), Some(folder.path())).dismiss();
        assert!(let_be.try_wait().expect("it can be asked").is_none());
        assert!(folder.path().exists());
        let_be.kill().expect("it was running");
        let_be.wait().expect("it ends");
    }
}
