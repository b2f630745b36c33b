//! Subordinates and issued trust marks.

use hefu::client::one_use::{self, OneUse};
use hefu::clock::UnixTime;
use hefu::federation::EntityId;
use hefu::federation::authority::subtree::{
    Listed, forget_others, listed_by, members, note_listed,
};
use hefu::federation::authority::{
    InvalidSubordinate, IssuedMark, ListFilter, NewSubordinate, Subordinate, faces,
    give_trust_mark, list, revoke_trust_mark,
};
use hefu::federation::trust_mark::{Delegation, HeldMark};
use hefu::store::Conn;
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

#[tokio::test]
async fn marks_are_given_prolonged_revoked_and_given_anew() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let (kind, a) = ("https://t.example/1", entity_id("https://a.example"));
        assert_eq!(IssuedMark::find(&mut conn, kind, &a).await?, None);
        give_trust_mark(&mut conn, kind, &a, None, NOW).await?;
        give_trust_mark(&mut conn, kind, &a, Some(NOW.plus(10)), NOW.plus(1)).await?;
        let mark = IssuedMark::find(&mut conn, kind, &a).await?.expect("given");
        assert_eq!((mark.issued_at, mark.expires_at), (NOW, Some(NOW.plus(10))));
        assert!(mark.is_active(NOW.plus(9)) && !mark.is_active(NOW.plus(10)));
        assert!(revoke_trust_mark(&mut conn, kind, &a, NOW.plus(2)).await?);
        let mark = IssuedMark::find(&mut conn, kind, &a).await?.expect("kept");
        assert_eq!(mark.revoked_at, Some(NOW.plus(2)));
        assert!(!mark.is_active(NOW.plus(2)));
        give_trust_mark(&mut conn, kind, &a, None, NOW.plus(3)).await?;
        give_trust_mark(&mut conn, "https://t.example/0", &a, None, NOW).await?;
        let all = IssuedMark::all(&mut conn).await?;
        let shown: Vec<_> = all
            .iter()
            .map(|m| (m.trust_mark_type.as_str(), m.issued_at))
            .collect();
        assert_eq!(shown, [("https://t.example/0", NOW), (kind, NOW.plus(3))]);
        assert_eq!(all[1].revoked_at, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn delegations_and_held_marks_are_kept_until_they_end() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let signed = |issuer: &str, exp: Option<i64>| {
            let mut claims = json!({"iss": "https://o.example", "sub": issuer, "trust_mark_type": "https://t.example/1", "iat": 1});
            if let Some(exp) = exp {
                claims["exp"] = exp.into();
            }
            let jwt = TestKey::of("owner").jwt("trust-mark-delegation+jwt", &claims);
            Delegation::read(&jwt, NOW).expect("a delegation")
        };
        let kind = "https://t.example/1";
        assert_eq!(Delegation::stored(&mut conn, kind, NOW).await?, None);
        signed("https://a.example", None).store(&mut conn, NOW).await?;
        let newer = signed("https://b.example", Some(NOW.0 + 10));
        newer.store(&mut conn, NOW.plus(1)).await?;
        assert_eq!(Delegation::stored(&mut conn, kind, NOW.plus(9)).await?, Some(newer));
        assert_eq!(Delegation::stored(&mut conn, kind, NOW.plus(10)).await?, None);

        let held = |kind: &str, exp: Option<UnixTime>| HeldMark {
            trust_mark_type: kind.to_owned(),
            issuer: "https://gd.example".to_owned(),
            trust_mark: format!("{kind} {exp:?}"),
            issued_at: NOW,
            expires_at: exp,
            renew_at: NOW.plus(5),
        };
        held("https://t.example/2", None).store(&mut conn).await?;
        held(kind, None).store(&mut conn).await?;
        held(kind, Some(NOW.plus(10))).store(&mut conn).await?;
        assert_eq!(
            HeldMark::all(&mut conn, NOW.plus(9)).await?,
            [held(kind, Some(NOW.plus(10))), held("https://t.example/2", None)]
        );
        assert_eq!(HeldMark::all(&mut conn, NOW.plus(10)).await?, [held("https://t.example/2", None)]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn who_stands_below_is_remembered_by_who_said_so() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let listed = |ids: &[(&str, bool)]| -> Listed {
            ids.iter().map(|(id, is)| (entity_id(id), *is)).collect()
        };
        let (gd, js) = (
            entity_id("https://gd.example"),
            entity_id("https://js.example"),
        );
        let first = listed(&[("https://a.example", false), ("https://city.example", true)]);
        assert!(listed_by(&mut conn, &gd).await?.is_empty());
        note_listed(&mut conn, &gd, &Listed::new(), &first, NOW).await?;
        assert_eq!(listed_by(&mut conn, &gd).await?, first);
        // One that two intermediates list is there once, and stays while one of them lists it.
        let other = listed(&[("https://a.example", false), ("https://b.example", false)]);
        note_listed(&mut conn, &js, &Listed::new(), &other, NOW.plus(1)).await?;
        let ids = async |conn: &mut Conn, limit| -> Vec<String> {
            let members = members(conn, limit).await.expect("members");
            members.into_iter().map(EntityId::into_string).collect()
        };
        let all = [
            "https://a.example",
            "https://city.example",
            "https://b.example",
        ];
        assert_eq!(ids(&mut conn, 9).await, all);
        assert_eq!(ids(&mut conn, 2).await, all[..2]);
        let then = listed(&[("https://city.example", false)]);
        note_listed(&mut conn, &gd, &first, &then, NOW.plus(2)).await?;
        assert_eq!(listed_by(&mut conn, &gd).await?, then);
        assert_eq!(ids(&mut conn, 9).await.len(), 3);
        forget_others(&mut conn, &[gd.clone()].into()).await?;
        assert_eq!(ids(&mut conn, 9).await, ["https://city.example"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_may_come_once_is_forgotten_when_it_cannot_come_again() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let mark = OneUse::of("federation_endpoint", "https://a.example", "1", NOW);
        assert!(mark.mark(&mut conn).await?);
        assert!(!mark.mark(&mut conn).await?);
        assert_eq!(one_use::sweep(&mut conn, NOW.plus(59)).await?, 0);
        assert_eq!(one_use::sweep(&mut conn, NOW.plus(60)).await?, 1);
        Ok(())
    })
    .await;
}
