//! Clients that are registered here: by operators, and by themselves.

use hefu::client::Vouched;
use hefu::client::registered::{self, Changed, New};
use hefu::clock::UnixTime;
use hefu::config::offers::Exchange;
use hefu::config::provider::Provider;
use hefu::crypto::Secret;
use hefu::id::{ClientId, PersonId};
use hefu::provider::{grants, unused};
use hefu::store::Conn;
use serde_json::{Map, Value, json};

use super::identity::{ring, rng};
use crate::support::database::{Fault, for_each_database};

const NOW: UnixTime = UnixTime(1_795_400_000);

fn metadata(method: &str) -> Map<String, Value> {
    let metadata = json!({"redirect_uris": ["https://shop.example/cb"], "client_name": "商店",
        "token_endpoint_auth_method": method});
    metadata.as_object().expect("an object").clone()
}

fn new<'a>(id: &'a ClientId, metadata: &'a Map<String, Value>) -> New<'a> {
    New {
        id,
        metadata,
        secret_expires_at: None,
        registration_token: None,
    }
}

#[tokio::test]
async fn registered_clients_and_their_secrets() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let mut conn = store.read().await?;
        let id = ClientId("shop".to_owned());
        let basic = metadata("client_secret_basic");
        let secret = registered::add(&mut conn, &mut rng(), &*ring, new(&id, &basic), NOW)
            .await?
            .expect("new")
            .expect("a secret");
        assert!(
            registered::add(&mut conn, &mut rng(), &*ring, new(&id, &basic), NOW)
                .await?
                .is_none()
        );
        let found = registered::find(&mut conn, &id).await?.expect("there");
        assert!(!found.by_itself && found.clear_secret(&*ring).is_none());
        let client = found.client(false)?;
        assert!(client.has_secret(secret.reveal()) && !client.has_secret("x"));
        assert!(client.secret_works(NOW) && client.platform.vouched == Vouched::Registered);
        let end = Some(NOW.plus(60));
        let newer = registered::rotate_secret(&mut conn, &mut rng(), &*ring, &id, end, NOW)
            .await?
            .expect("a secret");
        let client = registered::find(&mut conn, &id)
            .await?
            .expect("there")
            .client(false)?;
        assert!(client.has_secret(newer.reveal()) && !client.has_secret(secret.reveal()));
        assert!(client.secret_works(NOW.plus(59)) && !client.secret_works(NOW.plus(60)));
        assert_eq!(registered::list(&mut conn).await?.len(), 1);
        assert!(registered::remove(&mut conn, &id, NOW).await?);
        assert!(!registered::remove(&mut conn, &id, NOW).await?);
        assert_eq!(registered::find(&mut conn, &id).await?, None);
        assert_eq!(grants::revoke_client(&mut conn, &id, NOW).await?, 0);
        assert_eq!(
            grants::revoke_person(&mut conn, &PersonId("p".into()), "closed", NOW).await?,
            0
        );
        // The name stays taken: nobody inherits what it was given.
        assert!(
            registered::add(&mut conn, &mut rng(), &*ring, new(&id, &basic), NOW)
                .await?
                .is_none()
        );
        for none in [&id, &ClientId("nobody".to_owned())] {
            let rotated =
                registered::rotate_secret(&mut conn, &mut rng(), &*ring, none, None, NOW).await?;
            assert!(rotated.is_none());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_kept_in_the_form_that_its_method_needs() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let mut conn = store.read().await?;
        let id = ClientId("shop".to_owned());
        let jwt = metadata("client_secret_jwt");
        let first = registered::add(&mut conn, &mut rng(), &*ring, new(&id, &jwt), NOW)
            .await?
            .expect("new")
            .expect("a secret");
        assert!(first.reveal().len() >= 64, "HS512 wants as much");
        let clear = async |conn: &mut Conn| -> Result<Option<String>, Fault> {
            let found = registered::find(conn, &id).await?.expect("there");
            let secret = found.clear_secret(&*ring);
            Ok(secret.as_ref().map(Secret::reveal).cloned())
        };
        assert_eq!(clear(&mut conn).await?.as_ref(), Some(first.reveal()));
        let change = async |conn: &mut Conn, to: &str| -> Result<Changed, Fault> {
            let before = registered::find(conn, &id).await?.expect("there");
            Ok(registered::replace(conn, &mut rng(), &*ring, &before, &metadata(to), NOW).await?)
        };
        // The same secret serves as a password; then nobody needs to know it any more.
        let kept = change(&mut conn, "client_secret_post").await?;
        assert!(matches!(kept, Changed::Kept), "{kept:?}");
        assert_eq!(clear(&mut conn).await?, None);
        let client = registered::find(&mut conn, &id)
            .await?
            .expect("there")
            .client(false)?;
        assert!(client.has_secret(first.reveal()));
        // A hash makes no key.
        let Changed::NewSecret(second) = change(&mut conn, "client_secret_jwt").await? else {
            panic!("a new secret")
        };
        assert_eq!(clear(&mut conn).await?.as_ref(), Some(second.reveal()));
        let none = change(&mut conn, "none").await?;
        assert!(matches!(none, Changed::Kept), "{none:?}");
        let found = registered::find(&mut conn, &id).await?.expect("there");
        assert!(found.secret.is_none() && clear(&mut conn).await?.is_none());
        // Who read an older state changes nothing.
        assert!(matches!(
            change(&mut conn, "client_secret_basic").await?,
            Changed::NewSecret(_)
        ));
        let late = registered::replace(&mut conn, &mut rng(), &*ring, &found, &jwt, NOW).await?;
        assert!(matches!(late, Changed::Gone), "{late:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_registered_itself_is_found_by_its_token_and_vouched_for_by_nobody() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let mut conn = store.read().await?;
        let (own, operators) = (ClientId("own".to_owned()), ClientId("op".to_owned()));
        let metadata = metadata("none");
        let mine = New {
            registration_token: Some("token"),
            ..new(&own, &metadata)
        };
        for new in [mine, new(&operators, &metadata)] {
            let added = registered::add(&mut conn, &mut rng(), &*ring, new, NOW).await?;
            assert!(added.expect("new").is_none(), "no secret");
        }
        let found = registered::find_own(&mut conn, &own, "token")
            .await?
            .expect("its own");
        assert!(found.by_itself);
        let platform = found.client(false)?.platform;
        assert_eq!(
            (&platform.name, platform.shown_name()),
            (&None, "shop.example")
        );
        assert_eq!(platform.vouched, Vouched::No);
        let claimed = platform.claimed.expect("its own words");
        assert_eq!(claimed.name.expect("a name").chinese, "商店");
        for (id, token) in [(&own, "x"), (&operators, "token"), (&operators, "")] {
            assert_eq!(registered::find_own(&mut conn, id, token).await?, None);
        }
        assert!(registered::remove(&mut conn, &own, NOW).await?);
        assert_eq!(registered::find_own(&mut conn, &own, "token").await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn registrations_that_nobody_used_are_forgotten_after_their_days() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let person = PersonId("p1".into());
        let metadata = metadata("client_secret_jwt");
        let ids = [
            "unused", "young", "operators", "granted", "consented", "waiting", "exchanges", "gone",
        ]
        .map(|name| ClientId(name.to_owned()));
        let day = 86_400;
        let mut conn = store.read().await?;
        for id in &ids {
            let token = (id.as_str() != "operators").then_some(id.as_str());
            let at = if id.as_str() == "young" { NOW.plus(1) } else { NOW };
            let new = New {
                registration_token: token,
                ..new(id, &metadata)
            };
            registered::add(&mut conn, &mut rng(), &*ring, new, at).await?;
        }
        registered::remove(&mut conn, &ClientId("gone".to_owned()), NOW).await?;
        // Long ended, and still there: it was used.
        for sql in [
            "INSERT INTO grants (id, subject, actor, client, terms, issued_at, code_expires_at, expires_at, revoked_at)
             VALUES ('g', $1, $1, 'granted', '{}', 1, 2, 3, 2)",
            "INSERT INTO consents (subject, client, id, actor, scope, claims, platform, given_at, expires_at, withdrawn_at)
             VALUES ($1, 'consented', 'c', $1, 'openid', '[]', 'x', 1, 3, 2)",
            "INSERT INTO device_codes (code, user_code, client, asked, asked_at, expires_at, pause)
             VALUES ($1, $1, 'waiting', $1, 1, 3, 5)",
        ] {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql));
            let query = if sql.contains("device_codes") {
                query.bind(b"x".to_vec())
            } else {
                query.bind(&person)
            };
            query.execute(&mut *conn).await?;
        }
        drop(conn);
        let settings = |days: i64| Provider {
            unused_registrations_days: days,
            exchanges: vec![Exchange {
                client: "exchanges".to_owned(),
                subjects: Vec::new(),
                subject_types: Vec::new(),
                resources: Vec::new(),
                actor_required: false,
            }],
            ..Provider::default()
        };
        let sweep = async |days: i64, at: UnixTime| {
            unused::sweep(&store, &mut rng(), &settings(days), at).await
        };
        assert_eq!(sweep(0, NOW.plus(999 * day)).await?, 0);
        assert_eq!(sweep(30, NOW.plus(30 * day - 1)).await?, 0);
        assert_eq!(sweep(30, NOW.plus(30 * day)).await?, 1);
        assert_eq!(sweep(30, NOW.plus(30 * day)).await?, 0);
        let mut conn = store.read().await?;
        let mut left: Vec<String> = registered::list(&mut conn)
            .await?
            .into_iter()
            .map(|client| client.id.0)
            .collect();
        left.sort();
        assert_eq!(
            left,
            ["consented", "exchanges", "granted", "operators", "waiting", "young"]
        );
        // Its id is never given again, and its secret is known to nobody.
        let id = &ids[0];
        assert_eq!(registered::find_own(&mut conn, id, "unused").await?, None);
        let again = registered::add(&mut conn, &mut rng(), &*ring, new(id, &metadata), NOW).await?;
        assert!(again.is_none());
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT sealed_secret FROM clients WHERE id = $1")
                .bind(id)
                .fetch_one(&mut *conn)
                .await?;
        assert_eq!(sealed, None);
        let told: Vec<String> =
            sqlx::query_scalar("SELECT client FROM audit_events WHERE kind = 'client.unused'")
                .fetch_all(&mut *conn)
                .await?;
        assert_eq!(told, ["unused"]);
        // Whoever is used at the last moment stays.
        let late = [&ids[1], &ids[3], &ids[4], &ids[5]].map(Clone::clone);
        let gone = registered::remove_unused(&mut conn, &late, NOW).await?;
        assert_eq!(gone, late[..1]);
        assert!(registered::remove_unused(&mut conn, &late, NOW).await?.is_empty());
        assert!(registered::unused(&mut conn, NOW.plus(-1), 9).await?.is_empty());
        let unused = registered::unused(&mut conn, NOW, 9).await?;
        assert_eq!(unused, [ids[6].clone()]);
        Ok(())
    })
    .await;
}
