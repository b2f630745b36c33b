//! What signs and decrypts now, what is published, what still verifies. The ring is read from the database once and again
//! whenever its generation moves (another node, or the command line, changed a key).

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::symmetric::Symmetric;
use super::vault::{DecryptionKey, LocalKey, NewKey, Vault};
use super::{Kek, KeyRecord, KeysError, Policy, Stage};
use crate::clock::UnixTime;
use crate::crypto::{
    BoxFuture, DecryptError, Decrypter, Indexer, Purpose, Recovery, Sealer, Secret, SignError,
    Signer,
};
use crate::jose::{Jwk, jws};
use crate::oauth::{Algorithm, EncryptionKey};
use crate::random::Rng;
use crate::store::{Store, bump_generation, generation};

const GENERATION: &str = "keys";

/// What a ring needs to know about its entity.
#[derive(Debug)]
pub struct Setup<'a> {
    pub entity: &'a str,
    /// Folder for what must stay outside the database.
    pub vault: &'a Path,
    pub kek: Arc<Kek>,
    pub policy: Policy,
    /// The signing purposes, and encryption, that the entity's role needs.
    pub purposes: &'a [Purpose],
}

/// The keys of one entity.
pub struct KeyRing {
    store: Store,
    vault: Vault,
    policy: Policy,
    snapshot: RwLock<Arc<Snapshot>>,
    signatures: AtomicU64,
}

struct Snapshot {
    generation: i64,
    active: HashMap<(Purpose, Algorithm), (String, LocalKey)>,
    published: HashMap<Purpose, Arc<Value>>,
    /// Everything that may still be believed, by purpose and kid.
    verifying: HashMap<(Purpose, String), (Algorithm, Jwk)>,
    /// Everything that may still decrypt, by kid.
    decrypting: HashMap<String, DecryptionKey>,
    /// The kid of the published key of each kind.
    receiving: HashMap<EncryptionKey, String>,
    seal: Symmetric,
    data: Symmetric,
    index: Symmetric,
}

const SIGNING: [Purpose; 4] = [
    Purpose::Federation,
    Purpose::IdToken,
    Purpose::Client,
    Purpose::Audit,
];

impl KeyRing {
    /// Opens the ring, making whatever keys are missing: for each purpose and algorithm one that signs and one announced
    /// spare. Two nodes that start at once end with the same keys.
    pub async fn open(
        store: &Store,
        setup: Setup<'_>,
        now: UnixTime,
        rng: &mut Rng,
    ) -> Result<Self, KeysError> {
        let vault = Vault::new(setup.entity, setup.vault, setup.kek);
        make_missing(store, &vault, &setup.policy, setup.purposes, now, rng).await?;
        let snapshot = load(store, &vault, &setup.policy, now).await?;
        if snapshot.index.is_empty() {
            return Err(KeysError::IndexKeyMissing {
                vault: vault.folder().display().to_string(),
            });
        }
        Ok(Self {
            store: store.clone(),
            vault,
            policy: setup.policy,
            snapshot: RwLock::new(Arc::new(snapshot)),
            signatures: AtomicU64::new(0),
        })
    }

    /// Reads the keys again if another node or the command line changed them; `true` when they did change.
    pub async fn refresh(&self, now: UnixTime) -> Result<bool, KeysError> {
        let newest = generation(&mut *self.store.read().await?, GENERATION).await?;
        if newest == self.current().generation {
            return Ok(false);
        }
        let snapshot = load(&self.store, &self.vault, &self.policy, now).await?;
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        Ok(true)
    }

    /// How many signatures this ring has made since it was opened.
    pub fn signatures(&self) -> u64 {
        self.signatures.load(Ordering::Relaxed)
    }

    fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn make_missing(
    store: &Store,
    vault: &Vault,
    policy: &Policy,
    purposes: &[Purpose],
    now: UnixTime,
    rng: &mut Rng,
) -> Result<(), KeysError> {
    let existing = KeyRecord::all(&mut *store.read().await?).await?;
    let has = |purpose: Purpose, alg: &str, active: bool| {
        existing.iter().any(|k| {
            k.purpose == purpose.as_str()
                && k.alg == alg
                && match k.stage() {
                    Stage::Active { .. } => active,
                    Stage::Announced { .. } => !active,
                    _ => false,
                }
        })
    };
    let mut fresh = Vec::new();
    let mut make = |purpose: Purpose, alg: &str, generate: &dyn Fn() -> Result<NewKey, _>| {
        for active in [true, false] {
            if !has(purpose, alg, active) {
                let new = generate()?;
                fresh.push(KeyRecord {
                    wrapped: Some(vault.wrap(purpose.as_str(), &new.kid, &new.private)),
                    kid: new.kid,
                    purpose: purpose.as_str().to_owned(),
                    alg: alg.to_owned(),
                    public_jwk: Some(new.public_jwk.to_string()),
                    created_at: now,
                    activated_at: active.then_some(now),
                    retired_at: None,
                    revoked_at: None,
                });
            }
        }
        Ok::<(), KeysError>(())
    };
    for purpose in purposes {
        for alg in policy.of(*purpose).map_or(&[][..], |l| &l.algorithms) {
            make(*purpose, alg.as_str(), &|| LocalKey::generate(*alg))?;
        }
    }
    if purposes.contains(&Purpose::Encryption) {
        for kind in &policy.encryption().algorithms {
            make(Purpose::Encryption, kind.as_str(), &|| {
                DecryptionKey::generate(*kind)
            })?;
        }
    }
    for (purpose, prefix) in [(Purpose::Seal, "sl_"), (Purpose::Data, "dt_")] {
        if !has(purpose, SYMMETRIC, true) {
            let kid = rng.id(prefix);
            let bytes = Zeroizing::new(rng.bytes::<32>());
            fresh.push(symmetric_record(
                purpose,
                vault.wrap(purpose.as_str(), &kid, bytes.as_slice()).into(),
                kid,
                now,
            ));
        }
    }
    let index_known = has(Purpose::Index, SYMMETRIC, true);
    let in_vault = vault.index_keys()?;
    if in_vault.is_empty() && index_known {
        // A new key here would find nothing that was written under the lost one.
        return Err(KeysError::IndexKeyMissing {
            vault: vault.folder().display().to_string(),
        });
    }
    if in_vault.is_empty() {
        vault.create_index_key(rng, now)?;
    }
    if !index_known {
        let kid = vault
            .index_keys()?
            .first()
            .map(|(kid, _)| kid.clone())
            .unwrap_or_default();
        fresh.push(symmetric_record(Purpose::Index, None, kid, now));
    }
    if fresh.is_empty() {
        return Ok(());
    }
    let mut tx = store.write().await?;
    let mut changed = false;
    for record in &fresh {
        changed |= record.insert(&mut tx).await?;
    }
    if changed {
        bump_generation(&mut tx, GENERATION).await?;
    }
    tx.commit().await?;
    Ok(())
}

const SYMMETRIC: &str = "A256GCM";

fn symmetric_record(
    purpose: Purpose,
    wrapped: Option<Vec<u8>>,
    kid: String,
    now: UnixTime,
) -> KeyRecord {
    KeyRecord {
        kid,
        purpose: purpose.as_str().to_owned(),
        alg: SYMMETRIC.to_owned(),
        public_jwk: None,
        wrapped,
        created_at: now,
        activated_at: Some(now),
        retired_at: None,
        revoked_at: None,
    }
}

async fn load(
    store: &Store,
    vault: &Vault,
    policy: &Policy,
    now: UnixTime,
) -> Result<Snapshot, KeysError> {
    let mut conn = store.read().await?;
    let generation = generation(&mut conn, GENERATION).await?;
    let records = KeyRecord::all(&mut conn).await?;
    drop(conn);
    let mut active = HashMap::new();
    let mut published: HashMap<Purpose, Vec<Value>> = HashMap::new();
    let mut verifying = HashMap::new();
    let (mut decrypting, mut receiving) = (HashMap::new(), HashMap::new());
    let (mut seal, mut data) = (Vec::new(), Vec::new());
    for record in &records {
        let damaged = |reason| KeysError::Record {
            kid: record.kid.clone(),
            reason,
        };
        match record.purpose.as_str() {
            "seal" | "data" if !matches!(record.stage(), Stage::Revoked { .. }) => {
                let wrapped = record
                    .wrapped
                    .as_deref()
                    .ok_or_else(|| damaged("its bytes are missing"))?;
                let bytes = vault.unwrap_symmetric(&record.purpose, &record.kid, wrapped)?;
                if record.purpose == "seal" {
                    &mut seal
                } else {
                    &mut data
                }
                .insert(0, (record.kid.clone(), bytes));
            }
            name if name == Purpose::Encryption.as_str() => {
                let kind: EncryptionKey = record
                    .alg
                    .parse()
                    .map_err(|_| damaged("its kind is unknown"))?;
                match record.stage() {
                    // Decrypts before anyone is told of it, so that no node is behind when it is published.
                    Stage::Announced { .. } => {}
                    Stage::Active { .. } => {
                        let value = record
                            .public_jwk
                            .as_deref()
                            .and_then(|text| serde_json::from_str(text).ok())
                            .ok_or_else(|| damaged("its public half is damaged"))?;
                        published
                            .entry(Purpose::Encryption)
                            .or_default()
                            .push(value);
                        receiving.insert(kind, record.kid.clone());
                    }
                    Stage::Retired { since } if now.since(since) < policy.encryption().verify => {}
                    Stage::Retired { .. } | Stage::Revoked { .. } => continue,
                }
                let private = unwrapped(vault, record)?;
                let key = DecryptionKey::parse(kind, &private)
                    .ok_or_else(|| damaged("its bytes are damaged"))?;
                decrypting.insert(record.kid.clone(), key);
            }
            name => {
                let Some(purpose) = SIGNING.into_iter().find(|p| p.as_str() == name) else {
                    continue;
                };
                let alg: Algorithm = record
                    .alg
                    .parse()
                    .map_err(|_| damaged("its algorithm is unknown"))?;
                let text = record
                    .public_jwk
                    .as_deref()
                    .ok_or_else(|| damaged("its public half is missing"))?;
                let value: Value = serde_json::from_str(text)
                    .map_err(|_| damaged("its public half is damaged"))?;
                let jwk = Jwk::parse(&value).map_err(|_| damaged("its public half is damaged"))?;
                let verify_for = policy.of(purpose).map_or(0, |l| l.verify);
                let shown = match record.stage() {
                    Stage::Announced { .. } => true,
                    Stage::Active { .. } => {
                        let der = unwrapped(vault, record)?;
                        let key = LocalKey::parse(alg, &der)
                            .ok_or_else(|| damaged("its bytes are damaged"))?;
                        active.insert((purpose, alg), (record.kid.clone(), key));
                        true
                    }
                    Stage::Retired { since } => now.since(since) < verify_for,
                    Stage::Revoked { .. } => continue,
                };
                if shown {
                    published.entry(purpose).or_default().push(value);
                }
                verifying.insert((purpose, record.kid.clone()), (alg, jwk));
            }
        }
    }
    Ok(Snapshot {
        generation,
        active,
        published: published
            .into_iter()
            .map(|(p, keys)| (p, Arc::new(json!({ "keys": keys }))))
            .collect(),
        verifying,
        decrypting,
        receiving,
        seal: Symmetric::new(vault.entity(), seal),
        data: Symmetric::new(vault.entity(), data),
        index: Symmetric::new(vault.entity(), vault.index_keys()?),
    })
}

fn unwrapped(vault: &Vault, record: &KeyRecord) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let wrapped = record.wrapped.as_deref().ok_or_else(|| KeysError::Record {
        kid: record.kid.clone(),
        reason: "its bytes are missing",
    })?;
    Ok(vault.unwrap(&record.purpose, &record.kid, wrapped)?)
}

impl Signer for KeyRing {
    fn sign<'a>(
        &'a self,
        purpose: Purpose,
        alg: Algorithm,
        mut header: Map<String, Value>,
        payload: &'a [u8],
    ) -> BoxFuture<'a, Result<String, SignError>> {
        Box::pin(async move {
            let snapshot = self.current();
            let (kid, key) = snapshot
                .active
                .get(&(purpose, alg))
                .ok_or(SignError::NoKey { purpose, alg })?;
            header.insert("alg".to_owned(), alg.as_str().into());
            header.insert("kid".to_owned(), kid.as_str().into());
            let mut token = jws::signing_input(&header, payload);
            let signature = key
                .sign(token.as_bytes())
                .ok_or_else(|| SignError::Refused("the key pair failed".to_owned()))?;
            self.signatures.fetch_add(1, Ordering::Relaxed);
            token.push('.');
            URL_SAFE_NO_PAD.encode_string(signature, &mut token);
            Ok(token)
        })
    }

    fn published(&self, purpose: Purpose) -> Arc<Value> {
        self.current()
            .published
            .get(&purpose)
            .cloned()
            .unwrap_or_else(|| Arc::new(json!({"keys": []})))
    }

    fn verify(
        &self,
        purpose: Purpose,
        kid: &str,
        alg: Algorithm,
        input: &[u8],
        signature: &[u8],
    ) -> bool {
        let snapshot = self.current();
        let Some((of, jwk)) = snapshot.verifying.get(&(purpose, kid.to_owned())) else {
            return false;
        };
        *of == alg && jwk.verify(alg, input, signature)
    }
}

impl Decrypter for KeyRing {
    fn recover<'a>(
        &'a self,
        kid: Option<&'a str>,
        what: Recovery<'a>,
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, DecryptError>> {
        Box::pin(async move {
            let snapshot = self.current();
            let active = || snapshot.receiving.get(&what.kind()).map(String::as_str);
            kid.or_else(active)
                .and_then(|kid| snapshot.decrypting.get(kid))
                .filter(|key| key.kind() == what.kind())
                .ok_or(DecryptError::NoKey)?
                .recover(what)
                .ok_or(DecryptError::Failed)
        })
    }
}

impl Sealer for KeyRing {
    fn seal(&self, usage: &str, context: &str, expires: UnixTime, plaintext: &[u8]) -> String {
        self.current().seal.seal(usage, context, expires, plaintext)
    }

    fn open(&self, usage: &str, context: &str, now: UnixTime, sealed: &str) -> Option<Vec<u8>> {
        self.current().seal.open(usage, context, now, sealed)
    }

    fn protect(&self, column: &str, row: &str, plaintext: &[u8]) -> Vec<u8> {
        self.current().data.protect(column, row, plaintext)
    }

    fn reveal(&self, column: &str, row: &str, ciphertext: &[u8]) -> Option<Vec<u8>> {
        self.current().data.reveal(column, row, ciphertext)
    }
}

impl Indexer for KeyRing {
    fn index(&self, domain: &str, value: &[u8]) -> Vec<u8> {
        // `open` refuses a ring without an index key, so there is a first.
        self.current()
            .index
            .indices(domain, value)
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    fn indices(&self, domain: &str, value: &[u8]) -> Vec<Vec<u8>> {
        self.current().index.indices(domain, value)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")
    }
}
