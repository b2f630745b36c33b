//! The demonstration: a whole federation in one process, on loopback, with synthetic people. `plan` says who is there,
//! `folder` keeps what they own, `certificate` serves `--tls`.

mod certificate;
mod folder;
pub mod plan;
