//! What an anchor or an intermediate serves (OpenID Federation 1.0 §8): statements about its subordinates, their list,
//! resolved metadata of entities below it, and the trust marks it gives. Knows no HTTP; its doors are in `web::federation`.

mod caller;
pub mod hops;
pub mod listing;
pub mod map;
mod mark;
mod resolver;
pub mod state;
mod subordinate;
pub mod subtree;

use std::sync::{Arc, Mutex, PoisonError};

use moka::future::Cache;
use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::config;
use crate::crypto::{Purpose, SignError, Signer};
use crate::federation::chain::{Anchor, Anchors};
use crate::federation::entity::{EntityId, Schemes};
use crate::federation::joining::standing::Standing;
use crate::federation::publish::{Signed, endpoint_url};
use crate::federation::resolve::Resolver;
use crate::federation::statement;
use crate::jose::JwkSet;
use crate::oauth::{Algorithm, Error, ErrorCode};
use crate::store::{self, Store};

pub use caller::Shown;
pub use mark::{IssuedMark, give_trust_mark, revoke_trust_mark};
pub use subordinate::{
    Face, InvalidSubordinate, ListFilter, NewSubordinate, Subordinate, everyone, faces, list,
};

/// What an authority is told once.
#[derive(Debug, Clone)]
pub struct AuthoritySettings {
    pub id: EntityId,
    pub alg: Algorithm,
    pub section: config::authority::Authority,
    /// Whether this entity is itself the anchor that its resolve responses end at. Its own keys are then the anchor's
    /// keys, followed as they rotate.
    pub is_anchor: bool,
}

/// An authority at work.
#[derive(Debug)]
pub struct Authority {
    settings: AuthoritySettings,
    signer: Arc<dyn Signer>,
    store: Store,
    resolver: Arc<Resolver>,
    statements: Cache<EntityId, Arc<Signed>>,
    responses: Cache<resolver::Asked, Arc<Signed>>,
    /// By type, subject and when it was given.
    marks: Cache<(String, EntityId, UnixTime), Arc<Signed>>,
    /// What was lately said about a mark, by its hash and the status.
    statuses: Cache<([u8; 32], &'static str), (UnixTime, Arc<str>)>,
    subtree: subtree::Subtree,
    /// What was last written about members, and when it is written again though nothing changed.
    noted: Cache<EntityId, (Arc<state::State>, UnixTime)>,
    /// The keys that were published when what is remembered was signed.
    published: Mutex<Arc<Value>>,
}

/// Why an authority does not answer with the object.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Said to the caller (§8.9).
    #[error(transparent)]
    Refused(#[from] Error),
    /// Our own fault: `server_error`, logged at the door.
    #[error("the database failed: {0}")]
    Store(#[from] store::Error),
    #[error("signing failed: {0}")]
    Sign(#[from] SignError),
}

impl Authority {
    /// `resolver` should trust what this authority trusts: its configured anchors, or itself when it is the anchor.
    pub fn new(
        settings: AuthoritySettings,
        signer: Arc<dyn Signer>,
        store: Store,
        resolver: Arc<Resolver>,
    ) -> Self {
        let authority = Self {
            published: Mutex::new(signer.published(Purpose::Federation)),
            settings,
            signer,
            store,
            resolver,
            statements: Cache::new(10_000),
            responses: Cache::new(1_000),
            marks: Cache::new(10_000),
            statuses: Cache::new(10_000),
            subtree: subtree::Subtree::default(),
            noted: Cache::new(10_000),
        };
        authority.follow_own_keys();
        authority
    }

    pub fn id(&self) -> &EntityId {
        &self.settings.id
    }

    /// §8.1: the statement about the immediate subordinate `sub`. One signature serves until half of its life has passed
    /// or the row changes, however many ask.
    pub async fn fetch(&self, sub: &str, now: UnixTime) -> Result<Arc<str>, AuthorityError> {
        if sub == self.settings.id.as_str() {
            // Its configuration is at the well-known address.
            return Err(Error::invalid_request("sub is this entity itself").into());
        }
        let found = match EntityId::parse(sub, Schemes::HttpsOrLoopbackHttp) {
            Ok(sub) => self.vouched(&sub, now).await?,
            Err(_) => None,
        };
        let (subordinate, until) = found.ok_or_else(|| {
            Error::new(
                ErrorCode::NotFound,
                "this entity is not an immediate subordinate",
            )
        })?;
        self.forget_other_keys();
        let claims = self.claims(&subordinate);
        if let Some(signed) = self.statements.get(&subordinate.entity_id).await
            && signed.serves(&claims, now)
            && until.is_none_or(|until| signed.ends_by(until))
        {
            return Ok(Arc::clone(&signed.jwt));
        }
        let exp = self.expiry(&subordinate, now);
        let exp = until.map_or(exp, |until| exp.min(until));
        let signed = Signed::make(
            &*self.signer,
            self.settings.alg,
            statement::TYP,
            claims,
            now,
            exp,
        )
        .await?;
        let jwt = Arc::clone(&signed.jwt);
        self.statements
            .insert(subordinate.entity_id, Arc::new(signed))
            .await;
        Ok(jwt)
    }

    /// §8.2.
    pub async fn list(
        &self,
        filter: &ListFilter,
        now: UnixTime,
    ) -> Result<Vec<EntityId>, AuthorityError> {
        Ok(list(&mut *self.store.read().await?, filter, now).await?)
    }

    /// The subordinate, when we vouch for it now, and until when at the latest.
    async fn vouched(
        &self,
        sub: &EntityId,
        now: UnixTime,
    ) -> Result<Option<(Subordinate, Option<UnixTime>)>, store::Error> {
        let mut conn = self.store.read().await?;
        let Some(subordinate) = Subordinate::find(&mut conn, sub).await? else {
            return Ok(None);
        };
        let standing = Standing::find(&mut conn, sub).await?;
        let standing = standing.filter(|standing| standing.serves(now));
        Ok(standing.map(|standing| (subordinate, standing.enrolled_until)))
    }

    fn claims(&self, subordinate: &Subordinate) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("iss".into(), self.settings.id.as_str().into());
        claims.insert("sub".into(), subordinate.entity_id.as_str().into());
        claims.insert("jwks".into(), subordinate.jwks.clone());
        for (name, value) in [
            ("metadata", &subordinate.metadata),
            ("metadata_policy", &subordinate.metadata_policy),
            ("constraints", &subordinate.constraints),
        ] {
            if let Some(value) = value {
                claims.insert(name.into(), value.clone());
            }
        }
        claims.insert(
            "source_endpoint".into(),
            endpoint_url(&self.settings.id, "fetch").into(),
        );
        claims
    }

    /// Never later than the last key that the statement lists, when keys say when they end.
    fn expiry(&self, subordinate: &Subordinate, now: UnixTime) -> UnixTime {
        let exp = now.plus(self.settings.section.subordinate_statement_lifetime);
        let keys = subordinate.jwks.get("keys").and_then(Value::as_array);
        let last = keys
            .into_iter()
            .flatten()
            .map(|key| key.get("exp").and_then(Value::as_i64))
            .try_fold(0, |last, exp| exp.map(|exp| exp.max(last)));
        match last {
            Some(last) if last > now.0 => exp.min(UnixTime(last)),
            _ => exp,
        }
    }

    /// What a key signed is not given out any longer once the key was revoked or retired, though it may live on elsewhere.
    fn forget_other_keys(&self) {
        let now = self.signer.published(Purpose::Federation);
        let mut published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&now, &published) && now != *published {
            self.statements.invalidate_all();
            self.responses.invalidate_all();
            self.marks.invalidate_all();
            self.statuses.invalidate_all();
        }
        *published = now;
    }

    /// An anchor resolves to itself, with the keys that it publishes now.
    fn follow_own_keys(&self) {
        if !self.settings.is_anchor {
            return;
        }
        let published = self.signer.published(Purpose::Federation);
        if let Ok(jwks) = JwkSet::parse_strict(&published) {
            let known = self.resolver.anchors();
            if known.find(&self.settings.id).map(|anchor| &anchor.jwks) != Some(&jwks) {
                let id = self.settings.id.clone();
                self.resolver
                    .replace_anchors(Anchors::new(vec![Anchor { id, jwks }]));
            }
        }
    }
}
