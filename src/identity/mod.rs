//! People: who they are, how sure we are of it, and by what they are found again.
//!
//! Not here: how somebody proves to be the same as before (`authn`), what they are logged in to (`session`), what they agreed to (`consent`).

pub mod binding;
pub mod details;
pub mod evidence;
pub mod level;
pub mod name;
pub mod notice;
pub mod number;
pub mod people;
pub mod person;
pub mod phone;
pub mod sms;
pub mod source;
pub mod subject;
pub mod synthetic;

pub use evidence::{Evidence, Method};
pub use level::RealNameLevel;
pub use name::Name;
pub use number::IdNumber;
pub use people::People;
pub use person::{Keys, Person};
pub use phone::Phone;
