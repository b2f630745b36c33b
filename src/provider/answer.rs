//! What the authorization endpoint says: decided inside the transaction, finished after it. A code is a random name and
//! ready at once; tokens (OIDC Core 3.2, 3.3) and answers in a JWT (JARM) are signed when the transaction is over, so that
//! no connection waits for a key. Where the answer goes is in `request::Return`; how it travels, in `web::oidc`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::clients::Clients;
use super::encrypted;
use super::grants::Grant;
use super::request::{AuthorizationRequest, Refusal, Return};
use super::target::Aim;
use super::tokens::{Beside, Issuer};
use crate::client::Client;
use crate::clock::UnixTime;
use crate::crypto::SignError;
use crate::oauth::{Error, ResponseType};
use crate::random::Rng;

/// The answer to the relying party, before it is signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub to: Return,
    pub says: Says,
    /// It was looked for a session, and the browser has none.
    pub nobody: bool,
}

/// What it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    Error(Error),
    Code(String),
    /// Nothing here: a device asks for it (RFC 8628).
    Elsewhere,
    /// Tokens from this endpoint, with a code or without.
    Tokens(Box<Tokens>),
}

/// What the tokens will say.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    pub response_type: ResponseType,
    pub code: Option<String>,
    pub grant: Grant,
    /// What the access token is for, where there is one.
    pub aim: Option<Aim>,
    pub sub: String,
    /// Of the person, in the ID Token.
    pub claims: Map<String, Value>,
}

/// What is needed to finish an answer.
#[derive(Debug)]
pub struct Finish<'a> {
    /// With the keys that `ready_for` found.
    pub client: &'a Client,
    /// Session Management 1.0 §3, when it is on.
    pub session_state: Option<String>,
    /// Seconds that tokens live.
    pub access_token: i64,
    pub id_token: i64,
    pub now: UnixTime,
}

/// Names and values, in the order in which they are sent.
pub type Fields = Vec<(&'static str, String)>;

impl Issuer<'_> {
    /// The fields that are sent: one signature for each token, and one for the whole where the client wants it signed. The
    /// inner error: the whole cannot be encrypted as the client wants it, and nothing is sent.
    pub async fn finish(
        &self,
        rng: &mut Rng,
        reply: &Reply,
        with: Finish<'_>,
    ) -> Result<Result<Fields, Error>, SignError> {
        let state = reply.to.state.clone();
        let mut fields = match &reply.says {
            Says::Error(error) => told(error),
            Says::Code(code) => vec![("code", code.clone())],
            Says::Elsewhere => Vec::new(),
            Says::Tokens(tokens) => self
                .front(rng, tokens, state.as_deref(), &with)
                .await?
                .unwrap_or_else(|error| told(&error)),
        };
        fields.extend(state.map(|state| ("state", state)));
        // RFC 9207 §2.
        fields.push(("iss", self.id.to_owned()));
        fields.extend(with.session_state.map(|value| ("session_state", value)));
        match reply.to.signed {
            None => Ok(Ok(fields)),
            // JARM 2.3: nothing else beside it.
            Some(alg) => {
                let response = self
                    .authorization_response(alg, &with.client.id, fields, with.now)
                    .await?;
                let encryption = with.client.authorization_encryption;
                let response = encrypted::nested(response, with.client, encryption, rng);
                Ok(response.map(|response| vec![("response", response)]))
            }
        }
    }

    /// The inner error: the ID Token cannot be encrypted as the client wants it.
    async fn front(
        &self,
        rng: &mut Rng,
        tokens: &Tokens,
        state: Option<&str>,
        with: &Finish<'_>,
    ) -> Result<Result<Fields, Error>, SignError> {
        let Tokens {
            response_type,
            code,
            grant,
            aim,
            sub,
            claims,
        } = tokens;
        let mut fields: Fields = code.iter().map(|code| ("code", code.clone())).collect();
        let access_token = if let Some(aim) = aim {
            let token = self
                .access_token(rng, grant, sub, aim, with.access_token, with.now)
                .await?;
            // OIDC Core 3.2.2.5, RFC 6749 §4.2.2: no refresh token here.
            fields.push(("access_token", token.clone()));
            fields.push(("token_type", "Bearer".to_owned()));
            fields.push(("expires_in", with.access_token.to_string()));
            fields.push(("scope", aim.scope.to_string()));
            if !aim.details.is_empty() {
                // RFC 9396 §7.
                let details = serde_json::json!(aim.details).to_string();
                fields.push(("authorization_details", details));
            }
            Some(token)
        } else {
            None
        };
        if response_type.id_token {
            let beside = Beside {
                access_token: access_token.as_deref(),
                code: code.as_deref(),
                state,
            };
            let token = self
                .id_token_beside(grant, sub, claims.clone(), beside, with.id_token, with.now)
                .await?;
            match encrypted::nested(token, with.client, with.client.id_token_encryption, rng) {
                Ok(token) => fields.push(("id_token", token)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(fields))
    }
}

impl Clients {
    /// The client with the keys that the answer to `request` is encrypted to. Asked before anything is used up; goes out.
    pub async fn ready_for(
        &self,
        client: Arc<Client>,
        request: &AuthorizationRequest,
        now: UnixTime,
    ) -> Result<Arc<Client>, Refusal> {
        let client = self.ready_to_tell(client, &request.answer, now).await?;
        let encryption = client
            .id_token_encryption
            .filter(|_| request.response_type.id_token);
        self.with_key_for(client, encryption, now)
            .await
            .map_err(|error| Refusal::Redirect(request.answer.clone(), error))
    }

    /// The same for an answer without tokens, errors among them. Where the whole is encrypted (JARM 2.2) and there is no key,
    /// the client cannot be told.
    pub async fn ready_to_tell(
        &self,
        client: Arc<Client>,
        to: &Return,
        now: UnixTime,
    ) -> Result<Arc<Client>, Refusal> {
        let encryption = client
            .authorization_encryption
            .filter(|_| to.signed.is_some());
        self.with_key_for(client, encryption, now)
            .await
            .map_err(Refusal::Page)
    }
}

/// RFC 6749 §4.1.2.1: these and nothing else.
fn told(error: &Error) -> Fields {
    vec![
        ("error", error.code.as_str().to_owned()),
        ("error_description", error.description.clone().into_owned()),
    ]
}
