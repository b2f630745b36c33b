//! Explicit registration (OpenID Federation 1.0 §12.2) as the party that asks: before the first login, and again well before the
//! registration ends. What a good answer is, is known to `federation::registration`; the provider's side is in `provider`.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::clock::UnixTime;
use crate::config::portal::Registration;
use crate::crypto::Purpose;
use crate::federation::TrustChain;
use crate::federation::entity::OPENID_RELYING_PARTY;
use crate::federation::registration::{Answer, RESPONSE_TYP};
use crate::federation::statement::{self, Rules};
use crate::oauth::Algorithm;
use crate::outbound::Limits;
use crate::relying::metadata::CALLBACK;
use crate::relying::{LoginError, Party, Provider, Untrusted};

/// Seconds that a request asks to be registered for; chains end it sooner.
const LIFETIME: i64 = 86_400;
/// Seconds after a failure in which nobody tries again.
const PATIENCE: i64 = 10;

/// Our chain and the provider's, to one trust anchor, both as we resolved them.
#[derive(Debug, Clone)]
pub struct Ways {
    pub own: Arc<TrustChain>,
    pub peer: Arc<TrustChain>,
    pub rules: Rules,
}

/// How we are registered now. One provider, so one place; another node registers for itself.
#[derive(Debug, Default)]
pub(super) struct Place(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    registration: Option<Registered>,
    failed_at: Option<UnixTime>,
}

#[derive(Debug, Clone, Copy)]
struct Registered {
    renew_at: UnixTime,
    expires_at: UnixTime,
}

impl Party {
    /// Registers or renews where it is due; a job calls it, so that a registration lasts while nobody logs in.
    pub async fn keep_registered(&self, now: UnixTime) -> Result<(), LoginError> {
        if self.settings.registration == Registration::Automatic {
            return Ok(());
        }
        let (provider, _) = self.provider(now).await?;
        self.registered(&provider, now).await
    }

    /// Sees to it that the provider knows us, where we register explicitly. Those who come together wait for one registration.
    pub(super) async fn registered(
        &self,
        provider: &Provider,
        now: UnixTime,
    ) -> Result<(), LoginError> {
        if self.settings.registration == Registration::Automatic {
            return Ok(());
        }
        let mut held = self.registration.0.lock().await;
        let holds = held.registration.filter(|r| now < r.expires_at);
        if holds.is_some_and(|r| now < r.renew_at) {
            return Ok(());
        }
        let lately = held.failed_at.is_some_and(|at| now.since(at) < PATIENCE);
        let error = if lately {
            LoginError::Unreachable("the registration failed a moment ago".to_owned())
        } else {
            match self.register(provider, now).await {
                Ok(registered) => {
                    *held = Held {
                        registration: Some(registered),
                        failed_at: None,
                    };
                    return Ok(());
                }
                Err(error) => {
                    held.failed_at = Some(now);
                    error
                }
            }
        };
        match holds {
            // The old one serves until its end.
            Some(_) => {
                tracing::warn!(%error, "our registration could not be renewed yet");
                Ok(())
            }
            None => Err(error),
        }
    }

    async fn register(&self, provider: &Provider, now: UnixTime) -> Result<Registered, LoginError> {
        let ways = self
            .trust
            .ways(&self.id, &self.settings.provider, now)
            .await
            .map_err(|Untrusted(reason)| LoginError::Untrusted(reason))?;
        // §12.2.4: an answer that does not hold is discarded; once more is allowed.
        let mut answer = self.ask(provider, &ways, now).await;
        if matches!(answer, Err(LoginError::Invalid(_))) {
            answer = self.ask(provider, &ways, now).await;
        }
        let answer = answer?;
        let life = answer.expires_at.since(now);
        tracing::info!(provider = %provider.issuer, seconds = life, "registered at the provider");
        Ok(Registered {
            renew_at: now.plus(life / 2),
            expires_at: answer.expires_at,
        })
    }

    async fn ask(
        &self,
        provider: &Provider,
        ways: &Ways,
        now: UnixTime,
    ) -> Result<Answer, LoginError> {
        let endpoint = provider
            .federation_registration_endpoint
            .as_ref()
            .ok_or_else(|| LoginError::Untrusted("it takes no registrations".to_owned()))?;
        let request = self.registration_request(provider, ways, now).await?;
        let answer = self
            .outbound
            .post(
                endpoint,
                "application/entity-statement+jwt",
                request.into_bytes(),
                &Limits::default(),
            )
            .await
            .map_err(|e| LoginError::Unreachable(e.to_string()))?;
        if answer.status() != http::StatusCode::OK {
            let told: Map<String, Value> =
                serde_json::from_slice(answer.body()).unwrap_or_default();
            let text = |name: &str| told.get(name).and_then(Value::as_str);
            return Err(LoginError::Refused {
                code: text("error").unwrap_or("server_error").to_owned(),
                description: text("error_description").map(str::to_owned),
            });
        }
        let invalid = |reason: String| LoginError::Invalid(format!("the registration: {reason}"));
        let media_type = answer
            .headers()
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if media_type.strip_prefix("application/") != Some(RESPONSE_TYP) {
            return Err(invalid(format!("it came as {media_type:?}")));
        }
        let token = String::from_utf8(answer.into_body())
            .map_err(|_| invalid("it is not text".to_owned()))?;
        let answer = Answer::verify(token.trim_ascii(), &ways.own, &ways.peer, &ways.rules, now)
            .map_err(invalid)?;
        self.fits(&answer)
            .map_err(|name| invalid(format!("we cannot live with its {name}")))?;
        Ok(answer)
    }

    /// §12.2.1: what we publish, for the provider alone, along the chain that was chosen.
    async fn registration_request(
        &self,
        provider: &Provider,
        ways: &Ways,
        now: UnixTime,
    ) -> Result<String, LoginError> {
        let published = ways.own.subject_configuration();
        let superior = ways
            .own
            .superior_statement()
            .map(|statement| &statement.iss);
        let mut claims = json!({
            "iss": &*self.id,
            "sub": &*self.id,
            "aud": provider.issuer,
            "iat": now,
            "exp": now.plus(LIFETIME),
            "jwks": *self.signer.published(Purpose::Federation),
            "authority_hints": superior.into_iter().collect::<Vec<_>>(),
            "metadata": { OPENID_RELYING_PARTY: published.metadata.get(OPENID_RELYING_PARTY) },
        });
        let marks = published
            .configuration()
            .map(|c| c.trust_marks.as_slice())
            .unwrap_or_default();
        if !marks.is_empty() {
            let shown = marks.iter().map(
                |mark| json!({"trust_mark_type": mark.trust_mark_type, "trust_mark": mark.trust_mark}),
            );
            claims["trust_marks"] = shown.collect();
        }
        let header = json!({
            "typ": statement::TYP,
            "trust_chain": ways.own.tokens(),
            "peer_trust_chain": ways.peer.tokens(),
        });
        let header = header.as_object().cloned().unwrap_or_default();
        let payload = claims.to_string();
        Ok(self
            .signer
            .sign(
                Purpose::Federation,
                Algorithm::ES256,
                header,
                payload.as_bytes(),
            )
            .await?)
    }

    /// Whether we can be the client that was registered; the error is the member that we cannot live with.
    fn fits(&self, answer: &Answer) -> Result<(), &'static str> {
        let text = |name: &str| answer.metadata.get(name).and_then(Value::as_str);
        // Our entity identifier is our name everywhere; an answer may give another, and we have no use for it.
        if answer.client_id != *self.id {
            return Err("client_id");
        }
        let callback = self.url(CALLBACK);
        let uris = answer
            .metadata
            .get("redirect_uris")
            .and_then(Value::as_array);
        if !uris.is_some_and(|uris| uris.iter().any(|uri| *uri == callback)) {
            return Err("redirect_uris");
        }
        for (name, ours) in [
            ("token_endpoint_auth_method", "private_key_jwt"),
            (
                "id_token_signed_response_alg",
                self.settings.id_token_signed_response_alg.as_str(),
            ),
        ] {
            if text(name) != Some(ours) {
                return Err(name);
            }
        }
        Ok(())
    }
}
