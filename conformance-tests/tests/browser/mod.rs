//! What people see and press, in headless Chromium. The ids are those of `docs/pages.md`.

mod harness;
mod keyboard;
mod logout;
mod pages;
mod passkey;
mod refusals;
mod samples;
mod steps;
mod story;
