//! Configuration: read once at the door, checked, handed down in sections. A role gets only its own section.
//! Each section stands in a file of its own, beside the defaults and the reason for them.

pub mod authority;
pub mod people;
pub mod portal;
pub mod provider;
