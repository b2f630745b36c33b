//! HTTP: reads a request, calls one function of a floor below, renders the answer.

pub mod account;
pub mod admin;
pub mod assets;
pub mod browser_state;
pub mod cookies;
pub mod csrf;
pub mod error;
pub mod federation;
pub mod house;
pub mod lost;
pub mod oidc;
pub mod page;
pub mod portal;
pub mod preferences;
pub mod provider_house;
pub mod register;
pub mod source;
pub mod view;
