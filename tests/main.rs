//! One binary for all integration tests of the crate.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on says so"
)]

mod command_line;
mod dependencies;
mod documents;
mod federation;
mod floors;
mod outbound;
mod store;
mod support;
mod web;
