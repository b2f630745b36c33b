//! Trust chains that are written down: what a restart, another node and an operator find.

use std::sync::Arc;

use hefu::clock::UnixTime;
use hefu::federation::Resolver;
use hefu::federation::resolve::remembered::RememberedChain;
use hefu::store::{Conn, Store};
use serde_json::json;

use crate::support::database::{Fault, for_each_database};
use crate::support::federation::{LEAF, MIDDLE, START, TOP, World, entity_id};

fn away(world: &World) {
    for id in [LEAF, MIDDLE, TOP] {
        world.offline(id);
    }
}

/// A node that has met the leaf and written that down.
async fn known(store: &Store) -> Result<(Arc<World>, Arc<Resolver>), Fault> {
    let world = World::small();
    world.vouch(
        MIDDLE,
        LEAF,
        json!({"metadata": {"openid_relying_party": {"client_name": "叶子"}}}),
    );
    let resolver = world.resolver();
    assert!(resolves(&world, &resolver).await);
    resolver.write_down(store, world.now()).await?;
    Ok((world, resolver))
}

async fn resolves(world: &World, resolver: &Arc<Resolver>) -> bool {
    let chain = resolver.resolve(&entity_id(LEAF), None, world.now()).await;
    chain.is_ok()
}

async fn row(store: &Store) -> Result<Option<RememberedChain>, Fault> {
    let mut conn = store.read().await?;
    Ok(RememberedChain::find(&mut conn, &entity_id(LEAF), None).await?)
}

#[tokio::test]
async fn a_restart_while_superiors_are_away_does_not_stop_logins() {
    for_each_database(async |store| {
        let (world, _) = known(&store).await?;
        away(&world);
        world.forget_fetches();
        let restarted = world.resolver();
        assert_eq!(restarted.restore(&store, world.now()).await?, 1);
        assert_eq!(world.fetches(), 0, "nothing is fetched for it");
        for _ in 0..59 {
            world.advance(10);
            assert!(resolves(&world, &restarted).await);
            // What the login started behind its back.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            restarted.keep_ready(world.now()).await;
            restarted.write_down(&store, world.now()).await?;
        }
        let failing = row(&store).await?.expect("a row");
        assert!(failing.failures > 0);
        assert_eq!(failing.renewed_at, START);
        let (_, reason) = failing.last_failure.expect("a reason");
        assert!(reason.contains("no answer"), "{reason}");
        world.advance(10);
        assert!(!resolves(&world, &restarted).await);
        // Restarted once more, it still knows what the chain was; it serves nobody.
        let restarted = world.resolver();
        assert_eq!(restarted.restore(&store, world.now()).await?, 0);
        let error = restarted.resolve(&entity_id(LEAF), None, world.now()).await;
        let lapsed = error.expect_err("it ended").lapsed.clone();
        assert_eq!(lapsed.expect("the chain").expires_at(), START.plus(600));
        // After a week nobody remembers.
        world.advance(7 * 86_400);
        let restarted = world.resolver();
        assert_eq!(restarted.restore(&store, world.now()).await?, 0);
        let error = restarted.resolve(&entity_id(LEAF), None, world.now()).await;
        assert!(error.expect_err("it ended").lapsed.is_none());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_still_answers_after_a_restart_prolongs_what_was_written_down() {
    for_each_database(async |store| {
        let world = World::small();
        let end = START.plus(7200).0;
        world.spoil(TOP, TOP, move |draft| {
            draft.claims.insert("exp".into(), end.into());
        });
        world.vouch(TOP, MIDDLE, json!({"exp": end}));
        let resolver = world.resolver();
        assert!(resolves(&world, &resolver).await);
        resolver.write_down(&store, world.now()).await?;
        world.offline(TOP);
        world.advance(500);
        let restarted = world.resolver();
        restarted.restore(&store, world.now()).await?;
        restarted.keep_ready(world.now()).await;
        world.advance(500);
        assert!(resolves(&world, &restarted).await);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_read_is_verified_like_any_chain() {
    for_each_database(async |store| {
        let (world, _) = known(&store).await?;
        // By who trusts another anchor now.
        let elsewhere = world.resolver_to(&[MIDDLE]);
        assert_eq!(elsewhere.restore(&store, world.now()).await?, 0);
        // Somebody with access to the database writes another end, another subject, another statement.
        let good = row(&store).await?.expect("a row");
        let mut forged = good.statements.clone();
        forged[1] = World::small().chain(&[LEAF, MIDDLE, TOP])[0].clone();
        let other = "https://other.example";
        for (subject, statements, expires_at) in [
            (LEAF, &forged, good.expires_at),
            (other, &good.statements, good.expires_at),
            (LEAF, &good.statements, UnixTime(i64::MAX)),
        ] {
            let changed = RememberedChain {
                subject: entity_id(subject),
                statements: statements.clone(),
                expires_at,
                ..good.clone()
            };
            let mut conn = store.read().await?;
            sqlx::query("DELETE FROM remembered_chains")
                .execute(&mut *conn)
                .await?;
            changed.save(&mut conn).await?;
            drop(conn);
            let restarted = world.resolver();
            // Whatever the row says, the statements end when they end.
            let now = world
                .now()
                .plus(if subject == LEAF && expires_at != good.expires_at {
                    600
                } else {
                    0
                });
            assert_eq!(restarted.restore(&store, now).await?, 0, "{subject}");
            let found = restarted.remembered(&entity_id(subject), now).await;
            assert!(found.is_none());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_cut_off_takes_what_another_one_got() {
    for_each_database(async |store| {
        let (world, first) = known(&store).await?;
        let (cut_off, late) = (world.resolver(), world.resolver());
        cut_off.restore(&store, world.now()).await?;
        world.advance(400);
        // The first node reaches everybody, the others nobody.
        first.keep_ready(world.now()).await;
        away(&world);
        cut_off.keep_ready(world.now()).await;
        assert_eq!(cut_off.survey(world.now()).failing, 1);
        assert!(!resolves(&world, &late).await);
        first.write_down(&store, world.now()).await?;
        for node in [&cut_off, &late] {
            node.write_down(&store, world.now()).await?;
            let chain = node.remembered(&entity_id(LEAF), world.now()).await;
            assert_eq!(chain.expect("a chain").expires_at(), START.plus(1000));
        }
        // What they write in turn does not replace the newer row.
        let row = row(&store).await?.expect("a row");
        assert_eq!((row.renewed_at, row.failures), (START.plus(400), 0));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_signed_statements_end_is_not_found_after_a_restart() {
    for_each_database(async |store| {
        let (world, resolver) = known(&store).await?;
        world.vouch(TOP, MIDDLE, json!({"constraints": {"max_path_length": 0}}));
        world.advance(400);
        resolver.keep_ready(world.now()).await;
        resolver.write_down(&store, world.now()).await?;
        assert_eq!(row(&store).await?, None);
        // Nor is it said to have run out.
        let error = resolver.resolve(&entity_id(LEAF), None, world.now()).await;
        assert!(error.expect_err("it ended").lapsed.is_none());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn only_what_changed_is_written() {
    for_each_database(async |store| {
        let (world, resolver) = known(&store).await?;
        let written = row(&store).await?;
        sqlx::query("DELETE FROM remembered_chains")
            .execute(&mut *store.read().await?)
            .await?;
        world.advance(100);
        assert!(resolves(&world, &resolver).await);
        resolver.write_down(&store, world.now()).await?;
        assert_eq!(row(&store).await?, None);
        world.advance(200);
        resolver.keep_ready(world.now()).await;
        resolver.write_down(&store, world.now()).await?;
        let again = row(&store).await?;
        assert_ne!(again, written);
        assert_eq!(again.expect("a row").used_at, START.plus(100));
        Ok(())
    })
    .await;
}

fn made_up(n: i64) -> RememberedChain {
    RememberedChain {
        subject: entity_id(&format!("https://portal{n}.example")),
        asked_anchor: (n % 2 == 1).then(|| entity_id(TOP)),
        anchor: entity_id(TOP),
        statements: vec!["a".to_owned(), "b 𠮷".to_owned()],
        expires_at: UnixTime(1000 + n),
        renewed_at: UnixTime(100),
        used_at: UnixTime(500 - n),
        failures: 0,
        last_failure: None,
        next_attempt_at: UnixTime(700),
    }
}

async fn subjects(conn: &mut Conn, before: i64) -> Result<Vec<String>, Fault> {
    let rows = RememberedChain::ending(conn, UnixTime(before), 100).await?;
    Ok(rows.iter().map(|row| row.subject.to_string()).collect())
}

#[tokio::test]
async fn rows_are_kept_listed_and_bounded() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        for n in (0..5).rev() {
            made_up(n).save(&mut conn).await?;
        }
        let find = async |conn: &mut Conn, n: i64| {
            let sought = made_up(n);
            RememberedChain::find(conn, &sought.subject, sought.asked_anchor.as_ref()).await
        };
        for n in 0..5 {
            assert_eq!(find(&mut conn, n).await?, Some(made_up(n)));
        }
        let (subject, anchor) = (made_up(0).subject, entity_id(TOP));
        let other = RememberedChain::find(&mut conn, &subject, Some(&anchor)).await?;
        assert_eq!(other, None);
        assert_eq!(
            subjects(&mut conn, 1002).await?,
            ["https://portal0.example", "https://portal1.example"]
        );
        // A failure is noted; an older renewal does not replace it; a use is not taken back.
        let failed = RememberedChain {
            failures: 2,
            last_failure: Some((UnixTime(600), "no answer".to_owned())),
            used_at: UnixTime(1),
            ..made_up(0)
        };
        failed.save(&mut conn).await?;
        let older = RememberedChain {
            renewed_at: UnixTime(99),
            ..made_up(0)
        };
        older.save(&mut conn).await?;
        let expected = RememberedChain {
            used_at: UnixTime(500),
            ..failed
        };
        assert_eq!(find(&mut conn, 0).await?, Some(expected));
        RememberedChain::forget(&mut conn, &made_up(1).subject, Some(&entity_id(TOP))).await?;
        assert_eq!(find(&mut conn, 1).await?, None);
        // The three used last are those of the least number.
        RememberedChain::prune(&mut conn, 3, UnixTime(1000)).await?;
        assert_eq!(subjects(&mut conn, 9999).await?.len(), 3);
        assert_eq!(find(&mut conn, 4).await?, None);
        RememberedChain::prune(&mut conn, 3, UnixTime(1002 + 7 * 86_400)).await?;
        assert_eq!(
            subjects(&mut conn, 9999).await?,
            ["https://portal3.example"]
        );
        Ok(())
    })
    .await;
}
