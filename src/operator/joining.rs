//! Acts on those who are, or ask to be, vouched for: decisions about requests, policy, suspension and its like. What they are about is
//! `federation::joining`; whoever has contacts is told in the same transaction.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::Event;
use crate::clock::UnixTime;
use crate::federation::EntityId;
use crate::federation::authority::{InvalidSubordinate, NewSubordinate};
use crate::federation::joining::notices::{self, News};
use crate::federation::joining::{Request, State, Wish, check, keys, requests, standing};
use crate::federation::policy::MetadataPolicy;
use crate::jose::JwkSet;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// One of these acts, its name in `step`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum Joining {
    /// Vouch for an entity that asked for it, with the keys that it was found with then.
    Approve {
        request: String,
        subordinate: Box<NewSubordinate>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enrolled_until: Option<UnixTime>,
    },
    /// Vouch for other keys of a subordinate, as it asked.
    ChangeKeys {
        request: String,
        entity_id: EntityId,
        jwks: Value,
    },
    /// Say no to either, with a reason that the applicant reads.
    Refuse {
        request: String,
        entity_id: EntityId,
        reason: String,
    },
    /// Another policy for a subordinate; without one, none.
    SetPolicy {
        entity_id: EntityId,
        metadata_policy: Option<Value>,
    },
    /// Until when a subordinate is vouched for (0: without end), and who is told. What is not named stays.
    SetTerms {
        entity_id: EntityId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enrolled_until: Option<UnixTime>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contacts: Option<Vec<String>>,
    },
    /// Stop vouching for a while; everything is kept.
    Suspend { entity_id: EntityId, reason: String },
    /// Vouch again.
    Resume { entity_id: EntityId },
    /// Its keys are in other hands: stop vouching, believe nothing that they sign, never vouch for them again.
    MarkCompromised { entity_id: EntityId },
}

/// Why such an act is not done.
#[derive(Debug, thiserror::Error)]
pub enum JoiningRefusal {
    #[error("{0} is no open request of that kind")]
    NotOpen(String),
    #[error("{0} is about another entity or other keys than this act; look again")]
    Differs(String),
    #[error(transparent)]
    Subordinate(#[from] InvalidSubordinate),
    #[error("{0} is not a subordinate here")]
    NotSubordinate(EntityId),
    #[error("{0} is not a subordinate here, or is suspended already")]
    NotStanding(EntityId),
    #[error(
        "{0} is not suspended, or its keys are in other hands: then it enrols anew, with `hefu federation enrol`"
    )]
    NotSuspended(EntityId),
    #[error("{0} is no subordinate here whose keys may be changed by request")]
    NotChangeable(EntityId),
    #[error("{0:?} is neither a mail address nor an https address")]
    Contact(String),
    #[error("the end of an enrolment must be a day to come, or 0 for none")]
    Past,
}

impl Joining {
    pub fn entity_id(&self) -> &EntityId {
        match self {
            Self::Approve { subordinate, .. } => &subordinate.entity_id,
            Self::ChangeKeys { entity_id, .. }
            | Self::Refuse { entity_id, .. }
            | Self::SetPolicy { entity_id, .. }
            | Self::SetTerms { entity_id, .. }
            | Self::Suspend { entity_id, .. }
            | Self::Resume { entity_id }
            | Self::MarkCompromised { entity_id } => entity_id,
        }
    }

    pub(super) fn event(&self) -> Event {
        let kind = match self {
            Self::Approve { .. } => "federation.approve",
            Self::ChangeKeys { .. } => "federation.change_keys",
            Self::Refuse { .. } => "federation.refuse",
            Self::SetPolicy { .. } => "federation.set_policy",
            Self::SetTerms { .. } => "federation.set_terms",
            Self::Suspend { .. } => "federation.suspend",
            Self::Resume { .. } => "federation.resume",
            Self::MarkCompromised { .. } => "federation.mark_compromised",
        };
        let event = Event::done(kind).with("entity", self.entity_id().as_str());
        match self {
            Self::Approve { request, .. }
            | Self::ChangeKeys { request, .. }
            | Self::Refuse { request, .. } => event.with("request", request.as_str()),
            _ => event,
        }
    }

    pub(super) async fn perform(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        now: UnixTime,
    ) -> Result<Result<(), JoiningRefusal>, Error> {
        let done = match self {
            Self::Approve {
                request,
                subordinate,
                enrolled_until,
            } => return approve(conn, rng, request, subordinate, *enrolled_until, now).await,
            Self::ChangeKeys {
                request,
                entity_id,
                jwks,
            } => return change_keys(conn, rng, request, entity_id, jwks, now).await,
            Self::Refuse {
                request,
                entity_id,
                reason,
            } => return refuse(conn, rng, request, entity_id, reason, now).await,
            Self::SetPolicy {
                entity_id,
                metadata_policy,
            } => {
                if let Some(policy) = metadata_policy
                    && let Err(e) = MetadataPolicy::parse(policy)
                {
                    return Ok(Err(InvalidSubordinate::Policy(e.to_string()).into()));
                }
                let done =
                    standing::set_policy(conn, entity_id, metadata_policy.as_ref(), now).await?;
                notices::tell(conn, rng, entity_id, News::PolicyChanged, "", now).await?;
                done.then_some(())
                    .ok_or(JoiningRefusal::NotSubordinate(entity_id.clone()))
            }
            Self::SetTerms {
                entity_id,
                enrolled_until: until,
                contacts,
            } => {
                if until.is_some_and(|until| until.0 != 0 && until <= now) {
                    return Ok(Err(JoiningRefusal::Past));
                }
                let odd = contacts.iter().flatten().find(|c| !check::is_contact(c));
                if let Some(odd) = odd {
                    return Ok(Err(JoiningRefusal::Contact(odd.clone())));
                }
                let done =
                    standing::set_terms(conn, entity_id, *until, contacts.as_deref(), now).await?;
                done.then_some(())
                    .ok_or(JoiningRefusal::NotSubordinate(entity_id.clone()))
            }
            Self::Suspend { entity_id, reason } => {
                let done = standing::suspend(conn, entity_id, now).await?;
                notices::tell(conn, rng, entity_id, News::Suspended, reason, now).await?;
                done.then_some(())
                    .ok_or(JoiningRefusal::NotStanding(entity_id.clone()))
            }
            Self::Resume { entity_id } => {
                let done = standing::resume(conn, entity_id, now).await?;
                notices::tell(conn, rng, entity_id, News::Resumed, "", now).await?;
                done.then_some(())
                    .ok_or(JoiningRefusal::NotSuspended(entity_id.clone()))
            }
            Self::MarkCompromised { entity_id } => {
                let done = standing::compromise(conn, entity_id, now).await?;
                let reason = "the keys of this entity were reported as being in other hands";
                requests::overtake(conn, entity_id, Wish::Keys, reason, now).await?;
                notices::tell(conn, rng, entity_id, News::Compromised, "", now).await?;
                done.then_some(())
                    .ok_or(JoiningRefusal::NotSubordinate(entity_id.clone()))
            }
        };
        Ok(done)
    }
}

async fn approve(
    conn: &mut Conn,
    rng: &mut Rng,
    id: &str,
    subordinate: &NewSubordinate,
    enrolled_until: Option<UnixTime>,
    now: UnixTime,
) -> Result<Result<(), JoiningRefusal>, Error> {
    if enrolled_until.is_some_and(|until| until <= now) {
        return Ok(Err(JoiningRefusal::Past));
    }
    let request = match open(
        conn,
        id,
        Wish::Join,
        &subordinate.entity_id,
        &subordinate.jwks,
    )
    .await?
    {
        Ok(request) => request,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if !requests::decide(conn, id, State::Approved, None, now).await? {
        return Ok(Err(JoiningRefusal::NotOpen(id.to_owned())));
    }
    if let Err(invalid) = subordinate.put(conn, now).await? {
        return Ok(Err(invalid.into()));
    }
    let (who, contacts) = (&subordinate.entity_id, &request.contacts);
    standing::set_terms(conn, who, enrolled_until, Some(contacts), now).await?;
    notices::put(conn, rng, who, contacts, News::Approved, "", now).await?;
    Ok(Ok(()))
}

async fn change_keys(
    conn: &mut Conn,
    rng: &mut Rng,
    id: &str,
    entity_id: &EntityId,
    jwks: &Value,
    now: UnixTime,
) -> Result<Result<(), JoiningRefusal>, Error> {
    if let Err(refusal) = open(conn, id, Wish::Keys, entity_id, jwks).await? {
        return Ok(Err(refusal));
    }
    let jwks = match JwkSet::parse_strict(jwks) {
        Ok(jwks) => jwks,
        Err(e) => return Ok(Err(InvalidSubordinate::Keys(e.to_string()).into())),
    };
    if let Some(kid) = standing::compromised_key(conn, &jwks).await? {
        return Ok(Err(InvalidSubordinate::CompromisedKey(kid).into()));
    }
    if !requests::decide(conn, id, State::Approved, None, now).await? {
        return Ok(Err(JoiningRefusal::NotOpen(id.to_owned())));
    }
    if !standing::change_keys(conn, entity_id, &jwks, now).await? {
        return Ok(Err(JoiningRefusal::NotChangeable(entity_id.clone())));
    }
    notices::tell(conn, rng, entity_id, News::KeysChanged, "", now).await?;
    Ok(Ok(()))
}

async fn refuse(
    conn: &mut Conn,
    rng: &mut Rng,
    id: &str,
    entity_id: &EntityId,
    reason: &str,
    now: UnixTime,
) -> Result<Result<(), JoiningRefusal>, Error> {
    let found = Request::find(conn, id).await?;
    let Some(request) = found.filter(|request| request.entity_id == *entity_id) else {
        return Ok(Err(JoiningRefusal::NotOpen(id.to_owned())));
    };
    if !requests::decide(conn, id, State::Refused, Some(reason), now).await? {
        return Ok(Err(JoiningRefusal::NotOpen(id.to_owned())));
    }
    notices::put(
        conn,
        rng,
        entity_id,
        &request.contacts,
        News::Refused,
        reason,
        now,
    )
    .await?;
    Ok(Ok(()))
}

/// The open request `id`, when it is about exactly this: whoever approved must have read what is done.
async fn open(
    conn: &mut Conn,
    id: &str,
    wish: Wish,
    entity_id: &EntityId,
    jwks: &Value,
) -> Result<Result<Request, JoiningRefusal>, Error> {
    let found = Request::find(conn, id).await?;
    let is_open = |r: &Request| r.wish == wish && r.state == State::Filed;
    let Some(request) = found.filter(is_open) else {
        return Ok(Err(JoiningRefusal::NotOpen(id.to_owned())));
    };
    let filed = JwkSet::parse_strict(&request.jwks);
    let same = matches!((&filed, JwkSet::parse_strict(jwks)), (Ok(a), Ok(b)) if keys::same(a, &b));
    Ok(if same && request.entity_id == *entity_id {
        Ok(request)
    } else {
        Err(JoiningRefusal::Differs(id.to_owned()))
    })
}
