//! People: numbers, names, evidence, and how a real name is proven.
