//! OpenID Connect as rules: what a request asks (`request`), what must happen before it is answered (`interaction`), what
//! is issued and how it ends (`answer`, `grants`, `tokens`, `logout`). No HTTP types: its doors are in `web::oidc`. How a chain
//! becomes a client is known to `federation`; how a person is known, to `identity`.

pub mod acr;
pub mod answer;
pub mod authenticate;
pub mod authorize;
pub mod begun;
pub mod claims;
pub mod client_keys;
pub mod clients;
pub mod confirmation;
pub mod departed;
pub mod details;
pub mod device;
pub mod dpop;
pub mod encrypted;
pub mod exchange;
pub mod explicit;
pub mod fetch;
pub mod floor;
pub mod grants;
pub mod interaction;
pub mod introspect;
pub mod issued;
pub mod logout;
pub mod marks;
pub mod person;
pub mod registration;
pub mod request;
pub mod revoke;
pub mod sweep;
pub mod target;
pub mod tokens;
pub mod told;
pub mod unused;
pub mod userinfo;
pub mod vouched;
pub mod waiting;

pub use crate::client::one_use;
