//! Words of OAuth and OpenID Connect on the wire: error codes, algorithm names, scopes. No rules, no HTTP.

mod algorithm;
mod error;
mod response_type;
mod scope;

pub use algorithm::Algorithm;
pub use error::{Error, ErrorCode};
pub use response_type::{ResponseType, UnknownResponseType};
pub use scope::Scope;
