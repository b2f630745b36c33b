//! The demonstration: a whole federation in one process, on loopback, with synthetic people.
