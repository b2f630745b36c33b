//! What a citizen allowed a platform to know.
