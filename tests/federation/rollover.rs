//! Keys that change while logins run: announced, vouched for, switched, retired, with resolutions in between, by who has just
//! come and by who has long been here. None fails.

use std::sync::Arc;

use hefu::federation::{Anchor, Anchors, Resolver};
use hefu::jose::JwkSet;
use serde_json::{Value, json};

use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey, World, entity_id, relying_party};

const SISTER: &str = "https://sister.example";
/// How long statements live.
const LIFE: i64 = 600;

struct Logins {
    world: Arc<World>,
    /// Has been here all the time.
    old: Arc<Resolver>,
    /// The key that the anchor is known by out of band, for who comes new.
    anchor: TestKey,
}

impl Logins {
    fn new() -> Self {
        let world = World::small();
        world.entity(
            SISTER,
            &[MIDDLE],
            relying_party("https://sister.example/cb"),
        );
        world.vouch(MIDDLE, SISTER, json!({}));
        Self {
            old: world.resolver(),
            world,
            anchor: TestKey::of(TOP),
        }
    }

    /// Somebody logs in every twenty seconds for so long; the job runs as well.
    async fn go_on(&self, seconds: i64, step: &str) {
        for _ in 0..seconds.div_euclid(20).max(1) {
            let now = self.world.now();
            for subject in [LEAF, SISTER] {
                let chain = self.old.resolve(&entity_id(subject), None, now).await;
                chain.unwrap_or_else(|e| panic!("{step}: {}", e.explanation.to_text()));
            }
            let anchor = Anchor {
                id: entity_id(TOP),
                jwks: JwkSet::parse_strict(&self.anchor.jwks()).expect("a key set"),
            };
            let new = self.world.resolver();
            new.replace_anchors(Anchors::new(vec![anchor]));
            let chain = new.resolve(&entity_id(LEAF), None, now).await;
            chain.unwrap_or_else(|e| panic!("{step}, new: {}", e.explanation.to_text()));
            self.old.keep_ready(now).await;
            // Refreshes that logins started.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            self.world.advance(20);
        }
    }
}

fn both(id: &str) -> Value {
    json!({"keys": [TestKey::of(id).jwk(), next(id).jwk()]})
}

fn next(id: &str) -> TestKey {
    TestKey::of(&format!("{id}, next"))
}

/// What `id` says of its own keys.
fn shows(world: &World, id: &str, jwks: Value) {
    world.spoil(id, id, move |draft| {
        draft.claims.insert("jwks".into(), jwks.clone());
    });
}

/// An entity with a superior: the new key is announced, vouched for, used, and the old one goes. Without patience between
/// the steps too: who meets a statement that does not fit asks once more.
#[tokio::test]
async fn of_a_portal_and_of_a_province() {
    for (id, superior) in [(LEAF, MIDDLE), (MIDDLE, TOP)] {
        for pause in [LIFE, 20] {
            let logins = Logins::new();
            let world = &logins.world;
            logins.go_on(2 * LIFE, "before").await;
            shows(world, id, both(id));
            logins.go_on(pause, "announced").await;
            world.vouch(superior, id, json!({"jwks": both(id)}));
            logins.go_on(pause, "vouched for").await;
            world.rekey(id, next(id));
            logins.go_on(pause, "switched").await;
            shows(world, id, next(id).jwks());
            logins.go_on(pause, "retired by itself").await;
            world.vouch(superior, id, json!({"jwks": next(id).jwks()}));
            logins.go_on(2 * LIFE, "retired by its superior").await;
        }
    }
}

/// An anchor has nobody above it: who knows its first key learns of the next from a configuration signed with the first, so
/// it must be shown for as long as statements are remembered.
#[tokio::test]
async fn of_the_anchor() {
    let mut logins = Logins::new();
    logins.go_on(2 * LIFE, "before").await;
    shows(&logins.world, TOP, both(TOP));
    logins.go_on(LIFE, "announced").await;
    let known: Vec<_> = logins
        .old
        .anchors()
        .iter()
        .flat_map(|anchor| anchor.jwks.iter().map(|key| key.kid.clone()))
        .collect();
    assert_eq!(known.len(), 2, "{known:?}");
    logins.world.rekey(TOP, next(TOP));
    // Who comes new from here on was configured with the new key.
    logins.anchor = next(TOP);
    logins.go_on(LIFE, "switched").await;
    shows(&logins.world, TOP, next(TOP).jwks());
    logins.go_on(2 * LIFE, "retired").await;
}
