//! One binary for everything the stranger tries.

mod browser;
