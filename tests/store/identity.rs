//! People, their proofs and what they are found by.

mod phones;

use std::sync::Arc;

use hefu::clock::UnixTime;
use hefu::crypto::Purpose;
use hefu::id::PersonId;
use hefu::identity::binding::{self, Binding, Proof, Takeover};
use hefu::identity::person::Appearance;
use hefu::identity::{
    Evidence, IdNumber, Keys, Method, Name, Phone, RealNameLevel, details, evidence, person,
    subject,
};
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::random::{Rng, RngSource};
use hefu::store::Store;
use serde_json::json;

use crate::support::database::{Fault, for_each_database};

pub(super) const NOW: UnixTime = UnixTime(1_795_400_000);

/// A real ring over the store under test.
pub(super) async fn ring(store: &Store) -> Result<(Arc<KeyRing>, tempfile::TempDir), Fault> {
    let folder = tempfile::tempdir()?;
    let mut rng = RngSource::System.rng();
    let kek = Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng)?);
    let setup = Setup {
        entity: "https://id.example",
        vault: folder.path(),
        kek,
        policy: Policy::shipped()?,
        purposes: &[Purpose::Audit],
    };
    let ring = KeyRing::open(store, setup, NOW, &mut rng).await?;
    Ok((Arc::new(ring), folder))
}

fn keys(ring: &KeyRing) -> Keys<'_> {
    Keys {
        sealer: ring,
        indexer: ring,
    }
}

pub(super) fn rng() -> Rng {
    RngSource::System.rng()
}

fn phone(text: &str) -> Phone {
    Phone::parse(text).expect("a phone")
}

fn proof(number: &str, method: Method) -> Proof {
    Proof {
        name: Name::parse("测试甲").expect("a name"),
        number: IdNumber::parse(number, NOW).expect("a number"),
        evidence: Evidence {
            source: "register".to_owned(),
            method,
            check_id: "chk-1".to_owned(),
            at: NOW,
        },
    }
}

const A: &str = "449999195003010014";
const B: &str = "329999196207150024";

pub(super) async fn account(store: &Store) -> Result<PersonId, Fault> {
    Ok(person::create(&mut *store.read().await?, &mut rng(), NOW).await?)
}

async fn bind(
    store: &Store,
    ring: &KeyRing,
    person: &PersonId,
    proof: &Proof,
    takeover: Takeover,
) -> Result<Binding, Fault> {
    let mut tx = store.write().await?;
    let bound = binding::bind(
        &mut tx,
        keys(ring),
        &mut rng(),
        person,
        proof,
        takeover,
        NOW,
    )
    .await?;
    tx.commit().await?;
    Ok(bound)
}

#[tokio::test]
async fn what_people_tell_of_themselves_is_kept_encrypted_changed_and_forgotten() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let (ada, other) = (account(&store).await?, account(&store).await?);
        let mut conn = store.read().await?;
        let keep = |claim: &str, value: serde_json::Value| {
            details::Detail::parse(claim, &value).expect("such a claim")
        };
        let email = keep("email", json!("jia@example.cn"));
        let address = keep("address", json!({"formatted": "某路 1 号"}));
        assert_eq!(details::all(&mut conn, &*ring, &ada).await?.1, None);
        details::keep(&mut conn, &*ring, &ada, &email, NOW).await?;
        details::keep(&mut conn, &*ring, &ada, &address, NOW.plus(5)).await?;
        let (told, changed) = details::all(&mut conn, &*ring, &ada).await?;
        assert_eq!(changed, Some(NOW.plus(5)));
        assert_eq!(
            serde_json::Value::Object(told),
            json!({"email": "jia@example.cn", "address": {"formatted": "某路 1 号"}})
        );
        let value: Vec<u8> = sqlx::query_scalar(
            "SELECT value FROM person_details WHERE person = $1 AND claim = 'email'",
        )
        .bind(&ada)
        .fetch_one(&mut *conn)
        .await?;
        assert!(!String::from_utf8_lossy(&value).contains("jia"));

        let other_email = keep("email", json!("yi@example.cn"));
        details::keep(&mut conn, &*ring, &ada, &other_email, NOW.plus(9)).await?;
        details::forget(&mut conn, &ada, "address").await?;
        let (told, changed) = details::all(&mut conn, &*ring, &ada).await?;
        assert_eq!(changed, Some(NOW.plus(9)));
        assert_eq!(
            serde_json::Value::Object(told),
            json!({"email": "yi@example.cn"})
        );
        assert!(details::all(&mut conn, &*ring, &other).await?.0.is_empty());

        // A ciphertext that was moved to another person is not read as theirs.
        sqlx::query("UPDATE person_details SET person = $2 WHERE person = $1")
            .bind(&ada)
            .bind(&other)
            .execute(&mut *conn)
            .await?;
        assert!(details::all(&mut conn, &*ring, &other).await.is_err());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_person_is_kept_encrypted_and_found() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let ada = account(&store).await?;
        let mut tx = store.write().await?;
        let former =
            person::attach_phone(&mut tx, keys(&ring), &ada, &phone("14000000001"), NOW).await?;
        assert_eq!(former, None);
        tx.commit().await?;
        bind(
            &store,
            &ring,
            &ada,
            &proof(A, Method::Match3),
            Takeover::NotAsked,
        )
        .await?;

        let mut conn = store.read().await?;
        let found = person::find(&mut conn, &*ring, &ada).await?.expect("found");
        assert_eq!(found.level, RealNameLevel::Rn2);
        assert_eq!(found.name.expect("a name").as_str(), "测试甲");
        assert_eq!(found.number.expect("a number").plain(), A);
        assert_eq!(found.phone.expect("a phone").local(), "14000000001");
        assert!(!found.provisional);
        assert_eq!(found.appearance, Appearance::default());
        assert_eq!(
            person::by_phone(&mut conn, &*ring, &phone("+8614000000001")).await?,
            Some(ada.clone())
        );
        assert_eq!(
            person::by_phone(&mut conn, &*ring, &phone("14000000002")).await?,
            None
        );
        assert_eq!(
            person::find(&mut conn, &*ring, &PersonId("p_none".into())).await?,
            None
        );
        assert_eq!(evidence::list(&mut conn, &ada).await?.len(), 1);

        // Nothing readable in the row.
        let (name, number, kept): (Vec<u8>, Vec<u8>, Vec<u8>) =
            sqlx::query_as("SELECT name, id_number, phone FROM persons WHERE id = $1")
                .bind(&ada)
                .fetch_one(&mut *conn)
                .await?;
        for (ciphertext, plain) in [(name, "测试甲"), (number, A), (kept, "14000000001")] {
            assert!(!String::from_utf8_lossy(&ciphertext).contains(plain));
        }
        for appearance in [
            Appearance {
                elder: true,
                language: Some("en".to_owned()),
            },
            Appearance::default(),
        ] {
            person::set_appearance(&mut conn, &ada, &appearance, NOW).await?;
            let found = person::find(&mut conn, &*ring, &ada).await?.expect("found");
            assert_eq!(found.appearance, appearance);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_document_is_bound_once_and_moves_to_the_stronger_proof_only() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let (squatter, owner, third) = (
            account(&store).await?,
            account(&store).await?,
            account(&store).await?,
        );
        let weak = proof(A, Method::Match2);
        let strong = proof(A, Method::Match3);
        let taken = |from: Option<&PersonId>| Binding::Bound {
            taken_from: from.cloned(),
        };

        assert_eq!(
            bind(&store, &ring, &squatter, &weak, Takeover::NotAsked).await?,
            taken(None)
        );
        let mut conn = store.read().await?;
        let read = person::find(&mut conn, &*ring, &squatter)
            .await?
            .expect("found");
        assert!(read.provisional && !read.has_real_name());
        // The same proof does not move it, agreed or not; the stronger one asks first.
        let held = |by: &PersonId, weaker| Binding::Held {
            by: by.clone(),
            weaker,
        };
        assert_eq!(
            bind(&store, &ring, &owner, &weak, Takeover::Agreed).await?,
            held(&squatter, false)
        );
        assert_eq!(
            bind(&store, &ring, &owner, &strong, Takeover::NotAsked).await?,
            held(&squatter, true)
        );
        assert_eq!(
            binding::holder(&mut conn, keys(&ring), &strong.number).await?,
            Some((squatter.clone(), Method::Match2))
        );
        assert_eq!(
            bind(&store, &ring, &owner, &strong, Takeover::Agreed).await?,
            taken(Some(&squatter))
        );
        let lost = person::find(&mut conn, &*ring, &squatter)
            .await?
            .expect("found");
        assert_eq!(
            (lost.name, lost.number, lost.level),
            (None, None, RealNameLevel::Rn1)
        );
        assert!(
            person::find(&mut conn, &*ring, &owner)
                .await?
                .expect("found")
                .has_real_name()
        );
        // Now nobody takes it.
        assert_eq!(
            bind(&store, &ring, &third, &strong, Takeover::Agreed).await?,
            held(&owner, false)
        );
        assert_eq!(
            bind(&store, &ring, &squatter, &weak, Takeover::Agreed).await?,
            held(&owner, false)
        );
        // Proving again is welcome, another document is not.
        assert_eq!(
            bind(&store, &ring, &owner, &strong, Takeover::NotAsked).await?,
            taken(None)
        );
        assert_eq!(
            bind(&store, &ring, &owner, &weak, Takeover::NotAsked).await?,
            taken(None)
        );
        assert!(
            person::find(&mut conn, &*ring, &owner)
                .await?
                .expect("found")
                .has_real_name()
        );
        assert_eq!(
            bind(
                &store,
                &ring,
                &owner,
                &proof(B, Method::Match3),
                Takeover::Agreed
            )
            .await?,
            Binding::OtherDocument
        );
        assert_eq!(
            bind(
                &store,
                &ring,
                &PersonId("p_none".into()),
                &strong,
                Takeover::Agreed
            )
            .await?,
            Binding::NoAccount
        );
        // A provisional binding grows into a full one.
        assert_eq!(
            bind(
                &store,
                &ring,
                &third,
                &proof(B, Method::Match2),
                Takeover::NotAsked
            )
            .await?,
            taken(None)
        );
        assert_eq!(
            bind(
                &store,
                &ring,
                &third,
                &proof(B, Method::Match3),
                Takeover::NotAsked
            )
            .await?,
            taken(None)
        );
        assert!(
            person::find(&mut conn, &*ring, &third)
                .await?
                .expect("found")
                .has_real_name()
        );
        assert_eq!(
            binding::holder(&mut conn, keys(&ring), &proof(B, Method::Match3).number).await?,
            Some((third, Method::Match3))
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_who_bind_one_document_at_once_one_wins() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        for round in 0..5 {
            let number = [
                A,
                B,
                "509999198811090032",
                "529999199105200044",
                "219999197908080072",
            ][round];
            let mut people = Vec::new();
            for _ in 0..4 {
                people.push(account(&store).await?);
            }
            let tasks: Vec<_> = people
                .iter()
                .map(|person| {
                    let (store, ring, person) = (store.clone(), Arc::clone(&ring), person.clone());
                    tokio::spawn(async move {
                        bind(
                            &store,
                            &ring,
                            &person,
                            &proof(number, Method::Match3),
                            Takeover::Agreed,
                        )
                        .await
                    })
                })
                .collect();
            let mut won = 0;
            for task in tasks {
                match task.await?? {
                    Binding::Bound { taken_from: None } => won += 1,
                    Binding::Held { weaker: false, .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(won, 1);
            let named: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM documents")
                .fetch_one(&mut *store.read().await?)
                .await?;
            assert_eq!(named, i64::try_from(round)? + 1);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_sub_is_given_once_and_survives_a_merge() {
    for_each_database(async |store| {
        let (ada, twin) = (account(&store).await?, account(&store).await?);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (store, ada) = (store.clone(), ada.clone());
                tokio::spawn(async move {
                    let mut conn = store.read().await?;
                    Ok::<_, Fault>(
                        subject::for_sector(&mut conn, &mut rng(), &ada, "gd", NOW).await?,
                    )
                })
            })
            .collect();
        let mut subs = Vec::new();
        for task in tasks {
            subs.push(task.await??);
        }
        subs.dedup();
        assert_eq!(subs.len(), 1);
        assert!(subs[0].starts_with("pw_"));

        let mut conn = store.read().await?;
        let elsewhere = subject::for_sector(&mut conn, &mut rng(), &ada, "js", NOW).await?;
        assert_ne!(subs[0], elsewhere);
        let twin_gd = subject::for_sector(&mut conn, &mut rng(), &twin, "gd", NOW).await?;
        let twin_cq = subject::for_sector(&mut conn, &mut rng(), &twin, "cq", NOW).await?;
        drop(conn);
        let mut tx = store.write().await?;
        subject::merge(&mut tx, &twin, &ada, NOW).await?;
        tx.commit().await?;
        let mut conn = store.read().await?;
        for (sector, sub) in [("gd", &subs[0]), ("js", &elsewhere), ("cq", &twin_cq)] {
            assert_eq!(
                subject::find(&mut conn, &ada, sector).await?.as_ref(),
                Some(sub)
            );
            assert_eq!(
                subject::person_of(&mut conn, sector, sub).await?,
                Some(ada.clone())
            );
        }
        assert_eq!(
            subject::person_of(&mut conn, "gd", &twin_gd).await?,
            Some(ada.clone())
        );
        assert_eq!(subject::person_of(&mut conn, "js", &twin_gd).await?, None);
        assert_eq!(subject::find(&mut conn, &twin, "gd").await?, None);
        Ok(())
    })
    .await;
}
