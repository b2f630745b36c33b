//! Requests to be vouched for, how subordinates stand, what contacts are told, and the acts on all of it.

mod acts;

use std::sync::Arc;

use hefu::audit;
use hefu::clock::UnixTime;
use hefu::config::Role;
use hefu::crypto::Sealer;
use hefu::federation::authority::{
    InvalidSubordinate, ListFilter, NewSubordinate, Subordinate, everyone, faces, list,
};
use hefu::federation::joining::notices::{self, Deliverer, News};
use hefu::federation::joining::requests::{self, Filed, NewRequest};
use hefu::federation::joining::standing::{self, Standing};
use hefu::federation::joining::{Finding, Kind, Request, State, Wish};
use hefu::jose::JwkSet;
use hefu::oauth::Algorithm;
use hefu::operator::{Act, Desk, Effect, Mode, Refusal};
use hefu::outbound::{Options, Outbound};
use hefu::random::RngSource;
use hefu::store::{Conn, Error, Store};
use serde_json::{Map, Value, json};

use crate::support::database::for_each_database;
use crate::support::federation::{TestKey, TestSigner, entity_id};

const NOW: UnixTime = UnixTime(100_000_000);
const PORTAL: &str = "https://portal.gd.example";

fn portal() -> NewSubordinate {
    NewSubordinate {
        entity_id: entity_id(PORTAL),
        jwks: TestKey::of(PORTAL).jwks(),
        entity_types: vec!["openid_relying_party".to_owned()],
        metadata: None,
        metadata_policy: None,
        constraints: None,
        is_intermediate: false,
    }
}

async fn file(
    conn: &mut Conn,
    wish: Wish,
    id: &str,
    jwks: Value,
    proof: Option<&str>,
) -> Result<Filed, Error> {
    let (id, contacts) = (
        entity_id(id),
        [
            "ops@gd.example".to_owned(),
            "https://gd.example/hook".to_owned(),
        ],
    );
    let metadata: Map<String, Value> = json!({"openid_relying_party": {"client_name": "粤 𠮷"}})
        .as_object()
        .cloned()
        .expect("one");
    let new = NewRequest {
        wish,
        entity_id: &id,
        jwks,
        entity_types: &["openid_relying_party".to_owned()],
        metadata: &metadata,
        contacts: &contacts,
        notes: vec![Finding::new(Kind::Loses, "scope: phone")],
        proof,
    };
    new.file(conn, &mut RngSource::System.rng(), NOW).await
}

fn opened(filed: Filed) -> (String, String) {
    let Filed::Open { id, reference } = filed else {
        panic!("filed: {filed:?}")
    };
    (id, reference)
}

#[tokio::test]
async fn requests_are_filed_found_decided_and_forgotten() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let jwks = TestKey::of(PORTAL).jwks();
        let (id, reference) =
            opened(file(&mut conn, Wish::Join, PORTAL, jwks.clone(), None).await?);
        let found = Request::find(&mut conn, &id).await?.expect("there");
        assert_eq!(
            (found.state, found.wish, found.filed_at),
            (State::Filed, Wish::Join, NOW)
        );
        assert_eq!((&found.jwks, found.contacts.len()), (&jwks, 2));
        assert_eq!(found.notes, [Finding::new(Kind::Loses, "scope: phone")]);
        assert_eq!(
            found.metadata["openid_relying_party"]["client_name"],
            "粤 𠮷"
        );
        assert_eq!(
            Request::of_reference(&mut conn, &reference).await?,
            Some(found)
        );
        assert_eq!(
            Request::of_reference(&mut conn, &id).await?,
            None,
            "the id is no handle"
        );

        // One open request of a kind for each entity; a proof works once.
        assert_eq!(
            file(&mut conn, Wish::Join, PORTAL, jwks.clone(), None).await?,
            Filed::Already
        );
        let (keys, _) =
            opened(file(&mut conn, Wish::Keys, PORTAL, jwks.clone(), Some("proof")).await?);
        assert_eq!(Request::list(&mut conn, false).await?.len(), 2);
        assert!(requests::decide(&mut conn, &keys, State::Refused, Some("no"), NOW.plus(1)).await?);
        assert!(
            !requests::decide(&mut conn, &keys, State::Approved, None, NOW.plus(2)).await?,
            "decided once"
        );
        let decided = Request::find(&mut conn, &keys).await?.expect("there");
        assert_eq!(
            (decided.state, decided.reason.as_deref(), decided.decided_at),
            (State::Refused, Some("no"), Some(NOW.plus(1)))
        );
        assert_eq!(
            file(&mut conn, Wish::Keys, PORTAL, jwks.clone(), Some("proof")).await?,
            Filed::Already
        );

        assert!(requests::withdraw(&mut conn, &reference, NOW.plus(3)).await?);
        assert!(!requests::withdraw(&mut conn, &reference, NOW.plus(4)).await?);
        assert_eq!(Request::list(&mut conn, false).await?, []);
        assert_eq!(Request::list(&mut conn, true).await?.len(), 2);

        // Nobody decides: given up after 60 days, forgotten after 90 more.
        let (late, _) = opened(file(&mut conn, Wish::Join, PORTAL, jwks, None).await?);
        requests::sweep(&mut conn, NOW.plus(60 * 86_400)).await?;
        let given_up = Request::find(&mut conn, &late).await?.expect("there");
        assert_eq!(given_up.state, State::Refused);
        requests::sweep(&mut conn, NOW.plus(150 * 86_400)).await?;
        assert_eq!(Request::list(&mut conn, true).await?, []);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn whoever_does_not_stand_well_is_not_vouched_for() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let id = entity_id(PORTAL);
        for nobody in [
            standing::suspend(&mut conn, &id, NOW).await?,
            standing::resume(&mut conn, &id, NOW).await?,
            standing::compromise(&mut conn, &id, NOW).await?,
            standing::set_terms(&mut conn, &id, None, None, NOW).await?,
            standing::set_policy(&mut conn, &id, None, NOW).await?,
        ] {
            assert!(!nobody);
        }
        assert_eq!(Standing::find(&mut conn, &id).await?, None);
        portal().put(&mut conn, NOW).await?.expect("valid");
        assert_eq!(
            Standing::find(&mut conn, &id).await?,
            Some(Standing::default())
        );
        let listed = async |conn: &mut Conn, at| {
            list(conn, &ListFilter::default(), at)
                .await
                .map(|l| l.len())
        };

        assert!(standing::suspend(&mut conn, &id, NOW).await?);
        assert!(!standing::suspend(&mut conn, &id, NOW).await?, "already");
        assert_eq!(
            (
                listed(&mut conn, NOW).await?,
                faces(&mut conn, 9).await?.len()
            ),
            (0, 0)
        );
        assert_eq!(
            everyone(&mut conn).await?,
            std::slice::from_ref(&id),
            "for operators it is there"
        );
        portal().put(&mut conn, NOW).await?.expect("valid");
        assert_eq!(
            listed(&mut conn, NOW).await?,
            0,
            "saying something else does not resume"
        );
        assert!(standing::resume(&mut conn, &id, NOW).await?);
        assert_eq!(listed(&mut conn, NOW).await?, 1);

        // Until a day, exactly; the job makes a suspension of it.
        let contacts = ["a@gd.example".to_owned()];
        let end = NOW.plus(10);
        assert!(standing::set_terms(&mut conn, &id, Some(end), Some(&contacts), NOW).await?);
        assert!(
            standing::set_terms(&mut conn, &id, None, None, NOW).await?,
            "nothing said, nothing changed"
        );
        let found = Standing::find(&mut conn, &id).await?.expect("there");
        assert_eq!(
            (found.enrolled_until, found.contacts.as_slice()),
            (Some(end), &contacts[..])
        );
        assert_eq!(
            (
                listed(&mut conn, NOW.plus(9)).await?,
                listed(&mut conn, end).await?
            ),
            (1, 0)
        );
        assert_eq!(standing::end(&mut conn, NOW.plus(9)).await?, []);
        assert_eq!(
            standing::end(&mut conn, end).await?,
            std::slice::from_ref(&id)
        );
        assert_eq!(standing::end(&mut conn, end).await?, [], "once");
        assert!(standing::set_terms(&mut conn, &id, Some(UnixTime(0)), None, NOW).await?);
        assert!(standing::resume(&mut conn, &id, NOW).await?);
        assert_eq!(
            Standing::find(&mut conn, &id)
                .await?
                .expect("there")
                .enrolled_until,
            None
        );

        // Dropped and taken back: neither suspended nor ended.
        standing::suspend(&mut conn, &id, NOW).await?;
        standing::set_terms(&mut conn, &id, Some(end), None, NOW).await?;
        assert!(Subordinate::remove(&mut conn, &id, NOW).await?);
        portal().put(&mut conn, NOW).await?.expect("valid");
        assert_eq!(listed(&mut conn, end).await?, 1);

        let policy = json!({"openid_relying_party": {"scope": {"subset_of": ["openid"]}}});
        assert!(standing::set_policy(&mut conn, &id, Some(&policy), NOW).await?);
        let found = Subordinate::find(&mut conn, &id).await?.expect("there");
        assert_eq!(found.metadata_policy, Some(policy));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn compromised_keys_are_never_vouched_for_again() {
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let id = entity_id(PORTAL);
        let set = |key: &TestKey| JwkSet::parse_strict(&key.jwks()).expect("a set");
        let (old, next) = (TestKey::of(PORTAL), TestKey::of("next"));
        portal().put(&mut conn, NOW).await?.expect("valid");
        assert_eq!(
            standing::compromised_key(&mut conn, &set(&old)).await?,
            None
        );
        assert!(standing::compromise(&mut conn, &id, NOW).await?);
        assert!(
            standing::compromise(&mut conn, &id, NOW.plus(5)).await?,
            "again is no harm"
        );
        let found = Standing::find(&mut conn, &id).await?.expect("there");
        assert_eq!(found.compromised_at, Some(NOW));
        assert!(
            list(&mut conn, &ListFilter::default(), NOW)
                .await?
                .is_empty()
        );
        assert!(
            !standing::change_keys(&mut conn, &id, &set(&next), NOW).await?,
            "an old key proves nothing"
        );
        standing::suspend(&mut conn, &id, NOW).await?;
        assert!(!standing::resume(&mut conn, &id, NOW).await?);

        // Under another kid, another name: the same key.
        let mut again = portal();
        again.jwks = old.clone().named("renamed").jwks();
        let refused = again.put(&mut conn, NOW).await?;
        assert_eq!(
            refused,
            Err(InvalidSubordinate::CompromisedKey("renamed".to_owned()))
        );
        again.jwks = next.jwks();
        again
            .put(&mut conn, NOW)
            .await?
            .expect("other keys, out of band");
        let found = Standing::find(&mut conn, &id).await?.expect("there");
        assert_eq!(found.compromised_at, None);
        assert!(standing::change_keys(&mut conn, &id, &set(&TestKey::of("third")), NOW).await?);
        let found = Subordinate::find(&mut conn, &id).await?.expect("there");
        assert_eq!(found.jwks, TestKey::of("third").jwks());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn contacts_are_told_or_wait_for_the_mail() {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let (id, mut rng) = (entity_id(PORTAL), RngSource::System.rng());
        notices::tell(&mut conn, &mut rng, &id, News::Suspended, "x", NOW).await?;
        assert_eq!(notices::list(&mut conn, 9).await?, [], "nobody to tell");
        portal().put(&mut conn, NOW).await?.expect("valid");
        let contacts = ["a@gd.example".to_owned(), "https://127.0.0.1/x".to_owned()];
        standing::set_terms(&mut conn, &id, None, Some(&contacts), NOW).await?;
        notices::tell(&mut conn, &mut rng, &id, News::Suspended, "审计", NOW).await?;
        let state = async |conn: &mut Conn| -> Result<Vec<_>, Error> {
            let mut kept = notices::list(conn, 9).await?;
            kept.sort_by(|a, b| a.contact.cmp(&b.contact));
            Ok(kept
                .into_iter()
                .map(|n| (n.attempts, n.next_at, n.told_at))
                .collect())
        };
        assert_eq!(
            state(&mut conn).await?,
            [(0, None, None), (0, Some(NOW), None)]
        );
        let deliverer = Deliverer {
            id: "https://gd.example".into(),
            alg: Algorithm::EdDSA,
            store: store.clone(),
            signer: TestSigner::of("gd"),
            outbound: Arc::new(Outbound::new(Options::default()).expect("a way out")),
        };
        drop(conn);
        // Where nothing may be sent to: tried later, and given up at last.
        assert_eq!(deliverer.deliver(NOW).await?, 0);
        let mut conn = store.read().await?;
        assert_eq!(
            state(&mut conn).await?,
            [(0, None, None), (1, Some(NOW.plus(60)), None)]
        );
        drop(conn);
        let mut at = NOW;
        for _ in 0..9 {
            at = at.plus(86_400);
            deliverer.deliver(at).await?;
        }
        let mut conn = store.read().await?;
        assert_eq!(state(&mut conn).await?, [(0, None, None), (6, None, None)]);
        assert_eq!(
            notices::sweep(&mut conn, NOW.plus(90 * 86_400 - 1)).await?,
            0
        );
        assert_eq!(notices::sweep(&mut conn, NOW.plus(90 * 86_400)).await?, 2);
        Ok(())
    })
    .await;
}

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
