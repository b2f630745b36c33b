//! Provinces and their brands: data, not code.
