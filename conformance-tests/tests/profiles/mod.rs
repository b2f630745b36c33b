//! A module per profile that `docs/profiles.md` names, each against the laboratory's provider with everything on, over HTTPS and by
//! nothing but the specifications. Each module says at its top what it covers: for every demand a case that meets it, and where it can
//! be violated one that does.
//!
//! What the modules stand on: `ground` (the one laboratory, its citizen, a place elsewhere that the provider fetches from and calls),
//! `party` (a relying party: it registers, asks, redeems), `signing` (keys, assertions, request objects, proofs).

mod ground;
mod party;
mod signing;

mod basic;
mod claims;
mod config;
mod dynamic;
mod encryption;
mod fapi2;
mod form_post;
mod hybrid;
mod implicit;
mod logout;
mod oauth;
mod objects;
mod prompts;
mod serving;
mod tokens;
