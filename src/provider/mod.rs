//! OpenID Connect as rules: authorize, tokens, logout. Knows no HTTP types; its doors are in `web::oidc`.
