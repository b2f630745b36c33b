//! Chance as an argument.
