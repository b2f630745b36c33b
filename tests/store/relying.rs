//! A portal's logins under way, its sessions, the logout tokens it has obeyed.

use std::sync::Arc;

use hefu::clock::UnixTime;
use hefu::crypto::{Purpose, Sealer};
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::random::{Rng, RngSource};
use hefu::relying::pending::{Pending, Secrets};
use hefu::relying::session::{self, EndedBy};
use hefu::relying::tokens::Verified;
use hefu::relying::{Hop, Session, logout, purge};
use hefu::store::{Error, Store};
use serde_json::json;

use crate::support::database::{Fault, for_each_database};

const NOW: UnixTime = UnixTime(1_000_000);

/// A ring for its sealing alone.
async fn sealer(store: &Store) -> Result<(KeyRing, tempfile::TempDir), Fault> {
    let folder = tempfile::tempdir()?;
    let mut rng = RngSource::System.rng();
    let setup = Setup {
        entity: "https://gd.example",
        vault: folder.path(),
        kek: Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng)?),
        policy: Policy::shipped()?,
        purposes: &[Purpose::Audit],
    };
    let ring = KeyRing::open(store, setup, NOW, &mut rng).await?;
    Ok((ring, folder))
}

fn pending() -> Pending {
    Pending {
        issuer: "https://id.example".to_owned(),
        secrets: Secrets {
            nonce: "the-nonce".to_owned(),
            verifier: "the-verifier".to_owned(),
            target: Some("https://gd.example/services".to_owned()),
        },
    }
}

#[tokio::test]
async fn a_login_is_taken_once_by_its_own_browser_in_time() {
    for_each_database(async |store| {
        let (sealer, _folder) = sealer(&store).await?;
        let mut conn = store.read().await?;
        let until = NOW.plus(100);
        pending()
            .keep(&mut conn, &sealer, "state", "browser", NOW, until)
            .await?;
        pending()
            .keep(&mut conn, &sealer, "late", "browser", NOW, until)
            .await?;
        for (state, browser, now) in [
            ("other", "browser", NOW),
            ("state", "stranger", NOW),
            ("late", "browser", until),
        ] {
            assert_eq!(
                Pending::take(&mut conn, &sealer, state, browser, now).await?,
                None,
                "{state} {browser}"
            );
        }
        // What a stranger tried has not used it up.
        let taken = Pending::take(&mut conn, &sealer, "state", "browser", NOW).await?;
        assert_eq!(taken, Some(pending()));
        let again = Pending::take(&mut conn, &sealer, "state", "browser", NOW).await?;
        assert_eq!(again, None);

        let row: (Vec<u8>, Vec<u8>) =
            sqlx::query_as("SELECT state_hash, secrets FROM portal_logins WHERE used_at IS NULL")
                .fetch_one(&mut *conn)
                .await?;
        assert_ne!(row.0, b"late");
        assert!(!row.1.windows(9).any(|w| w == b"the-nonce"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_many_returns_at_once_one_is_served() {
    for_each_database(async |store| {
        let (sealer, _folder) = sealer(&store).await?;
        let sealer = Arc::new(sealer);
        pending()
            .keep(
                &mut *store.read().await?,
                &*sealer,
                "state",
                "browser",
                NOW,
                NOW.plus(100),
            )
            .await?;
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (store, sealer) = (store.clone(), Arc::clone(&sealer));
            tries.spawn(async move {
                let mut conn = store.read().await?;
                Pending::take(&mut conn, &*sealer, "state", "browser", NOW).await
            });
        }
        let mut served = 0;
        while let Some(tried) = tries.join_next().await {
            served += usize::from(tried??.is_some());
        }
        assert_eq!(served, 1);
        Ok(())
    })
    .await;
}

async fn begin(
    store: &Store,
    sealer: &dyn Sealer,
    rng: &mut Rng,
    sub: &str,
    sid: Option<&str>,
) -> Result<String, Error> {
    let claims = json!({"name": "测试甲"});
    let verified = Verified {
        iss: "https://id.example".to_owned(),
        sub: sub.to_owned(),
        sid: sid.map(str::to_owned),
        claims: claims.as_object().cloned().unwrap_or_default(),
        id_token: format!("id-token-of-{sub}").into(),
        refresh_token: None,
    };
    let hop = Hop {
        entity: "https://gd.example".to_owned(),
        name: Some("广东".to_owned()),
        name_en: None,
        vouched_until: Some(NOW),
    };
    let mut conn = store.read().await?;
    let chains = (vec![hop], Vec::new());
    let handle =
        Session::begin(&mut conn, sealer, rng, verified, chains, NOW, NOW.plus(100)).await?;
    Ok(handle.reveal().clone())
}

#[tokio::test]
async fn a_session_is_found_by_its_handle_until_it_ends() {
    for_each_database(async |store| {
        let (sealer, _folder) = sealer(&store).await?;
        let mut rng = RngSource::System.rng();
        let handle = begin(&store, &sealer, &mut rng, "a", Some("s1")).await?;
        let mut conn = store.read().await?;

        let Some(Session::Live(live)) = Session::find(&mut conn, &sealer, &handle, NOW).await?
        else {
            panic!("it is not live");
        };
        assert_eq!((live.sub.as_str(), live.sid.as_deref()), ("a", Some("s1")));
        assert_eq!(live.received.claims["name"], "测试甲");
        assert_eq!(live.received.own_chain[0].name.as_deref(), Some("广东"));
        assert_eq!(Session::find(&mut conn, &sealer, "x", NOW).await?, None);
        let later = NOW.plus(100);
        assert_eq!(
            Session::find(&mut conn, &sealer, &handle, later).await?,
            None
        );

        let hint = session::end_with_hint(&mut conn, &sealer, &handle, NOW).await?;
        assert_eq!(
            hint.map(|h| h.reveal().clone()).as_deref(),
            Some("id-token-of-a")
        );
        let hint = session::end_with_hint(&mut conn, &sealer, &handle, NOW).await?;
        assert!(hint.is_none());
        assert!(!session::end(&mut conn, &handle, EndedBy::Here, NOW).await?);
        let found = Session::find(&mut conn, &sealer, &handle, NOW).await?;
        assert_eq!(found, Some(Session::Ended(EndedBy::Here)));
        let kept: (Vec<u8>, Vec<u8>) =
            sqlx::query_as("SELECT received, tokens FROM portal_sessions")
                .fetch_one(&mut *conn)
                .await?;
        assert_eq!(kept, (Vec::new(), Vec::new()));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_provider_ends_whom_it_means() {
    for_each_database(async |store| {
        let (sealer, _folder) = sealer(&store).await?;
        let mut rng = RngSource::System.rng();
        let iss = "https://id.example";
        // (sub, sid) of the order, how many of the three sessions it ends
        for (sub, sid, ended) in [
            (None, Some("s1"), 1),
            (Some("a"), None, 2),
            (Some("a"), Some("s1"), 1),
            (Some("b"), Some("s1"), 0),
            (None, Some("unknown"), 0),
            (None, None, 0),
        ] {
            let mut handles = Vec::new();
            for (sub, sid) in [("a", Some("s1")), ("a", Some("s2")), ("b", None)] {
                handles.push(begin(&store, &sealer, &mut rng, sub, sid).await?);
            }
            let mut conn = store.read().await?;
            let elsewhere =
                session::end_by_provider(&mut conn, "https://other.example", sub, sid, NOW).await?;
            assert_eq!(elsewhere, 0);
            let done = session::end_by_provider(&mut conn, iss, sub, sid, NOW).await?;
            assert_eq!(done, ended, "{sub:?} {sid:?}");
            let mut over = 0;
            for handle in &handles {
                let found = Session::find(&mut conn, &sealer, handle, NOW).await?;
                over += u64::from(found == Some(Session::Ended(EndedBy::Provider)));
                session::end(&mut conn, handle, EndedBy::Here, NOW).await?;
            }
            assert_eq!(over, ended);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_logout_token_is_noted_once_and_all_is_forgotten_in_time() {
    for_each_database(async |store| {
        let (sealer, _folder) = sealer(&store).await?;
        let mut rng = RngSource::System.rng();
        begin(&store, &sealer, &mut rng, "a", None).await?;
        let mut conn = store.read().await?;
        let until = NOW.plus(100);
        assert!(logout::remember(&mut conn, "i", "j", until).await?);
        assert!(!logout::remember(&mut conn, "i", "j", until).await?);
        assert!(logout::remember(&mut conn, "i2", "j", until).await?);
        pending()
            .keep(&mut conn, &sealer, "state", "browser", NOW, until)
            .await?;
        assert_eq!(purge(&mut conn, NOW).await?, 0);
        assert_eq!(purge(&mut conn, until).await?, 4);
        assert!(logout::remember(&mut conn, "i", "j", until).await?);
        Ok(())
    })
    .await;
}
