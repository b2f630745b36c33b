//! Half-made entries, and what the register's stand-in keeps.

use hefu::identity::synthetic::CITIZENS;
use hefu::web::account::entry::{self, Entry, Kind};
use hefu::web::register::store::{self as register, Behaviour};

use super::identity::{NOW, ring};
use crate::support::database::{Fault, for_each_database};

#[tokio::test]
async fn an_entry_waits_for_its_place_and_is_taken_once() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let mut conn = store.read().await?;
        let entry = |phone: &str| Entry {
            phone: Some(phone.to_owned()),
            phone_verified: true,
            ..Entry::default()
        };
        for phone in ["+8614000000001", "+8614000000002"] {
            entry::save(
                &mut conn,
                &*ring,
                Kind::Create,
                "interaction/1",
                &entry(phone),
                NOW,
            )
            .await?;
        }
        let found = async |kind, place, at| -> Result<Option<String>, Fault> {
            let mut conn = store.read().await?;
            let entry = entry::load(&mut conn, &*ring, kind, place, at).await?;
            Ok(entry.and_then(|entry| entry.phone))
        };
        let newest = Some("+8614000000002".to_owned());
        assert_eq!(found(Kind::Create, "interaction/1", NOW).await?, newest);
        assert_eq!(found(Kind::Recover, "interaction/1", NOW).await?, None);
        assert_eq!(found(Kind::Create, "interaction/2", NOW).await?, None);
        assert_eq!(
            found(Kind::Create, "interaction/1", NOW.plus(3600)).await?,
            None
        );
        let data: Vec<u8> = sqlx::query_scalar("SELECT data FROM entries")
            .fetch_one(&mut *conn)
            .await?;
        assert!(!String::from_utf8_lossy(&data).contains("14000000002"));
        drop(conn);

        let takes: Vec<_> = (0..4)
            .map(|_| {
                let (store, ring) = (store.clone(), std::sync::Arc::clone(&ring));
                tokio::spawn(async move {
                    let mut tx = store.write().await?;
                    let taken =
                        entry::take(&mut tx, &*ring, Kind::Create, "interaction/1", NOW).await?;
                    tx.commit().await?;
                    Ok::<_, Fault>(taken.is_some())
                })
            })
            .collect();
        let mut taken = 0;
        for take in takes {
            taken += usize::from(take.await??);
        }
        assert_eq!(taken, 1);
        let mut conn = store.read().await?;
        entry::save(
            &mut conn,
            &*ring,
            Kind::Act,
            "session/1",
            &Entry::default(),
            NOW,
        )
        .await?;
        assert_eq!(entry::sweep(&mut conn, NOW.plus(3599)).await?, 0);
        assert_eq!(entry::sweep(&mut conn, NOW.plus(3600)).await?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_registers_stand_in_keeps_people_messages_and_behaviour() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        register::seed(&mut conn).await?;
        register::seed(&mut conn).await?;
        assert_eq!(
            register::people(&mut conn).await?,
            i64::try_from(CITIZENS.len())?
        );
        let (name, phone) = register::holder(&mut conn, CITIZENS[6].number)
            .await?
            .expect("known");
        assert_eq!(
            (name.as_str(), phone.as_str()),
            ("𠮷测试", "+8614000000007")
        );
        assert_eq!(register::holder(&mut conn, "none").await?, None);
        assert_eq!(register::behaviour(&mut conn).await?, Behaviour::default());
        let slow = Behaviour {
            delay_ms: 3000,
            fail: true,
        };
        for wanted in [Behaviour::default(), slow] {
            register::behave(&mut conn, wanted).await?;
            assert_eq!(register::behaviour(&mut conn).await?, wanted);
        }
        drop(conn);

        let keeps: Vec<_> = (0..6)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut tx = store.write().await?;
                    let to = if n % 2 == 0 {
                        "+8614000000001"
                    } else {
                        "+8614000000002"
                    };
                    let id = register::keep(&mut tx, to, "text", (n == 0).then_some("012345"), NOW)
                        .await?;
                    tx.commit().await?;
                    Ok::<_, Fault>(id)
                })
            })
            .collect();
        let mut ids = Vec::new();
        for keep in keeps {
            ids.push(keep.await??);
        }
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
        let mut conn = store.read().await?;
        let all = register::messages(&mut conn, None).await?;
        assert_eq!(
            all.iter().map(|m| m.id).collect::<Vec<_>>(),
            [6, 5, 4, 3, 2, 1]
        );
        let mine = register::messages(&mut conn, Some("+8614000000001")).await?;
        assert_eq!(mine.len(), 3);
        assert_eq!(mine.iter().filter(|m| m.code.is_some()).count(), 1);
        Ok(())
    })
    .await;
}
