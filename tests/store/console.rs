//! Operators, their invitations and their sign-ins. Passkeys are in `tests/web/admin`.

use hefu::audit::{self, Event};
use hefu::clock::UnixTime;
use hefu::id::OperatorId;
use hefu::operator::account::{self, Operator};
use hefu::operator::invitation::{self, New};
use hefu::operator::{role::Roles, session};
use hefu::random::{Rng, RngSource};

use crate::support::database::for_each_database;

const NOW: UnixTime = UnixTime(100_000);

fn rng() -> Rng {
    RngSource::System.rng()
}

fn operator(id: &str) -> Operator {
    Operator {
        id: OperatorId(id.to_owned()),
        name: "测试庚".to_owned(),
        roles: "federation_officer security_officer".parse().unwrap(),
        added_at: NOW,
        disabled_at: None,
    }
}

#[tokio::test]
async fn an_invitation_is_used_once_however_many_try() {
    for_each_database(async |store| {
        let roles: Roles = "auditor".parse()?;
        let new = New {
            name: "测试庚",
            roles: &roles,
            invited_by: "operator",
            expires_at: NOW.plus(60),
        };
        let mut conn = store.read().await?;
        let (id, token) = invitation::issue(&mut conn, &mut rng(), new, NOW).await?;
        let found = invitation::find(&mut conn, token.reveal(), NOW).await?;
        let found = found.expect("open");
        assert_eq!((&found.id, &found.roles), (&id, &roles));
        assert_eq!(invitation::list(&mut conn, NOW).await?, [found]);
        assert_eq!(invitation::find(&mut conn, "other", NOW).await?, None);
        let late = NOW.plus(60);
        assert_eq!(
            invitation::find(&mut conn, token.reveal(), late).await?,
            None
        );
        assert_eq!(
            invitation::take(&mut conn, token.reveal(), late).await?,
            None
        );
        drop(conn);

        let tries = (0..8).map(|_| {
            let (store, token) = (store.clone(), token.reveal().clone());
            tokio::spawn(async move {
                let mut tx = store.write().await?;
                let got = invitation::take(&mut tx, &token, NOW).await?;
                tx.commit().await?;
                Ok::<bool, hefu::store::Error>(got.is_some())
            })
        });
        let mut got = 0;
        for tried in tries.collect::<Vec<_>>() {
            got += usize::from(tried.await??);
        }
        assert_eq!(got, 1);

        let mut conn = store.read().await?;
        assert_eq!(
            invitation::find(&mut conn, token.reveal(), NOW).await?,
            None
        );
        assert!(!invitation::withdraw(&mut conn, &id, NOW).await?, "used");
        let (other, token) = invitation::issue(&mut conn, &mut rng(), new, NOW).await?;
        assert!(invitation::withdraw(&mut conn, &other, NOW).await?);
        assert!(!invitation::withdraw(&mut conn, &other, NOW).await?);
        assert_eq!(
            invitation::take(&mut conn, token.reveal(), NOW).await?,
            None
        );
        assert!(invitation::list(&mut conn, NOW).await?.is_empty());
        assert_eq!(
            invitation::sweep(&mut conn, NOW).await?,
            1,
            "the withdrawn one"
        );
        assert_eq!(invitation::sweep(&mut conn, late).await?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn sign_ins_last_as_long_as_they_may() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let ada = operator("op_a");
        assert!(ada.add(&mut conn).await?);
        assert!(!ada.add(&mut conn).await?, "an id is given once");
        assert_eq!(account::list(&mut conn).await?, std::slice::from_ref(&ada));

        let handle = session::begin(&mut conn, &mut rng(), &ada.id, NOW).await?;
        let handle = handle.reveal();
        let idle = NOW.plus(session::IDLE);
        assert_eq!(session::seen(&mut conn, handle, idle).await?, None);
        let mut now = NOW;
        while now < NOW.plus(session::ABSOLUTE - 800) {
            now = now.plus(800);
            assert_eq!(
                session::seen(&mut conn, handle, now).await?,
                Some(ada.clone())
            );
        }
        let end = NOW.plus(session::ABSOLUTE);
        assert_eq!(session::seen(&mut conn, handle, end).await?, None);
        assert_eq!(session::seen(&mut conn, "other", now).await?, None);
        assert_eq!(
            session::end(&mut conn, handle, now).await?,
            Some(ada.id.clone())
        );
        assert_eq!(session::end(&mut conn, handle, now).await?, None);
        assert_eq!(session::seen(&mut conn, handle, now).await?, None);
        assert_eq!(session::sweep(&mut conn, NOW).await?, 1);

        // Disabling ends what is open and lets nobody in who begins later.
        let open = session::begin(&mut conn, &mut rng(), &ada.id, NOW).await?;
        assert!(account::disable(&mut conn, &ada.id, NOW).await?);
        assert!(!account::disable(&mut conn, &ada.id, NOW).await?);
        assert_eq!(session::seen(&mut conn, open.reveal(), NOW).await?, None);
        let late = session::begin(&mut conn, &mut rng(), &ada.id, NOW).await?;
        assert_eq!(session::seen(&mut conn, late.reveal(), NOW).await?, None);
        assert_eq!(account::list(&mut conn).await?[0].disabled_at, Some(NOW));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_log_is_read_newest_first() {
    for_each_database(async |store| {
        let mut tx = store.write().await?;
        for at in [3, 1, 2, 2] {
            let event = Event::done("test.row").with("at", at).with_actor("op_a");
            audit::record(&mut tx, &mut rng(), UnixTime(at), &event).await?;
        }
        tx.commit().await?;
        let mut conn = store.read().await?;
        let first = audit::newest(&mut conn, None, 2).await?;
        let times: Vec<i64> = first.iter().map(|row| row.at.0).collect();
        assert_eq!(times, [3, 2]);
        assert_eq!(first[0].detail, r#"{"at":3}"#);
        assert_eq!(first[0].actor.as_deref(), Some("op_a"));
        assert!(!first[0].sealed);
        let last = &first[1];
        let older = audit::newest(&mut conn, Some((last.at, &last.id)), 9).await?;
        let times: Vec<i64> = older.iter().map(|row| row.at.0).collect();
        assert_eq!(times, [2, 1]);
        assert_ne!(older[0].id, last.id);
        Ok(())
    })
    .await;
}
