//! Words of OAuth and OpenID Connect on the wire: error codes, algorithm names, scopes. No rules, no HTTP.

mod algorithm;
mod encryption;
mod error;
mod mac;
mod response_type;
mod scope;

pub use algorithm::Algorithm;
pub use encryption::{
    ContentEncryption, Encryption, EncryptionError, EncryptionKey, KeyManagement,
};
pub use error::{Error, ErrorCode};
pub use mac::MacAlgorithm;
pub use response_type::{ResponseType, UnknownResponseType};
pub use scope::Scope;
