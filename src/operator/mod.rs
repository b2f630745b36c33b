//! What an operator does to clients, trust and (later) keys and people: dangerous acts as values. An [`Act`] can be written down, read
//! again and applied elsewhere or later, so that dry run, audit and a second operator's approval are one function and one shape:
//! [`Act::apply`]. Not here: who may act (the door knows), and how an outcome is told (`cli`, later `web::admin`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::audit::{self, Event};
use crate::client::registered;
use crate::client::{Client, MetadataError, Platform, Profile};
use crate::clock::UnixTime;
use crate::config::Role;
use crate::crypto::Secret;
use crate::federation::EntityId;
use crate::federation::authority::{InvalidSubordinate, NewSubordinate, Subordinate};
use crate::id::ClientId;
use crate::provider::grants;
use crate::random::Rng;
use crate::store::{self, Conn, Store};

/// One dangerous act. Written as JSON with its name in `act`; unknown members are refused, since whoever approves must have read all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Register a client (OIDC Registration §2). A secret, where the method needs one, is made when the act is applied.
    AddClient {
        client_id: ClientId,
        metadata: Map<String, Value>,
    },
    /// Remove a client: its grants end, its id is never given again.
    RemoveClient { client_id: ClientId },
    /// Give a client a new secret; the old one stops.
    RotateSecret { client_id: ClientId },
    /// Vouch for an entity, or change what is said about it.
    Enrol(NewSubordinate),
    /// Stop vouching for an entity.
    Drop { entity_id: EntityId },
}

/// The entity that is acted on.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    pub store: &'a Store,
    pub role: Role,
    /// Redirect URIs of the plain-http demonstration are acceptable.
    pub plain_http: bool,
    pub now: UnixTime,
}

/// Whether the act is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything is done and taken back: what is wrong is found, nothing stays.
    DryRun,
    Apply,
}

impl Mode {
    pub const fn of(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::Apply }
    }
}

/// What an act did, or would do.
#[derive(Debug)]
pub enum Effect {
    /// The secret is told this once, and never by a dry run.
    ClientAdded {
        secret: Option<Secret<String>>,
    },
    ClientRemoved {
        grants_ended: u64,
    },
    SecretRotated {
        secret: Option<Secret<String>>,
    },
    Enrolled,
    Dropped,
}

/// Why an act is not done; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{0} is not registered here")]
    UnknownClient(ClientId),
    #[error("{0} is taken; ids of removed clients are not given again")]
    ClientTaken(ClientId),
    #[error("{0} is not registered here, or has no secret")]
    NoSecret(ClientId),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Subordinate(#[from] InvalidSubordinate),
    #[error("{0} is not a subordinate here")]
    NotSubordinate(EntityId),
    #[error(
        "{0} has neither clients nor subordinates of that kind: only a provider has clients, only an anchor or intermediate vouches for others"
    )]
    WrongRole(&'static str),
}

impl Act {
    /// Does the act in one transaction, its audit row inside, as `operator`.
    pub async fn apply(
        &self,
        desk: Desk<'_>,
        rng: &mut Rng,
        operator: &str,
        mode: Mode,
    ) -> Result<Result<Effect, Refusal>, store::Error> {
        if !self.belongs_to(desk.role) {
            return Ok(Err(Refusal::WrongRole(desk.role.as_str())));
        }
        let mut tx = desk.store.write().await?;
        let effect = match self.perform(&mut tx, desk, rng).await? {
            Ok(effect) => effect,
            Err(refusal) => return Ok(Err(refusal)),
        };
        audit::record(&mut tx, rng, desk.now, &self.event(operator)).await?;
        Ok(Ok(match mode {
            Mode::Apply => {
                tx.commit().await?;
                effect
            }
            Mode::DryRun => effect.without_secret(),
        }))
    }

    fn belongs_to(&self, role: Role) -> bool {
        match self {
            Self::AddClient { .. } | Self::RemoveClient { .. } | Self::RotateSecret { .. } => {
                role == Role::Provider
            }
            Self::Enrol(_) | Self::Drop { .. } => matches!(role, Role::Anchor | Role::Intermediate),
        }
    }

    async fn perform(
        &self,
        conn: &mut Conn,
        desk: Desk<'_>,
        rng: &mut Rng,
    ) -> Result<Result<Effect, Refusal>, store::Error> {
        let now = desk.now;
        Ok(match self {
            Self::AddClient {
                client_id,
                metadata,
            } => {
                // Refused here rather than at the first login.
                let sound = Profile::of(metadata).and_then(|profile| {
                    Client::parse(
                        client_id.clone(),
                        profile,
                        metadata,
                        Some([0; 32]),
                        Platform::unvouched(""),
                        desk.plain_http,
                    )
                });
                if let Err(wrong) = sound {
                    return Ok(Err(wrong.into()));
                }
                registered::add(conn, rng, client_id, metadata, now)
                    .await?
                    .map(|secret| Effect::ClientAdded { secret })
                    .ok_or_else(|| Refusal::ClientTaken(client_id.clone()))
            }
            Self::RemoveClient { client_id } => {
                if registered::remove(conn, client_id, now).await? {
                    Ok(Effect::ClientRemoved {
                        grants_ended: grants::revoke_client(conn, client_id, now).await?,
                    })
                } else {
                    Err(Refusal::UnknownClient(client_id.clone()))
                }
            }
            Self::RotateSecret { client_id } => {
                registered::rotate_secret(conn, rng, client_id, now)
                    .await?
                    .map(|secret| Effect::SecretRotated {
                        secret: Some(secret),
                    })
                    .ok_or_else(|| Refusal::NoSecret(client_id.clone()))
            }
            Self::Enrol(subordinate) => subordinate
                .put(conn, now)
                .await?
                .map(|()| Effect::Enrolled)
                .map_err(Refusal::from),
            Self::Drop { entity_id } => {
                if Subordinate::remove(conn, entity_id, now).await? {
                    Ok(Effect::Dropped)
                } else {
                    Err(Refusal::NotSubordinate(entity_id.clone()))
                }
            }
        })
    }

    fn event(&self, operator: &str) -> Event {
        let (kind, client, entity) = match self {
            Self::AddClient { client_id, .. } => ("client.add", Some(client_id), None),
            Self::RemoveClient { client_id } => ("client.remove", Some(client_id), None),
            Self::RotateSecret { client_id } => ("client.rotate_secret", Some(client_id), None),
            Self::Enrol(subordinate) => ("federation.enrol", None, Some(&subordinate.entity_id)),
            Self::Drop { entity_id } => ("federation.drop", None, Some(entity_id)),
        };
        let mut event = Event::done(kind).with_actor(operator);
        if let Some(client) = client {
            event = event.with_client(client);
        }
        if let Some(entity) = entity {
            event = event.with("entity", entity.as_str());
        }
        event
    }
}

impl Effect {
    fn without_secret(self) -> Self {
        match self {
            Self::ClientAdded { .. } => Self::ClientAdded { secret: None },
            Self::SecretRotated { .. } => Self::SecretRotated { secret: None },
            other => other,
        }
    }
}
