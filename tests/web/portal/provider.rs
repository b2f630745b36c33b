//! A provider that does what a test tells it to: well-behaved by default, wrong in exactly one way where a test says so.
//! It listens on loopback; the test itself plays its authorization endpoint.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawForm, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::clock::{Clock, MockClock};
use hefu::crypto::{Purpose, Signer, thumb};
use hefu::jose::{Audience, Expected, JwkSet, Typ, jwt};
use hefu::keys::KeyRing;
use hefu::oauth::Algorithm;
use serde_json::{Map, Value, json};

pub type Claims = Map<String, Value>;
type Change = Box<dyn Fn(&mut Claims) + Send + Sync>;
type Rewrite = Box<dyn Fn(String) -> String + Send + Sync>;

/// In which ways it misbehaves.
pub struct Manners {
    /// Changes the claims of the ID Token before it is signed.
    pub id_token: Change,
    /// Changes the signed ID Token.
    pub signed: Rewrite,
    pub alg: Algorithm,
    /// Another purpose is another key: one that is not in the key set.
    pub purpose: Purpose,
    /// Changes the token response.
    pub tokens: Change,
    pub token_status: u16,
    /// Changes the answer of UserInfo.
    pub userinfo: Change,
    pub userinfo_status: u16,
    pub userinfo_type: &'static str,
    pub jwks_status: u16,
    /// Changes the key set.
    pub jwks: Change,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            id_token: Box::new(|_| ()),
            signed: Box::new(|token| token),
            alg: Algorithm::ES256,
            purpose: Purpose::IdToken,
            tokens: Box::new(|_| ()),
            token_status: 200,
            userinfo: Box::new(|_| ()),
            userinfo_status: 200,
            userinfo_type: "application/json",
            jwks_status: 200,
            jwks: Box::new(|_| ()),
        }
    }
}

/// A code that was given out, and what it was given for.
struct Grant {
    nonce: Option<Value>,
    challenge: String,
    redirect_uri: String,
}

pub struct Provider {
    pub issuer: String,
    pub portal: String,
    pub ring: Arc<KeyRing>,
    pub clock: MockClock,
    pub manners: Mutex<Manners>,
    /// Requests that arrived, by path.
    pub seen: Mutex<Vec<String>>,
    grants: Mutex<BTreeMap<String, Grant>>,
    pushed: Mutex<Vec<String>>,
    assertions: Mutex<HashSet<String>>,
}

pub const SUB: &str = "pw_sub-at-this-portal";
pub const SID: &str = "national-session-1";
const ACCESS_TOKEN: &str = "access-token-1";

impl Provider {
    /// Starts listening; `portal` is the only client it knows.
    pub async fn start(ring: Arc<KeyRing>, clock: MockClock, portal: &str) -> (Arc<Self>, u16) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Arc::new(Self {
            issuer: format!("http://id.localhost:{port}"),
            portal: portal.to_owned(),
            ring,
            clock,
            manners: Mutex::default(),
            seen: Mutex::default(),
            grants: Mutex::default(),
            pushed: Mutex::default(),
            assertions: Mutex::default(),
        });
        let app = Router::new()
            .route("/jwks", get(jwks))
            .route("/par", post(par))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (provider, port)
    }

    pub fn metadata(&self) -> Claims {
        let at = |path: &str| format!("{}{path}", self.issuer);
        object(json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/jwks"),
            "pushed_authorization_request_endpoint": at("/par"),
            "end_session_endpoint": at("/logout"),
            "authorization_response_iss_parameter_supported": true,
            "client_registration_types_supported": ["automatic", "explicit"],
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
            "request_object_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "code_challenge_methods_supported": ["S256"],
        }))
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Manners)) {
        let mut manners = Manners::default();
        change(&mut manners);
        *self.manners.lock().unwrap() = manners;
    }

    /// Plays the authorization endpoint: checks the request object and gives out a code. Returns its claims and the code.
    pub fn authorize(&self, location: &url::Url) -> (Claims, String) {
        assert!(
            location
                .as_str()
                .starts_with(&format!("{}/authorize?", self.issuer)),
            "{location}"
        );
        let outer: BTreeMap<_, _> = location.query_pairs().into_owned().collect();
        assert_eq!(outer["client_id"], self.portal);
        let request = match outer.get("request_uri") {
            Some(uri) => {
                assert_eq!(outer.len(), 2, "only client_id and request_uri: {outer:?}");
                let index: usize = uri.rsplit(':').next().unwrap().parse().unwrap();
                self.pushed.lock().unwrap()[index].clone()
            }
            None => outer["request"].clone(),
        };
        let claims = self.read("oauth-authz-req+jwt", &request).unwrap();
        let text = |name: &str| claims[name].as_str().unwrap().to_owned();
        let code = format!("code {}&=", self.grants.lock().unwrap().len());
        let grant = Grant {
            nonce: claims.get("nonce").cloned(),
            challenge: text("code_challenge"),
            redirect_uri: text("redirect_uri"),
        };
        self.grants.lock().unwrap().insert(code.clone(), grant);
        (claims, code)
    }

    /// Signs as the provider.
    pub async fn sign(
        &self,
        purpose: Purpose,
        alg: Algorithm,
        typ: &str,
        claims: &Claims,
    ) -> String {
        let mut header = Map::new();
        header.insert("typ".to_owned(), typ.into());
        let payload = Value::Object(claims.clone()).to_string();
        self.ring
            .sign(purpose, alg, header, payload.as_bytes())
            .await
            .unwrap()
    }

    /// A JWT of the portal, verified with the keys it publishes; its `jti` is good once.
    fn read(&self, typ: &str, token: &str) -> Result<Claims, String> {
        let keys = JwkSet::parse_strict(&self.ring.published(Purpose::Client)).unwrap();
        let expected = Expected {
            issuer: &self.portal,
            audience: Audience::String(&self.issuer),
            typ: Typ::Is(typ),
            algorithms: &[Algorithm::ES256],
            now: self.clock.now(),
            leeway: 0,
            accept_expired: false,
            limit: 64 * 1024,
        };
        let claims = jwt::verify(token, &keys, &expected).map_err(|e| e.to_string())?;
        let jti = claims["jti"].as_str().unwrap().to_owned();
        if self.assertions.lock().unwrap().insert(jti) {
            Ok(claims)
        } else {
            Err("jti seen before".to_owned())
        }
    }

    /// RFC 7521 §4.2 as the portal must do it.
    fn authenticate(&self, form: &BTreeMap<String, String>) -> Result<(), String> {
        let jwt_bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        if form.get("client_assertion_type").map(String::as_str) != Some(jwt_bearer) {
            return Err("no assertion".to_owned());
        }
        if form.contains_key("client_secret") {
            return Err("two methods".to_owned());
        }
        let claims = self.read("client-authentication+jwt", &form["client_assertion"])?;
        let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        if claims["sub"] != self.portal || lifetime > 300 {
            return Err("another sub, or too long a life".to_owned());
        }
        Ok(())
    }

    fn note(&self, path: &str) {
        self.seen.lock().unwrap().push(path.to_owned());
    }

    /// How many requests arrived at `path`.
    pub fn count(&self, path: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|p| *p == path).count()
    }
}

async fn jwks(State(provider): State<Arc<Provider>>) -> Response {
    provider.note("/jwks");
    let manners = provider.manners.lock().unwrap();
    let mut jwks = object((*provider.ring.published(Purpose::IdToken)).clone());
    (manners.jwks)(&mut jwks);
    (code(manners.jwks_status), axum::Json(jwks)).into_response()
}

async fn par(State(provider): State<Arc<Provider>>, RawForm(form): RawForm) -> Response {
    provider.note("/par");
    let form = fields(&form);
    if let Err(why) = provider.authenticate(&form) {
        return error(401, "invalid_client", &why);
    }
    let mut pushed = provider.pushed.lock().unwrap();
    pushed.push(form["request"].clone());
    let uri = format!("urn:ietf:params:oauth:request_uri:{}", pushed.len() - 1);
    let body = json!({"request_uri": uri, "expires_in": 90});
    (StatusCode::CREATED, axum::Json(body)).into_response()
}

async fn token(State(provider): State<Arc<Provider>>, RawForm(form): RawForm) -> Response {
    provider.note("/token");
    let form = fields(&form);
    if let Err(why) = provider.authenticate(&form) {
        return error(401, "invalid_client", &why);
    }
    let grant = provider.grants.lock().unwrap().remove(&form["code"]);
    let Some(grant) = grant else {
        return error(400, "invalid_grant", "unknown code");
    };
    let fits = form["grant_type"] == "authorization_code"
        && form["redirect_uri"] == grant.redirect_uri
        && thumb(form["code_verifier"].as_bytes()) == grant.challenge;
    if !fits {
        return error(400, "invalid_grant", "another redirect_uri or verifier");
    }
    let status = provider.manners.lock().unwrap().token_status;
    if status != 200 {
        return error(status, "invalid_grant", "told to refuse");
    }
    let now = provider.clock.now();
    let (alg, purpose, claims) = {
        let manners = provider.manners.lock().unwrap();
        let mut claims = object(json!({
            "iss": provider.issuer,
            "sub": SUB,
            "aud": provider.portal,
            "iat": now,
            "exp": now.plus(300),
            "nonce": grant.nonce,
            "at_hash": at_hash(manners.alg, ACCESS_TOKEN),
            "acr": "https://hefu.example/acr/L1",
            "amr": ["pwd"],
            "auth_time": now,
            "sid": SID,
        }));
        (manners.id_token)(&mut claims);
        (manners.alg, manners.purpose, claims)
    };
    let id_token = provider.sign(purpose, alg, "JWT", &claims).await;
    let manners = provider.manners.lock().unwrap();
    let mut body = object(json!({
        "access_token": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "id_token": (manners.signed)(id_token),
        "scope": "openid real_name",
    }));
    (manners.tokens)(&mut body);
    axum::Json(body).into_response()
}

async fn userinfo(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Response {
    provider.note("/userinfo");
    let given = headers
        .get(header::AUTHORIZATION)
        .map(|v| v.to_str().unwrap().to_owned());
    if given.as_deref() != Some(&format!("Bearer {ACCESS_TOKEN}")) {
        return error(401, "invalid_token", "unknown token");
    }
    let manners = provider.manners.lock().unwrap();
    let mut body = object(json!({
        "sub": SUB,
        "name": "测试甲",
        "cn_id_number_masked": "4499**********0014",
        "assurance_level": "rn2",
    }));
    (manners.userinfo)(&mut body);
    let types = [(header::CONTENT_TYPE, manners.userinfo_type)];
    (
        code(manners.userinfo_status),
        types,
        Value::Object(body).to_string(),
    )
        .into_response()
}

fn error(status: u16, error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    (code(status), axum::Json(body)).into_response()
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}

fn fields(form: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(form) {
        let before = fields.insert(name.into_owned(), value.into_owned());
        assert_eq!(before, None, "a parameter is repeated");
    }
    fields
}

/// OIDC Core 3.1.3.6. For Ed25519 the hash is SHA-512.
fn at_hash(alg: Algorithm, token: &str) -> String {
    let algorithm = match alg {
        Algorithm::EdDSA => &aws_lc_rs::digest::SHA512,
        _ => &aws_lc_rs::digest::SHA256,
    };
    let hash = aws_lc_rs::digest::digest(algorithm, token.as_bytes());
    let hash = hash.as_ref();
    URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}

pub fn object(value: Value) -> Claims {
    let Value::Object(map) = value else {
        panic!("an object is meant: {value}")
    };
    map
}
