//! Acts of operators: done whole or not at all, written down and read again.

use hefu::client::{registered, registration_token};
use hefu::clock::UnixTime;
use hefu::config::Role;
use hefu::crypto::Sealer;
use hefu::federation::authority::{IssuedMark, NewSubordinate, Subordinate};
use hefu::federation::trust_mark::Delegation;
use hefu::id::ClientId;
use hefu::operator::{Act, Desk, Effect, Mode, Refusal};
use hefu::random::RngSource;
use hefu::store::{Error, Store};
use serde_json::{Value, json};

use crate::support::database::for_each_database;
use crate::support::federation::{TestKey, entity_id};

const NOW: UnixTime = UnixTime(1000);

/// What is sealed is not the matter here.
#[derive(Debug)]
struct Unsealed;

impl Sealer for Unsealed {
    fn seal(&self, _: &str, _: &str, _: UnixTime, _: &[u8]) -> String {
        String::new()
    }

    fn open(&self, _: &str, _: &str, _: UnixTime, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn protect(&self, _: &str, _: &str, plaintext: &[u8]) -> Vec<u8> {
        plaintext.to_vec()
    }

    fn reveal(&self, _: &str, _: &str, ciphertext: &[u8]) -> Option<Vec<u8>> {
        Some(ciphertext.to_vec())
    }
}

fn act(value: Value) -> Act {
    let act: Act = serde_json::from_value(value.clone()).expect("an act");
    let again = serde_json::to_value(&act).expect("written down");
    assert_eq!(serde_json::from_value::<Act>(again).expect("read"), act);
    act
}

async fn apply(
    store: &Store,
    role: Role,
    act: &Act,
    mode: Mode,
) -> Result<Result<Effect, Refusal>, Error> {
    let desk = Desk {
        store,
        role,
        sealer: &Unsealed,
        plain_http: false,
        now: NOW,
    };
    act.apply(desk, &mut RngSource::System.rng(), "operator", mode)
        .await
}

async fn recorded(store: &Store) -> Result<Vec<String>, Error> {
    sqlx::query_scalar("SELECT kind FROM audit_events WHERE actor = 'operator' ORDER BY kind")
        .fetch_all(&mut *store.read().await?)
        .await
}

#[tokio::test]
async fn acts_on_clients() {
    for_each_database(async |store| {
        let id = ClientId("cl_1".to_owned());
        let add = act(json!({"act": "add_client", "client_id": "cl_1",
            "metadata": {"redirect_uris": ["https://rp.example/cb"]}}));
        let rotate = act(json!({"act": "rotate_secret", "client_id": "cl_1"}));
        let remove = act(json!({"act": "remove_client", "client_id": "cl_1"}));
        let set = act(json!({"act": "set_client", "client_id": "cl_1",
            "metadata": {"redirect_uris": ["https://rp.example/cb"], "token_endpoint_auth_method": "client_secret_jwt"}}));
        let apply = async |act, mode| apply(&store, Role::Provider, act, mode).await;

        let Ok(Effect::ClientAdded { secret: None }) = apply(&add, Mode::DryRun).await? else {
            panic!("a dry run adds, and tells no secret")
        };
        let found = registered::find(&mut *store.read().await?, &id).await?;
        assert_eq!(found, None, "a dry run leaves nothing");
        assert!(recorded(&store).await?.is_empty());
        for (missing, said) in [
            (&rotate, "or has no secret"),
            (&remove, "not registered"),
            (&set, "not registered"),
        ] {
            let refusal = apply(missing, Mode::Apply).await?.expect_err("unknown");
            assert!(refusal.to_string().contains(said), "{refusal}");
        }

        let Ok(Effect::ClientAdded { secret: Some(_) }) = apply(&add, Mode::Apply).await? else {
            panic!("added, with a secret")
        };
        let before = registered::find(&mut *store.read().await?, &id).await?;
        let taken = apply(&add, Mode::Apply).await?.expect_err("taken");
        assert!(taken.to_string().contains("is taken"), "{taken}");
        apply(&rotate, Mode::DryRun).await?.expect("could be done");
        let still = registered::find(&mut *store.read().await?, &id).await?;
        assert_eq!(still, before);
        let Ok(Effect::SecretRotated { secret: Some(_) }) = apply(&rotate, Mode::Apply).await?
        else {
            panic!("rotated")
        };
        let Ok(Effect::ClientSet { secret: None }) = apply(&set, Mode::DryRun).await? else {
            panic!("a dry run tells no secret")
        };
        let Ok(Effect::ClientSet { secret: Some(_) }) = apply(&set, Mode::Apply).await? else {
            panic!("the method asks for a secret that is known")
        };
        let changed = registered::find(&mut *store.read().await?, &id).await?;
        let changed = changed.expect("there");
        assert_eq!(changed.metadata["token_endpoint_auth_method"], "client_secret_jwt");
        let wrong = act(json!({"act": "set_client", "client_id": "cl_1", "metadata": {"redirect_uris": []}}));
        apply(&wrong, Mode::Apply).await?.expect_err("makes no client");
        let same = registered::find(&mut *store.read().await?, &id).await?;
        assert_eq!(same, Some(changed));
        let Ok(Effect::ClientRemoved { grants_ended: 0 }) = apply(&remove, Mode::Apply).await?
        else {
            panic!("removed")
        };
        let gone = registered::find(&mut *store.read().await?, &id).await?;
        assert_eq!(gone, None);
        assert_eq!(
            recorded(&store).await?,
            [
                "client.add",
                "client.remove",
                "client.rotate_secret",
                "client.set"
            ],
            "one row an act that was done, none for refusals and dry runs"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn acts_on_registration_tokens() {
    for_each_database(async |store| {
        let issue = act(json!({"act": "issue_registration_token", "uses": 2, "expires_at": 2000}));
        let apply = async |act: &Act, mode| apply(&store, Role::Provider, act, mode).await;
        for useless in [
            json!({"act": "issue_registration_token", "uses": 0, "expires_at": 2000}),
            json!({"act": "issue_registration_token", "uses": 1, "expires_at": 1000}),
        ] {
            apply(&act(useless), Mode::Apply)
                .await?
                .expect_err("of no use");
        }
        let Ok(Effect::RegistrationTokenIssued { token: None, .. }) =
            apply(&issue, Mode::DryRun).await?
        else {
            panic!("a dry run tells no token")
        };
        let list = async || registration_token::list(&mut *store.read().await?, NOW).await;
        assert_eq!(list().await?, []);
        let Ok(Effect::RegistrationTokenIssued {
            id,
            token: Some(token),
        }) = apply(&issue, Mode::Apply).await?
        else {
            panic!("issued")
        };
        let mut conn = store.read().await?;
        assert_eq!(list().await?[0].id, id);
        assert!(registration_token::counts(&mut conn, token.reveal(), NOW).await?);
        assert!(!registration_token::counts(&mut conn, token.reveal(), UnixTime(2000)).await?);
        let spend = async || {
            registration_token::spend(&mut *store.read().await?, token.reveal(), NOW).await
        };
        // Of three at once, two get through.
        let (a, b, c) = tokio::join!(spend(), spend(), spend());
        let spent = [a?, b?, c?];
        assert_eq!(spent.iter().flatten().count(), 2, "{spent:?}");
        assert!(!registration_token::counts(&mut conn, token.reveal(), NOW).await?);

        let revoke = |id: &str| act(json!({"act": "revoke_registration_token", "id": id}));
        apply(&revoke("rt_x"), Mode::Apply)
            .await?
            .expect_err("unknown");
        apply(&revoke(&id), Mode::DryRun)
            .await?
            .expect("could be done");
        apply(&revoke(&id), Mode::Apply).await?.expect("ended");
        apply(&revoke(&id), Mode::Apply)
            .await?
            .expect_err("ended before");
        assert_eq!(
            recorded(&store).await?,
            ["registration_token.issue", "registration_token.revoke"]
        );
        assert_eq!(
            registration_token::sweep(&mut conn, UnixTime(2000)).await?,
            1
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn acts_on_trust() {
    for_each_database(async |store| {
        let id = entity_id("https://gd.example");
        let enrol = Act::Enrol(Box::new(NewSubordinate {
            entity_id: id.clone(),
            jwks: TestKey::of(id.as_str()).jwks(),
            entity_types: vec!["federation_entity".to_owned()],
            metadata: None,
            metadata_policy: None,
            constraints: None,
            is_intermediate: true,
        }));
        let enrol = act(serde_json::to_value(&enrol).expect("written down"));
        let drop = act(json!({"act": "drop", "entity_id": id.as_str()}));
        let mut broken = serde_json::to_value(&enrol).expect("written down");
        broken["metadata_policy"] =
            json!({"openid_relying_party": {"scope": {"value": 1, "subset_of": []}}});
        let broken = act(broken);
        let find = async || Subordinate::find(&mut *store.read().await?, &id).await;

        apply(&store, Role::Anchor, &enrol, Mode::DryRun)
            .await?
            .expect("could be done");
        assert_eq!(find().await?, None);
        apply(&store, Role::Anchor, &broken, Mode::Apply)
            .await?
            .expect_err("no policy");
        assert_eq!(find().await?, None);
        apply(&store, Role::Anchor, &enrol, Mode::Apply)
            .await?
            .expect("enrolled");
        assert!(find().await?.is_some());
        apply(&store, Role::Anchor, &drop, Mode::DryRun)
            .await?
            .expect("could be done");
        assert!(find().await?.is_some());
        apply(&store, Role::Anchor, &drop, Mode::Apply)
            .await?
            .expect("dropped");
        assert_eq!(find().await?, None);
        let refusal = apply(&store, Role::Anchor, &drop, Mode::Apply)
            .await?
            .expect_err("gone");
        assert!(
            refusal.to_string().contains("not a subordinate"),
            "{refusal}"
        );
        assert_eq!(
            recorded(&store).await?,
            ["federation.drop", "federation.enrol"]
        );

        for (role, act) in [
            (Role::Provider, &enrol),
            (Role::Portal, &drop),
            (Role::Register, &drop),
        ] {
            let refusal = apply(&store, role, act, Mode::Apply)
                .await?
                .expect_err("the wrong desk");
            assert!(matches!(refusal, Refusal::WrongRole(_)));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn acts_on_trust_marks() {
    for_each_database(async |store| {
        let (kind, id) = ("https://top.example/marks/tested", entity_id("https://gd.example"));
        let issue = act(json!({"act": "issue_trust_mark", "trust_mark_type": kind, "subject": id.as_str()}));
        let revoke = act(json!({"act": "revoke_trust_mark", "trust_mark_type": kind, "subject": id.as_str()}));
        let enrol = Act::Enrol(Box::new(NewSubordinate {
            entity_id: id.clone(),
            jwks: TestKey::of(id.as_str()).jwks(),
            entity_types: vec!["federation_entity".to_owned()],
            metadata: None,
            metadata_policy: None,
            constraints: None,
            is_intermediate: true,
        }));
        let desk = Role::Intermediate;
        let refused = async |act: &Act, reason: &str| {
            let refusal = apply(&store, desk, act, Mode::Apply).await.expect("a database");
            let refusal = refusal.expect_err("refused").to_string();
            assert!(refusal.contains(reason), "{refusal}");
        };
        refused(&issue, "is not a subordinate here").await;
        refused(&revoke, "has no trust mark").await;
        apply(&store, desk, &enrol, Mode::Apply).await?.expect("enrolled");
        for (change, reason) in [
            (json!({"trust_mark_type": "tested"}), "is a URL"),
            (json!({"trust_mark_type": "https://t.example/a b"}), "is a URL"),
            (json!({"trust_mark_type": format!("https://t.example/{}", "x".repeat(600))}), "is a URL"),
            (json!({"expires_at": NOW.0}), "in the past"),
        ] {
            let mut value = serde_json::to_value(&issue).expect("written down");
            for (name, changed) in change.as_object().expect("members") {
                value[name] = changed.clone();
            }
            refused(&act(value), reason).await;
        }
        let find = async || IssuedMark::find(&mut *store.read().await?, kind, &id).await;
        apply(&store, desk, &issue, Mode::DryRun).await?.expect("could be done");
        assert_eq!(find().await?, None);
        let effect = apply(&store, desk, &issue, Mode::Apply).await?.expect("given");
        assert!(matches!(effect, Effect::TrustMarkIssued));
        assert!(find().await?.expect("given").is_active(NOW));
        apply(&store, desk, &revoke, Mode::DryRun).await?.expect("could be done");
        assert!(find().await?.expect("given").is_active(NOW));
        apply(&store, desk, &revoke, Mode::Apply).await?.expect("revoked");
        assert!(!find().await?.expect("given").is_active(NOW));
        refused(&revoke, "has no trust mark").await;

        let claims = json!({"iss": "https://o.example", "sub": "https://gd.example", "trust_mark_type": kind, "iat": 1});
        let jwt = TestKey::of("owner").jwt("trust-mark-delegation+jwt", &claims);
        let keep = act(json!({"act": "keep_delegation", "delegation": jwt}));
        refused(&act(json!({"act": "keep_delegation", "delegation": "x"})), "no compact JWS").await;
        let stored = async || Delegation::stored(&mut *store.read().await?, kind, NOW).await;
        apply(&store, desk, &keep, Mode::DryRun).await?.expect("could be done");
        assert_eq!(stored().await?, None);
        apply(&store, desk, &keep, Mode::Apply).await?.expect("kept");
        assert_eq!(stored().await?.expect("kept").jwt, jwt);
        let delegate = act(json!({"act": "delegate_trust_mark", "trust_mark_type": kind, "issuer": id.as_str()}));
        apply(&store, Role::Portal, &delegate, Mode::Apply).await?.expect("let");
        let mut said = recorded(&store).await?;
        said.sort();
        assert_eq!(
            said,
            ["federation.enrol", "trust_mark.delegate", "trust_mark.issue", "trust_mark.keep_delegation", "trust_mark.revoke"]
        );
        for (role, act) in [(Role::Provider, &issue), (Role::Portal, &revoke), (Role::Portal, &keep), (Role::Register, &delegate)] {
            let refusal = apply(&store, role, act, Mode::Apply).await?.expect_err("the wrong desk");
            assert!(matches!(refusal, Refusal::WrongRole(_)));
        }
        Ok(())
    })
    .await;
}

/// Whoever approves an act must have read all of it.
#[test]
fn an_act_with_unknown_members_is_none() {
    for value in [
        json!({"act": "remove_client", "client_id": "c", "and": "more"}),
        json!({"act": "remove_everything"}),
        json!({"client_id": "c"}),
        json!({"act": "drop", "entity_id": "not a url"}),
    ] {
        assert!(
            serde_json::from_value::<Act>(value.clone()).is_err(),
            "{value}"
        );
    }
}
