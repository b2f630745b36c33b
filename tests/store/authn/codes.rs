//! Codes: once, here, and not for long.

use super::*;

#[tokio::test]
async fn a_code_works_once_here_and_not_for_long() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let rules = Rules::default();
        let mut conn = store.read().await?;
        let number = "+8614000000001";
        let Issue::Send(first) = code::issue(
            &mut conn,
            &*ring,
            &mut rng(),
            number,
            "int_1/login",
            &rules,
            NOW,
        )
        .await?
        else {
            panic!("the first is sent");
        };
        // A minute between messages, also for another form.
        assert!(matches!(
            code::issue(
                &mut conn,
                &*ring,
                &mut rng(),
                number,
                "int_2/login",
                &rules,
                NOW.plus(59)
            )
            .await?,
            Issue::Wait(1)
        ));
        let stored: Vec<u8> = sqlx::query_scalar("SELECT code FROM sms_codes")
            .fetch_one(&mut *conn)
            .await?;
        assert_ne!(stored, hefu::crypto::sha256(first.reveal().as_bytes()));
        let wrong = if first.reveal() == "000000" {
            "000001"
        } else {
            "000000"
        };
        for (context, phone, typed, at, result) in [
            ("int_1/login", number, wrong, NOW, Redeemed::Wrong),
            (
                "int_2/login",
                number,
                first.reveal().as_str(),
                NOW,
                Redeemed::Expired,
            ),
            (
                "int_1/login",
                "+8614000000002",
                first.reveal(),
                NOW,
                Redeemed::Expired,
            ),
            (
                "int_1/login",
                number,
                first.reveal(),
                NOW.plus(300),
                Redeemed::Expired,
            ),
            (
                "int_1/login",
                number,
                first.reveal(),
                NOW.plus(299),
                Redeemed::Right,
            ),
            (
                "int_1/login",
                number,
                first.reveal(),
                NOW.plus(299),
                Redeemed::Expired,
            ),
        ] {
            assert_eq!(
                code::redeem(&mut conn, &*ring, phone, context, typed, &rules, at).await?,
                result,
                "{context} {at}"
            );
        }

        // Five tries.
        let later = NOW.plus(1000);
        let Issue::Send(second) = code::issue(
            &mut conn,
            &*ring,
            &mut rng(),
            number,
            "int_1/login",
            &rules,
            later,
        )
        .await?
        else {
            panic!("the second is sent");
        };
        let wrong = if second.reveal() == "000000" {
            "000001"
        } else {
            "000000"
        };
        for n in 1..=5 {
            let expected = if n == 5 {
                Redeemed::Expired
            } else {
                Redeemed::Wrong
            };
            assert_eq!(
                code::redeem(
                    &mut conn,
                    &*ring,
                    number,
                    "int_1/login",
                    wrong,
                    &rules,
                    later
                )
                .await?,
                expected
            );
        }
        assert_eq!(
            code::redeem(
                &mut conn,
                &*ring,
                number,
                "int_1/login",
                second.reveal(),
                &rules,
                later
            )
            .await?,
            Redeemed::Expired
        );
        // A message that could not be sent costs nothing.
        let third = later.plus(60);
        assert!(matches!(
            code::issue(
                &mut conn,
                &*ring,
                &mut rng(),
                number,
                "int_3",
                &rules,
                third
            )
            .await?,
            Issue::Send(_)
        ));
        code::unsent(&mut conn, &*ring, number, "int_3").await?;
        assert!(matches!(
            code::issue(
                &mut conn,
                &*ring,
                &mut rng(),
                number,
                "int_3",
                &rules,
                third
            )
            .await?,
            Issue::Send(_)
        ));
        // So many a day.
        let mut at = third;
        let mut sent = 0;
        loop {
            at = at.plus(60);
            match code::issue(&mut conn, &*ring, &mut rng(), number, "int_4", &rules, at).await? {
                Issue::Send(_) => sent += 1,
                Issue::Wait(seconds) => {
                    assert!(seconds > 80_000);
                    break;
                }
            }
        }
        assert_eq!(sent, rules.daily - 3);
        assert!(code::sweep(&mut conn, at.plus(2 * 86_400)).await? >= 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn one_code_used_by_many_at_once_works_once() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let rules = Rules::default();
        let number = "+8614000000001";
        let Issue::Send(secret) = code::issue(
            &mut *store.read().await?,
            &*ring,
            &mut rng(),
            number,
            "c",
            &rules,
            NOW,
        )
        .await?
        else {
            panic!("sent");
        };
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (store, ring, typed) =
                    (store.clone(), Arc::clone(&ring), secret.reveal().clone());
                tokio::spawn(async move {
                    let mut tx = store.write().await?;
                    let redeemed =
                        code::redeem(&mut tx, &*ring, number, "c", &typed, &Rules::default(), NOW)
                            .await?;
                    tx.commit().await?;
                    Ok::<_, Fault>(redeemed)
                })
            })
            .collect();
        let mut right = 0;
        for task in tasks {
            right += usize::from(task.await?? == Redeemed::Right);
        }
        assert_eq!(right, 1);
        Ok(())
    })
    .await;
}
