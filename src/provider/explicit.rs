//! Relying parties that registered explicitly (OpenID Federation 1.0 §12.2): where their registrations are kept, and how they
//! are found again. What a registration says is read from its chain by `federation::registration`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Row;

use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;
use crate::federation::registration::Registrar;
use crate::store::{Conn, Error, Store};

/// Seconds after which a registration is looked at again: another node may have taken a newer one.
const STALE: i64 = 5;
/// Registrations that are remembered at most.
const MOST: usize = 10_000;

/// Keeps the registration that `chain` is, in place of an earlier one of the same relying party. `false`: a request that was
/// made later than this one has been answered already.
pub async fn keep(conn: &mut Conn, chain: &TrustChain, now: UnixTime) -> Result<bool, Error> {
    let statements =
        serde_json::to_string(&chain.tokens()).map_err(|e| Error::Encode(Box::new(e)))?;
    let kept = sqlx::query(
        "INSERT INTO explicit_registrations (client, statements, issued_at, registered_at, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (client) DO UPDATE SET statements = $2, issued_at = $3, registered_at = $4, expires_at = $5
           WHERE explicit_registrations.issued_at <= $3 RETURNING client",
    )
    .bind(chain.subject())
    .bind(statements)
    .bind(chain.subject_configuration().iat)
    .bind(now)
    .bind(chain.expires_at())
    .fetch_optional(conn)
    .await?;
    Ok(kept.is_some())
}

/// The statements of the registration of `client`, while it holds.
pub async fn find(
    conn: &mut Conn,
    client: &EntityId,
    now: UnixTime,
) -> Result<Option<Vec<String>>, Error> {
    let row = sqlx::query(
        "SELECT statements FROM explicit_registrations WHERE client = $1 AND expires_at > $2",
    )
    .bind(client)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let statements: String = row.try_get("statements")?;
        serde_json::from_str(&statements).map_err(|e| Error::Decode(Box::new(e)))
    })
    .transpose()
}

/// The registrations of one provider, as this node knows them.
#[derive(Debug)]
pub struct Registrations {
    provider: EntityId,
    known: Mutex<HashMap<EntityId, Remembered>>,
}

#[derive(Debug, Clone)]
struct Remembered {
    chain: Option<Arc<TrustChain>>,
    at: UnixTime,
}

impl Registrations {
    pub fn of(provider: EntityId) -> Self {
        Self {
            provider,
            known: Mutex::default(),
        }
    }

    /// Whom requests must be for.
    pub fn provider(&self) -> &EntityId {
        &self.provider
    }

    /// The chain by which `client` is registered now; the same one as long as the registration is the same.
    pub async fn chain(
        &self,
        store: &Store,
        registrar: &Registrar,
        client: &EntityId,
        now: UnixTime,
    ) -> Result<Option<Arc<TrustChain>>, Error> {
        let holds = |chain: &Arc<TrustChain>| now < chain.expires_at();
        let before = self.lock().get(client).cloned();
        if let Some(known) = before.as_ref().filter(|k| now.since(k.at).abs() < STALE) {
            return Ok(known.chain.clone().filter(holds));
        }
        let row = find(&mut *store.read().await?, client, now).await?;
        let before = before.and_then(|known| known.chain);
        let chain = match (row, before) {
            (None, _) => None,
            (Some(tokens), Some(chain)) if chain.tokens() == tokens => Some(chain),
            (Some(tokens), _) => match registrar.kept(&tokens, &self.provider, now) {
                Ok(chain) => Some(Arc::new(chain)),
                Err(error) => {
                    tracing::info!(%client, %error, "an explicit registration holds no longer");
                    None
                }
            },
        };
        self.remember(client, chain.clone(), now);
        Ok(chain.filter(holds))
    }

    /// A registration that was just kept.
    pub fn remember(&self, client: &EntityId, chain: Option<Arc<TrustChain>>, now: UnixTime) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(client.clone(), Remembered { chain, at: now });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<EntityId, Remembered>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
