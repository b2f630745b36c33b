//! Words of OAuth and OpenID Connect on the wire.
