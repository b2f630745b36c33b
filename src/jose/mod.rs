//! JWK, JWS, JWE and JWT: strict reading of what strangers send, and one door for verification (`jwt::verify`).
//! Our own private keys are not here: `crypto::Signer` signs and `crypto::Decrypter` decrypts. Which algorithms exist is said
//! by `oauth`.

mod client_secret;
pub mod embedded;
pub mod json;
pub mod jwe;
pub mod jwk;
pub mod jws;
pub mod jwt;

pub use client_secret::{ClientSecret, SecretTooShort};
pub use jwk::{Jwk, JwkError, JwkSet};
pub use jws::{Header, JwsError, UnverifiedJws};
pub use jwt::{Audience, Expected, JwtError, Keys, Typ};
