//! The only way out: every request to a stranger passes here.
