//! Relying parties as the provider knows them, from configuration, the command line or the federation.
