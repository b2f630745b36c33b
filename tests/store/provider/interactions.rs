//! Marks, waiting requests, interactions: what a login leaves behind on its way.

use super::*;

#[tokio::test]
async fn a_mark_is_set_once_also_by_many_at_once() {
    for_each_database(async |store| {
        let mark = OneUse::of("test", "rp", "jti", NOW.plus(60));
        let once =
            async || -> Result<bool, Fault> { Ok(mark.mark(&mut *store.read().await?).await?) };
        let (a, b, c) = tokio::join!(once(), once(), once());
        assert_eq!([a?, b?, c?].into_iter().filter(|first| *first).count(), 1);
        assert!(
            OneUse::of("test", "other", "jti", NOW)
                .mark(&mut *store.read().await?)
                .await?
        );
        assert!(
            OneUse::of("other", "rp", "jti", NOW)
                .mark(&mut *store.read().await?)
                .await?
        );
        let mut conn = store.read().await?;
        assert!(sweep::sweep(&mut conn, NOW.plus(1000)).await? >= 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn waiting_requests_and_their_one_answer() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let mut conn = store.read().await?;
        let sent = Parameters::new([
            ("a".to_owned(), "1 合".to_owned()),
            ("b".to_owned(), "2".to_owned()),
            ("b".to_owned(), "3".to_owned()),
        ]);
        let (_, request) = asked();
        let uri = waiting::push(&mut conn, &mut rng(), &request, 90, NOW).await?;
        let found = waiting::pushed(&mut conn, &uri, client().as_str(), NOW)
            .await?
            .expect("pushed");
        let reference = URL_SAFE_NO_PAD.decode(found.pushed.as_deref().expect("its reference"))?;
        assert_eq!(
            AuthorizationRequest {
                pushed: None,
                ..found
            },
            request
        );
        assert_eq!(waiting::pushed(&mut conn, &uri, "other", NOW).await?, None);
        assert_eq!(
            waiting::pushed(&mut conn, &uri, client().as_str(), NOW.plus(90)).await?,
            None
        );
        let name = uri.strip_prefix(waiting::PREFIX).expect("a name");
        assert_eq!(waiting::parked(&mut conn, name, NOW).await?, None);
        let parked = waiting::park(&mut conn, &mut rng(), &sent, NOW).await?;
        assert_eq!(
            waiting::parked(&mut conn, &parked, NOW).await?,
            Some(sent.clone())
        );
        assert_eq!(
            waiting::parked(&mut conn, &parked, NOW.plus(120)).await?,
            None
        );
        assert_eq!(
            waiting::pushed(
                &mut conn,
                &format!("{}{parked}", waiting::PREFIX),
                client().as_str(),
                NOW
            )
            .await?,
            None
        );
        // Answered once, also by two browsers at once.
        let grant = terms("openid");
        let answer = async || issue(&store, &person, &session.id, &grant, Some(&reference)).await;
        let (a, b) = tokio::join!(answer(), answer());
        assert_eq!([a?, b?].into_iter().flatten().count(), 1);
        assert_eq!(
            waiting::pushed(&mut conn, &uri, client().as_str(), NOW).await?,
            None
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn interactions_belong_to_one_browser_and_end_once() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let mut conn = store.read().await?;
        let purpose = Purpose::Account {
            return_to: "/account".to_owned(),
        };
        let begun = interaction::begin(&mut conn, &mut rng(), "browser", purpose, NOW).await?;
        let load = async |secret: &'static str, now| {
            Interaction::load(&mut *store.read().await?, &begun.id, secret, now).await
        };
        assert_eq!(load("browser", NOW).await?, Some(begun.clone()));
        assert_eq!(load("another", NOW).await?, None);
        assert_eq!(
            load("browser", NOW.plus(interaction::LIFETIME)).await?,
            None
        );
        assert!(interaction::attach_session(&mut conn, &begun, &session.id, NOW).await?);
        interaction::put_off_verification(&mut conn, &begun, NOW).await?;
        interaction::note_consent(&mut conn, &begun, &session.id, NOW).await?;
        let loaded = load("browser", NOW).await?.expect("there");
        assert_eq!(
            (
                loaded.session,
                loaded.authenticated_at,
                loaded.consented_at,
                loaded.put_off_at
            ),
            (Some(session.id.clone()), Some(NOW), Some(NOW), Some(NOW))
        );
        // A yes of another session takes the other's proof away.
        interaction::note_consent(&mut conn, &begun, &SessionId("other".into()), NOW).await?;
        assert_eq!(
            load("browser", NOW).await?.expect("there").authenticated_at,
            None
        );
        let complete = async || interaction::complete(&mut *store.read().await?, &begun, NOW).await;
        let (a, b) = tokio::join!(complete(), complete());
        assert!(a? != b?);
        assert_eq!(load("browser", NOW).await?, None);
        assert!(!interaction::attach_session(&mut conn, &begun, &session.id, NOW).await?);
        Ok(())
    })
    .await;
}
