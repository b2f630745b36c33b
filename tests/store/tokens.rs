//! Device codes, revoked access tokens, refresh tokens looked at: on both databases.

use hefu::authn::Factor;
use hefu::client::Platform;
use hefu::clock::UnixTime;
use hefu::id::{ClientId, PersonId};
use hefu::identity::subject;
use hefu::keys::KeyRing;
use hefu::oauth::{Algorithm, ResponseType, Scope};
use hefu::provider::claims::ClaimsRequest;
use hefu::provider::device::{self, Keys, Poll, Wanted};
use hefu::provider::grants::{self, Grant, Lives, New, Terms};
use hefu::provider::interaction::Asked;
use hefu::provider::request::{AcrWish, AuthorizationRequest, Prompt, ResponseMode, Return};
use hefu::provider::sweep;
use hefu::session::{self, Login, Session};
use hefu::store::Store;

use super::identity::{NOW, account, ring, rng};
use crate::support::database::{Fault, for_each_database};

const LIVES: Lives = Lives {
    code: 600,
    grant: 43_200,
    offline: 31_536_000,
    refresh_token: 2_592_000,
};

fn tv() -> ClientId {
    ClientId("tv \u{20BB7}".to_owned())
}

fn wanted() -> Wanted {
    Wanted {
        asked: Asked {
            request: AuthorizationRequest {
                response_type: ResponseType::CODE,
                client: tv(),
                answer: Return {
                    redirect_uri: "https://id.example/device/done".to_owned(),
                    mode: ResponseMode::Query,
                    state: None,
                    signed: None,
                },
                scope: Scope::parse("openid").expect("a scope"),
                nonce: None,
                prompt: Prompt::default(),
                max_age: None,
                acr: AcrWish::default(),
                claims: ClaimsRequest::default(),
                login_hint: None,
                ui_locales: None,
                code_challenge: None,
                dpop_jkt: None,
                hinted_sub: None,
                id_token_hint: None,
                pushed: None,
                resources: Vec::new(),
                details: Vec::new(),
                device: None,
            },
            platform: Platform::unvouched("tv.example"),
        },
        from: "2001:db8::7".to_owned(),
        device: "电视".to_owned(),
    }
}

fn terms() -> Terms {
    Terms {
        front_channel: None,
        redirect_uri: "https://id.example/device/done".to_owned(),
        code_challenge: None,
        dpop_jkt: None,
        scope: Scope::parse("openid offline_access").expect("a scope"),
        claims: ClaimsRequest::default(),
        nonce: None,
        auth_time: NOW,
        acr: "L1".to_owned(),
        amr: vec!["pwd".to_owned()],
        sector: "tv".to_owned(),
        alg: Algorithm::ES256,
        platform: "电视".to_owned(),
        back_channel: None,
        resources: Vec::new(),
        details: Vec::new(),
    }
}

fn keys(ring: &KeyRing) -> Keys<'_> {
    Keys {
        sealer: ring,
        indexer: ring,
    }
}

async fn begin(store: &Store, person: &PersonId) -> Result<Session, Fault> {
    let login = Login {
        person,
        factors: &[Factor::Password],
        device: "test",
        lifetime: 43_200,
        replacing: None,
    };
    Ok(
        session::begin(&mut *store.read().await?, &mut rng(), login, NOW)
            .await?
            .0,
    )
}

/// A grant that nobody has redeemed, by its name.
async fn issue(store: &Store, person: &PersonId, session: &Session) -> Result<String, Fault> {
    let new = New {
        person,
        actor: person,
        client: &tv(),
        session: &session.id,
        terms: &terms(),
        pushed: None,
        lives: LIVES,
    };
    let code = grants::issue(&mut *store.read().await?, &mut rng(), &new, NOW)
        .await?
        .expect("a code");
    Ok(hefu::crypto::thumb(code.reveal().as_bytes()))
}

async fn ask(store: &Store, ring: &KeyRing) -> Result<(String, String), Fault> {
    let lives = device::Lives {
        code: 600,
        pause: 5,
    };
    let mut conn = store.read().await?;
    let codes = device::begin(&mut conn, &mut rng(), keys(ring), &wanted(), lives, NOW).await?;
    Ok((codes.device_code.reveal().clone(), codes.user_code))
}

async fn poll(store: &Store, code: &str, now: UnixTime) -> Result<Poll, Fault> {
    let mut tx = store.write().await?;
    let poll = device::poll(&mut tx, code, &tv(), now).await?;
    tx.commit().await?;
    Ok(poll)
}

#[tokio::test]
async fn a_device_code_is_found_answered_and_used_once() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let person = account(&store).await?;
        let session = begin(&store, &person).await?;
        let (code, user_code) = ask(&store, &ring).await?;
        let mut conn = store.read().await?;
        // Neither code stands in the database, nor what a person would not want told.
        let (stored, hash, asked): (Vec<u8>, Vec<u8>, Vec<u8>) =
            sqlx::query_as("SELECT code, user_code, asked FROM device_codes")
                .fetch_one(&mut *conn)
                .await?;
        let plain = device::normal(&user_code).expect("a code");
        assert_ne!(stored, code.as_bytes());
        assert_ne!(hash, hefu::crypto::sha256(plain.as_bytes()));
        assert!(!asked.windows(11).any(|part| part == b"2001:db8::7"));

        let found = device::find(&mut conn, keys(&ring), &user_code, NOW)
            .await?
            .expect("waiting");
        assert_eq!(
            (&found.wanted, found.asked_at, found.expires_at),
            (&wanted(), NOW, NOW.plus(600))
        );
        let again = device::load(&mut conn, &*ring, &found.reference, NOW).await?;
        assert_eq!(again.as_ref(), Some(&found));
        for (typed, at) in [
            ("BCDF-GHJK", NOW),
            ("nonsense", NOW),
            (user_code.as_str(), NOW.plus(600)),
        ] {
            assert_eq!(device::find(&mut conn, keys(&ring), typed, at).await?, None);
        }
        assert_eq!(device::load(&mut conn, &*ring, "!", NOW).await?, None);

        assert_eq!(poll(&store, &code, NOW).await?, Poll::Pending);
        let grant = issue(&store, &person, &session).await?;
        assert!(!device::approve(&mut conn, "!", &grant, NOW).await?);
        assert!(!device::approve(&mut conn, &found.reference, &grant, NOW.plus(600)).await?);
        assert!(device::approve(&mut conn, &found.reference, &grant, NOW).await?);
        // The second answer comes too late, whichever it is.
        assert!(!device::approve(&mut conn, &found.reference, &grant, NOW).await?);
        assert!(!device::refuse(&mut conn, &found.reference, NOW).await?);
        assert_eq!(
            device::find(&mut conn, keys(&ring), &user_code, NOW).await?,
            None
        );
        let Poll::Granted(given) = poll(&store, &code, NOW.plus(5)).await? else {
            panic!("the device gets its grant");
        };
        assert_eq!((&given.id, &given.person), (&grant, &person));
        // Again: a thief or a fault; everything ends.
        assert_eq!(poll(&store, &code, NOW.plus(10)).await?, Poll::Nothing);
        assert_eq!(grants::find(&mut conn, &grant, NOW).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_pollers_one_is_too_soon() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let person = account(&store).await?;
        let session = begin(&store, &person).await?;
        for _ in 0..5 {
            let (code, user_code) = ask(&store, &ring).await?;
            let mut conn = store.read().await?;
            let found = device::find(&mut conn, keys(&ring), &user_code, NOW)
                .await?
                .expect("waiting");
            let grant = issue(&store, &person, &session).await?;
            assert!(device::approve(&mut conn, &found.reference, &grant, NOW).await?);
            drop(conn);
            let (one, two) = tokio::join!(poll(&store, &code, NOW), poll(&store, &code, NOW));
            let polls = [one?, two?];
            let granted = |poll: &&Poll| matches!(poll, Poll::Granted(_));
            assert_eq!(polls.iter().filter(granted).count(), 1, "{polls:?}");
            assert!(polls.contains(&Poll::TooSoon), "{polls:?}");
            // The hasty one has not taken it from the other.
            let mut conn = store.read().await?;
            assert!(grants::find(&mut conn, &grant, NOW).await?.is_some());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_answers_one_counts() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let (code, user_code) = ask(&store, &ring).await?;
        let found = device::find(&mut *store.read().await?, keys(&ring), &user_code, NOW)
            .await?
            .expect("waiting");
        let yes = async || -> Result<bool, Fault> {
            let mut tx = store.write().await?;
            let done = device::approve(&mut tx, &found.reference, "no grant", NOW).await?;
            tx.commit().await?;
            Ok(done)
        };
        let no = async || -> Result<bool, Fault> {
            let mut tx = store.write().await?;
            let done = device::refuse(&mut tx, &found.reference, NOW).await?;
            tx.commit().await?;
            Ok(done)
        };
        let (yes, no) = tokio::join!(yes(), no());
        assert!(yes? != no?);
        // The grant is not there: refused either way.
        assert_eq!(poll(&store, &code, NOW).await?, Poll::Refused);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn polls_keep_their_pace() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let (code, _) = ask(&store, &ring).await?;
        for (at, seen) in [
            (0, Poll::Pending),
            (4, Poll::TooSoon),
            (9, Poll::TooSoon),
            (15, Poll::Pending),
            (600, Poll::Expired),
        ] {
            assert_eq!(poll(&store, &code, NOW.plus(at)).await?, seen, "{at}");
        }
        let mut conn = store.read().await?;
        for (code, client) in [("unknown", tv()), (code.as_str(), ClientId("x".into()))] {
            let seen = device::poll(&mut conn, code, &client, NOW.plus(700)).await?;
            assert_eq!(seen, Poll::Nothing);
        }
        sweep::sweep(&mut conn, NOW.plus(600)).await?;
        assert_eq!(poll(&store, &code, NOW.plus(700)).await?, Poll::Expired);
        sweep::sweep(&mut conn, NOW.plus(600 + 3600)).await?;
        assert_eq!(poll(&store, &code, NOW.plus(700)).await?, Poll::Nothing);
        Ok(())
    })
    .await;
}

async fn redeemed(store: &Store, person: &PersonId) -> Result<(Session, Grant), Fault> {
    let session = begin(store, person).await?;
    let id = issue(store, person, &session).await?;
    let mut conn = store.read().await?;
    let other = ClientId("other".into());
    assert_eq!(
        grants::redeem_by_id(&mut conn, &id, &other, NOW).await?,
        None
    );
    let grant = grants::redeem_by_id(&mut conn, &id, &tv(), NOW)
        .await?
        .expect("a grant");
    assert_eq!(
        grants::redeem_by_id(&mut conn, &id, &tv(), NOW).await?,
        None
    );
    Ok((session, grant))
}

#[tokio::test]
async fn a_revoked_token_ends_alone() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (_, grant) = redeemed(&store, &person).await?;
        let mut conn = store.read().await?;
        for jti in ["one", "two"] {
            let found = grants::of_token(&mut conn, &grant.id, jti, NOW).await?;
            assert_eq!(found.as_ref(), Some(&grant));
        }
        for _ in 0..2 {
            grants::revoke_token(&mut conn, "one", NOW.plus(300)).await?;
        }
        assert_eq!(
            grants::of_token(&mut conn, &grant.id, "one", NOW).await?,
            None
        );
        assert!(
            grants::of_token(&mut conn, &grant.id, "two", NOW)
                .await?
                .is_some()
        );
        sweep::sweep(&mut conn, NOW.plus(299)).await?;
        assert_eq!(
            grants::of_token(&mut conn, &grant.id, "one", NOW).await?,
            None
        );
        assert!(sweep::sweep(&mut conn, NOW.plus(300)).await? >= 1);
        grants::revoke(&mut conn, &grant.id, "test", NOW).await?;
        assert_eq!(
            grants::of_token(&mut conn, &grant.id, "two", NOW).await?,
            None
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_known_of_refresh_tokens_and_grants() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, grant) = redeemed(&store, &person).await?;
        let mut conn = store.read().await?;
        let token =
            grants::issue_refresh_token(&mut conn, &mut rng(), &grant, None, LIVES, NOW).await?;
        let token = token.reveal();
        let stored = grants::find_refresh_token(&mut conn, token, NOW)
            .await?
            .expect("stored");
        assert_eq!(
            (
                &stored.grant,
                &stored.client,
                stored.issued_at,
                stored.used_at
            ),
            (&grant.id, &tv(), NOW, None)
        );
        grants::refresh(&mut conn, token, &tv(), None, NOW.plus(1)).await?;
        let used = grants::find_refresh_token(&mut conn, token, NOW).await?;
        assert_eq!(used.and_then(|t| t.used_at), Some(NOW.plus(1)));
        for (token, at) in [("unknown", NOW), (token.as_str(), stored.expires_at)] {
            assert_eq!(
                grants::find_refresh_token(&mut conn, token, at).await?,
                None
            );
        }

        let given = grants::given_to(&mut conn, &person, &tv(), NOW).await?;
        assert_eq!(given, [grant]);
        let other = ClientId("other".into());
        assert!(
            grants::given_to(&mut conn, &person, &other, NOW)
                .await?
                .is_empty()
        );
        session::end(&mut conn, &session.id, session::End::Security, NOW).await?;
        assert!(
            grants::given_to(&mut conn, &person, &tv(), NOW)
                .await?
                .is_empty()
        );

        let sub = subject::for_sector(&mut conn, &mut rng(), &person, "tv", NOW).await?;
        assert_eq!(subject::known_as(&mut conn, &sub).await?, Some(person));
        assert_eq!(subject::known_as(&mut conn, "pw_x").await?, None);
        Ok(())
    })
    .await;
}
