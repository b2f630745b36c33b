//! Grants, refresh tokens, marks, interactions, sessions, consents, waiting requests, the logout queue: on both databases.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::authn::Factor;
use hefu::client::{Client, registered};
use hefu::clock::UnixTime;
use hefu::config::provider::Provider;
use hefu::consent;
use hefu::id::{ClientId, PersonId, SessionId};
use hefu::oauth::{Algorithm, Scope};
use hefu::provider::authorize::{Arrival, Browser, Outcome, Rules};
use hefu::provider::begun::Counter;
use hefu::provider::claims::ClaimsRequest;
use hefu::provider::clients::Clients;
use hefu::provider::grants::{self, Lives, New, Terms};
use hefu::provider::interaction::{self, Interaction, Purpose};
use hefu::provider::one_use::OneUse;
use hefu::provider::request::{self, AuthorizationRequest, Context, Parameters};
use hefu::provider::told::{self, State};
use hefu::provider::{logout, sweep, waiting};
use hefu::session::{self, End, Login, Session};
use hefu::store::Store;
use serde_json::json;

use super::identity::{account, ring, rng};
use crate::support::database::{Fault, for_each_database};

const NOW: UnixTime = UnixTime(1_795_400_000);
const LIVES: Lives = Lives {
    code: 60,
    grant: 43_200,
    offline: 31_536_000,
    refresh_token: 2_592_000,
};

fn client() -> ClientId {
    ClientId("https://rp.example".to_owned())
}

fn terms(scope: &str) -> Terms {
    Terms {
        redirect_uri: "https://rp.example/cb".to_owned(),
        code_challenge: None,
        dpop_jkt: None,
        scope: Scope::parse(scope).expect("a scope"),
        claims: ClaimsRequest::default(),
        nonce: Some("n".to_owned()),
        auth_time: NOW,
        acr: "L1".to_owned(),
        amr: vec!["pwd".to_owned()],
        sector: "rp.example".to_owned(),
        alg: Algorithm::ES256,
        platform: "粤省事 \u{20BB7}".to_owned(),
        back_channel: Some("https://rp.example/logout".to_owned()),
        resources: Vec::new(),
        details: Vec::new(),
        front_channel: None,
    }
}

async fn begin(store: &Store, person: &PersonId) -> Result<(Session, String), Fault> {
    let login = Login {
        person,
        factors: &[Factor::Password],
        device: "test",
        lifetime: 43_200,
        replacing: None,
    };
    let (session, handle) =
        session::begin(&mut *store.read().await?, &mut rng(), login, NOW).await?;
    Ok((session, handle.reveal().clone()))
}

async fn issue(
    store: &Store,
    person: &PersonId,
    session: &SessionId,
    terms: &Terms,
    pushed: Option<&[u8]>,
) -> Result<Option<String>, Fault> {
    let new = New {
        person,
        actor: person,
        client: &client(),
        session,
        terms,
        pushed,
        lives: LIVES,
    };
    let code = grants::issue(&mut *store.read().await?, &mut rng(), &new, NOW).await?;
    Ok(code.map(|c| c.reveal().clone()))
}

/// A relying party, and a good request of it.
fn asked() -> (Client, AuthorizationRequest) {
    let metadata = json!({"client_id": "https://rp.example", "client_secret": "s", "redirect_uris": ["https://rp.example/cb"]});
    let metadata = metadata.as_object().expect("an object");
    let rp = registered::from_config(metadata, false).expect("a client");
    let settings = Provider::default();
    let query = Parameters::parse(b"client_id=https%3A%2F%2Frp.example&redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=code&scope=openid&acr_values=https%3A%2F%2Fhefu.example%2Facr%2FL2");
    let context = Context {
        issuer: "https://id.example",
        acr_base: &settings.acr_base,
        response_types: &settings.response_types,
        now: NOW,
        authenticated: false,
        settings: &settings,
    };
    let reading = request::read(&query, &rp, &context).expect("a good request");
    (rp, reading.request)
}

#[tokio::test]
async fn of_two_redemptions_one_wins_and_the_other_ends_the_grant() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        for _ in 0..5 {
            let code = issue(&store, &person, &session.id, &terms("openid"), None)
                .await?
                .expect("a code");
            let redeem = async || -> Result<_, Fault> {
                let mut tx = store.write().await?;
                let grant = grants::redeem(&mut tx, &code, &client(), NOW).await?;
                tx.commit().await?;
                Ok(grant)
            };
            let (one, two) = tokio::join!(redeem(), redeem());
            let won: Vec<_> = [one?, two?].into_iter().flatten().collect();
            assert_eq!(won.len(), 1);
            assert_eq!((&won[0].person, &won[0].terms), (&person, &terms("openid")));
            // The loser was a replay: nothing of it is in force.
            assert_eq!(
                grants::find(&mut *store.read().await?, &won[0].id, NOW).await?,
                None
            );
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn codes_are_of_their_client_their_minute_and_their_session() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let mut conn = store.read().await?;
        let code = issue(&store, &person, &session.id, &terms("openid"), None)
            .await?
            .expect("a code");
        assert_eq!(
            grants::redeem(&mut conn, &code, &ClientId("other".into()), NOW).await?,
            None
        );
        assert_eq!(
            grants::redeem(&mut conn, &code, &client(), NOW.plus(60)).await?,
            None
        );
        assert_eq!(
            grants::redeem(&mut conn, "unknown", &client(), NOW).await?,
            None
        );
        let grant = grants::redeem(&mut conn, &code, &client(), NOW.plus(59))
            .await?
            .expect("neither burnt it");
        assert!(grants::find(&mut conn, &grant.id, NOW).await?.is_some());
        let waiting = issue(&store, &person, &session.id, &terms("openid"), None)
            .await?
            .expect("a code");
        let offline = issue(
            &store,
            &person,
            &session.id,
            &terms("openid offline_access"),
            None,
        )
        .await?
        .expect("a code");
        let offline = grants::redeem(&mut conn, &offline, &client(), NOW)
            .await?
            .expect("a grant");
        assert!(session::end(&mut conn, &session.id, End::SignedOut, NOW).await?);
        assert!(!session::end(&mut conn, &session.id, End::SignedOut, NOW).await?);
        assert_eq!(
            grants::redeem(&mut conn, &waiting, &client(), NOW).await?,
            None
        );
        assert_eq!(grants::find(&mut conn, &grant.id, NOW).await?, None);
        // offline_access outlives the session, not its revocation.
        assert!(grants::find(&mut conn, &offline.id, NOW).await?.is_some());
        assert!(grants::revoke(&mut conn, &offline.id, "test", NOW).await?);
        assert!(!grants::revoke(&mut conn, &offline.id, "test", NOW).await?);
        assert_eq!(grants::find(&mut conn, &offline.id, NOW).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn refresh_tokens_have_siblings_for_a_moment_and_then_end_the_family() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let code = issue(
            &store,
            &person,
            &session.id,
            &terms("openid offline_access"),
            None,
        )
        .await?
        .expect("a code");
        let mut conn = store.read().await?;
        let grant = grants::redeem(&mut conn, &code, &client(), NOW)
            .await?
            .expect("a grant");
        let token =
            grants::issue_refresh_token(&mut conn, &mut rng(), &grant, None, LIVES, NOW).await?;
        let token = token.reveal();
        assert_eq!(
            grants::refresh(&mut conn, token, &ClientId("other".into()), None, NOW).await?,
            None
        );
        let late = NOW.plus(LIVES.refresh_token);
        assert_eq!(
            grants::refresh(&mut conn, token, &client(), None, late).await?,
            None
        );
        assert!(
            grants::refresh(&mut conn, token, &client(), None, NOW)
                .await?
                .is_some()
        );
        assert!(
            grants::refresh(&mut conn, token, &client(), None, NOW.plus(30))
                .await?
                .is_some()
        );
        assert_eq!(
            grants::refresh(
                &mut conn,
                token,
                &ClientId("other".into()),
                None,
                NOW.plus(31)
            )
            .await?,
            None
        );
        assert!(
            grants::find(&mut conn, &grant.id, NOW).await?.is_some(),
            "a stranger ends nothing"
        );
        assert_eq!(
            grants::refresh(&mut conn, token, &client(), None, NOW.plus(31)).await?,
            None
        );
        assert_eq!(grants::find(&mut conn, &grant.id, NOW).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_earlier_refresh_token_ends_the_family_although_the_moment_has_not_passed() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let offline = terms("openid offline_access");
        let code = issue(&store, &person, &session.id, &offline, None)
            .await?
            .expect("a code");
        let mut conn = store.read().await?;
        let grant = grants::redeem(&mut conn, &code, &client(), NOW)
            .await?
            .expect("a grant");
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let rng = &mut rng();
            let token = grants::issue_refresh_token(&mut conn, rng, &grant, None, LIVES, NOW);
            tokens.push(token.await?);
        }
        let [first, second] = &tokens[..] else {
            panic!("two tokens")
        };
        for (token, after, good) in [
            (first, 0, true),
            (first, 1, true), // the last one so far: a sibling
            (second, 2, true),
            (second, 3, true),
            (first, 4, false), // the second was used meanwhile
            (second, 5, false),
        ] {
            let now = NOW.plus(after);
            let used = grants::refresh(&mut conn, token.reveal(), &client(), None, now).await?;
            assert_eq!(used.is_some(), good, "after {after} seconds");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_bound_refresh_token_is_a_strangers_without_its_key_and_one_that_stays_is_used_again() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let terms = terms("openid offline_access");
        let code = issue(&store, &person, &session.id, &terms, None)
            .await?
            .expect("a code");
        let mut conn = store.read().await?;
        let grant = grants::redeem(&mut conn, &code, &client(), NOW)
            .await?
            .expect("a grant");
        let key = Some(r#"{"jkt":"k"}"#);
        let token =
            grants::issue_refresh_token(&mut conn, &mut rng(), &grant, key, LIVES, NOW).await?;
        // Before its use, within the grace, and after it: without the key nothing happens.
        for (with, now, works) in [
            (None, NOW, false),
            (Some("{}"), NOW, false),
            (key, NOW, true),
            (None, NOW.plus(30), false),
            (key, NOW.plus(30), true),
            (None, NOW.plus(31), false),
        ] {
            let used = grants::refresh(&mut conn, token.reveal(), &client(), with, now).await?;
            assert_eq!(used.is_some(), works, "{with:?} {now}");
        }
        assert!(grants::find(&mut conn, &grant.id, NOW).await?.is_some());

        let token =
            grants::issue_refresh_token(&mut conn, &mut rng(), &grant, None, LIVES, NOW).await?;
        let token = token.reveal();
        let other = ClientId("other".into());
        let again = grants::refresh_again(&mut conn, token, &other, LIVES, NOW).await?;
        assert_eq!(again, None);
        // Each use puts off its end.
        let nearly = NOW.plus(LIVES.refresh_token - 1);
        for now in [NOW, nearly, nearly.plus(LIVES.refresh_token - 1)] {
            let again = grants::refresh_again(&mut conn, token, &client(), LIVES, now).await?;
            assert!(again.is_some(), "{now}");
        }
        let late = nearly.plus(2 * LIVES.refresh_token);
        let again = grants::refresh_again(&mut conn, token, &client(), LIVES, late).await?;
        assert_eq!(again, None);
        grants::revoke(&mut conn, &grant.id, "test", NOW).await?;
        let again = grants::refresh_again(&mut conn, token, &client(), LIVES, NOW).await?;
        assert_eq!(again, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_mark_is_set_once_also_by_many_at_once() {
    for_each_database(async |store| {
        let mark = OneUse::of("test", "rp", "jti", NOW.plus(60));
        let once =
            async || -> Result<bool, Fault> { Ok(mark.mark(&mut *store.read().await?).await?) };
        let (a, b, c) = tokio::join!(once(), once(), once());
        assert_eq!([a?, b?, c?].into_iter().filter(|first| *first).count(), 1);
        assert!(
            OneUse::of("test", "other", "jti", NOW)
                .mark(&mut *store.read().await?)
                .await?
        );
        assert!(
            OneUse::of("other", "rp", "jti", NOW)
                .mark(&mut *store.read().await?)
                .await?
        );
        let mut conn = store.read().await?;
        assert!(sweep::sweep(&mut conn, NOW.plus(1000)).await? >= 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn waiting_requests_and_their_one_answer() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let mut conn = store.read().await?;
        let sent = Parameters::new([
            ("a".to_owned(), "1 合".to_owned()),
            ("b".to_owned(), "2".to_owned()),
            ("b".to_owned(), "3".to_owned()),
        ]);
        let (_, request) = asked();
        let uri = waiting::push(&mut conn, &mut rng(), &request, 90, NOW).await?;
        let found = waiting::pushed(&mut conn, &uri, client().as_str(), NOW)
            .await?
            .expect("pushed");
        let reference = URL_SAFE_NO_PAD.decode(found.pushed.as_deref().expect("its reference"))?;
        assert_eq!(
            AuthorizationRequest {
                pushed: None,
                ..found
            },
            request
        );
        assert_eq!(waiting::pushed(&mut conn, &uri, "other", NOW).await?, None);
        assert_eq!(
            waiting::pushed(&mut conn, &uri, client().as_str(), NOW.plus(90)).await?,
            None
        );
        let name = uri.strip_prefix(waiting::PREFIX).expect("a name");
        assert_eq!(waiting::parked(&mut conn, name, NOW).await?, None);
        let parked = waiting::park(&mut conn, &mut rng(), &sent, NOW).await?;
        assert_eq!(
            waiting::parked(&mut conn, &parked, NOW).await?,
            Some(sent.clone())
        );
        assert_eq!(
            waiting::parked(&mut conn, &parked, NOW.plus(120)).await?,
            None
        );
        assert_eq!(
            waiting::pushed(
                &mut conn,
                &format!("{}{parked}", waiting::PREFIX),
                client().as_str(),
                NOW
            )
            .await?,
            None
        );
        // Answered once, also by two browsers at once.
        let grant = terms("openid");
        let answer = async || issue(&store, &person, &session.id, &grant, Some(&reference)).await;
        let (a, b) = tokio::join!(answer(), answer());
        assert_eq!([a?, b?].into_iter().flatten().count(), 1);
        assert_eq!(
            waiting::pushed(&mut conn, &uri, client().as_str(), NOW).await?,
            None
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn interactions_belong_to_one_browser_and_end_once() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let mut conn = store.read().await?;
        let purpose = Purpose::Account {
            return_to: "/account".to_owned(),
        };
        let begun = interaction::begin(&mut conn, &mut rng(), "browser", purpose, NOW).await?;
        let load = async |secret: &'static str, now| {
            Interaction::load(&mut *store.read().await?, &begun.id, secret, now).await
        };
        assert_eq!(load("browser", NOW).await?, Some(begun.clone()));
        assert_eq!(load("another", NOW).await?, None);
        assert_eq!(
            load("browser", NOW.plus(interaction::LIFETIME)).await?,
            None
        );
        assert!(interaction::attach_session(&mut conn, &begun, &session.id, NOW).await?);
        interaction::put_off_verification(&mut conn, &begun, NOW).await?;
        interaction::note_consent(&mut conn, &begun, &session.id, NOW).await?;
        let loaded = load("browser", NOW).await?.expect("there");
        assert_eq!(
            (
                loaded.session,
                loaded.authenticated_at,
                loaded.consented_at,
                loaded.put_off_at
            ),
            (Some(session.id.clone()), Some(NOW), Some(NOW), Some(NOW))
        );
        // A yes of another session takes the other's proof away.
        interaction::note_consent(&mut conn, &begun, &SessionId("other".into()), NOW).await?;
        assert_eq!(
            load("browser", NOW).await?.expect("there").authenticated_at,
            None
        );
        let complete = async || interaction::complete(&mut *store.read().await?, &begun, NOW).await;
        let (a, b) = tokio::join!(complete(), complete());
        assert!(a? != b?);
        assert_eq!(load("browser", NOW).await?, None);
        assert!(!interaction::attach_session(&mut conn, &begun, &session.id, NOW).await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn sessions_begin_go_on_and_end() {
    for_each_database(async |store| {
        let (person, other) = (account(&store).await?, account(&store).await?);
        let (first, handle) = begin(&store, &person).await?;
        let mut conn = store.read().await?;
        assert_eq!(
            session::find(&mut conn, &handle, NOW).await?,
            Some(first.clone())
        );
        assert_eq!(
            session::find(&mut conn, &handle, NOW.plus(43_200)).await?,
            None
        );
        assert_eq!(session::find(&mut conn, "planted", NOW).await?, None);
        session::seen(&mut conn, &first, NOW.plus(59)).await?;
        assert_eq!(
            session::find(&mut conn, &handle, NOW)
                .await?
                .expect("there")
                .seen_at,
            NOW
        );
        session::seen(&mut conn, &first, NOW.plus(60)).await?;
        assert_eq!(
            session::find(&mut conn, &handle, NOW)
                .await?
                .expect("there")
                .seen_at,
            NOW.plus(60)
        );
        // A further factor keeps the name and the time of login; the old handle dies.
        let (stronger, second) =
            session::add_factor(&mut conn, &mut rng(), &first, Factor::Sms, NOW.plus(5))
                .await?
                .expect("alive");
        assert_eq!(
            (&stronger.id, stronger.auth_time, stronger.factors()),
            (&first.id, NOW, vec![Factor::Password, Factor::Sms])
        );
        assert_eq!(session::find(&mut conn, &handle, NOW).await?, None);
        // The same person logs in again: the same session, proven anew.
        let login = Login {
            person: &person,
            factors: &[Factor::Passkey],
            device: "d",
            lifetime: 100,
            replacing: Some(&stronger),
        };
        let (again, third) = session::begin(&mut conn, &mut rng(), login, NOW.plus(10)).await?;
        assert_eq!(
            (&again.id, again.auth_time, again.begun_at, again.factors()),
            (&first.id, NOW.plus(10), NOW, vec![Factor::Passkey])
        );
        assert_eq!(
            session::find(&mut conn, second.reveal(), NOW.plus(10)).await?,
            None
        );
        assert_eq!(
            session::list_for(&mut conn, &person, NOW.plus(10)).await?,
            std::slice::from_ref(&again)
        );
        // Another person in the same browser ends it.
        let login = Login {
            person: &other,
            factors: &[Factor::Password],
            device: "d",
            lifetime: 100,
            replacing: Some(&again),
        };
        let (theirs, _) = session::begin(&mut conn, &mut rng(), login, NOW.plus(10)).await?;
        assert_ne!(theirs.id, again.id);
        assert_eq!(
            session::find(&mut conn, third.reveal(), NOW.plus(10)).await?,
            None
        );
        assert_eq!(
            session::add_factor(&mut conn, &mut rng(), &again, Factor::Sms, NOW.plus(10))
                .await?
                .map(|_| ()),
            None
        );
        let (_, _) = begin(&store, &other).await?;
        assert_eq!(
            session::end_all(
                &mut conn,
                &other,
                Some(&theirs.id),
                End::Security,
                NOW.plus(10)
            )
            .await?
            .len(),
            1
        );
        assert_eq!(
            session::list_for(&mut conn, &other, NOW.plus(10)).await?,
            [theirs]
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn consents_grow_are_withdrawn_and_expire() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let mut conn = store.read().await?;
        let give = async |scope: &str, claims: &[&str], now| {
            let claims: BTreeSet<String> = claims.iter().map(|c| (*c).to_owned()).collect();
            let yes = consent::Yes {
                person: &person,
                client: &client(),
                scope: &Scope::parse(scope).expect("scope"),
                claims: &claims,
                platform: "平台",
                lifetime: 100,
            };
            consent::give(&mut *store.read().await?, &mut rng(), &yes, now).await
        };
        give("openid phone", &["birthdate"], NOW).await?;
        give("openid real_name", &[], NOW).await?;
        let held = consent::find(&mut conn, &person, &client(), NOW)
            .await?
            .expect("given");
        assert!(held.covers(
            &Scope::parse("openid phone real_name").expect("scope"),
            &BTreeSet::from(["birthdate".to_owned()])
        ));
        assert_eq!(
            consent::list_for(&mut conn, &person, NOW).await?,
            std::slice::from_ref(&held)
        );
        assert_eq!(
            consent::find(&mut conn, &person, &client(), NOW.plus(100)).await?,
            None
        );
        let (session, _) = begin(&store, &person).await?;
        let code = issue(
            &store,
            &person,
            &session.id,
            &terms("openid offline_access"),
            None,
        )
        .await?
        .expect("a code");
        let grant = grants::redeem(&mut conn, &code, &client(), NOW)
            .await?
            .expect("a grant");
        assert_eq!(
            grants::withdraw_consent(&mut conn, &PersonId("another".into()), &held.id, NOW).await?,
            None
        );
        assert_eq!(
            grants::withdraw_consent(&mut conn, &person, &held.id, NOW).await?,
            Some(client())
        );
        assert_eq!(
            consent::find(&mut conn, &person, &client(), NOW).await?,
            None
        );
        assert_eq!(grants::find(&mut conn, &grant.id, NOW).await?, None);
        // What was withdrawn does not come back with the next yes.
        give("openid", &[], NOW).await?;
        let held = consent::find(&mut conn, &person, &client(), NOW)
            .await?
            .expect("given");
        assert!(!held.covers(&Scope::parse("phone").expect("scope"), &BTreeSet::new()));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn whoever_ends_a_session_its_platforms_are_told() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (ring, _folder) = ring(&store).await?;
        let mut conn = store.read().await?;
        hefu::identity::subject::for_sector(&mut conn, &mut rng(), &person, "rp.example", NOW)
            .await?;
        let sign_in = async || -> Result<Session, Fault> {
            let (session, _) = begin(&store, &person).await?;
            for _ in 0..2 {
                let code = issue(&store, &person, &session.id, &terms("openid"), None)
                    .await?
                    .expect("a code");
                grants::redeem(&mut *store.read().await?, &code, &client(), NOW)
                    .await?
                    .expect("a grant");
            }
            Ok(session)
        };
        let session = sign_in().await?;
        assert_eq!(
            logout::platforms(&mut conn, &session.id).await?,
            ["粤省事 \u{20BB7}"]
        );
        let mut tx = store.write().await?;
        assert!(logout::end(&mut tx, &mut rng(), &session.id, End::SignedOut, NOW).await?);
        assert!(!logout::end(&mut tx, &mut rng(), &session.id, End::SignedOut, NOW).await?);
        tx.commit().await?;
        assert_eq!(
            states(&mut conn, &session.id).await?,
            [("粤省事 \u{20BB7}".to_owned(), State::Waiting)]
        );
        // Ended by a room that knows nothing of platforms; nobody answers, and no key signs in this test.
        let other = sign_in().await?;
        session::end(&mut conn, &other.id, End::Security, NOW).await?;
        drop(conn);
        let table = json!({"client_id": client(), "client_secret": "s", "redirect_uris": ["https://rp.example/cb"]});
        let settings = Provider {
            clients: vec![table.as_object().expect("a table").clone()],
            ..Provider::default()
        };
        let deliverer = logout::Deliverer {
            store: store.clone(),
            clients: Arc::new(Clients::new(&settings, None, false).expect("clients")),
            issuer: "https://id.example".into(),
            signer: ring,
            outbound: Arc::new(outbound()),
        };
        let put_off = logout::Round {
            put_off: 2,
            ..logout::Round::default()
        };
        assert_eq!(deliverer.deliver(&mut rng(), NOW).await?, put_off);
        let mut conn = store.read().await?;
        assert_eq!(
            states(&mut conn, &other.id).await?,
            [("粤省事 \u{20BB7}".to_owned(), State::Waiting)]
        );
        drop(conn);
        // Tried again later and later, and given up in the end.
        assert_eq!(
            deliverer.deliver(&mut rng(), NOW.plus(4)).await?,
            logout::Round::default()
        );
        let mut now = NOW;
        for wait in [5, 30, 120, 600, 3600] {
            now = now.plus(wait);
            assert_eq!(
                deliverer.deliver(&mut rng(), now).await?,
                put_off,
                "after {wait} s"
            );
        }
        let failed = logout::Round {
            failed: 2,
            ..logout::Round::default()
        };
        assert_eq!(
            deliverer.deliver(&mut rng(), now.plus(4 * 3600)).await?,
            failed
        );
        let mut conn = store.read().await?;
        assert_eq!(
            states(&mut conn, &other.id).await?,
            [("粤省事 \u{20BB7}".to_owned(), State::Failed)]
        );
        Ok(())
    })
    .await;
}

/// Platforms and how far they were told.
async fn states(
    conn: &mut hefu::store::Conn,
    session: &SessionId,
) -> Result<Vec<(String, State)>, Fault> {
    let told = told::of_session(conn, session).await?;
    Ok(told.into_iter().map(|t| (t.platform, t.state)).collect())
}

fn outbound() -> hefu::outbound::Outbound {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    hefu::outbound::Outbound::new(hefu::outbound::Options::default()).expect("a client")
}

#[tokio::test]
async fn who_is_present_is_read_with_their_consent() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, handle) = begin(&store, &person).await?;
        let (ring, _folder) = ring(&store).await?;
        let settings = Provider::default();
        let rules = Rules {
            issuer: "https://id.example",
            settings: &settings,
            sealer: &*ring,
            now: NOW,
        };
        let (rp, request) = asked();
        let mut conn = store.read().await?;
        assert!(
            rules
                .present(&mut conn, &request, &rp, Some("unknown"))
                .await?
                .is_none()
        );
        let present = rules
            .present(&mut conn, &request, &rp, Some(&handle))
            .await?
            .expect("here");
        assert_eq!(
            (&present.session, &present.consent, present.known.real_name),
            (&session, &None, 1)
        );
        let yes = consent::Yes {
            person: &person,
            client: &rp.id,
            scope: &request.scope,
            claims: &BTreeSet::new(),
            platform: "x",
            lifetime: 10,
        };
        consent::give(&mut conn, &mut rng(), &yes, NOW).await?;
        let present = rules
            .present(&mut conn, &request, &rp, Some(&handle))
            .await?
            .expect("here");
        assert!(present.consent.is_some());
        let arrive = async |session, settings| -> Result<Outcome, Fault> {
            let counter = Counter {
                indexer: &*ring,
                settings,
                source: "192.0.2.1",
            };
            let browser = Browser {
                session,
                secret: None,
            };
            let arrival = Arrival {
                request: request.clone(),
                one_use: None,
                client: &rp,
                browser,
                counter,
            };
            let mut conn = store.read().await?;
            Ok(rules.arrive(&mut conn, &mut rng(), arrival).await?)
        };
        // Answered at once: nothing is kept, nothing counted. A login that must be begun is.
        let one = Provider {
            begun_per_source: 1,
            ..Provider::default()
        };
        for _ in 0..2 {
            assert!(matches!(
                arrive(Some(&*handle), &one).await?,
                Outcome::Reply(_)
            ));
        }
        assert!(matches!(
            arrive(None, &one).await?,
            Outcome::Interact { .. }
        ));
        assert!(matches!(arrive(None, &one).await?, Outcome::Wait(3600)));
        assert!(matches!(
            arrive(None, &settings).await?,
            Outcome::Interact { .. }
        ));
        let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM interactions")
            .fetch_one(&mut *conn)
            .await?;
        assert_eq!(kept, 2);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_raced_with_what_ends_it_does_not_work() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let mut conn = store.read().await?;
        let offline = terms("openid offline_access");
        // Everything was ended for security; a request that had read the session before writes its grant after.
        let (session, _) = begin(&store, &person).await?;
        session::end(&mut conn, &session.id, End::Security, NOW).await?;
        grants::revoke_person(&mut conn, &person, "test", NOW).await?;
        let late = issue(&store, &person, &session.id, &offline, None)
            .await?
            .expect("a code");
        assert_eq!(
            grants::redeem(&mut conn, &late, &client(), NOW).await?,
            None
        );
        // The same with a consent that is being withdrawn.
        let (session, _) = begin(&store, &person).await?;
        let (id, none) = (client(), BTreeSet::new());
        let yes = consent::Yes {
            person: &person,
            client: &id,
            scope: &offline.scope,
            claims: &none,
            platform: "x",
            lifetime: 1000,
        };
        consent::give(&mut conn, &mut rng(), &yes, NOW).await?;
        let given = consent::find(&mut conn, &person, &id, NOW)
            .await?
            .expect("a consent");
        grants::withdraw_consent(&mut conn, &person, &given.id, NOW).await?;
        let late = issue(&store, &person, &session.id, &offline, None)
            .await?
            .expect("a code");
        assert_eq!(
            grants::redeem(&mut conn, &late, &client(), NOW).await?,
            None
        );
        consent::give(&mut conn, &mut rng(), &yes, NOW).await?;
        let again = issue(&store, &person, &session.id, &offline, None)
            .await?
            .expect("a code");
        assert!(
            grants::redeem(&mut conn, &again, &client(), NOW)
                .await?
                .is_some()
        );
        Ok(())
    })
    .await;
}
