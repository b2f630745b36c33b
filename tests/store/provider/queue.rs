//! The queue of logouts.

use super::*;

#[tokio::test]
async fn whoever_ends_a_session_its_platforms_are_told() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (ring, _folder) = ring(&store).await?;
        let mut conn = store.read().await?;
        hefu::identity::subject::for_sector(&mut conn, &mut rng(), &person, "rp.example", NOW)
            .await?;
        let sign_in = async || -> Result<Session, Fault> {
            let (session, _) = begin(&store, &person).await?;
            for _ in 0..2 {
                let code = issue(&store, &person, &session.id, &terms("openid"), None)
                    .await?
                    .expect("a code");
                grants::redeem(&mut *store.read().await?, &code, &client(), NOW)
                    .await?
                    .expect("a grant");
            }
            Ok(session)
        };
        let session = sign_in().await?;
        assert_eq!(
            logout::platforms(&mut conn, &session.id).await?,
            ["粤省事 \u{20BB7}"]
        );
        let mut tx = store.write().await?;
        assert!(logout::end(&mut tx, &mut rng(), &session.id, End::SignedOut, NOW).await?);
        assert!(!logout::end(&mut tx, &mut rng(), &session.id, End::SignedOut, NOW).await?);
        tx.commit().await?;
        assert_eq!(
            states(&mut conn, &session.id).await?,
            [("粤省事 \u{20BB7}".to_owned(), State::Waiting)]
        );
        // Ended by a room that knows nothing of platforms; nobody answers, and no key signs in this test.
        let other = sign_in().await?;
        session::end(&mut conn, &other.id, End::Security, NOW).await?;
        drop(conn);
        let table = json!({"client_id": client(), "client_secret": "s", "redirect_uris": ["https://rp.example/cb"]});
        let settings = Provider {
            clients: vec![table.as_object().expect("a table").clone()],
            ..Provider::default()
        };
        let deliverer = logout::Deliverer {
            store: store.clone(),
            clients: Arc::new(Clients::new(&settings, None, false).expect("clients")),
            issuer: "https://id.example".into(),
            signer: ring,
            outbound: Arc::new(outbound()),
        };
        let put_off = logout::Round {
            put_off: 2,
            ..logout::Round::default()
        };
        assert_eq!(deliverer.deliver(&mut rng(), NOW).await?, put_off);
        let mut conn = store.read().await?;
        assert_eq!(
            states(&mut conn, &other.id).await?,
            [("粤省事 \u{20BB7}".to_owned(), State::Waiting)]
        );
        drop(conn);
        // Tried again later and later, and given up in the end.
        assert_eq!(
            deliverer.deliver(&mut rng(), NOW.plus(4)).await?,
            logout::Round::default()
        );
        let mut now = NOW;
        for wait in [5, 30, 120, 600, 3600] {
            now = now.plus(wait);
            assert_eq!(
                deliverer.deliver(&mut rng(), now).await?,
                put_off,
                "after {wait} s"
            );
        }
        let failed = logout::Round {
            failed: 2,
            ..logout::Round::default()
        };
        assert_eq!(
            deliverer.deliver(&mut rng(), now.plus(4 * 3600)).await?,
            failed
        );
        let mut conn = store.read().await?;
        assert_eq!(
            states(&mut conn, &other.id).await?,
            [("粤省事 \u{20BB7}".to_owned(), State::Failed)]
        );
        Ok(())
    })
    .await;
}

/// Platforms and how far they were told.
async fn states(
    conn: &mut hefu::store::Conn,
    session: &SessionId,
) -> Result<Vec<(String, State)>, Fault> {
    let told = told::of_session(conn, session).await?;
    Ok(told.into_iter().map(|t| (t.platform, t.state)).collect())
}

fn outbound() -> hefu::outbound::Outbound {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    hefu::outbound::Outbound::new(hefu::outbound::Options::default()).expect("a client")
}
