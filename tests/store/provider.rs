//! Grants, refresh tokens, marks, interactions, sessions, consents, waiting requests, the logout queue: on both databases.

mod interactions;
mod queue;
mod redemption;
mod refresh;
mod sessions;

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
