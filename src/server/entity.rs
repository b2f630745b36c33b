//! What one hosted entity is made of: its store, its keys, its router.
