//! The key ring over its database and its vault.

use std::sync::Arc;

use hefu::clock::UnixTime;
use hefu::crypto::{Indexer, Purpose, Sealer, Signer};
use hefu::jose::UnverifiedJws;
use hefu::keys::{Kek, KeyRecord, KeyRing, KeysError, Policy, Setup, Stage, VaultError};
use hefu::oauth::Algorithm;
use hefu::random::RngSource;
use hefu::store::Store;
use serde_json::Map;

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
        // Federation 1, ID Token 3, audit 1, each with its spare; seal, data, index.
        assert_eq!(records.len(), 2 * 5 + 3);
        assert_eq!(
            records
                .iter()
                .filter(|r| matches!(r.stage(), Stage::Announced { .. }))
                .count(),
            5
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
            6
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
            13
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
            13
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
            13
        );
        Ok(())
    })
    .await;
}
