//! What programs read and send, over HTTP.

mod crash;
mod discovery;
mod federation;
mod joining;
mod large;
mod operator;
mod refusals;
mod relying_party;
mod trust_marks;
mod walk;
