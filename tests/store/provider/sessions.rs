//! Sessions, who is present in them, consents.

use super::*;

#[tokio::test]
async fn sessions_begin_go_on_and_end() {
    for_each_database(async |store| {
        let (person, other) = (account(&store).await?, account(&store).await?);
        let (first, handle) = begin(&store, &person).await?;
        let mut conn = store.read().await?;
        assert_eq!(
            session::find(&mut conn, &handle, NOW).await?,
            Some(first.clone())
        );
        assert_eq!(
            session::find(&mut conn, &handle, NOW.plus(43_200)).await?,
            None
        );
        assert_eq!(session::find(&mut conn, "planted", NOW).await?, None);
        session::seen(&mut conn, &first, NOW.plus(59)).await?;
        assert_eq!(
            session::find(&mut conn, &handle, NOW)
                .await?
                .expect("there")
                .seen_at,
            NOW
        );
        session::seen(&mut conn, &first, NOW.plus(60)).await?;
        assert_eq!(
            session::find(&mut conn, &handle, NOW)
                .await?
                .expect("there")
                .seen_at,
            NOW.plus(60)
        );
        // A further factor keeps the name and the time of login; the old handle dies.
        let (stronger, second) =
            session::add_factor(&mut conn, &mut rng(), &first, Factor::Sms, NOW.plus(5))
                .await?
                .expect("alive");
        assert_eq!(
            (&stronger.id, stronger.auth_time, stronger.factors()),
            (&first.id, NOW, vec![Factor::Password, Factor::Sms])
        );
        assert_eq!(session::find(&mut conn, &handle, NOW).await?, None);
        // The same person logs in again: the same session, proven anew.
        let login = Login {
            person: &person,
            factors: &[Factor::Passkey],
            device: "d",
            lifetime: 100,
            replacing: Some(&stronger),
        };
        let (again, third) = session::begin(&mut conn, &mut rng(), login, NOW.plus(10)).await?;
        assert_eq!(
            (&again.id, again.auth_time, again.begun_at, again.factors()),
            (&first.id, NOW.plus(10), NOW, vec![Factor::Passkey])
        );
        assert_eq!(
            session::find(&mut conn, second.reveal(), NOW.plus(10)).await?,
            None
        );
        assert_eq!(
            session::list_for(&mut conn, &person, NOW.plus(10)).await?,
            std::slice::from_ref(&again)
        );
        // Another person in the same browser ends it.
        let login = Login {
            person: &other,
            factors: &[Factor::Password],
            device: "d",
            lifetime: 100,
            replacing: Some(&again),
        };
        let (theirs, _) = session::begin(&mut conn, &mut rng(), login, NOW.plus(10)).await?;
        assert_ne!(theirs.id, again.id);
        assert_eq!(
            session::find(&mut conn, third.reveal(), NOW.plus(10)).await?,
            None
        );
        assert_eq!(
            session::add_factor(&mut conn, &mut rng(), &again, Factor::Sms, NOW.plus(10))
                .await?
                .map(|_| ()),
            None
        );
        let (_, _) = begin(&store, &other).await?;
        assert_eq!(
            session::end_all(
                &mut conn,
                &other,
                Some(&theirs.id),
                End::Security,
                NOW.plus(10)
            )
            .await?
            .len(),
            1
        );
        assert_eq!(
            session::list_for(&mut conn, &other, NOW.plus(10)).await?,
            [theirs]
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn consents_grow_are_withdrawn_and_expire() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let mut conn = store.read().await?;
        let give = async |scope: &str, claims: &[&str], now| {
            let claims: BTreeSet<String> = claims.iter().map(|c| (*c).to_owned()).collect();
            let yes = consent::Yes {
                person: &person,
                client: &client(),
                scope: &Scope::parse(scope).expect("scope"),
                claims: &claims,
                platform: "平台",
                lifetime: 100,
            };
            consent::give(&mut *store.read().await?, &mut rng(), &yes, now).await
        };
        give("openid phone", &["birthdate"], NOW).await?;
        give("openid real_name", &[], NOW).await?;
        let held = consent::find(&mut conn, &person, &client(), NOW)
            .await?
            .expect("given");
        assert!(held.covers(
            &Scope::parse("openid phone real_name").expect("scope"),
            &BTreeSet::from(["birthdate".to_owned()])
        ));
        assert_eq!(
            consent::list_for(&mut conn, &person, NOW).await?,
            std::slice::from_ref(&held)
        );
        assert_eq!(
            consent::find(&mut conn, &person, &client(), NOW.plus(100)).await?,
            None
        );
        let (session, _) = begin(&store, &person).await?;
        let code = issue(
            &store,
            &person,
            &session.id,
            &terms("openid offline_access"),
            None,
        )
        .await?
        .expect("a code");
        let grant = grants::redeem(&mut conn, &code, &client(), NOW)
            .await?
            .expect("a grant");
        assert_eq!(
            grants::withdraw_consent(&mut conn, &PersonId("another".into()), &held.id, NOW).await?,
            None
        );
        assert_eq!(
            grants::withdraw_consent(&mut conn, &person, &held.id, NOW).await?,
            Some(client())
        );
        assert_eq!(
            consent::find(&mut conn, &person, &client(), NOW).await?,
            None
        );
        assert_eq!(grants::find(&mut conn, &grant.id, NOW).await?, None);
        // What was withdrawn does not come back with the next yes.
        give("openid", &[], NOW).await?;
        let held = consent::find(&mut conn, &person, &client(), NOW)
            .await?
            .expect("given");
        assert!(!held.covers(&Scope::parse("phone").expect("scope"), &BTreeSet::new()));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn who_is_present_is_read_with_their_consent() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, handle) = begin(&store, &person).await?;
        let (ring, _folder) = ring(&store).await?;
        let settings = Provider::default();
        let rules = Rules {
            issuer: "https://id.example",
            settings: &settings,
            sealer: &*ring,
            now: NOW,
        };
        let (rp, request) = asked();
        let mut conn = store.read().await?;
        assert!(
            rules
                .present(&mut conn, &request, &rp, Some("unknown"))
                .await?
                .is_none()
        );
        let present = rules
            .present(&mut conn, &request, &rp, Some(&handle))
            .await?
            .expect("here");
        assert_eq!(
            (&present.session, &present.consent, present.known.real_name),
            (&session, &None, 1)
        );
        let yes = consent::Yes {
            person: &person,
            client: &rp.id,
            scope: &request.scope,
            claims: &BTreeSet::new(),
            platform: "x",
            lifetime: 10,
        };
        consent::give(&mut conn, &mut rng(), &yes, NOW).await?;
        let present = rules
            .present(&mut conn, &request, &rp, Some(&handle))
            .await?
            .expect("here");
        assert!(present.consent.is_some());
        let arrive = async |session, settings| -> Result<Outcome, Fault> {
            let counter = Counter {
                indexer: &*ring,
                settings,
                source: "192.0.2.1",
            };
            let browser = Browser {
                session,
                secret: None,
            };
            let arrival = Arrival {
                request: request.clone(),
                one_use: None,
                client: &rp,
                browser,
                counter,
            };
            let mut conn = store.read().await?;
            Ok(rules.arrive(&mut conn, &mut rng(), arrival).await?)
        };
        // Answered at once: nothing is kept, nothing counted. A login that must be begun is.
        let one = Provider {
            begun_per_source: 1,
            ..Provider::default()
        };
        for _ in 0..2 {
            assert!(matches!(
                arrive(Some(&*handle), &one).await?,
                Outcome::Reply(_)
            ));
        }
        assert!(matches!(
            arrive(None, &one).await?,
            Outcome::Interact { .. }
        ));
        assert!(matches!(arrive(None, &one).await?, Outcome::Wait(3600)));
        assert!(matches!(
            arrive(None, &settings).await?,
            Outcome::Interact { .. }
        ));
        let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM interactions")
            .fetch_one(&mut *conn)
            .await?;
        assert_eq!(kept, 2);
        Ok(())
    })
    .await;
}
