//! What people see and press, in headless Chromium. The ids are those of `docs/pages.md`.

mod harness;
