//! Generations and leases.

use hefu::clock::UnixTime;
use hefu::store::{Lease, bump_generation, generation};

use crate::support::database::for_each_database;

#[tokio::test]
async fn a_generation_moves_with_its_transaction() {
    for_each_database(async |store| {
        let mut tx = store.write().await.unwrap();
        bump_generation(&mut tx, "keys").await.unwrap();
        drop(tx);
        assert_eq!(
            generation(&mut store.read().await.unwrap(), "keys")
                .await
                .unwrap(),
            0
        );
        for expected in 1..=2 {
            let mut tx = store.write().await.unwrap();
            bump_generation(&mut tx, "keys").await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(
                generation(&mut store.read().await.unwrap(), "keys")
                    .await
                    .unwrap(),
                expected
            );
        }
        assert_eq!(store.pending_migrations().await.unwrap(), 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn one_holder_at_a_time_and_a_sleeper_is_fenced_off() {
    for_each_database(async |store| {
        let mut conn = store.read().await.unwrap();
        let now = UnixTime(1000);
        let first = Lease::take(&mut conn, "seal", "node-a", now, 30)
            .await
            .unwrap()
            .unwrap();
        assert!(
            Lease::take(&mut conn, "seal", "node-b", now, 30)
                .await
                .unwrap()
                .is_none()
        );
        let again = Lease::take(&mut conn, "seal", "node-a", now.plus(10), 30)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(again.fence, first.fence);
        assert!(first.holds(&mut conn, now.plus(39)).await.unwrap());
        let taken = Lease::take(&mut conn, "seal", "node-b", now.plus(40), 30)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(taken.fence, first.fence + 1);
        assert!(!again.holds(&mut conn, now.plus(41)).await.unwrap());
        taken.release(&mut conn).await.unwrap();
        assert!(
            Lease::take(&mut conn, "seal", "node-a", now.plus(42), 30)
                .await
                .unwrap()
                .is_some()
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_many_nodes_that_reach_for_a_lease_one_gets_it() {
    for_each_database(async |store| {
        let tries = (0..8).map(|i| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut conn = store.read().await.unwrap();
                Lease::take(&mut conn, "job", &format!("node-{i}"), UnixTime(5), 60)
                    .await
                    .unwrap()
                    .is_some()
            })
        });
        let mut got = 0;
        for try_ in tries.collect::<Vec<_>>() {
            got += usize::from(try_.await.unwrap());
        }
        assert_eq!(got, 1);
        Ok(())
    })
    .await;
}
