//! Tokens from the authorization endpoint, and what is kept of telling platforms: on both databases.

use hefu::authn::Factor;
use hefu::clock::UnixTime;
use hefu::id::{ClientId, PersonId};
use hefu::oauth::{Algorithm, Scope};
use hefu::provider::claims::ClaimsRequest;
use hefu::provider::grants::{self, Lives, New, Terms};
use hefu::provider::logout;
use hefu::provider::told::{self, Channel, State};
use hefu::random::RngSource;
use hefu::session::{self, End, Login, Session};
use hefu::store::Store;

use crate::support::database::{Fault, for_each_database};

const NOW: UnixTime = UnixTime(1_795_400_000);
const LIVES: Lives = Lives {
    code: 60,
    grant: 43_200,
    offline: 31_536_000,
    refresh_token: 2_592_000,
};

async fn begin(store: &Store, person: &PersonId) -> Result<Session, Fault> {
    let login = Login {
        person,
        factors: &[Factor::Password],
        device: "test",
        lifetime: 43_200,
        replacing: None,
    };
    let mut rng = RngSource::System.rng();
    let (session, _) = session::begin(&mut *store.read().await?, &mut rng, login, NOW).await?;
    Ok(session)
}

fn terms(client: &str, front: bool, back: bool) -> Terms {
    let uri = |way: &str| format!("https://{client}.example/{way}");
    Terms {
        resources: Vec::new(),
        details: Vec::new(),
        redirect_uri: uri("cb"),
        code_challenge: None,
        dpop_jkt: None,
        scope: Scope::parse("openid").expect("a scope"),
        claims: ClaimsRequest::default(),
        nonce: None,
        auth_time: NOW,
        acr: "L1".to_owned(),
        amr: vec!["pwd".to_owned()],
        sector: "rp.example".to_owned(),
        alg: Algorithm::ES256,
        platform: client.to_uppercase(),
        back_channel: back.then(|| uri("back")),
        front_channel: front.then(|| uri("out?a=b")),
    }
}

async fn issue(
    store: &Store,
    session: &Session,
    terms: &Terms,
    client: &str,
) -> Result<hefu::crypto::Secret<String>, Fault> {
    let new = New {
        person: &session.person,
        actor: &session.person,
        client: &ClientId(client.to_owned()),
        session: &session.id,
        terms,
        pushed: None,
        lives: LIVES,
    };
    let mut conn = store.read().await?;
    let code = grants::issue(&mut conn, &mut RngSource::System.rng(), &new, NOW).await?;
    Ok(code.expect("a code"))
}

#[tokio::test]
async fn tokens_handed_out_beside_a_code_rest_on_its_grant() {
    for_each_database(async |store| {
        let session = begin(&store, &PersonId("p1".to_owned())).await?;
        let client = ClientId("a".to_owned());
        let terms = terms("a", false, false);
        // Beside a code: in force before it is redeemed, and gone when it is repeated.
        let code = issue(&store, &session, &terms, "a").await?;
        let mut conn = store.read().await?;
        let grant = grants::hand_out(&mut conn, &code, true, NOW)
            .await?
            .expect("it");
        assert_eq!(
            grants::find(&mut conn, &grant.id, NOW).await?,
            Some(grant.clone())
        );
        let redeemed = grants::redeem(&mut conn, code.reveal(), &client, NOW).await?;
        assert_eq!(redeemed.as_ref(), Some(&grant));
        assert!(grants::find(&mut conn, &grant.id, NOW).await?.is_some());
        assert!(
            grants::redeem(&mut conn, code.reveal(), &client, NOW)
                .await?
                .is_none()
        );
        assert!(grants::find(&mut conn, &grant.id, NOW).await?.is_none());
        // Instead of a code: nobody can redeem it.
        let code = issue(&store, &session, &terms, "a").await?;
        let grant = grants::hand_out(&mut conn, &code, false, NOW)
            .await?
            .expect("it");
        assert!(grants::find(&mut conn, &grant.id, NOW).await?.is_some());
        assert!(
            grants::redeem(&mut conn, code.reveal(), &client, NOW)
                .await?
                .is_none()
        );
        // A code alone is no grant in force yet.
        let code = issue(&store, &session, &terms, "a").await?;
        let id = hefu::crypto::thumb(code.reveal().as_bytes());
        assert!(grants::find(&mut conn, &id, NOW).await?.is_none());
        let nothing = hefu::crypto::Secret::new("x".to_owned());
        assert!(
            grants::hand_out(&mut conn, &nothing, true, NOW)
                .await?
                .is_none()
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn who_was_told_by_which_channel() {
    for_each_database(async |store| {
        let person = PersonId("p2".to_owned());
        let session = begin(&store, &person).await?;
        let mut rng = RngSource::System.rng();
        let mut conn = store.read().await?;
        hefu::identity::subject::for_sector(&mut conn, &mut rng, &person, "rp.example", NOW)
            .await?;
        for (client, front, back) in [
            ("a", true, true),
            ("b", true, false),
            ("c", false, true),
            ("d", false, false),
        ] {
            let code = issue(&store, &session, &terms(client, front, back), client).await?;
            grants::hand_out(&mut conn, &code, client == "a", NOW).await?;
        }
        assert!(!told::has_frames(&mut conn, &session.id).await?);
        logout::end(&mut conn, &mut rng, &session.id, End::SignedOut, NOW).await?;
        assert!(told::has_frames(&mut conn, &session.id).await?);
        let seen = async |conn: &mut hefu::store::Conn| -> Result<Vec<_>, Fault> {
            let told = told::of_session(conn, &session.id).await?;
            let of = |t: told::Told| {
                assert_eq!(t.ended_at, NOW);
                (t.platform, t.state, t.channel)
            };
            Ok(told.into_iter().map(of).collect())
        };
        let row = |name: &str, state, channel| (name.to_owned(), state, channel);
        let before = [
            row("A", State::Waiting, Channel::Back),
            row("B", State::Failed, Channel::None),
            row("C", State::Waiting, Channel::Back),
            row("D", State::Failed, Channel::None),
        ];
        assert_eq!(seen(&mut conn).await?, before);

        let issuer = "https://id.example";
        let frames = told::frames(&mut conn, &session.id, issuer, NOW.plus(5)).await?;
        let sid = |client: &str| session.sid_for(&ClientId(client.to_owned()));
        let expected = |client: &str| {
            let iss = "https%3A%2F%2Fid.example";
            format!(
                "https://{client}.example/out?a=b&iss={iss}&sid={}",
                sid(client)
            )
        };
        let texts: Vec<String> = frames.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [expected("a"), expected("b")]);
        // Again for a minute, from the first time on.
        let at = async |conn: &mut hefu::store::Conn, now| {
            told::frames(conn, &session.id, issuer, now).await
        };
        assert_eq!(at(&mut conn, NOW.plus(64)).await?.len(), 2);
        assert_eq!(at(&mut conn, NOW.plus(66)).await?.len(), 0);

        sqlx::query(
            "UPDATE logout_deliveries SET delivered_at = $1 WHERE client = 'c' AND session = $2",
        )
        .bind(NOW)
        .bind(&session.id)
        .execute(&mut *conn)
        .await?;
        sqlx::query(
            "UPDATE logout_deliveries SET failed_at = $1 WHERE client = 'a' AND session = $2",
        )
        .bind(NOW)
        .bind(&session.id)
        .execute(&mut *conn)
        .await?;
        let after = [
            row("A", State::Asked, Channel::Both),
            row("B", State::Asked, Channel::Front),
            row("C", State::Delivered, Channel::Back),
            row("D", State::Failed, Channel::None),
        ];
        assert_eq!(seen(&mut conn).await?, after);
        let latest = told::latest(&mut conn, 3).await?;
        let names: Vec<&str> = latest.iter().map(|t| t.platform.as_str()).collect();
        assert_eq!(names, ["A", "B", "C"]);
        Ok(())
    })
    .await;
}
