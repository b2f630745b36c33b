//! The federation keys that an entity had (OpenID Federation 1.0 §8.7): every key that was retired, so that what it signed can be
//! verified later, and every one that was revoked, so that nothing it signed is believed.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::clock::UnixTime;
use crate::crypto::{Purpose, SignError, Signer, sha256};
use crate::federation::entity::EntityId;
use crate::federation::statement::sign_typed;
use crate::keys::{KeyRecord, Stage};
use crate::oauth::Algorithm;
use crate::store::{self, Store};

pub const TYP: &str = "jwk-set+jwt";
/// Seconds for which one signature serves while no key changes its stage.
const SERVES: i64 = 3600;

/// Tells the history of one entity.
#[derive(Debug)]
pub struct History {
    id: EntityId,
    alg: Algorithm,
    /// Seconds that a retired key goes on verifying.
    verify: i64,
    signer: Arc<dyn Signer>,
    store: Store,
    signed: Mutex<Option<Told>>,
}

#[derive(Debug)]
struct Told {
    content: [u8; 32],
    at: UnixTime,
    jwt: Arc<str>,
}

/// Our own fault.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("the database failed: {0}")]
    Store(#[from] store::Error),
    #[error("signing failed: {0}")]
    Sign(#[from] SignError),
}

impl History {
    pub fn new(
        id: EntityId,
        alg: Algorithm,
        verify: i64,
        signer: Arc<dyn Signer>,
        store: Store,
    ) -> Self {
        Self {
            id,
            alg,
            verify,
            signer,
            store,
            signed: Mutex::new(None),
        }
    }

    pub async fn keys(&self, now: UnixTime) -> Result<Arc<str>, HistoryError> {
        let records = KeyRecord::all(&mut *self.store.read().await?).await?;
        let keys: Vec<Value> = records
            .iter()
            .filter(|record| record.purpose == Purpose::Federation.as_str())
            .filter_map(|record| entry(record, self.verify))
            .collect();
        let mut claims = Map::new();
        claims.insert("iss".into(), self.id.as_str().into());
        claims.insert("keys".into(), keys.into());
        let content = sha256(Value::Object(claims.clone()).to_string().as_bytes());
        let mut signed = self.signed.lock().await;
        if let Some(told) = signed.as_ref()
            && told.content == content
            && now.since(told.at) < SERVES
        {
            return Ok(Arc::clone(&told.jwt));
        }
        claims.insert("iat".into(), now.0.into());
        let jwt: Arc<str> = sign_typed(&*self.signer, self.alg, TYP, &claims)
            .await?
            .into();
        *signed = Some(Told {
            content,
            at: now,
            jwt: Arc::clone(&jwt),
        });
        Ok(jwt)
    }
}

/// §8.7.2: a key that no longer signs, with the time until which what it signed is believed.
fn entry(record: &KeyRecord, verify: i64) -> Option<Value> {
    let retired_until = record.retired_at.map(|at| at.plus(verify));
    let (exp, revoked) = match record.stage() {
        Stage::Announced { .. } | Stage::Active { .. } => return None,
        Stage::Retired { since } => (since.plus(verify), None),
        Stage::Revoked { since } => {
            let exp = retired_until.map_or(since, |until| until.min(since));
            (
                exp,
                Some(json!({"revoked_at": since.0, "reason": "unspecified"})),
            )
        }
    };
    let mut key: Value = serde_json::from_str(record.public_jwk.as_deref()?).ok()?;
    key["kid"] = record.kid.as_str().into();
    key["iat"] = record.created_at.0.into();
    key["exp"] = exp.0.into();
    if let Some(revoked) = revoked {
        key["revoked"] = revoked;
    }
    Some(key)
}
