//! The store suite: every function that speaks SQL, on SQLite and on PostgreSQL.

mod audit;
mod authn;
mod chains;
mod clients;
mod console;
mod entry;
mod federation;
mod ground;
mod identity;
mod joining;
mod keys;
mod map;
mod notice;
mod operator;
mod provider;
mod registrations;
mod relying;
mod tokens;
mod told;
