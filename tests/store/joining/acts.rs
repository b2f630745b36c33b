//! What operators do to requests and to how subordinates stand.

use super::*;

/// As JSON, as whoever approves reads it.
async fn apply(
    store: &Store,
    role: Role,
    act: Value,
    mode: Mode,
) -> Result<Result<Effect, Refusal>, Error> {
    let read: Act = serde_json::from_value(act.clone()).expect("an act");
    assert_eq!(
        serde_json::to_value(&read).expect("written"),
        act,
        "what is read is what was written"
    );
    let desk = Desk {
        store,
        role,
        sealer: &Unsealed,
        plain_http: false,
        now: NOW,
    };
    read.apply(desk, &mut RngSource::System.rng(), "operator", mode)
        .await
}

fn step(step: &str, more: Value) -> Value {
    let mut act = json!({"act": "joining", "step": step});
    for (name, value) in more.as_object().expect("members") {
        act[name] = value.clone();
    }
    act
}

#[tokio::test]
async fn acts_on_requests() {
    for_each_database(async |store| {
        let jwks = TestKey::of(PORTAL).jwks();
        let mut conn = store.read().await?;
        let (id, _) = opened(file(&mut conn, Wish::Join, PORTAL, jwks.clone(), None).await?);
        let (other, _) = opened(
            file(
                &mut conn,
                Wish::Join,
                "https://b.example",
                TestKey::of("b").jwks(),
                None,
            )
            .await?,
        );
        drop(conn);
        let subordinate = serde_json::to_value(portal()).expect("written");
        let mut swapped = subordinate.clone();
        swapped["jwks"] = TestKey::of("mallory").jwks();
        let approve = |request: &str, subordinate: &Value| {
            step(
                "approve",
                json!({"request": request, "subordinate": subordinate}),
            )
        };
        let anchor = async |act: Value, mode| apply(&store, Role::Anchor, act, mode).await;
        let refused = async |act: Value| {
            anchor(act, Mode::Apply)
                .await
                .map(|done| done.expect_err("refused").to_string())
        };

        assert!(
            apply(
                &store,
                Role::Portal,
                approve(&id, &subordinate),
                Mode::Apply
            )
            .await?
            .is_err(),
            "a portal vouches for nobody"
        );
        assert!(
            refused(approve(&id, &swapped))
                .await?
                .contains("other keys")
        );
        assert!(
            refused(approve(&other, &subordinate))
                .await?
                .contains("another entity")
        );
        assert!(
            refused(approve("jr_none", &subordinate))
                .await?
                .contains("no open request")
        );
        let ended = step(
            "approve",
            json!({"request": id, "subordinate": subordinate, "enrolled_until": NOW.0}),
        );
        assert!(refused(ended).await?.contains("a day to come"));
        anchor(approve(&id, &subordinate), Mode::DryRun)
            .await?
            .expect("could be done");
        assert_eq!(
            everyone(&mut *store.read().await?).await?,
            [],
            "a dry run leaves nothing"
        );
        anchor(approve(&id, &subordinate), Mode::Apply)
            .await?
            .expect("approved");
        assert!(
            refused(approve(&id, &subordinate))
                .await?
                .contains("no open request"),
            "once"
        );
        let who = entity_id(PORTAL);
        let standing = Standing::find(&mut *store.read().await?, &who)
            .await?
            .expect("enrolled");
        assert_eq!(standing.contacts.len(), 2, "as it said when it asked");

        let no = |id: &str| {
            step(
                "refuse",
                json!({"request": other, "entity_id": id, "reason": "not ours"}),
            )
        };
        assert!(refused(no(PORTAL)).await?.contains("no open request"));
        anchor(no("https://b.example"), Mode::Apply)
            .await?
            .expect("refused");

        // Other keys, as asked and as approved.
        let next = TestKey::of("next").jwks();
        let mut conn = store.read().await?;
        let (keys, _) = opened(file(&mut conn, Wish::Keys, PORTAL, next.clone(), Some("p")).await?);
        drop(conn);
        let change = |jwks: &Value| {
            step(
                "change_keys",
                json!({"request": keys, "entity_id": PORTAL, "jwks": jwks}),
            )
        };
        assert!(refused(change(&jwks)).await?.contains("other keys"));
        anchor(change(&next), Mode::Apply).await?.expect("changed");
        let found = Subordinate::find(&mut *store.read().await?, &who)
            .await?
            .expect("there");
        assert_eq!(found.jwks, next);

        // A compromise ends what an old key asked for.
        let mut conn = store.read().await?;
        let (late, _) = opened(file(&mut conn, Wish::Keys, PORTAL, jwks.clone(), Some("q")).await?);
        drop(conn);
        anchor(
            step("mark_compromised", json!({"entity_id": PORTAL})),
            Mode::Apply,
        )
        .await?
        .expect("marked");
        let late_change = step(
            "change_keys",
            json!({"request": late, "entity_id": PORTAL, "jwks": jwks}),
        );
        assert!(refused(late_change).await?.contains("no open request"));
        assert!(
            refused(step("resume", json!({"entity_id": PORTAL})))
                .await?
                .contains("enrols anew")
        );

        let mut events: Vec<String> = notices::list(&mut *store.read().await?, 99)
            .await?
            .into_iter()
            .map(|n| n.event)
            .collect();
        events.sort();
        events.dedup();
        assert_eq!(
            events,
            ["approved", "compromised", "keys_changed", "refused"]
        );
        let kinds: Vec<String> = sqlx::query_scalar(
            "SELECT kind FROM audit_events WHERE actor = 'operator' ORDER BY kind",
        )
        .fetch_all(&mut *store.read().await?)
        .await?;
        assert_eq!(
            kinds,
            [
                "federation.approve",
                "federation.change_keys",
                "federation.mark_compromised",
                "federation.refuse"
            ]
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn acts_on_standing() {
    for_each_database(async |store| {
        portal()
            .put(&mut *store.read().await?, NOW)
            .await?
            .expect("valid");
        let of = |name: &str, mut more: Value| {
            more["entity_id"] = PORTAL.into();
            step(name, more)
        };
        let suspend = of("suspend", json!({"reason": "审计"}));
        let broken = json!({"openid_relying_party": {"scope": {"value": 1, "subset_of": []}}});
        let policy = json!({"openid_relying_party": {"scope": {"subset_of": ["openid"]}}});
        for (act, done) in [
            (of("resume", json!({})), false),
            (suspend.clone(), true),
            (suspend, false),
            (of("resume", json!({})), true),
            (of("set_policy", json!({"metadata_policy": broken})), false),
            (of("set_policy", json!({"metadata_policy": policy})), true),
            (of("set_policy", json!({"metadata_policy": null})), true),
            (of("set_terms", json!({"contacts": ["nobody"]})), false),
            (of("set_terms", json!({"enrolled_until": NOW.0})), false),
            (of("set_terms", json!({"enrolled_until": 0})), true),
            (
                of(
                    "set_terms",
                    json!({"contacts": ["a@gd.example"], "enrolled_until": NOW.0 + 1}),
                ),
                true,
            ),
            (json!({"act": "drop", "entity_id": PORTAL}), true),
            (
                of("set_terms", json!({"contacts": ["a@gd.example"]})),
                false,
            ),
            (of("mark_compromised", json!({})), false),
        ] {
            let came = apply(&store, Role::Intermediate, act.clone(), Mode::Apply).await?;
            assert_eq!(came.is_ok(), done, "{act}: {came:?}");
        }
        let told = notices::list(&mut *store.read().await?, 9).await?;
        assert_eq!(
            told.iter().map(|n| n.event.as_str()).collect::<Vec<_>>(),
            ["dropped"],
            "the only one after there were contacts"
        );
        assert!(audit::is_waiting(&mut *store.read().await?).await?);
        Ok(())
    })
    .await;
}
