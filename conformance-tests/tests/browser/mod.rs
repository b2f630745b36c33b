//! What people see and press, in headless Chromium. The ids are those of `docs/pages.md`.

mod console;
mod frontchannel;
mod harness;
mod keyboard;
mod logout;
mod pages;
mod party;
mod passkey;
mod refusals;
mod samples;
mod steps;
mod story;
mod watched;
