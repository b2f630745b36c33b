//! The audit log: written unchained, sealed in order, checked from the first row.

use std::sync::Arc;

use hefu::audit::{self, Event, Verdict};
use hefu::clock::UnixTime;
use hefu::crypto::Purpose;
use hefu::id::{ClientId, PersonId};
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::random::RngSource;
use hefu::store::{Lease, Store};

use crate::support::database::for_each_database;

async fn ring(store: &Store, folder: &std::path::Path) -> KeyRing {
    let kek =
        Arc::new(Kek::create_file(&folder.join("kek"), &mut RngSource::System.rng()).unwrap());
    let setup = Setup {
        entity: "https://id.example",
        vault: folder,
        kek,
        policy: Policy::shipped().unwrap(),
        purposes: &[Purpose::Audit],
    };
    KeyRing::open(store, setup, UnixTime(0), &mut RngSource::System.rng())
        .await
        .unwrap()
}

async fn write(store: &Store, count: i64) {
    let mut rng = RngSource::System.rng();
    let mut tx = store.write().await.unwrap();
    for i in 0..count {
        let event = Event::done("session.begin")
            .with_person(&PersonId("pn_1".into()))
            .with_client(&ClientId("https://gd.example".into()))
            .with("factors", "pwd sms");
        audit::record(&mut tx, &mut rng, UnixTime(100 + i), &event)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn seal(store: &Store, now: UnixTime) -> usize {
    let mut tx = store.write().await.unwrap();
    let lease = Lease::take(&mut tx, "audit", "node-a", now, 60)
        .await
        .unwrap()
        .unwrap();
    let sealed = audit::seal(&mut tx, &lease, now, 100).await.unwrap();
    tx.commit().await.unwrap();
    sealed
}

#[tokio::test]
async fn rows_are_chained_signed_and_every_change_is_found() {
    for_each_database(async |store| {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring(&store, folder.path()).await;
        write(&store, 3).await;
        assert_eq!(seal(&store, UnixTime(200)).await, 3);
        assert_eq!(seal(&store, UnixTime(200)).await, 0);
        write(&store, 2).await;
        let mut conn = store.read().await.unwrap();
        assert!(
            audit::checkpoint(&mut conn, &ring, "https://id.example", UnixTime(201))
                .await
                .unwrap()
        );
        assert!(
            !audit::checkpoint(&mut conn, &ring, "https://id.example", UnixTime(202))
                .await
                .unwrap()
        );
        assert_eq!(
            audit::verify(&mut conn, &ring).await.unwrap(),
            Verdict::Whole {
                sealed: 3,
                checkpoints: 1,
                waiting: 2
            }
        );
        assert_eq!(seal(&store, UnixTime(203)).await, 2);

        for (change, back, found) in [
            (
                "UPDATE audit_events SET client = NULL WHERE seq = 2",
                "UPDATE audit_events SET client = 'https://gd.example' WHERE seq = 2",
                Verdict::Broken { seq: 2 },
            ),
            (
                "UPDATE audit_events SET seq = 9 WHERE seq = 4",
                "UPDATE audit_events SET seq = 4 WHERE seq = 9",
                Verdict::Broken { seq: 4 },
            ),
            (
                "UPDATE audit_checkpoints SET seq = 2",
                "UPDATE audit_checkpoints SET seq = 3",
                Verdict::FalseCheckpoint { seq: 2 },
            ),
            (
                "UPDATE audit_checkpoints SET seq = 8",
                "UPDATE audit_checkpoints SET seq = 3",
                Verdict::FalseCheckpoint { seq: 8 },
            ),
        ] {
            sqlx::query(change).execute(&mut *conn).await.unwrap();
            assert_eq!(
                audit::verify(&mut conn, &ring).await.unwrap(),
                found,
                "{change}"
            );
            sqlx::query(back).execute(&mut *conn).await.unwrap();
        }
        assert_eq!(
            audit::verify(&mut conn, &ring).await.unwrap(),
            Verdict::Whole {
                sealed: 5,
                checkpoints: 1,
                waiting: 0
            }
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_node_that_lost_its_lease_seals_nothing() {
    for_each_database(async |store| {
        write(&store, 1).await;
        let mut tx = store.write().await.unwrap();
        let old = Lease::take(&mut tx, "audit", "node-a", UnixTime(0), 10)
            .await
            .unwrap()
            .unwrap();
        Lease::take(&mut tx, "audit", "node-b", UnixTime(20), 10)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            audit::seal(&mut tx, &old, UnixTime(21), 100).await.unwrap(),
            0
        );
        tx.commit().await.unwrap();
        Ok(())
    })
    .await;
}
