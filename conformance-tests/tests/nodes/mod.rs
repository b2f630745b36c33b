//! Two nodes of one provider side by side on PostgreSQL, started by `hefu serve` from a configuration file, and the operator's
//! command line beside them. Here each request goes to a node that the test chooses; `protocol/relying_party.rs` has a balancer.

mod account;
mod beside;
mod certificate;
mod cluster;
mod command_line;
mod crash;
mod sender;
mod signer;
mod start;
mod tokens;
