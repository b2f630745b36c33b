//! Registrations of relying parties of the federation, and what is kept of their superiors' word.

use std::collections::BTreeSet;

use hefu::authn::Factor;
use hefu::clock::UnixTime;
use hefu::consent;
use hefu::federation::TrustChain;
use hefu::federation::statement::Rules;
use hefu::id::{ClientId, PersonId, SessionId};
use hefu::identity::subject;
use hefu::oauth::Scope;
use hefu::provider::grants::{self, Lives, New, Terms};
use hefu::provider::{departed, explicit, logout, sweep, vouched};
use hefu::session::{self, End, Login};
use hefu::store::{Conn, Store};
use serde_json::json;

use super::identity::{account, rng};
use crate::support::database::{Fault, for_each_database};
use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey, World, entity_id};

const ISSUER: &str = "https://id.example";

/// The chain of a request that the leaf made at `iat`.
fn registration(world: &World, iat: UnixTime) -> TrustChain {
    let claims = json!({
        "iss": LEAF, "sub": LEAF, "aud": ISSUER, "iat": iat, "exp": world.now().plus(300), "jwks": TestKey::of(LEAF).jwks(),
        "authority_hints": [MIDDLE], "metadata": {"openid_relying_party": {}},
    });
    let mut chain = world.chain(&[LEAF, MIDDLE, TOP]);
    chain[0] = TestKey::of(LEAF).jwt("entity-statement+jwt", &claims);
    let anchors = world.anchors(&[TOP]);
    let rules = Rules::default();
    TrustChain::parse_request(&chain, &entity_id(ISSUER), &anchors, &rules, world.now())
        .expect("a chain")
}

#[tokio::test]
async fn a_registration_is_replaced_by_a_later_one_and_ends_with_its_chain() {
    for_each_database(async |store| {
        let world = World::small();
        let (now, id) = (world.now(), entity_id(LEAF));
        let mut conn = store.read().await?;
        assert_eq!(explicit::find(&mut conn, &id, now).await?, None);
        let first = registration(&world, now.plus(-2));
        let second = registration(&world, now.plus(-1));
        assert!(explicit::keep(&mut conn, &first, now).await?);
        assert!(explicit::keep(&mut conn, &second, now.plus(1)).await?);
        assert!(!explicit::keep(&mut conn, &first, now.plus(2)).await?);
        let found = explicit::find(&mut conn, &id, now.plus(299)).await?;
        let tokens: Vec<String> = second.tokens().into_iter().map(str::to_owned).collect();
        assert_eq!(found, Some(tokens));
        assert_eq!(explicit::find(&mut conn, &id, now.plus(300)).await?, None);
        assert_eq!(sweep::sweep(&mut conn, now.plus(299)).await?, 0);
        assert_eq!(sweep::sweep(&mut conn, now.plus(300)).await?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_many_requests_at_once_the_latest_stays() {
    for_each_database(async |store| {
        let world = World::small();
        let now = world.now();
        let chains: Vec<TrustChain> = (0..8).map(|n| registration(&world, now.plus(-n))).collect();
        let kept = futures_util::future::join_all(chains.iter().map(async |chain| {
            let mut tx = store.write().await?;
            let kept = explicit::keep(&mut tx, chain, now).await?;
            tx.commit().await?;
            Ok::<bool, hefu::store::Error>(kept)
        }))
        .await;
        assert!(kept.into_iter().any(|kept| kept.is_ok_and(|kept| kept)));
        let mut conn = store.read().await?;
        let found = explicit::find(&mut conn, &entity_id(LEAF), now).await?;
        assert_eq!(found.expect("one")[0], chains[0].tokens()[0]);
        Ok(())
    })
    .await;
}

/// A grant of `client` that was redeemed, in the session.
async fn granted(
    store: &Store,
    person: &PersonId,
    session: &SessionId,
    client: &ClientId,
    now: UnixTime,
) -> Result<(), Fault> {
    let terms: Terms = serde_json::from_value(json!({
        "redirect_uri": "https://rp.example/cb", "scope": "openid", "auth_time": now, "acr": "L1", "amr": ["pwd"],
        "sector": "rp.example", "alg": "ES256", "platform": "粤省事 \u{20BB7}", "back_channel": "https://rp.example/first",
        "front_channel": "https://rp.example/front",
    }))?;
    let new = New {
        person,
        actor: person,
        client,
        session,
        terms: &terms,
        pushed: None,
        lives: Lives {
            code: 60,
            grant: 43_200,
            offline: 31_536_000,
            refresh_token: 2_592_000,
        },
    };
    let mut conn = store.read().await?;
    let code = grants::issue(&mut conn, &mut rng(), &new, now).await?;
    let code = code.expect("a code");
    grants::redeem(&mut conn, code.reveal(), client, now)
        .await?
        .expect("redeemed");
    subject::for_sector(&mut conn, &mut rng(), person, "rp.example", now).await?;
    Ok(())
}

#[tokio::test]
async fn the_grants_of_a_platform_end_and_each_session_is_told_once() {
    for_each_database(async |store| {
        let now = UnixTime(1_795_400_000);
        let person = account(&store).await?;
        let login = Login {
            person: &person,
            factors: &[Factor::Password],
            device: "test",
            lifetime: 43_200,
            replacing: None,
        };
        let mut conn = store.read().await?;
        let (session, _) = session::begin(&mut conn, &mut rng(), login, now).await?;
        let [a, b] = ["https://a.example", "https://b.example"].map(|id| ClientId(id.to_owned()));
        assert_eq!(departed::next(&mut conn, None, now).await?, None);
        for client in [&a, &b, &a] {
            granted(&store, &person, &session.id, client, now).await?;
        }
        assert_eq!(departed::next(&mut conn, None, now).await?.as_ref(), Some(&a));
        assert_eq!(departed::next(&mut conn, Some(&a), now).await?.as_ref(), Some(&b));
        assert_eq!(departed::next(&mut conn, Some(&b), now).await?, None);

        let platform = |until: i64| vouched::Platform {
            vouched_until: now.plus(until),
            back_channel: Some("https://a.example/last".to_owned()),
            encryption: Some("ECDH-ES".to_owned()),
            ended_at: None,
        };
        assert_eq!(vouched::find(&mut conn, &a).await?, None);
        vouched::note(&mut conn, &a, &platform(5)).await?;
        vouched::note(&mut conn, &a, &platform(9)).await?;
        assert_eq!(vouched::find(&mut conn, &a).await?, Some(platform(9)));

        let address = Some("https://a.example/last");
        assert_eq!(departed::end(&mut conn, &mut rng(), &a, address, now.plus(9)).await?, 2);
        assert_eq!(departed::end(&mut conn, &mut rng(), &a, address, now.plus(9)).await?, 0);
        assert_eq!(departed::next(&mut conn, None, now).await?.as_ref(), Some(&b));
        let queued = async |conn: &mut Conn| -> Result<Vec<(String, String, i64)>, Fault> {
            let sql = "SELECT client, uri, attempts FROM logout_deliveries WHERE delivered_at IS NULL ORDER BY client";
            Ok(sqlx::query_as(sql).fetch_all(conn).await?)
        };
        let told = (a.0.clone(), "https://a.example/last".to_owned(), 0);
        assert_eq!(queued(&mut conn).await?, std::slice::from_ref(&told));

        // The end of the session tells whoever is left; a platform that came back since is told again.
        sqlx::query("UPDATE logout_deliveries SET delivered_at = 1, attempts = 3")
            .execute(&mut *conn)
            .await?;
        granted(&store, &person, &session.id, &a, now.plus(20)).await?;
        logout::end(&mut conn, &mut rng(), &session.id, End::SignedOut, now.plus(30)).await?;
        let first = |client: &ClientId| (client.0.clone(), "https://rp.example/first".to_owned(), 0);
        assert_eq!(queued(&mut conn).await?, [first(&a), first(&b)]);

        // The account page asks which of those that the person agreed to have ended.
        vouched::ended(&mut conn, &a, "expired", now.plus(9)).await?;
        assert!(vouched::ended_for(&mut conn, &person).await?.is_empty());
        let yes = consent::Yes {
            person: &person,
            client: &a,
            scope: &Scope::parse("openid").expect("a scope"),
            claims: &BTreeSet::new(),
            platform: "x",
            lifetime: 100,
        };
        consent::give(&mut conn, &mut rng(), &yes, now).await?;
        let ended = vouched::ended_for(&mut conn, &person).await?;
        assert_eq!(ended.into_iter().collect::<Vec<_>>(), [(a.0.clone(), now.plus(9))]);
        vouched::note(&mut conn, &a, &platform(90)).await?;
        assert!(vouched::ended_for(&mut conn, &person).await?.is_empty());
        Ok(())
    })
    .await;
}
