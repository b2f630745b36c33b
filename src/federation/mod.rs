//! OpenID Federation 1.0 as rules: statements, chains, policy. Knows no HTTP types; its doors are in `web::federation`.

pub mod authority;
pub mod chain;
pub mod check;
pub mod constraints;
pub mod entity;
pub mod explain;
pub mod history;
pub mod joining;
pub mod policy;
pub mod publish;
pub mod registration;
pub mod resolve;
pub mod statement;
pub mod trust_mark;

pub use authority::Authority;
pub use chain::{Anchor, Anchors, ChainError, TrustChain};
pub use entity::{EntityId, Schemes};
pub use explain::Explanation;
pub use history::History;
pub use publish::Publisher;
pub use registration::{Registrar, RegistrationError, ResolvedRelyingParty};
pub use resolve::{ResolveError, Resolver};
