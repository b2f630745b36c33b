//! Ways to prove that somebody is who they were before: passwords, SMS codes, passkeys, and the throttle that keeps guessers out.
//!
//! Not here: who somebody *is* (`identity`), what a proof opens (`session`, `provider`), and the pages that ask (`web::account`).

pub mod ceremony;
pub mod code;
mod factor;
pub mod hashing;
pub mod passkey;
pub mod password;
pub mod throttle;

pub use factor::{Factor, UnknownFactor, amr, level};
