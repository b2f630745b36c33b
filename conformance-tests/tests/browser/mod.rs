//! What people see and press, in headless Chromium.

mod harness;
