//! What the tests of this crate stand on.

pub mod database;
pub mod federation;
pub mod postgres;
