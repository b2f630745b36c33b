//! Subordinates and issued trust marks.

use hefu::clock::UnixTime;
use hefu::federation::EntityId;
use hefu::federation::authority::{
    InvalidSubordinate, ListFilter, NewSubordinate, Subordinate, faces, give_trust_mark, list,
    revoke_trust_mark,
};
use serde_json::{Value, json};

use crate::support::database::for_each_database;
use crate::support::federation::{TestKey, entity_id};

fn new(id: &str, entity_types: &[&str], is_intermediate: bool) -> NewSubordinate {
    NewSubordinate {
        entity_id: entity_id(id),
        jwks: TestKey::of(id).jwks(),
        entity_types: entity_types.iter().map(|t| (*t).to_owned()).collect(),
        metadata: None,
        metadata_policy: None,
        constraints: None,
        is_intermediate,
    }
}

const NOW: UnixTime = UnixTime(1000);

#[tokio::test]
async fn subordinates_are_kept_changed_dropped_and_taken_back() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let id = entity_id("https://gd.example");
        assert_eq!(Subordinate::find(&mut conn, &id).await?, None);
        let mut gd = new(id.as_str(), &["federation_entity"], true);
        gd.put(&mut conn, NOW).await?.expect("valid");
        let found = Subordinate::find(&mut conn, &id).await?.expect("stored");
        assert_eq!(found.intermediate_since, Some(NOW));
        assert_eq!((found.added_at, found.updated_at), (NOW, NOW));
        assert_eq!(found.metadata, None);

        let Value::Object(metadata) = json!({"federation_entity": {"display_name": "广东省 𠮷"}})
        else {
            unreachable!()
        };
        gd.metadata = Some(metadata.clone());
        gd.metadata_policy =
            Some(json!({"openid_relying_party": {"scope": {"subset_of": ["openid"]}}}));
        gd.constraints = Some(json!({"max_path_length": 2}));
        gd.put(&mut conn, NOW.plus(5)).await?.expect("valid");
        let found = Subordinate::find(&mut conn, &id).await?.expect("stored");
        assert_eq!(found.metadata, Some(Value::Object(metadata)));
        assert_eq!(found.intermediate_since, Some(NOW));
        assert_eq!((found.added_at, found.updated_at), (NOW, NOW.plus(5)));

        assert!(Subordinate::remove(&mut conn, &id, NOW.plus(6)).await?);
        assert!(!Subordinate::remove(&mut conn, &id, NOW.plus(7)).await?);
        assert_eq!(Subordinate::find(&mut conn, &id).await?, None);
        assert!(
            list(&mut conn, &ListFilter::default(), NOW)
                .await?
                .is_empty()
        );
        gd.is_intermediate = false;
        gd.put(&mut conn, NOW.plus(8)).await?.expect("valid");
        let found = Subordinate::find(&mut conn, &id).await?.expect("stored");
        assert_eq!((found.intermediate_since, found.added_at), (None, NOW));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn faces_carry_the_name_that_is_vouched_for() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let names = [
            (
                "https://b.example",
                json!({"federation_entity": {"organization_name": "广东省 𠮷"}}),
            ),
            (
                "https://a.example",
                json!({"openid_relying_party": {"client_name": "粤省事"}}),
            ),
            (
                "https://c.example",
                json!({"openid_provider": {"logo_uri": "https://c.example/l"}}),
            ),
        ];
        for (at, (id, metadata)) in names.iter().enumerate() {
            let mut entity = new(id, &["federation_entity"], at == 0);
            entity.metadata = metadata.as_object().cloned();
            let at = i64::try_from(at).expect("small");
            entity.put(&mut conn, NOW.plus(at)).await?.expect("valid");
        }
        let shown = |faces: Vec<hefu::federation::authority::Face>| -> Vec<String> {
            let name = |face: &hefu::federation::authority::Face| {
                face.name.as_ref().map(|n| n.best(&["zh"]).to_owned())
            };
            faces
                .iter()
                .map(|f| format!("{} {:?} {}", f.entity_id, name(f), f.is_intermediate))
                .collect()
        };
        assert_eq!(
            shown(faces(&mut conn, 9).await?),
            [
                "https://b.example Some(\"广东省 𠮷\") true",
                "https://a.example Some(\"粤省事\") false",
                "https://c.example None false",
            ]
        );
        assert_eq!(faces(&mut conn, 2).await?.len(), 2);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn listings_are_filtered_and_ordered_alike_on_both_databases() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let entities = [
            (
                "https://b.example",
                &["openid_provider", "federation_entity"][..],
                false,
            ),
            ("https://B.example", &["openid_relying_party"][..], false),
            ("https://a.example", &["federation_entity"][..], true),
            ("https://a-b.example", &["openid_relying_party"][..], false),
        ];
        for (n, (id, types, intermediate)) in entities.into_iter().enumerate() {
            new(id, types, intermediate)
                .put(&mut conn, NOW.plus(i64::try_from(n)?))
                .await?
                .expect("valid");
        }
        give_trust_mark(
            &mut conn,
            "https://t.example/1",
            &entity_id("https://b.example"),
            None,
            NOW,
        )
        .await?;
        let end = Some(NOW.plus(10));
        give_trust_mark(
            &mut conn,
            "https://t.example/2",
            &entity_id("https://a.example"),
            end,
            NOW,
        )
        .await?;
        give_trust_mark(
            &mut conn,
            "https://t.example/1",
            &entity_id("https://gone.example"),
            None,
            NOW,
        )
        .await?;

        let mut ids = async |filter: ListFilter, now: UnixTime| -> Vec<String> {
            let listed = list(&mut conn, &filter, now).await.expect("a list");
            listed.into_iter().map(EntityId::into_string).collect()
        };
        let filter = ListFilter::default;
        let types = |types: &[&str]| ListFilter {
            entity_types: types.iter().map(|t| (*t).to_owned()).collect(),
            ..ListFilter::default()
        };
        assert_eq!(
            ids(filter(), NOW).await,
            [
                "https://B.example",
                "https://a-b.example",
                "https://a.example",
                "https://b.example"
            ]
        );
        assert_eq!(
            ids(types(&["openid_provider"]), NOW).await,
            ["https://b.example"]
        );
        assert_eq!(
            ids(types(&["openid_provider", "openid_relying_party"]), NOW).await,
            [
                "https://B.example",
                "https://a-b.example",
                "https://b.example"
            ]
        );
        assert!(ids(types(&["openid"]), NOW).await.is_empty());
        assert_eq!(
            ids(
                ListFilter {
                    intermediate: true,
                    ..filter()
                },
                NOW
            )
            .await,
            ["https://a.example"]
        );
        let marked = || ListFilter {
            trust_marked: true,
            ..filter()
        };
        assert_eq!(
            ids(marked(), NOW).await,
            ["https://a.example", "https://b.example"]
        );
        assert_eq!(ids(marked(), NOW.plus(10)).await, ["https://b.example"]);
        let typed = ListFilter {
            trust_mark_types: vec!["https://t.example/2".into()],
            ..filter()
        };
        assert_eq!(ids(typed.clone(), NOW).await, ["https://a.example"]);

        let mut conn = store.read().await?;
        let a = entity_id("https://a.example");
        assert!(revoke_trust_mark(&mut conn, "https://t.example/2", &a, NOW).await?);
        assert!(!revoke_trust_mark(&mut conn, "https://t.example/2", &a, NOW).await?);
        assert!(list(&mut conn, &typed, NOW).await?.is_empty());
        give_trust_mark(&mut conn, "https://t.example/2", &a, None, NOW).await?;
        assert_eq!(list(&mut conn, &typed, NOW).await?, [a]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_peers_would_refuse_is_not_stored() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let good = || new("https://gd.example", &["federation_entity"], true);
        let object = |value: Value| value.as_object().cloned();
        let bad = [
            NewSubordinate { jwks: json!({"keys": []}), ..good() },
            NewSubordinate { jwks: json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}), ..good() },
            NewSubordinate { entity_types: vec![], ..good() },
            NewSubordinate { entity_types: vec!["a b".into()], ..good() },
            NewSubordinate { metadata: object(json!({"federation_entity": 1})), ..good() },
            NewSubordinate { metadata: object(json!({"federation_entity": {"display_name": null}})), ..good() },
            NewSubordinate {
                metadata: object(json!({"federation_entity": {"federation_fetch_endpoint": "https://x.example"}})),
                ..good()
            },
            NewSubordinate { metadata_policy: Some(json!({"a": {"b": {"one_of": 1}}})), ..good() },
            NewSubordinate { constraints: Some(json!({"max_path_length": -1})), ..good() },
        ];
        for subordinate in bad {
            let refused: Result<(), InvalidSubordinate> = subordinate.put(&mut conn, NOW).await?;
            assert!(refused.is_err(), "{subordinate:?}");
        }
        assert!(list(&mut conn, &ListFilter::default(), NOW).await?.is_empty());
        Ok(())
    })
    .await;
}
