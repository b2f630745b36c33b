//! What is found out about those below an authority, and how the map reads it.

use hefu::clock::UnixTime;
use hefu::federation::EntityId;
use hefu::federation::authority::map::{
    Condition, Kind, Place, Window, children, counts, named, place, total,
};
use hefu::federation::authority::state::{Outcome, State, due, forget_strangers};
use hefu::federation::authority::subtree::{Listed, note_listed};
use hefu::federation::authority::{NewSubordinate, Subordinate};
use hefu::store::Conn;
use serde_json::json;

use crate::support::database::{Fault, for_each_database};
use crate::support::federation::{TestKey, entity_id};

const NOW: UnixTime = UnixTime(1000);
const OWN: &str = "https://top.example";
const GD: &str = "https://gd.example";
const CQ: &str = "https://cq.example";

fn state(id: &str, name: Option<&str>, outcome: Outcome) -> State {
    State {
        entity_id: entity_id(id),
        name: name.map(str::to_owned),
        name_en: name.map(|_| "Yue".to_owned()),
        types: "federation_entity openid_relying_party".to_owned(),
        marks: "https://t.example/1 https://t.example/2".to_owned(),
        outcome,
    }
}

fn good(until: i64) -> Outcome {
    Outcome::Good {
        expires_at: UnixTime(until),
    }
}

fn bad(proven: bool) -> Outcome {
    Outcome::Bad {
        fault: "metadata_policy",
        proven,
    }
}

/// Two provinces and a provider of our own; below 广东 two portals and a city, below 重庆 one of the portals too.
async fn federation(conn: &mut Conn) -> Result<(), Fault> {
    let own = [
        (GD, &["federation_entity"][..], true, "广东省"),
        ("https://id.example", &["openid_provider"], false, "账号"),
        (CQ, &["federation_entity"], true, "重庆市"),
    ];
    for (at, (id, types, is_intermediate, name)) in own.into_iter().enumerate() {
        let metadata = json!({types[0]: {"display_name": name, "display_name#en": "Name"}});
        let subordinate = NewSubordinate {
            entity_id: entity_id(id),
            jwks: TestKey::of(id).jwks(),
            entity_types: types.iter().map(|t| (*t).to_owned()).collect(),
            metadata: metadata.as_object().cloned(),
            metadata_policy: None,
            constraints: None,
            is_intermediate,
        };
        let at = i64::try_from(at)?;
        subordinate.put(conn, NOW.plus(at)).await?.expect("valid");
    }
    let none = Listed::new();
    let listed = |ids: &[(&str, bool)]| -> Listed {
        ids.iter().map(|(id, is)| (entity_id(id), *is)).collect()
    };
    let gd = listed(&[
        ("https://a.example", false),
        ("https://b.example", false),
        ("https://city.example", true),
    ]);
    note_listed(conn, &entity_id(GD), &none, &gd, NOW.plus(9)).await?;
    let cq = listed(&[("https://a.example", false)]);
    note_listed(conn, &entity_id(CQ), &none, &cq, NOW.plus(5)).await?;
    Ok(())
}

fn ids(places: &[Place]) -> Vec<&str> {
    places.iter().map(|p| p.entity_id.as_str()).collect()
}

#[tokio::test]
async fn the_tree_is_read_page_by_page() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let own = entity_id(OWN);
        assert_eq!(total(&mut conn).await?, 0);
        federation(&mut conn).await?;
        assert_eq!(total(&mut conn).await?, 6);
        for (id, expected) in [
            (OWN, (2, 1)),
            (GD, (1, 2)),
            (CQ, (0, 1)),
            ("https://a.example", (0, 0)),
        ] {
            assert_eq!(
                counts(&mut conn, &own, &entity_id(id)).await?,
                expected,
                "{id}"
            );
        }
        let window = Window::of(2, 1, 1);
        let below = children(&mut conn, &own, &own, window, NOW).await?;
        assert_eq!(ids(&below), [GD, CQ, "https://id.example"]);
        let kinds: Vec<Kind> = below.iter().map(|place| place.kind).collect();
        assert_eq!(
            kinds,
            [Kind::Intermediate, Kind::Intermediate, Kind::Provider]
        );
        assert_eq!(
            (below[0].members, below[1].members, below[2].members),
            (3, 1, 0)
        );
        // As we assert it, until it is known how it is vouched for.
        assert_eq!(below[0].name.as_deref(), Some("广东省"));
        assert_eq!(below[0].name_en.as_deref(), Some("Name"));
        assert_eq!(below[0].condition, Condition::Unseen);
        let second = Window {
            offset: 1,
            limit: 1,
            ..window
        };
        assert_eq!(
            ids(&children(&mut conn, &own, &own, second, NOW).await?),
            [CQ]
        );
        let below = children(&mut conn, &own, &entity_id(GD), window, NOW).await?;
        assert_eq!(
            ids(&below),
            [
                "https://city.example",
                "https://a.example",
                "https://b.example"
            ]
        );

        // Whoever listed it first; ourselves before anybody.
        let (_, via) = place(&mut conn, &own, &entity_id("https://a.example"), NOW)
            .await?
            .expect("known");
        assert_eq!(via.as_str(), CQ);
        let (gd, via) = place(&mut conn, &own, &entity_id(GD), NOW)
            .await?
            .expect("known");
        assert_eq!((via.as_str(), gd.members), (OWN, 3));
        assert_eq!(
            place(&mut conn, &own, &entity_id("https://x.example"), NOW).await?,
            None
        );

        assert!(Subordinate::remove(&mut conn, &entity_id(GD), NOW).await?);
        assert_eq!(counts(&mut conn, &own, &own).await?, (1, 1));
        assert_eq!(place(&mut conn, &own, &entity_id(GD), NOW).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn states_are_told_until_they_end() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let own = entity_id(OWN);
        federation(&mut conn).await?;
        let a = entity_id("https://a.example");
        let mut told = async |now: i64| -> Place {
            let found = place(&mut conn, &own, &a, UnixTime(now)).await;
            found.expect("read").expect("known").0
        };
        let mut conn = store.read().await?;
        state(a.as_str(), Some("粤省事"), good(2000))
            .put(&mut conn, NOW)
            .await?;
        let found = told(1999).await;
        assert_eq!(
            found.condition,
            Condition::Good {
                expires_at: UnixTime(2000)
            }
        );
        assert_eq!(found.name.as_deref(), Some("粤省事"));
        assert_eq!((found.kind, found.marks.len()), (Kind::Portal, 2));
        assert_eq!(found.seen_at, Some(NOW));
        let stale = Condition::Stale {
            expired_at: UnixTime(2000),
        };
        assert_eq!(told(2000).await.condition, stale);

        // What is only unreachable serves until its end (§18.2).
        let unnamed = |outcome| state(a.as_str(), None, outcome);
        unnamed(bad(false)).put(&mut conn, UnixTime(1500)).await?;
        assert!(matches!(told(1500).await.condition, Condition::Good { .. }));
        unnamed(bad(false)).put(&mut conn, UnixTime(2000)).await?;
        let fault = Condition::Bad {
            fault: "metadata_policy".to_owned(),
        };
        let found = told(2000).await;
        assert_eq!(found.condition, fault);
        assert_eq!(
            found.name.as_deref(),
            Some("粤省事"),
            "its name is still known"
        );
        // What is proven ends it now.
        unnamed(good(9000)).put(&mut conn, UnixTime(2001)).await?;
        unnamed(bad(true)).put(&mut conn, UnixTime(2002)).await?;
        assert_eq!(told(2002).await.condition, fault);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn names_and_identifiers_are_found_in_any_case() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let own = entity_id(OWN);
        federation(&mut conn).await?;
        let rows = [
            ("https://a.example", "100% É_粤省事!"),
            ("https://b.example", "苏服办"),
            ("https://city.example", "粤东"),
        ];
        for (id, name) in rows {
            state(id, Some(name), good(9000))
                .put(&mut conn, NOW)
                .await?;
        }
        let [a, b, city] = rows.map(|(id, _)| id);
        let window = Window::of(0, 9, 1);
        for (text, expected) in [
            ("粤", &[city, a][..]),
            ("é_粤", &[a]),
            ("%", &[a]),
            ("_", &[a]),
            ("!", &[a]),
            ("yUE", &[city, a, b]),
            ("GD.ex", &[GD]),
            ("\\", &[]),
            ("' OR 1=1 --", &[]),
        ] {
            let found = named(&mut conn, &own, text, window, NOW).await?;
            assert_eq!(ids(&found), expected, "{text}");
        }
        let one = Window {
            limit: 1,
            offset: 1,
            ..window
        };
        assert_eq!(ids(&named(&mut conn, &own, "yue", one, NOW).await?), [a]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn each_comes_round_and_strangers_are_forgotten() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        federation(&mut conn).await?;
        let waiting = async |conn: &mut Conn, now: i64| -> Vec<String> {
            let due = due(conn, 9, UnixTime(now)).await.expect("read");
            due.into_iter().map(EntityId::into_string).collect()
        };
        let all = [
            "https://a.example",
            "https://b.example",
            "https://city.example",
            CQ,
            GD,
            "https://id.example",
        ];
        let mut everybody = waiting(&mut conn, 1000).await;
        everybody.sort();
        let mut expected = all.map(str::to_owned);
        expected.sort();
        assert_eq!(everybody, expected);
        assert_eq!(due(&mut conn, 2, NOW).await?.len(), 2);
        for id in all {
            state(id, Some("x"), good(1600)).put(&mut conn, NOW).await?;
        }
        state(GD, None, bad(true))
            .put(&mut conn, UnixTime(1100))
            .await?;
        assert!(waiting(&mut conn, 1299).await.is_empty());
        // Half of a chain's life, ten minutes after a failure.
        assert_eq!(waiting(&mut conn, 1300).await.len(), 5);
        assert_eq!(
            waiting(&mut conn, 1700).await.last().map(String::as_str),
            Some(GD)
        );

        let own = entity_id(OWN);
        Subordinate::remove(&mut conn, &entity_id(GD), NOW).await?;
        let before = [(entity_id("https://a.example"), false)]
            .into_iter()
            .collect();
        note_listed(&mut conn, &entity_id(CQ), &before, &Listed::new(), NOW).await?;
        let kept = async |conn: &mut Conn| -> Vec<i64> {
            let sql = "SELECT COUNT(*) FROM subtree_states";
            sqlx::query_scalar(sql).fetch_all(conn).await.expect("read")
        };
        forget_strangers(&mut conn).await?;
        // 广东 itself; what it listed is forgotten by the walk.
        assert_eq!(kept(&mut conn).await, [5]);
        let window = Window::of(0, 9, 1);
        assert!(
            named(&mut conn, &own, "gd.example", window, NOW)
                .await?
                .is_empty()
        );
        Ok(())
    })
    .await;
}
