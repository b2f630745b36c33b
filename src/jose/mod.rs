//! JWK, JWS and JWT: strict reading of what strangers send, and one door for verification (`jwt::verify`).
//! Our own private keys are not here: `crypto::Signer` signs. Which algorithms exist is said by `oauth::Algorithm`.

pub mod json;
pub mod jwk;
pub mod jws;
pub mod jwt;

pub use jwk::{Jwk, JwkError, JwkSet};
pub use jws::{Header, JwsError, UnverifiedJws};
pub use jwt::{Audience, Expected, JwtError, Keys, Typ};
