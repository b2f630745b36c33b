//! The demonstration's folder: marked as ours, locked while in use, and never left in a state that a next start cannot
//! continue from. Everything after the mark is made once and idempotently, so an interrupted first start just goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::Planned;
use crate::keys::{Kek, KekError};
use crate::random::Rng;

const MARK: &str = "hefu-demo.json";
const LOCK: &str = "lock";
const KEK: &str = "kek";
/// The files that a start makes beside the mark, the lock and a folder for each entity.
const OURS: [&str; 6] = [KEK, ".kek", MARK, "ca.pem", "tls.pem", "tls-key.pem"];

/// What the folder remembers: identifiers contain the port and the scheme, so both are chosen once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub version: u32,
    pub port: u16,
    pub tls: bool,
    /// How many sample portals stand under the provinces; 0: the small federation of the plan.
    #[serde(default)]
    pub portals: u32,
    /// Whether a start has ever got as far as answering. Until then whatever is missing is still being made.
    #[serde(default)]
    pub complete: bool,
}

/// Why the folder cannot be used, in a sentence for the one who started the program.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("cannot write to {path}: {source}; choose another folder with --data")]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{path} holds files that are not hefu's; choose another folder with --data")]
    Foreign { path: PathBuf },
    #[error(
        "{path} is in use by another hefu demo; stop it first, or choose another folder with --data"
    )]
    InUse { path: PathBuf },
    #[error(
        "{path} is from another version of hefu, or damaged ({reason}); start anew with --reset"
    )]
    Damaged { path: PathBuf, reason: String },
    #[error(
        "this demo runs on port {kept}, which its identifiers contain; to use port {asked} start anew with --reset"
    )]
    OtherPort { kept: u16, asked: u16 },
    #[error("this demo was started {} --tls, which its identifiers contain; to change that start anew with --reset", if *.kept { "with" } else { "without" })]
    OtherScheme { kept: bool },
    #[error(
        "this demo was made with {kept} sample portals, whose superiors have enrolled them; for {asked} start anew with --reset"
    )]
    OtherPortals { kept: u32, asked: u32 },
    #[error("{path} does not exist; `hefu demo` makes one")]
    Missing { path: PathBuf },
    #[error(
        "{path} is missing; without it the keys of this demo cannot be opened. Put it back, or start anew with --reset"
    )]
    KekLost { path: PathBuf },
    #[error(transparent)]
    Kek(#[from] KekError),
}

/// The folder, locked for this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    mark: Option<Mark>,
    /// Held as long as the process lives.
    lock: File,
}

impl Folder {
    /// Makes or opens the folder and locks it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let unwritable = |source| FolderError::Unwritable {
            path: path.to_owned(),
            source,
        };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.create(path).map_err(unwritable)?;
        let path = path.canonicalize().map_err(unwritable)?;
        let mark = read_mark(&path)?;
        if mark.is_none() && !is_blank(&path).map_err(unwritable)? {
            return Err(FolderError::Foreign { path });
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(FolderError::InUse { path }),
            Err(std::fs::TryLockError::Error(source)) => {
                return Err(FolderError::Unwritable { path, source });
            }
        }
        // Read again: another process may have marked it between our look and our lock.
        Ok(Self {
            mark: read_mark(&path)?,
            path,
            lock,
        })
    }

    /// Removes what hefu has made in the folder; files of others stay, and are named.
    pub fn reset(self) -> Result<(Self, Vec<String>), FolderError> {
        let path = self.path;
        let remove = || -> io::Result<Vec<String>> {
            let mut foreign = Vec::new();
            for entry in std::fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name == LOCK || name == MARK {
                    continue;
                }
                let is_folder = entry.file_type()?.is_dir();
                if is_folder && Planned::by_name(&name).is_some() {
                    std::fs::remove_dir_all(entry.path())?;
                } else if !is_folder && OURS.contains(&name.trim_end_matches(".new")) {
                    std::fs::remove_file(entry.path())?;
                } else {
                    foreign.push(name);
                }
            }
            // The mark goes last: a reset that is interrupted leaves a folder that is still known as ours.
            match std::fs::remove_file(path.join(MARK)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(foreign),
            }
        };
        let foreign = remove().map_err(|source| FolderError::Unwritable {
            path: path.clone(),
            source,
        })?;
        Ok((
            Self {
                path,
                mark: None,
                lock: self.lock,
            },
            foreign,
        ))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was chosen at the first start, after checking that nothing else is asked for now.
    pub fn kept(
        &self,
        port: Option<u16>,
        tls: bool,
        portals: Option<u32>,
    ) -> Result<Option<Mark>, FolderError> {
        let Some(mark) = &self.mark else {
            return Ok(None);
        };
        match port {
            Some(asked) if asked != 0 && asked != mark.port => {
                return Err(FolderError::OtherPort {
                    kept: mark.port,
                    asked,
                });
            }
            _ => {}
        }
        if tls != mark.tls {
            return Err(FolderError::OtherScheme { kept: mark.tls });
        }
        if let Some(asked) = portals.filter(|asked| *asked != mark.portals) {
            return Err(FolderError::OtherPortals {
                kept: mark.portals,
                asked,
            });
        }
        Ok(Some(mark.clone()))
    }

    /// Remembers the choice of the first start. The mark is whole or absent.
    pub fn remember(&mut self, mark: Mark) -> Result<(), FolderError> {
        let text = serde_json::to_vec(&mark).unwrap_or_default();
        write_whole(&self.path.join(MARK), &text).map_err(|source| FolderError::Unwritable {
            path: self.path.clone(),
            source,
        })?;
        self.mark = Some(mark);
        Ok(())
    }

    /// The folder of one entity.
    pub fn entity(&self, name: &str) -> Result<PathBuf, FolderError> {
        let path = self.path.join(name);
        std::fs::create_dir_all(&path).map_err(|source| FolderError::Unwritable {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// The key-encryption key, made at the first start.
    pub fn kek(&self, rng: &mut Rng) -> Result<Arc<Kek>, FolderError> {
        let path = self.path.join(KEK);
        if !path.exists() && self.mark.as_ref().is_some_and(|mark| mark.complete) {
            // A new one would open nothing that is there.
            return Err(FolderError::KekLost { path });
        }
        // Made aside and renamed: a crash leaves no half key behind.
        if !path.exists() {
            let aside = self.path.join(".kek.new");
            let _left_over = std::fs::remove_file(&aside);
            Kek::create_file(&aside, rng)?;
            std::fs::rename(&aside, &path).map_err(|source| FolderError::Unwritable {
                path: path.clone(),
                source,
            })?;
        }
        Ok(Arc::new(Kek::from_file(&path)?))
    }
}

/// Writes a file so that it is whole or absent, whenever the process dies.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let mut file = File::create(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

pub(super) fn read_mark(path: &Path) -> Result<Option<Mark>, FolderError> {
    let damaged = |reason: String| FolderError::Damaged {
        path: path.to_owned(),
        reason,
    };
    match std::fs::read_to_string(path.join(MARK)) {
        Ok(text) => {
            let mark: Mark = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
            if mark.version == 1 {
                Ok(Some(mark))
            } else {
                Err(damaged(format!("version {}", mark.version)))
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FolderError::Unwritable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Nothing in it but what an interrupted first start may leave before the mark.
fn is_blank(path: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != LOCK && name != "hefu-demo.json.new" {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RngSource;

    const MARK_1: Mark = Mark {
        version: 1,
        port: 8420,
        tls: false,
        portals: 0,
        complete: false,
    };

    #[test]
    fn the_choice_of_the_first_start_is_kept() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("data");
        let mut folder = Folder::open(&path).unwrap();
        assert_eq!(folder.kept(Some(9), false, None).unwrap(), None);
        folder.remember(MARK_1).unwrap();
        assert!(matches!(
            Folder::open(&path),
            Err(FolderError::InUse { .. })
        ));
        drop(folder);
        let folder = Folder::open(&path).unwrap();
        assert_eq!(folder.kept(None, false, None).unwrap(), Some(MARK_1));
        assert_eq!(folder.kept(Some(0), false, None).unwrap(), Some(MARK_1));
        assert_eq!(folder.kept(None, false, Some(0)).unwrap(), Some(MARK_1));
        let said = folder.kept(None, false, Some(9)).unwrap_err().to_string();
        assert!(said.contains("0 sample portals"), "{said}");
        let said = folder.kept(Some(9), false, None).unwrap_err().to_string();
        assert!(said.contains("8420") && said.contains("--reset"), "{said}");
        assert!(
            folder
                .kept(None, true, None)
                .unwrap_err()
                .to_string()
                .contains("without --tls")
        );
    }

    #[test]
    fn interrupted_starts_go_on_and_strangers_files_are_left_alone() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path();
        std::fs::write(path.join("hefu-demo.json.new"), "{\"ver").unwrap();
        let mut folder = Folder::open(path).unwrap();
        folder.remember(MARK_1).unwrap();
        std::fs::write(path.join(".kek.new"), "half").unwrap();
        folder.kek(&mut RngSource::System.rng()).unwrap();
        folder.kek(&mut RngSource::System.rng()).unwrap();
        folder.entity("id").unwrap();
        std::fs::write(path.join("notes.txt"), "mine").unwrap();
        let (folder, foreign) = folder.reset().unwrap();
        assert_eq!(foreign, ["notes.txt"]);
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 2);
        drop(folder);
        std::fs::remove_file(path.join("notes.txt")).unwrap();

        let mut folder = Folder::open(path).unwrap();
        folder
            .remember(Mark {
                complete: true,
                ..MARK_1
            })
            .unwrap();
        let lost = folder
            .kek(&mut RngSource::System.rng())
            .unwrap_err()
            .to_string();
        assert!(lost.contains("Put it back"), "{lost}");
        drop(folder.reset().unwrap());

        std::fs::write(path.join("thesis.txt"), "years of work").unwrap();
        assert!(matches!(
            Folder::open(path),
            Err(FolderError::Foreign { .. })
        ));
        std::fs::write(path.join(MARK), "{}").unwrap();
        assert!(matches!(
            Folder::open(path),
            Err(FolderError::Damaged { .. })
        ));
    }
}
