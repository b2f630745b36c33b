//! Everything hefu does as a relying party, on the `openidconnect` crate.
