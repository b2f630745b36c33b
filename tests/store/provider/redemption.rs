//! Grants: of one code, one client, one session; and what ends them.

use super::*;

#[tokio::test]
async fn of_two_redemptions_one_wins_and_the_other_ends_the_grant() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        for _ in 0..5 {
            let code = issue(&store, &person, &session.id, &terms("openid"), None)
                .await?
                .expect("a code");
            let redeem = async || -> Result<_, Fault> {
                let mut tx = store.write().await?;
                let grant = grants::redeem(&mut tx, &code, &client(), NOW).await?;
                tx.commit().await?;
                Ok(grant)
            };
            let (one, two) = tokio::join!(redeem(), redeem());
            let won: Vec<_> = [one?, two?].into_iter().flatten().collect();
            assert_eq!(won.len(), 1);
            assert_eq!((&won[0].person, &won[0].terms), (&person, &terms("openid")));
            // The loser was a replay: nothing of it is in force.
            assert_eq!(
                grants::find(&mut *store.read().await?, &won[0].id, NOW).await?,
                None
            );
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn codes_are_of_their_client_their_minute_and_their_session() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let mut conn = store.read().await?;
        let code = issue(&store, &person, &session.id, &terms("openid"), None)
            .await?
            .expect("a code");
        assert_eq!(
            grants::redeem(&mut conn, &code, &ClientId("other".into()), NOW).await?,
            None
        );
        assert_eq!(
            grants::redeem(&mut conn, &code, &client(), NOW.plus(60)).await?,
            None
        );
        assert_eq!(
            grants::redeem(&mut conn, "unknown", &client(), NOW).await?,
            None
        );
        let grant = grants::redeem(&mut conn, &code, &client(), NOW.plus(59))
            .await?
            .expect("neither burnt it");
        assert!(grants::find(&mut conn, &grant.id, NOW).await?.is_some());
        let waiting = issue(&store, &person, &session.id, &terms("openid"), None)
            .await?
            .expect("a code");
        let offline = issue(
            &store,
            &person,
            &session.id,
            &terms("openid offline_access"),
            None,
        )
        .await?
        .expect("a code");
        let offline = grants::redeem(&mut conn, &offline, &client(), NOW)
            .await?
            .expect("a grant");
        assert!(session::end(&mut conn, &session.id, End::SignedOut, NOW).await?);
        assert!(!session::end(&mut conn, &session.id, End::SignedOut, NOW).await?);
        assert_eq!(
            grants::redeem(&mut conn, &waiting, &client(), NOW).await?,
            None
        );
        assert_eq!(grants::find(&mut conn, &grant.id, NOW).await?, None);
        // offline_access outlives the session, not its revocation.
        assert!(grants::find(&mut conn, &offline.id, NOW).await?.is_some());
        assert!(grants::revoke(&mut conn, &offline.id, "test", NOW).await?);
        assert!(!grants::revoke(&mut conn, &offline.id, "test", NOW).await?);
        assert_eq!(grants::find(&mut conn, &offline.id, NOW).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_raced_with_what_ends_it_does_not_work() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let mut conn = store.read().await?;
        let offline = terms("openid offline_access");
        // Everything was ended for security; a request that had read the session before writes its grant after.
        let (session, _) = begin(&store, &person).await?;
        session::end(&mut conn, &session.id, End::Security, NOW).await?;
        grants::revoke_person(&mut conn, &person, "test", NOW).await?;
        let late = issue(&store, &person, &session.id, &offline, None)
            .await?
            .expect("a code");
        assert_eq!(
            grants::redeem(&mut conn, &late, &client(), NOW).await?,
            None
        );
        // The same with a consent that is being withdrawn.
        let (session, _) = begin(&store, &person).await?;
        let (id, none) = (client(), BTreeSet::new());
        let yes = consent::Yes {
            person: &person,
            client: &id,
            scope: &offline.scope,
            claims: &none,
            platform: "x",
            lifetime: 1000,
        };
        consent::give(&mut conn, &mut rng(), &yes, NOW).await?;
        let given = consent::find(&mut conn, &person, &id, NOW)
            .await?
            .expect("a consent");
        grants::withdraw_consent(&mut conn, &person, &given.id, NOW).await?;
        let late = issue(&store, &person, &session.id, &offline, None)
            .await?
            .expect("a code");
        assert_eq!(
            grants::redeem(&mut conn, &late, &client(), NOW).await?,
            None
        );
        consent::give(&mut conn, &mut rng(), &yes, NOW).await?;
        let again = issue(&store, &person, &session.id, &offline, None)
            .await?
            .expect("a code");
        assert!(
            grants::redeem(&mut conn, &again, &client(), NOW)
                .await?
                .is_some()
        );
        Ok(())
    })
    .await;
}
