//! hefu 合符: a federated OpenID Provider for real-name identities, and the OpenID Federation around it.
//!
//! The rooms stand on floors; a room imports only from floors below it (`docs/architecture.md`, guarded by `tests/floors.rs`).

// Floor 8: doors. Processes, environment, timers.
pub mod cli;
pub mod demo;
pub mod jobs;
pub mod server;

// Floor 7: HTTP.
pub mod web;

// Floor 6: OpenID Connect as rules, everything hefu does as a relying party, and what operators do.
pub mod operator;
pub mod provider;
pub mod relying;

// Floor 5: OpenID Federation as rules.
pub mod federation;

// Floor 4: things with a life.
pub mod identity;
pub mod keys;
pub mod session;

// Floor 3: things that are looked up.
pub mod audit;
pub mod authn;
pub mod brand;
pub mod client;
pub mod consent;

// Floor 2: tools.
pub mod config;
pub mod crypto;
pub mod jose;
pub mod outbound;
pub mod store;

// Floor 1: words and ground.
pub mod clock;
pub mod id;
pub mod oauth;
pub mod random;
pub mod telemetry;
