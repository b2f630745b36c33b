//! Federations in memory: every check of a chain, the search, what is remembered, and registration.

mod chain;
mod choice;
mod discovery;
mod generated;
mod island;
mod joining;
mod network;
mod policy_door;
mod registration;
mod rollover;
mod scale;
mod trust_mark;
