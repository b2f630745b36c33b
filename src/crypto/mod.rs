//! Traits `Signer`, `Sealer`, `Indexer`, and the few primitives every room may use.
