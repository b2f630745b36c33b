//! What an operator does to clients, trust and (later) keys and people: dangerous acts as values. An [`Act`] can be written down, read
//! again and applied elsewhere or later, so that dry run, audit and a second operator's approval are one function and one shape:
//! [`Act::apply`]. Beside them operators themselves: `invitation`, `account`, `passkey`, `session`, and `role`, the rules of who may.
//! Not here: how an outcome is told (`cli`, `web::admin`).

pub mod account;
pub mod invitation;
pub mod passkey;
pub mod role;
pub mod session;

mod joining;
mod trust_mark;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::audit::{self, Event};
use crate::client::registered::{self, Changed, New};
use crate::client::registration_token;
use crate::client::{Client, MetadataError, Platform, Profile};
use crate::clock::UnixTime;
use crate::config::Role;
use crate::crypto::{Sealer, Secret};
use crate::federation::EntityId;
use crate::federation::authority::{
    InvalidSubordinate, NewSubordinate, Subordinate, revoke_trust_mark,
};
use crate::federation::joining::notices::{self, News};
use crate::federation::trust_mark::InvalidDelegation;
use crate::id::{ClientId, OperatorId};
use crate::provider::grants;
use crate::random::Rng;
use crate::store::{self, Conn, Store};
use role::Roles;

pub use joining::{Joining, JoiningRefusal};

/// One dangerous act. Written as JSON with its name in `act`; unknown members are refused, since whoever approves must have read all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Register a client (OIDC Registration §2). A secret, where the method needs one, is made when the act is applied.
    AddClient {
        client_id: ClientId,
        metadata: Map<String, Value>,
        /// When the secret stops; without: never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret_expires_at: Option<UnixTime>,
    },
    /// Put these metadata in the place of a client's. Its secret stays, where there was one and its method still needs one.
    SetClient {
        client_id: ClientId,
        metadata: Map<String, Value>,
    },
    /// Remove a client: its grants end, its id is never given again.
    RemoveClient { client_id: ClientId },
    /// Give a client a new secret; the old one stops.
    RotateSecret {
        client_id: ClientId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret_expires_at: Option<UnixTime>,
    },
    /// Make an initial access token, with which clients register themselves (RFC 7591 §1.2).
    IssueRegistrationToken { uses: i64, expires_at: UnixTime },
    /// End such a token before its day.
    RevokeRegistrationToken { id: String },
    /// Vouch for an entity, or change what is said about it.
    Enrol(Box<NewSubordinate>),
    /// Stop vouching for an entity.
    Drop { entity_id: EntityId },
    /// Give a subordinate a trust mark, or change until when it has it.
    IssueTrustMark {
        trust_mark_type: String,
        subject: EntityId,
        /// Without: until it is revoked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<UnixTime>,
    },
    /// Take a trust mark back.
    RevokeTrustMark {
        trust_mark_type: String,
        subject: EntityId,
    },
    /// Let somebody issue marks of a type that this entity owns. The delegation itself is signed by whoever applied the act.
    DelegateTrustMark {
        trust_mark_type: String,
        issuer: EntityId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<UnixTime>,
    },
    /// Put a delegation, received from the owner of a type, into the marks that are issued from now on.
    KeepDelegation { delegation: String },
    /// What happens between the two, and to those who ask.
    Joining(Joining),
    /// Invite somebody to operate this entity at its console.
    InviteOperator {
        /// By which colleagues know them.
        name: String,
        roles: Roles,
        expires_at: UnixTime,
    },
    /// Let an operator in no more, or take an invitation back that nobody used.
    DisableOperator { operator: OperatorId },
}

/// The entity that is acted on.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    pub store: &'a Store,
    pub role: Role,
    /// Seals what secrets must be known.
    pub sealer: &'a dyn Sealer,
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
    /// A secret only where the change makes one necessary.
    ClientSet {
        secret: Option<Secret<String>>,
    },
    ClientRemoved {
        grants_ended: u64,
    },
    SecretRotated {
        secret: Option<Secret<String>>,
    },
    /// The token is told this once, and never by a dry run.
    RegistrationTokenIssued {
        id: String,
        token: Option<Secret<String>>,
    },
    RegistrationTokenRevoked,
    Enrolled,
    Dropped,
    TrustMarkIssued,
    TrustMarkRevoked,
    TrustMarkDelegated,
    DelegationKept {
        trust_mark_type: String,
    },
    /// A step of joining is done; it says by itself which.
    Stepped,
    /// The token is told this once, and never by a dry run.
    OperatorInvited {
        id: OperatorId,
        token: Option<Secret<String>>,
    },
    OperatorDisabled,
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
    #[error("{0} was changed by somebody else meanwhile; look again")]
    Raced(ClientId),
    #[error("a token works at least once, and until a day to come")]
    UselessToken,
    #[error("{0} is no registration token that still counts")]
    UnknownToken(String),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Subordinate(#[from] InvalidSubordinate),
    #[error(transparent)]
    Joining(#[from] JoiningRefusal),
    #[error("{0} is not a subordinate here")]
    NotSubordinate(EntityId),
    #[error("a trust mark type is a URL of the federation that defines it; {0:?} is none")]
    TrustMarkType(String),
    #[error("the end lies in the past")]
    UselessMark,
    #[error("{0} has no trust mark of this type")]
    NoTrustMark(EntityId),
    #[error(transparent)]
    Delegation(#[from] InvalidDelegation),
    #[error("an invitation names somebody in 1 to 60 printable characters, until a day to come")]
    UselessInvitation,
    #[error("{0} is neither an operator here nor invited, or is disabled already")]
    UnknownOperator(OperatorId),
    #[error(
        "{0} has neither clients nor subordinates of that kind: only a provider has clients, only an anchor or intermediate vouches for others"
    )]
    WrongRole(&'static str),
}

impl Desk<'_> {
    /// What makes no client is refused here rather than at the first login.
    fn look_at(self, id: &ClientId, metadata: &Map<String, Value>) -> Result<(), MetadataError> {
        let profile = Profile::of(metadata)?;
        let (secret, nobody) = (Some([0; 32]), Platform::unvouched(""));
        Client::parse(
            id.clone(),
            profile,
            metadata,
            secret,
            nobody,
            self.plain_http,
        )
        .map(|_| ())
    }
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
        let effect = match self.perform(&mut tx, desk, rng, operator).await? {
            Ok(effect) => effect,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let event = effect.noted_in(self.event(operator));
        audit::record(&mut tx, rng, desk.now, &event).await?;
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
            Self::AddClient { .. }
            | Self::SetClient { .. }
            | Self::RemoveClient { .. }
            | Self::RotateSecret { .. }
            | Self::IssueRegistrationToken { .. }
            | Self::RevokeRegistrationToken { .. } => role == Role::Provider,
            Self::Enrol(_)
            | Self::Drop { .. }
            | Self::IssueTrustMark { .. }
            | Self::RevokeTrustMark { .. }
            | Self::Joining(_)
            | Self::KeepDelegation { .. } => matches!(role, Role::Anchor | Role::Intermediate),
            // Owners of types need not be authorities (OpenID Federation 1.0 §7.2).
            Self::DelegateTrustMark { .. }
            | Self::InviteOperator { .. }
            | Self::DisableOperator { .. } => role != Role::Register,
        }
    }

    async fn perform(
        &self,
        conn: &mut Conn,
        desk: Desk<'_>,
        rng: &mut Rng,
        operator: &str,
    ) -> Result<Result<Effect, Refusal>, store::Error> {
        let now = desk.now;
        Ok(match self {
            Self::AddClient {
                client_id,
                metadata,
                secret_expires_at,
            } => {
                if let Err(wrong) = desk.look_at(client_id, metadata) {
                    return Ok(Err(wrong.into()));
                }
                let new = New {
                    id: client_id,
                    metadata,
                    secret_expires_at: *secret_expires_at,
                    registration_token: None,
                };
                registered::add(conn, rng, desk.sealer, new, now)
                    .await?
                    .map(|secret| Effect::ClientAdded { secret })
                    .ok_or_else(|| Refusal::ClientTaken(client_id.clone()))
            }
            Self::SetClient {
                client_id,
                metadata,
            } => {
                if let Err(wrong) = desk.look_at(client_id, metadata) {
                    return Ok(Err(wrong.into()));
                }
                let Some(before) = registered::find(conn, client_id).await? else {
                    return Ok(Err(Refusal::UnknownClient(client_id.clone())));
                };
                match registered::replace(conn, rng, desk.sealer, &before, metadata, now).await? {
                    Changed::Gone => Err(Refusal::Raced(client_id.clone())),
                    Changed::Kept => Ok(Effect::ClientSet { secret: None }),
                    Changed::NewSecret(secret) => Ok(Effect::ClientSet {
                        secret: Some(secret),
                    }),
                }
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
            Self::RotateSecret {
                client_id,
                secret_expires_at: end,
            } => registered::rotate_secret(conn, rng, desk.sealer, client_id, *end, now)
                .await?
                .map(|secret| Effect::SecretRotated {
                    secret: Some(secret),
                })
                .ok_or_else(|| Refusal::NoSecret(client_id.clone())),
            Self::IssueRegistrationToken { uses, expires_at } => {
                if *uses < 1 || *expires_at <= now {
                    return Ok(Err(Refusal::UselessToken));
                }
                let (id, token) =
                    registration_token::issue(conn, rng, *uses, *expires_at, now).await?;
                Ok(Effect::RegistrationTokenIssued {
                    id,
                    token: Some(token),
                })
            }
            Self::RevokeRegistrationToken { id } => {
                if registration_token::revoke(conn, id, now).await? {
                    Ok(Effect::RegistrationTokenRevoked)
                } else {
                    Err(Refusal::UnknownToken(id.clone()))
                }
            }
            Self::Enrol(subordinate) => subordinate
                .put(conn, now)
                .await?
                .map(|()| Effect::Enrolled)
                .map_err(Refusal::from),
            Self::Drop { entity_id } => {
                notices::tell(conn, rng, entity_id, News::Dropped, "", now).await?;
                if Subordinate::remove(conn, entity_id, now).await? {
                    Ok(Effect::Dropped)
                } else {
                    Err(Refusal::NotSubordinate(entity_id.clone()))
                }
            }
            Self::IssueTrustMark {
                trust_mark_type,
                subject,
                expires_at,
            } => trust_mark::issue(conn, trust_mark_type, subject, *expires_at, now).await?,
            Self::RevokeTrustMark {
                trust_mark_type,
                subject,
            } => {
                if revoke_trust_mark(conn, trust_mark_type, subject, now).await? {
                    Ok(Effect::TrustMarkRevoked)
                } else {
                    Err(Refusal::NoTrustMark(subject.clone()))
                }
            }
            Self::DelegateTrustMark {
                trust_mark_type,
                expires_at,
                ..
            } => trust_mark::check(trust_mark_type, *expires_at, now)
                .map(|()| Effect::TrustMarkDelegated),
            Self::KeepDelegation { delegation } => trust_mark::keep(conn, delegation, now).await?,
            Self::Joining(step) => step
                .perform(conn, rng, now)
                .await?
                .map(|()| Effect::Stepped)
                .map_err(Refusal::from),
            Self::InviteOperator {
                name,
                roles,
                expires_at,
            } => {
                let printable = !name.trim().is_empty() && !name.chars().any(char::is_control);
                if !printable || name.chars().count() > 60 || *expires_at <= now {
                    return Ok(Err(Refusal::UselessInvitation));
                }
                let new = invitation::New {
                    name,
                    roles,
                    invited_by: operator,
                    expires_at: *expires_at,
                };
                let (id, token) = invitation::issue(conn, rng, new, now).await?;
                Ok(Effect::OperatorInvited {
                    id,
                    token: Some(token),
                })
            }
            Self::DisableOperator { operator } => {
                let withdrawn = invitation::withdraw(conn, operator, now).await?;
                if account::disable(conn, operator, now).await? || withdrawn {
                    Ok(Effect::OperatorDisabled)
                } else {
                    Err(Refusal::UnknownOperator(operator.clone()))
                }
            }
        })
    }

    fn event(&self, operator: &str) -> Event {
        let (kind, client, entity) = match self {
            Self::AddClient { client_id, .. } => ("client.add", Some(client_id), None),
            Self::SetClient { client_id, .. } => ("client.set", Some(client_id), None),
            Self::RemoveClient { client_id } => ("client.remove", Some(client_id), None),
            Self::RotateSecret { client_id, .. } => ("client.rotate_secret", Some(client_id), None),
            Self::IssueRegistrationToken { .. } => ("registration_token.issue", None, None),
            Self::RevokeRegistrationToken { .. } => ("registration_token.revoke", None, None),
            Self::Enrol(subordinate) => ("federation.enrol", None, Some(&subordinate.entity_id)),
            Self::Drop { entity_id } => ("federation.drop", None, Some(entity_id)),
            Self::IssueTrustMark { subject, .. } => ("trust_mark.issue", None, Some(subject)),
            Self::RevokeTrustMark { subject, .. } => ("trust_mark.revoke", None, Some(subject)),
            Self::DelegateTrustMark { issuer, .. } => ("trust_mark.delegate", None, Some(issuer)),
            Self::KeepDelegation { .. } => ("trust_mark.keep_delegation", None, None),
            Self::Joining(step) => return step.event().with_actor(operator),
            Self::InviteOperator { .. } => ("operator.invite", None, None),
            Self::DisableOperator { .. } => ("operator.disable", None, None),
        };
        let mut event = Event::done(kind).with_actor(operator);
        if let Some(trust_mark_type) = self.trust_mark_type() {
            event = event.with("trust_mark_type", trust_mark_type);
        }
        if let Self::RevokeRegistrationToken { id } = self {
            event = event.with("token", id.as_str());
        }
        if let Self::InviteOperator { roles, .. } = self {
            event = event.with("roles", roles.to_string());
        }
        if let Self::DisableOperator { operator } = self {
            event = event.with("operator", operator.as_str());
        }
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
    /// What only the outcome knows.
    fn noted_in(&self, event: Event) -> Event {
        match self {
            Self::OperatorInvited { id, .. } => event.with("operator", id.as_str()),
            _ => event,
        }
    }

    fn without_secret(self) -> Self {
        match self {
            Self::ClientAdded { .. } => Self::ClientAdded { secret: None },
            Self::ClientSet { .. } => Self::ClientSet { secret: None },
            Self::RegistrationTokenIssued { id, .. } => {
                Self::RegistrationTokenIssued { id, token: None }
            }
            Self::SecretRotated { .. } => Self::SecretRotated { secret: None },
            Self::OperatorInvited { id, .. } => Self::OperatorInvited { id, token: None },
            other => other,
        }
    }
}
