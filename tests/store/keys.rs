//! The key ring over its database and its vault.

use std::sync::Arc;

use hefu::clock::UnixTime;
use hefu::crypto::{Indexer, Purpose, Sealer, Signer};
use hefu::jose::jwe::{self, Accepted, JweError, Recipient};
use hefu::jose::{Jwk, JwkSet, UnverifiedJws};
use hefu::keys::{Kek, KeyRecord, KeyRing, KeysError, Policy, Setup, Stage, VaultError};
use hefu::oauth::{Algorithm, ContentEncryption, KeyManagement};
use hefu::random::RngSource;
use hefu::store::{Store, bump_generation};
use serde_json::{Map, Value};

use crate::support::database::for_each_database;

async fn open(
    store: &Store,
    folder: &std::path::Path,
    kek: &Arc<Kek>,
) -> Result<KeyRing, KeysError> {
    let setup = Setup {
        entity: "https://id.example",
        vault: folder,
        kek: Arc::clone(kek),
        policy: Policy::shipped().unwrap(),
        purposes: &[Purpose::Federation, Purpose::IdToken, Purpose::Audit],
    };
    KeyRing::open(store, setup, UnixTime(1000), &mut RngSource::System.rng()).await
}

#[tokio::test]
async fn keys_are_made_once_and_survive() {
    for_each_database(async |store| {
        let folder = tempfile::tempdir().unwrap();
        let kek = Arc::new(
            Kek::create_file(&folder.path().join("kek"), &mut RngSource::System.rng()).unwrap(),
        );
        let ring = open(&store, folder.path(), &kek).await.unwrap();
        let records = KeyRecord::all(&mut store.read().await.unwrap())
            .await
            .unwrap();
        // Federation 1, ID Token 4, audit 1, each with its spare; seal, data, index.
        assert_eq!(records.len(), 2 * 6 + 3);
        assert_eq!(
            records
                .iter()
                .filter(|r| matches!(r.stage(), Stage::Announced { .. }))
                .count(),
            6
        );

        let token = ring
            .sign(Purpose::IdToken, Algorithm::RS256, Map::new(), b"{}")
            .await
            .unwrap();
        let sealed = ring.seal("form", "", UnixTime(2000), b"v");
        let index = ring.index("phone", b"+8614000000001");
        assert_eq!(
            ring.published(Purpose::IdToken)["keys"]
                .as_array()
                .unwrap()
                .len(),
            8
        );
        assert!(
            ring.published(Purpose::Client)["keys"]
                .as_array()
                .unwrap()
                .is_empty()
        );

        let again = open(&store, folder.path(), &kek).await.unwrap();
        assert_eq!(
            KeyRecord::all(&mut store.read().await.unwrap())
                .await
                .unwrap()
                .len(),
            15
        );
        let jws = UnverifiedJws::parse(&token, 4096).unwrap();
        let kid = jws.header.kid.clone().unwrap();
        let ours =
            |purpose, alg| again.verify(purpose, &kid, alg, jws.signing_input(), jws.signature());
        assert!(ours(Purpose::IdToken, Algorithm::RS256));
        assert!(
            !ours(Purpose::Federation, Algorithm::RS256)
                && !ours(Purpose::IdToken, Algorithm::ES256)
        );
        assert_eq!(
            again.open("form", "", UnixTime(1500), &sealed).unwrap(),
            b"v"
        );
        assert_eq!(again.index("phone", b"+8614000000001"), index);
        assert_eq!(ring.signatures(), 1);
        assert!(
            again
                .sign(Purpose::Client, Algorithm::ES256, Map::new(), b"{}")
                .await
                .is_err()
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nodes_that_start_at_once_end_with_the_same_keys() {
    for_each_database(async |store| {
        let folder = tempfile::tempdir().unwrap();
        let kek = Arc::new(
            Kek::create_file(&folder.path().join("kek"), &mut RngSource::System.rng()).unwrap(),
        );
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let (store, kek, path) =
                    (store.clone(), Arc::clone(&kek), folder.path().to_owned());
                tokio::spawn(async move { open(&store, &path, &kek).await.unwrap() })
            })
            .collect();
        let mut rings = Vec::new();
        for start in starts {
            rings.push(start.await.unwrap());
        }
        assert_eq!(
            KeyRecord::all(&mut store.read().await.unwrap())
                .await
                .unwrap()
                .len(),
            15
        );
        for ring in &rings {
            ring.refresh(UnixTime(1001)).await.unwrap();
            assert_eq!(
                ring.published(Purpose::IdToken),
                rings[0].published(Purpose::IdToken)
            );
            assert_eq!(ring.index("d", b"v"), rings[0].index("d", b"v"));
            assert_eq!(
                ring.open(
                    "u",
                    "",
                    UnixTime(1),
                    &rings[0].seal("u", "", UnixTime(2), b"x")
                )
                .unwrap(),
                b"x"
            );
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_wrong_kek_or_a_lost_vault_is_said_and_nothing_is_made_anew() {
    for_each_database(async |store| {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = RngSource::System.rng();
        let kek = Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng).unwrap());
        open(&store, folder.path(), &kek).await.unwrap();
        let other = Arc::new(Kek::create_file(&folder.path().join("other"), &mut rng).unwrap());
        assert!(matches!(
            open(&store, folder.path(), &other).await,
            Err(KeysError::Vault(VaultError::WrongKek(_)))
        ));
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(matches!(
            open(&store, elsewhere.path(), &kek).await,
            Err(KeysError::IndexKeyMissing { .. })
        ));
        assert_eq!(
            KeyRecord::all(&mut store.read().await.unwrap())
                .await
                .unwrap()
                .len(),
            15
        );
        Ok(())
    })
    .await;
}

fn encrypted(jwk: &Jwk, alg: KeyManagement) -> String {
    jwe::encrypt_jwt(
        "a.b.c",
        Recipient::Key(jwk),
        alg,
        ContentEncryption::A256Gcm,
        &mut RngSource::System.rng(),
    )
    .unwrap()
}

async fn decrypted(ring: &KeyRing, token: &str) -> Result<String, JweError> {
    let accepted = Accepted {
        algorithms: &KeyManagement::PUBLIC,
        encryptions: &ContentEncryption::ALL,
        limit: 8192,
    };
    let mut rng = RngSource::System.rng();
    jwe::decrypt(token, jwe::Keys::Ours(ring), &accepted, &mut rng)
        .await?
        .jwt()
        .map(str::to_owned)
}

#[tokio::test]
async fn what_is_encrypted_to_us_opens_until_its_key_is_past() {
    for_each_database(async |store| {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = RngSource::System.rng();
        let kek = Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng).unwrap());
        let vault = folder.path();
        let setup = || Setup {
            entity: "https://id.example",
            vault,
            kek: Arc::clone(&kek),
            policy: Policy::shipped().unwrap(),
            purposes: &[Purpose::Encryption],
        };
        let ring = KeyRing::open(&store, setup(), UnixTime(1000), &mut rng)
            .await
            .unwrap();
        let node = KeyRing::open(&store, setup(), UnixTime(1000), &mut rng)
            .await
            .unwrap();
        let published = JwkSet::parse_strict(&ring.published(Purpose::Encryption)).unwrap();
        let kinds: Vec<_> = published
            .iter()
            .map(|k| (k.to_value()["kty"].clone(), k.usage.clone(), k.alg.clone()))
            .collect();
        let enc = Some("enc".to_owned());
        assert!(kinds.contains(&("RSA".into(), enc.clone(), None)));
        assert!(kinds.contains(&("EC".into(), enc, None)));
        assert_eq!(kinds.len(), 2);

        let mut tokens = Vec::new();
        for alg in KeyManagement::PUBLIC {
            let jwk = published.for_encryption(alg).unwrap();
            let token = encrypted(jwk, alg);
            // Without a kid it is the published key that is meant.
            let mut unnamed = jwk.to_value();
            unnamed.as_object_mut().unwrap().remove("kid");
            let unnamed = encrypted(&Jwk::parse(&unnamed).unwrap(), alg);
            for (ring, token) in [(&ring, &token), (&node, &token), (&ring, &unnamed)] {
                assert_eq!(decrypted(ring, token).await.unwrap(), "a.b.c", "{alg}");
            }
            tokens.push(token);
        }

        // A spare is unpublished and decrypts already: no node is behind when it is published.
        let mut conn = store.write().await?;
        let records = KeyRecord::all(&mut conn).await?;
        for spare in records
            .iter()
            .filter(|r| matches!(r.stage(), Stage::Announced { .. }))
        {
            let value: Value = serde_json::from_str(spare.public_jwk.as_ref().unwrap()).unwrap();
            assert!(published.find(&spare.kid).is_none());
            let jwk = Jwk::parse(&value).unwrap();
            let alg = KeyManagement::PUBLIC.into_iter().find(|a| jwk.encrypts(*a));
            let token = encrypted(&jwk, alg.unwrap());
            assert_eq!(decrypted(&node, &token).await.unwrap(), "a.b.c");
        }

        // Retired: no longer published, decrypts for a day. The spare takes its place.
        for change in [
            "UPDATE keys SET retired_at = 2000 WHERE purpose = 'encryption' AND activated_at IS NOT NULL",
            "UPDATE keys SET activated_at = 2000 WHERE purpose = 'encryption' AND activated_at IS NULL",
        ] {
            sqlx::query(change).execute(&mut *conn).await?;
        }
        bump_generation(&mut conn, "keys").await?;
        conn.commit().await?;
        assert!(ring.refresh(UnixTime(2000 + 86_399)).await.unwrap());
        let next = JwkSet::parse_strict(&ring.published(Purpose::Encryption)).unwrap();
        assert_eq!(next.iter().count(), 2);
        for old in published.iter() {
            assert!(next.find(old.kid.as_ref().unwrap()).is_none());
        }
        for token in &tokens {
            assert_eq!(decrypted(&ring, token).await.unwrap(), "a.b.c");
        }
        node.refresh(UnixTime(2000 + 86_400)).await.unwrap();
        for token in &tokens {
            assert_eq!(decrypted(&node, token).await, Err(JweError::NoKey));
        }

        // Revoked: decrypts nothing, at once.
        let mut conn = store.write().await?;
        sqlx::query("UPDATE keys SET revoked_at = 2001 WHERE retired_at IS NOT NULL")
            .execute(&mut *conn)
            .await?;
        bump_generation(&mut conn, "keys").await?;
        conn.commit().await?;
        ring.refresh(UnixTime(2001)).await.unwrap();
        for token in &tokens {
            assert_eq!(decrypted(&ring, token).await, Err(JweError::NoKey));
        }
        // An encryption key signs nothing.
        assert!(
            ring.sign(Purpose::Encryption, Algorithm::RS256, Map::new(), b"{}")
                .await
                .is_err()
        );
        Ok(())
    })
    .await;
}
