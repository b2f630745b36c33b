//! A portal of ours that registers explicitly, and this provider, over HTTP on loopback.

use std::sync::Arc;

use hefu::clock::UnixTime;
use hefu::config::portal::{Portal, Registration};
use hefu::crypto::{Purpose, Signer as _};
use hefu::federation::TrustChain;
use hefu::federation::registration::{Answer, RESPONSE_TYP};
use hefu::federation::statement::Rules;
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::outbound::{Guard, Options, Outbound};
use hefu::random::RngSource;
use hefu::relying::login::{self, Wish};
use hefu::relying::{Federated, LoginError, Party, metadata};
use hefu::store::Store;
use serde_json::{Value, json};

use super::{ISSUER, TestHouse};
use crate::support::federation::{LEAF, MIDDLE, START, TOP, TestKey, World, entity_id};

/// The portal `LEAF` of the house's federation, and a store for its logins.
struct Portals {
    house: TestHouse,
    party: Party,
    store: Store,
    _folder: tempfile::TempDir,
}

async fn portal() -> Portals {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let house = TestHouse::with(4, |settings| settings.explicit_registration = true).await;
    let router = house.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });

    let folder = tempfile::tempdir().unwrap();
    let options = hefu::store::Options {
        connections: 2,
        durable: false,
    };
    let store = Store::open_file(&folder.path().join("portal.db"), &options)
        .await
        .unwrap();
    store.migrate().await.unwrap();
    let rng = RngSource::System;
    let setup = Setup {
        entity: LEAF,
        vault: folder.path(),
        kek: Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng.rng()).unwrap()),
        policy: Policy::shipped().unwrap(),
        purposes: &[Purpose::Federation, Purpose::Client],
    };
    let ring = KeyRing::open(&store, setup, START, &mut rng.rng()).await;
    let ring = Arc::new(ring.unwrap());
    let outbound = Outbound::new(Options {
        guard: Guard {
            allow: Vec::new(),
            demo_port: Some(port),
        },
        ..Options::default()
    });
    let settings = Portal {
        provider: ISSUER.to_owned(),
        registration: Registration::Explicit,
        ..Portal::default()
    };
    let party = Party::new(
        LEAF.into(),
        settings,
        Arc::<KeyRing>::clone(&ring),
        Arc::<KeyRing>::clone(&ring),
        Arc::new(outbound.unwrap()),
        Arc::new(Federated::new(house.world.resolver())),
    );
    // Superiors know the keys of both: those that sign configurations here, and those of their rings.
    let world = &house.world;
    let keys = |name: &str, ring: &KeyRing| {
        let mut keys = vec![TestKey::of(name).jwk()];
        let published = ring.published(Purpose::Federation);
        keys.extend(published["keys"].as_array().unwrap().iter().cloned());
        json!({"jwks": {"keys": keys}})
    };
    let at = |path: &str| format!("http://id.localhost:{port}{path}");
    let provider = json!({
        "issuer": ISSUER,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "client_registration_types_supported": ["automatic", "explicit"],
        "federation_registration_endpoint": at("/federation/register"),
    });
    world.entity(ISSUER, &[TOP], json!({"openid_provider": provider}));
    world.vouch(TOP, ISSUER, keys(ISSUER, &house.ring));
    let published = metadata::openid_relying_party(&party, "粤省事");
    assert_eq!(published["client_registration_types"], json!(["explicit"]));
    world.entity(LEAF, &[MIDDLE], json!({"openid_relying_party": published}));
    world.vouch(MIDDLE, LEAF, keys(LEAF, &ring));
    Portals {
        house,
        party,
        store,
        _folder: folder,
    }
}

impl Portals {
    async fn start(&self) -> Result<url::Url, LoginError> {
        let mut rng = RngSource::System.rng();
        let now = self.house.now();
        login::start(
            &self.party,
            &self.store,
            &mut rng,
            now,
            "browser",
            &Wish::default(),
        )
        .await
    }

    /// Registrations that the provider took.
    async fn taken(&self) -> i64 {
        let sql = "SELECT COUNT(*) FROM audit_events WHERE kind = 'client.register_explicit'";
        let mut conn = self.house.store.read().await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut *conn).await.unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.house.clock.advance(seconds);
        self.house.world.advance(seconds);
    }
}

#[tokio::test]
async fn a_portal_registers_before_its_first_login_and_renews_in_time() {
    let portals = portal().await;
    let location = portals.start().await.unwrap();
    assert_eq!(portals.taken().await, 1);
    // The provider takes the request that follows: it asks who is there.
    let request = format!("/authorize?{}", location.query().unwrap());
    let mut browser = portals.house.browser();
    let answer = browser.get(&request).await;
    assert!(
        answer.location().path().starts_with("/interaction/"),
        "{}",
        answer.body
    );
    portals.start().await.unwrap();
    portals.pass(299);
    portals
        .party
        .keep_registered(portals.house.now())
        .await
        .unwrap();
    assert_eq!(portals.taken().await, 1);
    // After half of its life, by the job, while nobody logs in.
    portals.pass(2);
    portals
        .party
        .keep_registered(portals.house.now())
        .await
        .unwrap();
    assert_eq!(portals.taken().await, 2);
    // The superior is away: the old one serves to its end, and no longer.
    portals.house.world.drop_subordinate(MIDDLE, LEAF);
    let kept = portals.house.count("explicit_registrations").await;
    assert_eq!(kept, 1);
    portals.pass(2000);
    assert!(matches!(
        portals.start().await,
        Err(LoginError::Untrusted(_))
    ));
}

/// What a provider answers, judged by the leaf, which resolved both chains itself.
#[tokio::test]
async fn answers_that_a_relying_party_does_not_believe() {
    let world = World::small();
    world.entity(
        ISSUER,
        &[TOP],
        json!({"openid_provider": {"issuer": ISSUER}}),
    );
    world.vouch(TOP, ISSUER, json!({}));
    world.vouch(
        TOP,
        MIDDLE,
        json!({"metadata_policy": {"openid_relying_party": {"scope": {"subset_of": ["openid"]}}}}),
    );
    let rules = Rules::default();
    let now = world.now();
    let chain = |path: &[&str]| {
        TrustChain::parse(&world.chain(path), &world.anchors(&[TOP]), &rules, now).unwrap()
    };
    let (own, peer) = (chain(&[LEAF, MIDDLE, TOP]), chain(&[ISSUER, TOP]));
    let answer = |change: &dyn Fn(&mut Value)| {
        let mut claims = json!({
            "iss": ISSUER, "sub": LEAF, "aud": LEAF, "iat": now, "exp": now.plus(300), "trust_anchor": TOP,
            "authority_hints": [MIDDLE],
            "metadata": {"openid_relying_party": {"client_id": LEAF, "scope": "openid phone"}},
        });
        change(&mut claims);
        claims
    };
    let key = TestKey::of(ISSUER);
    let judge = |typ: &str, key: &TestKey, claims: &Value, now: UnixTime| {
        Answer::verify(&key.jwt(typ, claims), &own, &peer, &rules, now)
    };
    let good = answer(&|_| ());
    let believed = judge(RESPONSE_TYP, &key, &good, now).unwrap();
    assert_eq!(believed.client_id, LEAF);
    assert_eq!(believed.expires_at, now.plus(300));
    // Our superiors' policy is applied again.
    assert_eq!(believed.metadata["scope"], "openid");
    assert!(
        judge(
            RESPONSE_TYP,
            &key,
            &answer(&|c| c["aud"] = json!([LEAF])),
            now
        )
        .is_ok()
    );

    let bad: [(&str, &dyn Fn(&mut Value)); 15] = [
        ("another issuer", &|c| c["iss"] = json!(TOP)),
        ("about somebody else", &|c| c["sub"] = json!(MIDDLE)),
        ("for somebody else", &|c| c["aud"] = json!(MIDDLE)),
        ("for two", &|c| c["aud"] = json!([LEAF, MIDDLE])),
        ("from the future", &|c| c["iat"] = json!(now.plus(61))),
        ("without a beginning", &|c| c["iat"] = json!("x")),
        ("expired", &|c| c["exp"] = json!(now)),
        ("another anchor", &|c| c["trust_anchor"] = json!(MIDDLE)),
        ("no anchor", &|c| c["trust_anchor"] = Value::Null),
        ("another superior", &|c| c["authority_hints"] = json!([TOP])),
        ("two superiors", &|c| {
            c["authority_hints"] = json!([MIDDLE, TOP]);
        }),
        ("no superior", &|c| c["authority_hints"] = Value::Null),
        ("another type", &|c| {
            c["metadata"] = json!({"openid_provider": {}});
        }),
        ("one type more", &|c| {
            c["metadata"]["federation_entity"] = json!({});
        }),
        ("no client_id", &|c| {
            c["metadata"]["openid_relying_party"] = json!({});
        }),
    ];
    for (what, change) in bad {
        assert!(
            judge(RESPONSE_TYP, &key, &answer(change), now).is_err(),
            "{what}"
        );
    }
    assert!(judge("entity-statement+jwt", &key, &good, now).is_err());
    assert!(judge(RESPONSE_TYP, &TestKey::of("x"), &good, now).is_err());
    let renamed = TestKey::of("x").named(&key.kid);
    assert!(judge(RESPONSE_TYP, &renamed, &good, now).is_err());
    assert!(judge(RESPONSE_TYP, &key, &good, now.plus(300)).is_err());
    assert_eq!(own.subject(), &entity_id(LEAF));
}
