//! The national session of a browser: who, by which factors, since when.
