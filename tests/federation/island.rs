//! Superiors that are away: what is remembered serves until its end, they are asked again at growing intervals, and nobody
//! waits for it.

use std::sync::Arc;

use hefu::federation::Resolver;
use hefu::federation::resolve::ResolveFault;
use serde_json::json;

use crate::support::federation::{LEAF, MIDDLE, START, TOP, World, entity_id};

const EVERYBODY: [&str; 3] = [LEAF, MIDDLE, TOP];

/// A federation whose statements live two hours, and a resolver that knows the leaf.
async fn known() -> (Arc<World>, Arc<Resolver>) {
    let world = World::small();
    world
        .lifetime
        .store(7200, std::sync::atomic::Ordering::SeqCst);
    let resolver = world.resolver();
    resolver
        .resolve(&entity_id(LEAF), None, world.now())
        .await
        .expect("a chain");
    world.forget_fetches();
    (world, resolver)
}

fn away(world: &World) {
    for id in EVERYBODY {
        world.offline(id);
    }
}

fn back(world: &World) {
    for id in EVERYBODY {
        world.online(id);
    }
}

/// The job once a second for so long; at which seconds since the start it asked anybody.
async fn attempts(world: &World, resolver: &Resolver, seconds: i64) -> Vec<i64> {
    let mut attempts = Vec::new();
    for _ in 0..seconds {
        world.advance(1);
        resolver.keep_ready(world.now()).await;
        if world.fetches() > 0 {
            attempts.push(world.now().since(START));
            world.forget_fetches();
        }
    }
    attempts
}

fn gaps(attempts: &[i64]) -> Vec<i64> {
    attempts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test]
async fn they_are_asked_at_growing_intervals_and_once_more_before_the_end() {
    let (world, resolver) = known().await;
    away(&world);
    let leaf = entity_id(LEAF);
    let mut asked = attempts(&world, &resolver, 3590).await;
    assert!(asked.is_empty(), "before half of its life: {asked:?}");
    for _ in 0..360 {
        asked.extend(attempts(&world, &resolver, 10).await);
        if world.now().since(START) < 7200 && !asked.is_empty() {
            let chain = resolver.resolve(&leaf, None, world.now()).await;
            assert!(chain.expect("still remembered").expires_at() > world.now());
        }
    }
    assert_eq!(asked[0], 3598);
    let gaps = gaps(&asked);
    let expected = [30..=36, 60..=72, 120..=144, 240..=288, 480..=576, 500..=600];
    for (gap, expected) in gaps.iter().zip(&expected) {
        assert!(expected.contains(gap), "{gaps:?}");
    }
    let later = &gaps[expected.len()..gaps.len() - 1];
    assert!(
        later.iter().all(|gap| (500..=600).contains(gap)),
        "{gaps:?}"
    );
    assert!(
        (7155..=7170).contains(asked.last().expect("some")),
        "{asked:?}"
    );
    // Then it is over, and known for what it was.
    assert!(world.now().since(START) < 7200);
    world.advance(10);
    assert_eq!(world.now(), START.plus(7200));
    let error = resolver.resolve(&leaf, None, world.now()).await;
    let error = error.expect_err("it ended");
    assert_eq!(error.kind, ResolveFault::Subject);
    let lapsed = error.lapsed.as_ref().expect("the chain that was");
    assert_eq!(lapsed.expires_at(), START.plus(7200));
    // Nobody knows of a stranger that it ever had one.
    let stranger = entity_id("https://stranger.example");
    let error = resolver.resolve(&stranger, None, world.now()).await;
    assert!(error.expect_err("a stranger").lapsed.is_none());
    // They come back.
    back(&world);
    world.advance(30);
    assert!(resolver.resolve(&leaf, None, world.now()).await.is_ok());
}

#[tokio::test]
async fn success_begins_the_intervals_anew() {
    let (world, resolver) = known().await;
    away(&world);
    let asked = attempts(&world, &resolver, 3900).await;
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(resolver.survey(world.now()).failing, 1);
    back(&world);
    let asked = attempts(&world, &resolver, 300).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    let survey = resolver.survey(world.now());
    assert_eq!((survey.valid, survey.failing), (1, 0));
    assert_eq!(survey.next_expiry, Some(START.plus(asked[0] + 7200)));
    away(&world);
    let again = attempts(&world, &resolver, 3700).await;
    assert!((30..=36).contains(&(again[1] - again[0])), "{again:?}");
}

#[tokio::test]
async fn a_chain_in_danger_is_told_once() {
    let (world, resolver) = known().await;
    away(&world);
    attempts(&world, &resolver, 4790).await;
    assert!(resolver.survey(world.now()).endangered.is_empty());
    attempts(&world, &resolver, 20).await;
    let endangered = resolver.survey(world.now()).endangered;
    assert_eq!(endangered.len(), 1);
    assert_eq!(endangered[0].subject, entity_id(LEAF));
    assert!(endangered[0].reason.contains("no answer"), "{endangered:?}");
    assert!(resolver.survey(world.now()).endangered.is_empty());
}

#[tokio::test]
async fn what_nobody_uses_is_not_looked_up() {
    let world = World::small();
    world
        .lifetime
        .store(300_000, std::sync::atomic::Ordering::SeqCst);
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("a chain");
    world.forget_fetches();
    world.advance(150_000);
    assert_eq!(resolver.keep_ready(world.now()).await, 0);
    assert_eq!(world.fetches(), 0);
    // A login has it looked up behind its back, as before.
    resolver
        .resolve(&leaf, None, world.now())
        .await
        .expect("remembered");
    assert_eq!(world.fetches(), 0);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.fetches(), 5);
}

#[tokio::test]
async fn who_answers_prolongs_a_chain_up_to_what_the_absent_one_said_last() {
    let world = World::small();
    let end = START.plus(7200).0;
    world.spoil(TOP, TOP, move |draft| {
        draft.claims.insert("exp".into(), end.into());
    });
    world.vouch(TOP, MIDDLE, json!({"exp": end}));
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    let resolve = || resolver.resolve(&leaf, None, world.now());
    resolve().await.expect("a chain");
    world.offline(TOP);
    // The others' statements live ten minutes.
    while world.now().0 + 5 < end {
        world.advance(5);
        resolver.keep_ready(world.now()).await;
        let chain = resolve().await.expect("renewed in part");
        assert!(chain.expires_at() > world.now());
    }
    world.advance(5);
    assert!(resolve().await.expect_err("it ended").lapsed.is_some());
}

#[tokio::test]
async fn many_at_once_ask_once_also_when_nobody_answers() {
    let world = World::small();
    let resolver = world.resolver();
    let leaf = entity_id(LEAF);
    let all_at_once = async || {
        world.forget_fetches();
        let all = (0..200).map(|_| resolver.resolve(&leaf, None, world.now()));
        let answers = futures_util::future::join_all(all).await;
        let mut asked = world.fetched.lock().expect("lock").clone();
        let times = asked.len();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), times, "somebody was asked twice: {asked:?}");
        answers
    };
    world.offline(MIDDLE);
    for _ in 0..3 {
        let answers = all_at_once().await;
        let first = answers[0].as_ref().expect_err("no chain");
        for answer in &answers {
            assert!(Arc::ptr_eq(first, answer.as_ref().expect_err("no chain")));
        }
        assert!(world.fetches() > 0);
        world.advance(30);
    }
    world.online(MIDDLE);
    assert!(all_at_once().await.iter().all(Result::is_ok));
    // The end of what was remembered comes for all at the same moment.
    away(&world);
    world.advance(600);
    let answers = all_at_once().await;
    assert!(answers.iter().all(|answer| {
        let error = answer.as_ref().expect_err("it ended");
        error.lapsed.is_some()
    }));
    back(&world);
    world.advance(30);
    assert!(all_at_once().await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn an_attempt_that_is_broken_off_gives_way_to_the_next() {
    let (world, resolver) = known().await;
    world.advance(3600);
    {
        let round = resolver.keep_ready(world.now());
        let mut round = std::pin::pin!(round);
        assert!(futures_util::poll!(round.as_mut()).is_pending());
    }
    assert_eq!(resolver.keep_ready(world.now()).await, 1);
    let survey = resolver.survey(world.now());
    assert_eq!(survey.next_expiry, Some(world.now().plus(7200)));
}
