//! One binary for everything the stranger tries.
#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

mod browser;
mod clients;
mod members;
mod nodes;
mod profiles;
mod protocol;
