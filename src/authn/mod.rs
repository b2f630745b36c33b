//! Proofs of who is at the keyboard: passwords, SMS codes, passkeys, and the throttle before them.
