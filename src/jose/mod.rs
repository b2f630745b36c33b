//! JWK, JWS and JWT: strict reading, one door for verification.
