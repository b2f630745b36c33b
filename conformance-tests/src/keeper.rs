//! Cleans up after this process, however it ends: statics are never dropped, and tests may abort.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A shell that waits for its standard input to close, which happens when this process is gone, even after `kill -9`.
/// Then it ends one process group of ours and removes one folder.
pub struct Keeper {
    _shell: Child,
}

impl Keeper {
    /// `group` is the id of a process group that this process started itself.
    pub fn of(group: u32, folder: Option<&Path>) -> Self {
        let shell = Command::new("sh")
            .arg("-c")
            .arg("trap '' INT TERM HUP; read -r _; kill -KILL -- \"-$1\"; test -z \"$2\" || rm -rf -- \"$2\"")
            .arg("sh")
            .arg(group.to_string())
            .arg(folder.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self { _shell: shell }
    }
}
