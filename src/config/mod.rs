//! Configuration: read once at the door, checked, handed down in sections.
