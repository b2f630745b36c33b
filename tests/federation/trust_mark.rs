//! Which trust marks count.

use std::sync::Arc;

use hefu::config::federation::Granted;
use hefu::federation::publish::PublisherSettings;
use hefu::federation::statement::{EntityStatement, Rules};
use hefu::federation::trust_mark::{self, Delegation, Holder, TrustMark};
use hefu::federation::{Publisher, Registrar};
use hefu::jobs::federation::fetch_due;
use hefu::oauth::Algorithm;
use serde_json::{Value, json};

use crate::support::federation::{LEAF, MIDDLE, START, TOP, TestKey, TestSigner, World, entity_id};

const FULL_ID: &str = "https://top.example/marks/full-id";
const OWNED: &str = "https://top.example/marks/owned";
const OWNER: &str = "https://owner.example";

fn claims(trust_mark_type: &str) -> Value {
    json!({"iss": MIDDLE, "sub": LEAF, "trust_mark_type": trust_mark_type, "iat": START.0 - 5, "exp": START.0 + 500})
}

fn delegation(change: impl Fn(&mut Value)) -> String {
    let mut claims =
        json!({"iss": OWNER, "sub": MIDDLE, "trust_mark_type": OWNED, "iat": START.0 - 5});
    change(&mut claims);
    TestKey::of(OWNER).jwt("trust-mark-delegation+jwt", &claims)
}

async fn counted(trust_mark_type: &str, jwt: &str) -> Vec<TrustMark> {
    let world = World::small();
    world.spoil(TOP, TOP, |draft| {
        draft.claims.insert(
            "trust_mark_issuers".into(),
            json!({FULL_ID: [MIDDLE], OWNED: []}),
        );
        let owner = json!({OWNED: {"sub": OWNER, "jwks": TestKey::of(OWNER).jwks()}});
        draft.claims.insert("trust_mark_owners".into(), owner);
    });
    world.trust_mark(LEAF, trust_mark_type, jwt);
    let resolver = world.resolver();
    let chain = resolver
        .resolve(&entity_id(LEAF), None, world.now())
        .await
        .expect("a chain");
    trust_mark::counted(&resolver, &chain, world.now()).await
}

async fn counts(trust_mark_type: &str, jwt: &str) -> bool {
    !counted(trust_mark_type, jwt).await.is_empty()
}

#[tokio::test]
async fn marks_count_when_the_anchor_knows_their_issuer() {
    let key = TestKey::of(MIDDLE);
    let good = key.jwt("trust-mark+jwt", &claims(FULL_ID));
    let marks = counted(FULL_ID, &good).await;
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0].iss.as_str(), MIDDLE);
    assert_eq!(marks[0].exp, Some(START.plus(500)));

    let spoilt = |change: fn(&mut Value)| {
        let mut claims = claims(FULL_ID);
        change(&mut claims);
        key.jwt("trust-mark+jwt", &claims)
    };
    let bad = [
        ("another subject", spoilt(|c| c["sub"] = json!(MIDDLE))),
        ("expired", spoilt(|c| c["exp"] = json!(START.0 - 60))),
        (
            "from the future",
            spoilt(|c| c["iat"] = json!(START.0 + 61)),
        ),
        (
            "another type inside",
            spoilt(|c| c["trust_mark_type"] = json!(OWNED)),
        ),
        (
            "an issuer without the right",
            spoilt(|c| c["iss"] = json!(TOP)),
        ),
        (
            "an unknown issuer",
            spoilt(|c| c["iss"] = json!("https://x.example")),
        ),
        (
            "an old name of the claim",
            spoilt(|c| {
                c["id"] = c["trust_mark_type"].take();
                c.as_object_mut().expect("claims").remove("trust_mark_type");
            }),
        ),
        (
            "a delegation nobody asked for",
            spoilt(|c| c["delegation"] = json!(delegation(|_| ()))),
        ),
        ("another typ", key.jwt("JWT", &claims(FULL_ID))),
        (
            "a statement",
            key.jwt("entity-statement+jwt", &claims(FULL_ID)),
        ),
        (
            "another key",
            TestKey::of("x")
                .named(&key.kid)
                .jwt("trust-mark+jwt", &claims(FULL_ID)),
        ),
        ("no JWT", "x".to_owned()),
    ];
    for (what, jwt) in bad {
        assert!(!counts(FULL_ID, &jwt).await, "{what}");
    }
    // A type that the anchor does not list.
    let unknown = "https://top.example/marks/unknown";
    assert!(!counts(unknown, &key.jwt("trust-mark+jwt", &claims(unknown))).await);
}

#[tokio::test]
async fn owned_types_need_the_owners_delegation() {
    let key = TestKey::of(MIDDLE);
    let mark = |delegation: Option<String>| {
        let mut claims = claims(OWNED);
        if let Some(delegation) = delegation {
            claims["delegation"] = delegation.into();
        }
        key.jwt("trust-mark+jwt", &claims)
    };
    assert!(counts(OWNED, &mark(Some(delegation(|_| ())))).await);
    assert!(!counts(OWNED, &mark(None)).await);
    let bad: [(&str, fn(&mut Value)); 4] = [
        ("for another issuer", |c| c["sub"] = json!(TOP)),
        ("by somebody else", |c| c["iss"] = json!(TOP)),
        ("for another type", |c| {
            c["trust_mark_type"] = json!(FULL_ID);
        }),
        ("expired", |c| c["exp"] = json!(START.0 - 60)),
    ];
    for (what, change) in bad {
        assert!(
            !counts(OWNED, &mark(Some(delegation(change)))).await,
            "{what}"
        );
    }
    let claims = json!({"iss": OWNER, "sub": MIDDLE, "trust_mark_type": OWNED, "iat": START.0});
    let forged = TestKey::of("x")
        .named(&format!("key of {OWNER}"))
        .jwt("trust-mark-delegation+jwt", &claims);
    assert!(!counts(OWNED, &mark(Some(forged))).await);
}

const ENDPOINTS: [(&str, &str); 2] = [
    ("federation_trust_mark_status_endpoint", "status"),
    ("federation_trust_mark_endpoint", "mark"),
];

/// leaf → middle → top, where the middle tells the status of its marks, and the leaf shows `mark`.
fn world_with(mark: &str) -> Arc<World> {
    let world = World::small();
    let endpoints = ENDPOINTS.map(|(name, path)| (name, format!("{MIDDLE}/{path}").into()));
    let endpoints: serde_json::Map<String, Value> = endpoints
        .into_iter()
        .map(|(n, v): (&str, Value)| (n.to_owned(), v))
        .collect();
    world.entity(MIDDLE, &[TOP], json!({ "federation_entity": endpoints }));
    world.vouch(MIDDLE, LEAF, json!({}));
    world.spoil(TOP, TOP, |draft| {
        let issuers = json!({FULL_ID: [MIDDLE]});
        draft.claims.insert("trust_mark_issuers".into(), issuers);
    });
    if !mark.is_empty() {
        world.trust_mark(LEAF, FULL_ID, mark);
    }
    world
}

fn a_mark(exp: i64) -> String {
    let mut claims = claims(FULL_ID);
    claims["exp"] = json!(START.0 + exp);
    TestKey::of(MIDDLE).jwt("trust-mark+jwt", &claims)
}

#[tokio::test]
async fn a_revoked_mark_stops_within_a_minute() {
    let mark = a_mark(10_000);
    let world = world_with(&mark);
    let registrar = Registrar::new(world.resolver());
    let party = registrar
        .client(&entity_id(LEAF), None, START)
        .await
        .expect("a client");
    assert!(party.has_trust_mark(FULL_ID, START));
    let has = async |at: i64| {
        registrar
            .still_has_trust_mark(&party, FULL_ID, START.plus(at))
            .await
    };
    let asked = || {
        let fetched = world.fetched.lock().expect("lock");
        fetched
            .iter()
            .filter(|what| what.ends_with(" status"))
            .count()
    };
    assert_eq!(asked(), 1);
    world.trust_mark_status(&mark, "revoked");
    assert!(has(59).await);
    assert!(!registrar.still_has_trust_mark(&party, OWNED, START).await);
    assert_eq!(asked(), 1, "an answer is used for a minute");
    world.advance(60);
    assert!(!has(60).await);
    assert_eq!(asked(), 2);
    // An issuer that then is away does not bring it back; one that takes it back does.
    world.offline(MIDDLE);
    assert!(!has(130).await);
    world.online(MIDDLE);
    world.advance(100);
    world.trust_mark_status(&mark, "active");
    assert!(has(160).await);
    // Without asking, the last answer is all there is.
    let chain = party.chain();
    let remembered =
        async |at: i64| trust_mark::remembered(registrar.resolver(), chain, START.plus(at)).await;
    assert_eq!(remembered(160).await.len(), 1);
    let elsewhere = world.resolver();
    assert!(
        trust_mark::remembered(&elsewhere, chain, START)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn an_issuer_that_is_away_takes_nothing_for_ten_minutes() {
    let mark = a_mark(10_000);
    let world = world_with(&mark);
    let resolver = world.resolver();
    world
        .lifetime
        .store(5000, std::sync::atomic::Ordering::SeqCst);
    let chain = resolver
        .resolve(&entity_id(LEAF), None, START)
        .await
        .expect("a chain");
    let counts = async |at: i64| {
        !trust_mark::counted(&resolver, &chain, START.plus(at))
            .await
            .is_empty()
    };
    assert!(counts(0).await);
    world.offline(MIDDLE);
    assert!(counts(599).await);
    assert!(!counts(600).await);
    world.online(MIDDLE);
    world.advance(610);
    assert!(counts(610).await);
}

#[tokio::test]
async fn a_mark_that_nobody_confirmed_does_not_count() {
    let mark = a_mark(500);
    for status in ["expired", "revoked", "invalid", "ACTIVE", "probably"] {
        let world = world_with(&mark);
        world.trust_mark_status(&mark, status);
        let resolver = world.resolver();
        let chain = resolver
            .resolve(&entity_id(LEAF), None, START)
            .await
            .expect("a chain");
        assert!(
            trust_mark::counted(&resolver, &chain, START)
                .await
                .is_empty(),
            "{status}"
        );
    }
    let world = world_with(&mark);
    let resolver = world.resolver();
    let chain = resolver
        .resolve(&entity_id(LEAF), None, START)
        .await
        .expect("a chain");
    resolver
        .resolve(&entity_id(MIDDLE), None, START)
        .await
        .expect("a chain");
    world.offline(MIDDLE);
    assert!(
        trust_mark::counted(&resolver, &chain, START)
            .await
            .is_empty()
    );
    // An old answer, played again, is none.
    world.online(MIDDLE);
    world.advance(-700);
    assert!(
        trust_mark::counted(&resolver, &chain, START.plus(10))
            .await
            .is_empty()
    );
    // Without exp and without a status endpoint nobody could ever take it back.
    let mut eternal = claims(FULL_ID);
    eternal.as_object_mut().expect("claims").remove("exp");
    let eternal = TestKey::of(MIDDLE).jwt("trust-mark+jwt", &eternal);
    assert!(!counts(FULL_ID, &eternal).await);
    let world = world_with(&eternal);
    let resolver = world.resolver();
    let chain = resolver
        .resolve(&entity_id(LEAF), None, START)
        .await
        .expect("a chain");
    assert_eq!(trust_mark::counted(&resolver, &chain, START).await.len(), 1);
}

#[tokio::test]
async fn a_bearer_fetches_its_marks_and_fetches_them_again_before_they_end() {
    let world = world_with("");
    let folder = tempfile::tempdir().expect("a folder");
    let options = hefu::store::Options {
        connections: 2,
        durable: false,
    };
    let store = hefu::store::Store::open_file(&folder.path().join("leaf.db"), &options)
        .await
        .expect("a store");
    store.migrate().await.expect("migrations");
    let granted = Granted {
        trust_mark_type: FULL_ID.to_owned(),
        issuer: MIDDLE.to_owned(),
    };
    let holder = Holder {
        id: entity_id(LEAF),
        granted: vec![granted.clone(), granted.clone()],
        store: store.clone(),
        resolver: world.resolver(),
    };
    let endpoint = format!("{MIDDLE}/mark");
    assert_eq!(
        holder.due(START).await.expect("read"),
        std::slice::from_ref(&granted)
    );
    holder
        .fetch(&granted, START)
        .await
        .expect_err("there is none yet");
    let other = TestKey::of("x").named(&TestKey::of(MIDDLE).kid);
    let wrong = |change: fn(&mut Value)| {
        let mut claims = claims(FULL_ID);
        change(&mut claims);
        TestKey::of(MIDDLE).jwt("trust-mark+jwt", &claims)
    };
    for (what, jwt) in [
        ("for another", wrong(|c| c["sub"] = json!(MIDDLE))),
        (
            "of another type",
            wrong(|c| c["trust_mark_type"] = json!(OWNED)),
        ),
        ("by another", wrong(|c| c["iss"] = json!(TOP))),
        ("over already", wrong(|c| c["exp"] = json!(START.0 - 60))),
        ("forged", other.jwt("trust-mark+jwt", &claims(FULL_ID))),
        ("no mark", TestKey::of(MIDDLE).jwt("JWT", &claims(FULL_ID))),
    ] {
        world.document(&endpoint, jwt);
        holder.fetch(&granted, START).await.expect_err(what);
    }
    world.document(&endpoint, a_mark(500));
    let mark = holder.fetch(&granted, START).await.expect("a mark");
    mark.store(&mut store.read().await.expect("a connection"))
        .await
        .expect("stored");
    assert_eq!(
        holder.shown(START).await.expect("read"),
        std::slice::from_ref(&mark)
    );
    assert!(holder.due(START.plus(249)).await.expect("read").is_empty());
    assert_eq!(
        holder.due(START.plus(250)).await.expect("read"),
        std::slice::from_ref(&granted)
    );
    assert_eq!(
        holder.shown(START.plus(499)).await.expect("read"),
        std::slice::from_ref(&mark),
        "still shown"
    );
    assert!(
        holder
            .shown(START.plus(500))
            .await
            .expect("read")
            .is_empty()
    );

    // What is shown stands in the configuration until it ends.
    let publisher = Publisher::new(
        PublisherSettings {
            id: entity_id(LEAF),
            alg: Algorithm::EdDSA,
            lifetime: 86_400,
            authority_hints: vec![entity_id(MIDDLE)],
            metadata: Arc::new(serde_json::Map::new),
            claims: serde_json::Map::new(),
        },
        TestSigner::of(LEAF),
    );
    let marks = async |at: i64| {
        let jwt = publisher
            .configuration(START.plus(at))
            .await
            .expect("signed");
        let statement =
            EntityStatement::parse(&jwt, &Rules::default(), START.plus(at)).expect("a statement");
        statement
            .configuration()
            .expect("a configuration")
            .trust_marks
            .clone()
    };
    assert!(marks(0).await.is_empty());
    publisher.show(vec![mark.clone()]);
    assert_eq!(marks(0).await[0].trust_mark, mark.trust_mark);
    assert!(marks(500).await.is_empty());

    // The job: one node fetches what is due, the other shows what is kept; what does not come takes nothing away.
    let round =
        async |node: &str, at: i64| fetch_due(&holder, &publisher, node, START.plus(at)).await;
    publisher.show(Vec::new());
    round("b", 100).await.expect("nothing is due");
    assert_eq!(marks(100).await[0].trust_mark, mark.trust_mark);
    world.document(&endpoint, "gone".to_owned());
    round("a", 260).await.expect_err("no mark");
    assert_eq!(marks(260).await[0].trust_mark, mark.trust_mark);
    world.document(&endpoint, a_mark(5000));
    round("b", 270).await.expect("the other node's lease");
    assert_eq!(marks(270).await[0].trust_mark, mark.trust_mark);
    round("a", 270).await.expect("fetched");
    assert_eq!(marks(270).await[0].trust_mark, a_mark(5000));
    round("b", 280).await.expect("shown");
    assert_eq!(marks(280).await[0].trust_mark, a_mark(5000));
}

#[tokio::test]
async fn a_delegation_that_was_signed_here_counts_there() {
    let (owner, issuer) = (entity_id(OWNER), entity_id(MIDDLE));
    let signer = TestSigner::of(OWNER);
    let parties = (&owner, &issuer);
    let jwt = Delegation::sign(
        &*signer,
        Algorithm::EdDSA,
        parties,
        OWNED,
        Some(START.plus(50)),
        START,
    );
    let jwt = jwt.await.expect("signed");
    let read = Delegation::read(&jwt, START).expect("a delegation");
    assert_eq!(
        (read.issuer.as_str(), read.expires_at),
        (MIDDLE, Some(START.plus(50)))
    );
    let mut mark = claims(OWNED);
    mark["delegation"] = jwt.clone().into();
    let mark = TestKey::of(MIDDLE).jwt("trust-mark+jwt", &mark);
    assert!(counts(OWNED, &mark).await);
    Delegation::read(&jwt, START.plus(50)).expect_err("over");
    for jwt in [
        "x",
        &mark,
        &delegation(|c| c["sub"] = json!("x")),
        &delegation(|c| c["iat"] = json!(null)),
    ] {
        Delegation::read(jwt, START).expect_err("no delegation");
    }
}
