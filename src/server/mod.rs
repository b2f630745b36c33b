//! A node: listens, finds the entity for a host, hands requests to its router.
