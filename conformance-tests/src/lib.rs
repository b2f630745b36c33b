//! A stranger to hefu: knows only what `hefu demo --json`, `docs/pages.md` and the specifications promise, and no type of the crate.
//!
//! Here is what the stranger's tests stand on: a running demo (`demo`), a person's browser (`browser`), a visitor without one
//! (`visitor`), the stranger's own reading of tokens and federation statements (`statement`). The tests are in `tests/`.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "it is all test code: what cannot go on says so and fails the test"
)]

pub mod browser;
pub mod demo;
pub mod inspection;
pub mod keeper;
pub mod lab;
pub mod production;
pub mod statement;
pub mod visitor;

#[path = "../../tests/support/postgres.rs"]
pub mod postgres;
