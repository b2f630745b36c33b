//! Words of OAuth and OpenID Connect on the wire: error codes, algorithm names, scopes. No rules, no HTTP.

mod algorithm;
mod error;
mod scope;

pub use algorithm::Algorithm;
pub use error::{Error, ErrorCode};
pub use scope::Scope;
