//! Phones: one holder each, also when many come at once.

use super::*;

#[tokio::test]
async fn a_phone_verified_by_a_new_holder_leaves_the_old_account() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let (old, new) = (account(&store).await?, account(&store).await?);
        let mut tx = store.write().await?;
        person::attach_phone(&mut tx, keys(&ring), &old, &phone("14000000001"), NOW).await?;
        let former =
            person::attach_phone(&mut tx, keys(&ring), &new, &phone("14000000001"), NOW).await?;
        assert_eq!(former, Some(old.clone()));
        // Again by the same holder: nobody loses anything.
        let former =
            person::attach_phone(&mut tx, keys(&ring), &new, &phone("14000000001"), NOW).await?;
        assert_eq!(former, None);
        tx.commit().await?;
        let mut conn = store.read().await?;
        assert_eq!(
            person::find(&mut conn, &*ring, &old)
                .await?
                .expect("found")
                .phone,
            None
        );
        assert_eq!(
            person::by_phone(&mut conn, &*ring, &phone("14000000001")).await?,
            Some(new.clone())
        );
        person::detach_phone(&mut conn, &new).await?;
        assert_eq!(
            person::by_phone(&mut conn, &*ring, &phone("14000000001")).await?,
            None
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn one_phone_verified_by_many_at_once_has_one_holder() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let mut people = Vec::new();
        for _ in 0..4 {
            people.push(account(&store).await?);
        }
        let tasks: Vec<_> = people
            .iter()
            .map(|person| {
                let (store, ring, person) = (store.clone(), Arc::clone(&ring), person.clone());
                tokio::spawn(async move {
                    // Again and again: who holds it changes while others are about to take it.
                    for _ in 0..10 {
                        attach(&store, &ring, &person, "14000000009").await?;
                    }
                    Ok::<_, Fault>(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        let mut conn = store.read().await?;
        let holder = person::by_phone(&mut conn, &*ring, &phone("14000000009")).await?;
        let mut with_phone = Vec::new();
        for id in people {
            if person::find(&mut conn, &*ring, &id)
                .await?
                .expect("found")
                .phone
                .is_some()
            {
                with_phone.push(id);
            }
        }
        assert_eq!(with_phone, Vec::from_iter(holder));
        Ok(())
    })
    .await;
}

async fn attach(
    store: &Store,
    ring: &KeyRing,
    person: &PersonId,
    number: &str,
) -> Result<Option<PersonId>, Fault> {
    let mut tx = store.write().await?;
    let former = person::attach_phone(&mut tx, keys(ring), person, &phone(number), NOW).await?;
    tx.commit().await?;
    Ok(former)
}

#[tokio::test]
async fn many_phones_verified_at_once_leave_an_account_with_one() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        for _ in 0..5 {
            let (ada, other) = (account(&store).await?, account(&store).await?);
            let tasks: Vec<_> = (1..=4)
                .map(|n| {
                    let (store, ring, ada) = (store.clone(), Arc::clone(&ring), ada.clone());
                    let number = format!("1400000000{n}");
                    tokio::spawn(async move { attach(&store, &ring, &ada, &number).await })
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            let mut conn = store.read().await?;
            let held: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM phones WHERE person = $1")
                .bind(&ada)
                .fetch_one(&mut *conn)
                .await?;
            assert_eq!(held, 1, "rows of one account");
            let shown = person::find(&mut conn, &*ring, &ada).await?.expect("found");
            let shown = shown.phone.expect("a phone");
            drop(conn);
            let mut tx = store.write().await?;
            assert!(person::has_phone(&mut tx, &*ring, &ada, &shown).await?);
            assert!(!person::has_phone(&mut tx, &*ring, &other, &shown).await?);
            let unknown = phone("14000000009");
            assert!(!person::has_phone(&mut tx, &*ring, &ada, &unknown).await?);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_accounts_that_exchange_phones_at_once_wait_for_each_other() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let (ada, bob) = (account(&store).await?, account(&store).await?);
        for _ in 0..5 {
            attach(&store, &ring, &ada, "14000000001").await?;
            attach(&store, &ring, &bob, "14000000002").await?;
            let tasks = [(&ada, "14000000002"), (&bob, "14000000001")].map(|(person, number)| {
                let (store, ring, person) = (store.clone(), Arc::clone(&ring), person.clone());
                tokio::spawn(async move { attach(&store, &ring, &person, number).await })
            });
            for task in tasks {
                task.await??;
            }
            let mut conn = store.read().await?;
            for (person, number) in [(&ada, "14000000002"), (&bob, "14000000001")] {
                let holder = person::by_phone(&mut conn, &*ring, &phone(number)).await?;
                assert_eq!(holder.as_ref(), Some(person));
                let found = person::find(&mut conn, &*ring, person)
                    .await?
                    .expect("found");
                assert_eq!(found.phone, Some(phone(number)));
            }
        }
        Ok(())
    })
    .await;
}
