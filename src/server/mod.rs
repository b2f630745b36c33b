//! A node: listens, finds the entity for a host, hands requests to its router. What an entity is made of stands in
//! `entity`; what runs by the clock, in `jobs`.

mod console;
pub mod dispatch;
pub mod entity;
pub mod listen;
pub mod node;
mod private;
pub mod rooms;
pub mod tls;
mod vouching;

pub use private::Readiness;
