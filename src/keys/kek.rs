//! The key-encryption key: 256 bits from a file (mode 0600) or from the environment. It wraps every other key.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::crypto::AeadKey;
use crate::random::Rng;

/// Wraps and unwraps keys.
pub struct Kek(AeadKey);

/// Why the key-encryption key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    #[error("cannot read the key-encryption key at {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write the key-encryption key at {path}: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the key-encryption key at {path} may be read by others; set its mode to 0600")]
    Mode { path: PathBuf },
    #[error("the key-encryption key is not 32 bytes in base64url")]
    Form,
}

impl Kek {
    /// Reads base64url text of 32 bytes, as found in a file or an environment variable.
    pub fn from_text(text: &str) -> Result<Self, KekError> {
        let bytes = Zeroizing::new(
            URL_SAFE_NO_PAD
                .decode(text.trim())
                .map_err(|_| KekError::Form)?,
        );
        let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| KekError::Form)?;
        Ok(Self(AeadKey::new(bytes)))
    }

    /// Reads the file at `path`, which only its owner may read.
    pub fn from_file(path: &Path) -> Result<Self, KekError> {
        let read = |source| KekError::Read {
            path: path.to_owned(),
            source,
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if std::fs::metadata(path).map_err(read)?.permissions().mode() & 0o077 != 0 {
                return Err(KekError::Mode {
                    path: path.to_owned(),
                });
            }
        }
        Self::from_text(&Zeroizing::new(
            std::fs::read_to_string(path).map_err(read)?,
        ))
    }

    /// Makes a new key at `path`, mode 0600; refuses to overwrite.
    pub fn create_file(path: &Path, rng: &mut Rng) -> Result<Self, KekError> {
        let text =
            Zeroizing::new(URL_SAFE_NO_PAD.encode(Zeroizing::new(rng.bytes::<32>()).as_slice()));
        let write = || -> std::io::Result<()> {
            let mut file = private_file(path)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        };
        write().map_err(|source| KekError::Write {
            path: path.to_owned(),
            source,
        })?;
        Self::from_text(&text)
    }

    /// Encrypts `bytes`, bound to `place`.
    pub(super) fn wrap(&self, place: &str, bytes: &[u8]) -> Vec<u8> {
        self.0.seal(place.as_bytes(), bytes)
    }

    pub(super) fn unwrap(&self, place: &str, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0
            .open(place.as_bytes(), wrapped)
            .ok()
            .map(Zeroizing::new)
    }
}

/// A new file that only its owner may read or write.
pub(super) fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kek")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RngSource;

    #[test]
    fn a_file_is_made_once_and_must_be_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        let made = Kek::create_file(&path, &mut RngSource::System.rng()).unwrap();
        let wrapped = made.wrap("a", b"secret");
        let read = Kek::from_file(&path).unwrap();
        assert_eq!(read.unwrap("a", &wrapped).unwrap().as_slice(), b"secret");
        assert!(read.unwrap("b", &wrapped).is_none());
        assert!(matches!(
            Kek::create_file(&path, &mut RngSource::System.rng()),
            Err(KekError::Write { .. })
        ));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(Kek::from_file(&path), Err(KekError::Mode { .. })));
        }
        assert!(matches!(Kek::from_text("short"), Err(KekError::Form)));
    }
}
