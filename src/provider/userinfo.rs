//! The UserInfo answer in the form that the client registered (OIDC Core 5.3.2): JSON, or a JWT that is signed, encrypted, or
//! both. What it says is chosen in `claims`.

use serde_json::{Map, Value};

use super::encrypted;
use super::tokens::Issuer;
use crate::client::Client;
use crate::crypto::SignError;
use crate::oauth::Error;
use crate::random::Rng;

/// An answer and, by its variant, its media type.
#[derive(Clone, Debug, PartialEq)]
pub enum UserInfo {
    /// `application/json`
    Json(Value),
    /// `application/jwt`
    Jwt(String),
}

impl Issuer<'_> {
    /// The inner error: the client wants encryption and has no key for it.
    pub async fn userinfo(
        &self,
        rng: &mut Rng,
        client: &Client,
        mut claims: Map<String, Value>,
    ) -> Result<Result<UserInfo, Error>, SignError> {
        let encryption = client.userinfo_encryption;
        let jwt = match (client.userinfo_alg, encryption) {
            (None, None) => return Ok(Ok(UserInfo::Json(Value::Object(claims)))),
            (None, Some(encryption)) => {
                let claims = Value::Object(claims).to_string();
                encrypted::content(claims.as_bytes(), client, encryption, rng)
            }
            (Some(alg), _) => {
                // OIDC Core 5.3.2: both must be there when it is signed. There is no `exp`, so that it never passes as an ID Token.
                claims.insert("iss".to_owned(), self.id.into());
                claims.insert("aud".to_owned(), client.id.as_str().into());
                let signed = self.sign(alg, "JWT", claims).await?;
                encrypted::nested(signed, client, encryption, rng)
            }
        };
        Ok(jwt.map(UserInfo::Jwt))
    }
}
