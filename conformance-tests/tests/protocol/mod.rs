//! What programs read and send, over HTTP.

mod discovery;
mod federation;
