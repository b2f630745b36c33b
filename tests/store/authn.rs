//! Passwords, codes, passkeys, and the throttle.

mod codes;

use std::sync::Arc;

use hefu::authn::code::{self, Issue, Redeemed, Rules};
use hefu::authn::hashing::{Hasher, Places};
use hefu::authn::passkey::{self, Finished, Passkeys};
use hefu::authn::password;
use hefu::authn::throttle::{self, Limit, Pass};
use hefu::crypto::Secret;

use super::identity::{NOW, account, ring, rng};
use crate::support::database::{Fault, for_each_database};

#[tokio::test]
async fn tries_are_counted_in_their_window() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let mut conn = store.read().await?;
        let limit = Limit {
            kind: "login",
            tries: 5,
            seconds: 900,
        };
        let who = ["+8614000000001", "192.0.2.1"];
        for _ in 0..5 {
            assert_eq!(
                throttle::count(&mut conn, &*ring, limit, &who, NOW).await?,
                Pass::Go
            );
        }
        assert_eq!(
            throttle::count(&mut conn, &*ring, limit, &who, NOW.plus(1)).await?,
            Pass::Wait(899)
        );
        // Others are not kept out, and parts do not run together.
        for other in [
            ["+8614000000001", "192.0.2.2"],
            ["+8614000000002", "192.0.2.1"],
            ["+86140000000011", "92.0.2.1"],
        ] {
            assert_eq!(
                throttle::count(&mut conn, &*ring, limit, &other, NOW).await?,
                Pass::Go
            );
        }
        assert_eq!(
            throttle::count(&mut conn, &*ring, limit, &who, NOW.plus(900)).await?,
            Pass::Go
        );
        throttle::clear(&mut conn, &*ring, limit, &who).await?;
        for _ in 0..8 {
            assert_eq!(
                throttle::count(&mut conn, &*ring, limit, &who, NOW.plus(900)).await?,
                Pass::Go
            );
            throttle::forgive(&mut conn, &*ring, limit, &who).await?;
        }
        assert!(throttle::sweep(&mut conn, NOW.plus(10_000)).await? >= 4);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_hundred_guesses_at_once_are_a_hundred() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let limit = Limit {
            kind: "login",
            tries: 5,
            seconds: 900,
        };
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (store, ring) = (store.clone(), Arc::clone(&ring));
                tokio::spawn(async move {
                    let mut tx = store.write().await?;
                    let pass = throttle::count(&mut tx, &*ring, limit, &["a"], NOW).await?;
                    tx.commit().await?;
                    Ok::<_, Fault>(pass)
                })
            })
            .collect();
        let mut went = 0;
        for task in tasks {
            went += usize::from(task.await?? == Pass::Go);
        }
        assert_eq!(went, 5);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_password_is_set_replaced_and_hashed_anew() {
    for_each_database(async |store| {
        let ada = account(&store).await?;
        let mut conn = store.read().await?;
        assert_eq!(password::find(&mut conn, &ada).await?, None);
        assert_eq!(password::changed_at(&mut conn, &ada).await?, None);
        let hasher = Hasher::new(64, 1, 1, Places::new(1, 4))?;
        let phc = hasher
            .hash(Secret::new("Hefu-demo-2026".to_owned()), [1; 16])
            .await?;
        password::set(&mut conn, &ada, &phc, NOW).await?;
        password::rehash(&mut conn, &ada, "another", "lost").await?;
        assert_eq!(password::find(&mut conn, &ada).await?, Some(phc.clone()));
        password::rehash(&mut conn, &ada, &phc, "stronger").await?;
        assert_eq!(
            password::find(&mut conn, &ada).await?.as_deref(),
            Some("stronger")
        );
        assert_eq!(password::changed_at(&mut conn, &ada).await?, Some(NOW));
        password::set(&mut conn, &ada, "new", NOW.plus(1)).await?;
        assert_eq!(
            password::changed_at(&mut conn, &ada).await?,
            Some(NOW.plus(1))
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_passkey_is_added_used_renamed_and_removed() {
    use webauthn_authenticator_rs::WebauthnAuthenticator as _;
    use webauthn_authenticator_rs::softpasskey::SoftPasskey;

    for_each_database(async |store| {
        // The soft device wants https; the demo's name is accepted by browsers and by us.
        Passkeys::new("http://id.localhost:8080", "国家账号")?;
        assert!(Passkeys::new("http://127.0.0.1:8080", "国家账号").is_err());
        let passkeys = Passkeys::new("https://id.example", "国家账号")?;
        let origin: url::Url = "https://id.example".parse()?;
        let (ada, eve) = (account(&store).await?, account(&store).await?);
        let mut conn = store.read().await?;
        let mut device = SoftPasskey::new(true);
        let mut stranger = SoftPasskey::new(true);

        // Registration: asks for a resident key; works once, for its person, where it began.
        let begun = passkeys
            .begin_registration(&mut conn, &mut rng(), &ada, "140****0001", "s_1", NOW)
            .await?
            .expect("begun");
        assert_eq!(
            begun.options["publicKey"]["authenticatorSelection"]["residentKey"],
            "preferred"
        );
        assert_eq!(
            begun.options["publicKey"]["authenticatorSelection"]["userVerification"],
            "required"
        );
        let handle = begun.options["publicKey"]["user"]["id"].clone();
        let credential = device
            .do_registration(
                origin.clone(),
                serde_json::from_value(begun.options.clone())?,
            )
            .map_err(|e| format!("{e:?}"))?;
        let credential = serde_json::to_value(credential)?;
        for (person, context, at) in [(&ada, "s_2", NOW), (&ada, "s_1", NOW.plus(301))] {
            assert_eq!(
                passkeys
                    .finish_registration(
                        &mut conn,
                        &mut rng(),
                        person,
                        &begun.ceremony,
                        context,
                        "我的手机",
                        credential.clone(),
                        at
                    )
                    .await?,
                Finished::Refused
            );
        }
        let Finished::Done(key) = passkeys
            .finish_registration(
                &mut conn,
                &mut rng(),
                &ada,
                &begun.ceremony,
                "s_1",
                "我的手机",
                credential.clone(),
                NOW,
            )
            .await?
        else {
            panic!("refused");
        };
        assert_eq!(
            passkeys
                .finish_registration(
                    &mut conn,
                    &mut rng(),
                    &ada,
                    &begun.ceremony,
                    "s_1",
                    "x",
                    credential.clone(),
                    NOW
                )
                .await?,
            Finished::Refused
        );

        // Login with the name known.
        let begun = passkeys
            .begin_known(&mut conn, &mut rng(), Some(&ada), b"", "int_1", NOW)
            .await?
            .expect("begun");
        let assertion = device
            .do_authentication(origin.clone(), serde_json::from_value(begun.options)?)
            .map_err(|e| format!("{e:?}"))?;
        let assertion = serde_json::to_value(assertion)?;
        assert_eq!(
            passkeys
                .finish_login(&mut conn, &begun.ceremony, "int_1", assertion.clone(), NOW)
                .await?,
            Finished::Done(ada.clone())
        );
        assert_eq!(
            passkeys
                .finish_login(&mut conn, &begun.ceremony, "int_1", assertion, NOW)
                .await?,
            Finished::Refused,
            "a ceremony works once"
        );

        // Login without a name. The soft device has no resident keys: it is told which credential, and what a resident key would add.
        let begun = passkeys
            .begin_login(&mut conn, &mut rng(), false, "int_2", NOW)
            .await?
            .expect("begun");
        assert!(
            begun
                .options
                .get("mediation")
                .is_none_or(serde_json::Value::is_null)
        );
        let mut options = begun.options.clone();
        options["publicKey"]["allowCredentials"] =
            serde_json::json!([{ "type": "public-key", "id": credential["rawId"] }]);
        let assertion = device
            .do_authentication(origin.clone(), serde_json::from_value(options)?)
            .map_err(|e| format!("{e:?}"))?;
        let mut assertion = serde_json::to_value(assertion)?;
        assertion["response"]["userHandle"] = handle;
        assert_eq!(
            passkeys
                .finish_login(&mut conn, &begun.ceremony, "int_2", assertion.clone(), NOW)
                .await?,
            Finished::Done(ada.clone())
        );

        // Conditional; and a name nobody has looks like one that somebody has.
        let begun = passkeys
            .begin_login(&mut conn, &mut rng(), true, "int_3", NOW)
            .await?
            .expect("begun");
        assert_eq!(begun.options["mediation"], "conditional");
        let decoy = passkeys
            .begin_known(&mut conn, &mut rng(), None, &[9; 32], "int_4", NOW)
            .await?
            .expect("begun");
        assert_eq!(
            decoy.options["publicKey"]["allowCredentials"]
                .as_array()
                .map(Vec::len),
            Some(1)
        );
        assert_eq!(
            passkeys
                .finish_login(&mut conn, &decoy.ceremony, "int_4", assertion, NOW)
                .await?,
            Finished::Refused
        );

        // A stranger's device, and rubbish.
        let begun = passkeys
            .begin_registration(&mut conn, &mut rng(), &eve, "x", "s_9", NOW)
            .await?
            .expect("begun");
        let foreign = stranger.do_registration(
            "https://evil.example".parse()?,
            serde_json::from_value(begun.options)?,
        );
        assert!(
            foreign.is_err() || {
                let foreign = serde_json::to_value(foreign.expect("made"))?;
                passkeys
                    .finish_registration(
                        &mut conn,
                        &mut rng(),
                        &eve,
                        &begun.ceremony,
                        "s_9",
                        "x",
                        foreign,
                        NOW,
                    )
                    .await?
                    == Finished::Refused
            }
        );
        for rubbish in [
            serde_json::json!(null),
            serde_json::json!({}),
            serde_json::json!({"id": 1}),
        ] {
            let begun = passkeys
                .begin_login(&mut conn, &mut rng(), false, "int_5", NOW)
                .await?
                .expect("begun");
            assert_eq!(
                passkeys
                    .finish_login(&mut conn, &begun.ceremony, "int_5", rubbish, NOW)
                    .await?,
                Finished::Refused
            );
        }

        let listed = passkey::list(&mut conn, &ada).await?;
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].handle.as_str(), listed[0].last_used_at),
            (key.as_str(), Some(NOW))
        );
        assert!(!passkey::rename(&mut conn, &eve, &key, "mine").await?);
        assert!(passkey::rename(&mut conn, &ada, &key, "旧手机").await?);
        assert_eq!(passkey::list(&mut conn, &ada).await?[0].name, "旧手机");
        assert!(!passkey::remove(&mut conn, &eve, &key).await?);
        assert!(passkey::remove(&mut conn, &ada, &key).await?);
        assert!(passkey::list(&mut conn, &ada).await?.is_empty());
        passkey::sweep(&mut conn, NOW.plus(1000)).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_login_holds_the_password_that_it_was_given() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        password::set(&mut *store.read().await?, &person, "old", NOW).await?;
        let mut login = store.write().await?;
        assert!(password::hold(&mut login, &person, "old").await?);
        let change = tokio::spawn({
            let (store, person) = (store.clone(), person.clone());
            async move {
                let mut tx = store.write().await?;
                password::set(&mut tx, &person, "new", NOW).await?;
                tx.commit().await
            }
        });
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(!change.is_finished(), "the change waits for the login");
        login.commit().await?;
        change.await??;
        let mut tx = store.write().await?;
        assert!(!password::hold(&mut tx, &person, "old").await?);
        assert!(password::hold(&mut tx, &person, "new").await?);
        tx.commit().await?;
        Ok(())
    })
    .await;
}
