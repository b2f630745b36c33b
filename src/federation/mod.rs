//! OpenID Federation 1.0 as rules: statements, chains, policy. Knows no HTTP types; its doors are in `web::federation`.
