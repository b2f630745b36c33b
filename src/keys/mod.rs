//! The lives of keys. `kek` reads the key-encryption key, `vault` makes and unwraps private keys (nothing else holds
//! their bytes), `record` is a key's life in the database, `policy` says how long each stage lasts, and `ring` is what
//! the rooms above are handed as `Signer`, `Decrypter`, `Sealer` and `Indexer`.

mod kek;
mod policy;
mod record;
mod ring;
mod symmetric;
mod vault;

pub use kek::{Kek, KekError};
pub use policy::{Lifetimes, Policy, PolicyError};
pub use record::{KeyRecord, Stage};
pub use ring::{KeyRing, Setup};
pub use vault::VaultError;

/// Why keys could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("the key {kid} in the database cannot be read: {reason}")]
    Record { kid: String, reason: &'static str },
    #[error(
        "the index key is not in the vault at {vault}, but the database was written under one; copy index.json there from another node or from its backup"
    )]
    IndexKeyMissing { vault: String },
}
