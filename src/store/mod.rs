//! The database: opening, migrating, transactions. SQL itself lives beside its types.
