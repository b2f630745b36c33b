//! Endpoints, each over a real router: the path of a file mirrors the URL.

mod account;
mod admin;
mod federation;
mod oidc;
mod portal;
