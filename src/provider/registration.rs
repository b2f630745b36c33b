//! Clients that register themselves, and look after their registration (OIDC Dynamic Client Registration 1.0, RFC 7591, RFC 7592):
//! who may, what is kept, what is told back. What may be registered is known to `client::registration`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use url::Url;

use super::fetch::{Kind, fetch};
use super::grants;
use crate::audit::{self, Event};
use crate::client::registered::{self, Changed, New, Registered};
use crate::client::registration_token;
use crate::clock::UnixTime;
use crate::config::provider::{Provider, Registration};
use crate::crypto::{Sealer, Secret, constant_time_eq, sha256};
use crate::id::ClientId;
use crate::oauth::{Error, ErrorCode};
use crate::outbound::Outbound;
use crate::random::Rng;
use crate::store::{self, Conn};

/// OIDC Registration 5: a JSON array of redirect URIs, looked at once.
const SECTOR: Kind = Kind {
    media_types: &["application/json"],
    most_bytes: 64 * 1024,
    shortest: 0,
    usual: 0,
    longest: 0,
};
/// Members that a change must not hold: they are not the client's to choose (RFC 7592 §2.2).
const NOT_SENT: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// By which right somebody registers a client.
#[derive(Clone, Debug)]
pub enum Permit {
    /// Anybody may.
    Open,
    /// A token of the configuration.
    Configured,
    /// A token of the database; a use of it is spent with the registration.
    Token(Secret<String>),
}

impl Permit {
    /// The right that a request brings along (RFC 7591 §3: the initial access token as a Bearer token). Spends nothing.
    pub async fn of(
        conn: &mut Conn,
        settings: &Provider,
        token: Option<&str>,
        now: UnixTime,
    ) -> Result<Option<Self>, store::Error> {
        if settings.registration == Registration::Open {
            return Ok(Some(Self::Open));
        }
        let Some(token) = token else { return Ok(None) };
        let hash = sha256(token.as_bytes());
        let mut configured = settings.registration_tokens.iter();
        if configured.any(|known| constant_time_eq(&hash, &known.0)) {
            return Ok(Some(Self::Configured));
        }
        let counts = registration_token::counts(conn, token, now).await?;
        Ok(counts.then(|| Self::Token(Secret::new(token.to_owned()))))
    }
}

/// OIDC Registration 5: the document behind `sector_identifier_uri` must hold every redirect URI. Goes out: no connection of the
/// store may be held by the caller.
pub async fn check_sector(
    outbound: &Outbound,
    metadata: &Map<String, Value>,
    now: UnixTime,
) -> Result<(), Error> {
    let Some(uri) = metadata
        .get("sector_identifier_uri")
        .and_then(Value::as_str)
    else {
        return Ok(());
    };
    let unreadable = || invalid("sector_identifier_uri could not be read as a JSON array of URIs");
    let url = Url::parse(uri).map_err(|_| unreadable())?;
    let fetched = fetch(outbound, &url, SECTOR, now).await.map_err(|e| {
        tracing::info!(host = url.host_str(), reason = %e, "a sector_identifier_uri could not be read");
        unreadable()
    })?;
    let listed: BTreeSet<String> = serde_json::from_str(&fetched.text).map_err(|_| unreadable())?;
    let uris = metadata.get("redirect_uris").and_then(Value::as_array);
    let holds = |uri: &Value| uri.as_str().is_some_and(|uri| listed.contains(uri));
    if uris.into_iter().flatten().all(holds) {
        Ok(())
    } else {
        Err(invalid(
            "the document behind sector_identifier_uri does not hold every redirect URI",
        ))
    }
}

/// Where registrations are kept and told of.
#[derive(Clone, Copy, Debug)]
pub struct Office<'a> {
    pub sealer: &'a dyn Sealer,
    /// The registration endpoint; below it, each client has an address of its own.
    pub endpoint: &'a str,
    pub now: UnixTime,
}

impl Office<'_> {
    /// Registers a client with accepted `metadata`; what it is told (OIDC Registration 3.2). The inner error: the token was spent
    /// meanwhile.
    pub async fn register(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        permit: &Permit,
        metadata: &Map<String, Value>,
    ) -> Result<Result<Value, Error>, store::Error> {
        let by = match permit {
            Permit::Open => "open".to_owned(),
            Permit::Configured => "configured".to_owned(),
            Permit::Token(token) => {
                match registration_token::spend(conn, token.reveal(), self.now).await? {
                    Some(id) => id,
                    None => return Ok(Err(bad_token())),
                }
            }
        };
        let id = ClientId(rng.id("cl_"));
        let token = rng.token();
        let new = New {
            id: &id,
            metadata,
            secret_expires_at: None,
            registration_token: Some(&token),
        };
        let Some(secret) = registered::add(conn, rng, self.sealer, new, self.now).await? else {
            // 128 random bits that were drawn before.
            return Err(store::Error::RowNotFound);
        };
        let event = Event::done("client.register")
            .with_actor(&*id.0)
            .with_client(&id)
            .with("permit", by);
        audit::record(conn, rng, self.now, &event).await?;
        let told = self.told(&id, metadata, self.now, &token);
        Ok(Ok(with_secret(told, secret.as_ref(), None)))
    }

    /// What a client is told of itself (RFC 7592 §3). A secret that is kept as a hash cannot be told again.
    pub fn read(&self, client: &Registered, token: &str) -> Value {
        let told = self.told(&client.id, &client.metadata, client.created_at, token);
        let secret = client.clear_secret(self.sealer);
        with_secret(told, secret.as_ref(), client.secret_expires_at)
    }

    /// What stands in a change beside metadata (RFC 7592 §2.2).
    pub fn check_change(
        &self,
        client: &Registered,
        sent: &Map<String, Value>,
    ) -> Result<(), Error> {
        if sent.get("client_id").and_then(Value::as_str) != Some(client.id.as_str()) {
            return Err(invalid("client_id must be sent, and be that of the client"));
        }
        if let Some(name) = NOT_SENT.iter().find(|name| sent.contains_key(**name)) {
            return Err(invalid(format!("{name} must not be sent with a change")));
        }
        match sent.get("client_secret") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(secret))
                if client
                    .secret
                    .is_some_and(|hash| constant_time_eq(&hash, &sha256(secret.as_bytes()))) =>
            {
                Ok(())
            }
            Some(_) => Err(invalid("client_secret is not the one that was issued")),
        }
    }

    /// Puts accepted `metadata` in the place of those of `before`; what the client is told. `None`: it is gone, or was changed meanwhile.
    pub async fn change(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        before: &Registered,
        token: &str,
        metadata: &Map<String, Value>,
    ) -> Result<Option<Value>, store::Error> {
        let changed =
            registered::replace(conn, rng, self.sealer, before, metadata, self.now).await?;
        let told = self.told(&before.id, metadata, before.created_at, token);
        let told = match changed {
            Changed::Gone => return Ok(None),
            Changed::Kept => {
                let secret = before
                    .clear_secret(self.sealer)
                    .filter(|_| registered::needs_clear_secret(metadata));
                with_secret(told, secret.as_ref(), before.secret_expires_at)
            }
            Changed::NewSecret(secret) => with_secret(told, Some(&secret), None),
        };
        let event = Event::done("client.change")
            .with_actor(&*before.id.0)
            .with_client(&before.id);
        audit::record(conn, rng, self.now, &event).await?;
        Ok(Some(told))
    }

    /// The client takes itself out: its grants end with it (RFC 7592 §2.3). Whether it was there.
    pub async fn remove(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        id: &ClientId,
    ) -> Result<bool, store::Error> {
        if !registered::remove(conn, id, self.now).await? {
            return Ok(false);
        }
        let ended = grants::revoke_client(conn, id, self.now).await?;
        let event = Event::done("client.leave")
            .with_actor(&*id.0)
            .with_client(id)
            .with("grants_ended", ended);
        audit::record(conn, rng, self.now, &event).await?;
        Ok(true)
    }

    fn told(
        &self,
        id: &ClientId,
        metadata: &Map<String, Value>,
        issued_at: UnixTime,
        token: &str,
    ) -> Map<String, Value> {
        let mut told = metadata.clone();
        for (name, value) in [
            ("client_id", id.as_str().into()),
            ("client_id_issued_at", issued_at.0.into()),
            ("registration_access_token", token.into()),
            (
                "registration_client_uri",
                format!("{}/{}", self.endpoint, id.as_str()).into(),
            ),
        ] {
            told.insert(name.to_owned(), value);
        }
        told
    }
}

/// RFC 7591 §3.2.1: a secret comes with its end; 0: it has none.
fn with_secret(
    mut told: Map<String, Value>,
    secret: Option<&Secret<String>>,
    expires_at: Option<UnixTime>,
) -> Value {
    if let Some(secret) = secret {
        told.insert("client_secret".to_owned(), secret.reveal().as_str().into());
        let end = expires_at.map_or(0, |end| end.0);
        told.insert("client_secret_expires_at".to_owned(), end.into());
    }
    Value::Object(told)
}

/// RFC 6750 §3.1.
pub fn bad_token() -> Error {
    Error::new(
        ErrorCode::InvalidToken,
        "the token is missing, unknown, used up or expired",
    )
}

fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::InvalidClientMetadata, description)
}
