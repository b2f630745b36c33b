//! Registrations of relying parties of the federation, and what is kept of their superiors' word.

use hefu::clock::UnixTime;
use hefu::federation::TrustChain;
use hefu::federation::statement::Rules;
use hefu::provider::explicit;
use hefu::provider::sweep;
use serde_json::json;

use crate::support::database::for_each_database;
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
