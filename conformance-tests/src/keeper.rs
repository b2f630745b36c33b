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
            .arg("trap '' INT TERM HUP; read -r _ && exit; kill -KILL -- \"-$1\"; test -z \"$2\" || rm -rf -- \"$2\"")
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
