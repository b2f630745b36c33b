//! A JWT that carries its own key, `jwk` in the header. It proves that its sender holds that key, and nothing else: whose
//! key it is must be known from elsewhere. Tokens of known parties go through `jwt::verify`.

use serde_json::{Map, Value};

use crate::jose::{Jwk, JwsError, JwtError, UnverifiedJws, json};
use crate::oauth::Algorithm;

/// The key and the claims of `token`, whose type must be `typ`. Cheap checks first, the signature last.
pub fn verify(
    token: &str,
    typ: &str,
    algorithms: &[Algorithm],
    limit: usize,
) -> Result<(Jwk, Map<String, Value>), JwtError> {
    let jws = UnverifiedJws::parse(token, limit)?;
    jws.checked_algorithm(algorithms)?;
    if !jws.header.is_typ(typ) {
        return Err(JwtError::Typ);
    }
    let claims = json::parse_object(&jws.payload).map_err(|_| JwtError::Payload)?;
    // Private and symmetric members are refused here (RFC 9449 §4.3 step 7).
    let key = jws.header.members.get("jwk").map(Jwk::parse);
    let Some(Ok(key)) = key else {
        return Err(JwsError::NoKey.into());
    };
    jws.verify(&key, algorithms)?;
    Ok((key, claims))
}
