//! Clients with certificates (RFC 8705): how they prove themselves, what their tokens are bound to, the alias.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hefu::authn::Factor;
use hefu::config::provider::Mtls;
use hefu::crypto::ClientCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PublicKeyData as _, date_time_ymd,
};
use serde_json::{Value, json};

use super::dpop::error;
use super::{Answer, CHALLENGE, ISSUER, TestHouse, VERIFIER, basic, encode, payload};
use crate::support::federation::{LEAF, TestKey};

const ALIAS: &str = "https://mtls.id.example:9443";

struct Scene {
    house: TestHouse,
    ours: CertifiedIssuer<'static, KeyPair>,
    own: ClientCertificate,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// `pki` bears a name that an authority vouches for, `own` registered its certificate, `shop2` has a secret and
    /// certificate-bound tokens, `app` is public with the same.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ours = authority();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, ours.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = params("own").self_signed(&key).unwrap();
        let own = ClientCertificate::new(vec![own.der().to_vec()]).unwrap();
        let (x, y) = (&key.der_bytes()[1..33], &key.der_bytes()[33..65]);
        let jwks = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y), "x5c": [STANDARD.encode(own.der())]}]});
        let house = TestHouse::with(4, |settings| {
            settings.mtls = Some(Mtls {
                url: ALIAS.to_owned(),
                ca: Some(ca),
            });
            let bound = "tls_client_certificate_bound_access_tokens";
            for client in [
                json!({"client_id": "pki", "token_endpoint_auth_method": "tls_client_auth", bound: true,
                    "tls_client_auth_san_dns": "pki.example"}),
                json!({"client_id": "own", "token_endpoint_auth_method": "self_signed_tls_client_auth", bound: true,
                    "jwks": jwks}),
                json!({"client_id": "shop2", "client_secret": "s", bound: true}),
                json!({"client_id": "app", "token_endpoint_auth_method": "none", bound: true}),
            ] {
                let mut client = client.as_object().unwrap().clone();
                let id = client["client_id"].as_str().unwrap().to_owned();
                client.insert("redirect_uris".to_owned(), json!([format!("https://{id}.example/cb")]));
                settings.clients.push(client);
            }
        })
        .await;
        Self {
            house,
            ours,
            own,
            _folder: folder,
        }
    }

    async fn code(&self, client: &str) -> String {
        let person = self.house.citizen_once().await;
        let scope = "openid offline_access";
        self.house.consent(&person, client, scope).await;
        let (_, mut browser) = self.house.session(&person, &[Factor::Password]).await;
        let more = [
            ("scope", scope),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let back = format!("https://{client}.example/cb");
        browser.ask_plain(client, &back, &more).await.told()["code"].clone()
    }

    /// At the token endpoint of the alias, by whoever holds `certificate`.
    async fn token(
        &self,
        client: &str,
        certificate: Option<&ClientCertificate>,
        form: &[(&str, &str)],
    ) -> Answer {
        let mut form = form.to_vec();
        if client != "shop2" {
            form.push(("client_id", client));
        }
        let mut request = Request::post("/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(encode(&form)))
            .unwrap();
        if client == "shop2" {
            let value = basic("shop2", "s").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        request.extensions_mut().extend(shown(certificate));
        self.house.send_to_alias(request).await
    }

    async fn redeem(
        &self,
        client: &str,
        code: &str,
        certificate: Option<&ClientCertificate>,
    ) -> Answer {
        let back = format!("https://{client}.example/cb");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back.as_str()),
            ("code_verifier", VERIFIER),
        ];
        self.token(client, certificate, &form).await
    }

    async fn userinfo(&self, token: &str, certificate: Option<&ClientCertificate>) -> Answer {
        let mut request = Request::get("/userinfo")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        request.extensions_mut().extend(shown(certificate));
        self.house.send_to_alias(request).await
    }
}

fn shown(certificate: Option<&ClientCertificate>) -> axum::http::Extensions {
    let mut extensions = axum::http::Extensions::new();
    if let Some(certificate) = certificate {
        extensions.insert(certificate.clone());
    }
    extensions
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(client: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![format!("{client}.example")]).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn issue(client: &str, by: &CertifiedIssuer<'static, KeyPair>) -> ClientCertificate {
    let key = KeyPair::generate().unwrap();
    let certificate = params(client).signed_by(&key, by).unwrap();
    ClientCertificate::new(vec![certificate.der().to_vec()]).unwrap()
}

#[tokio::test]
async fn a_client_is_known_by_the_certificate_it_registered_and_tokens_are_bound_to_it() {
    let scene = Scene::new().await;
    let other = issue("own", &scene.ours);
    let code = scene.code("own").await;
    for certificate in [None, Some(&other)] {
        let refused = scene.redeem("own", &code, certificate).await;
        assert_eq!(error(&refused), (401, "invalid_client".to_owned()));
    }
    let tokens = scene.redeem("own", &code, Some(&scene.own)).await.json();
    // RFC 8705 §3: the scheme stays.
    assert_eq!(tokens["token_type"], "Bearer", "{tokens}");
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(
        payload(token)["cnf"],
        json!({"x5t#S256": scene.own.thumbprint()})
    );
    assert_eq!(
        scene.userinfo(token, Some(&scene.own)).await.status,
        StatusCode::OK
    );
    for certificate in [None, Some(&other)] {
        let refused = scene.userinfo(token, certificate).await;
        assert_eq!(error(&refused), (401, "invalid_token".to_owned()));
    }
    // Another way of proof than the registered one counts for nothing.
    let code = scene.code("shop2").await;
    let refused = scene
        .token(
            "own",
            Some(&scene.own),
            &[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("client_secret", "s"),
            ],
        )
        .await;
    assert_eq!(error(&refused), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn a_client_is_known_by_the_name_that_an_authority_vouches_for() {
    let scene = Scene::new().await;
    let code = scene.code("pki").await;
    let good = issue("pki", &scene.ours);
    let own = params("pki")
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap();
    let own = ClientCertificate::new(vec![own.der().to_vec()]).unwrap();
    for stranger in [issue("other", &scene.ours), issue("pki", &authority()), own] {
        let refused = scene.redeem("pki", &code, Some(&stranger)).await;
        assert_eq!(error(&refused), (401, "invalid_client".to_owned()));
    }
    let tokens = scene.redeem("pki", &code, Some(&good)).await.json();
    let token = tokens["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{tokens}"));
    assert_eq!(payload(token)["cnf"]["x5t#S256"], good.thumbprint());
    // A renewed certificate is the same client; the token that follows is bound to it.
    let renewed = issue("pki", &scene.ours);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let answer = scene.token("pki", Some(&renewed), &form).await.json();
    let token = answer["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(payload(token)["cnf"]["x5t#S256"], renewed.thumbprint());
    // What has expired is vouched for no longer.
    scene.house.clock.advance(366 * 86_400);
    let late = scene.redeem("pki", "x", Some(&good)).await;
    assert_eq!(error(&late), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn bound_tokens_need_a_certificate_whoever_the_client_is() {
    let scene = Scene::new().await;
    let code = scene.code("shop2").await;
    let any = issue("any", &authority());
    let refused = scene.redeem("shop2", &code, None).await;
    assert_eq!(error(&refused), (400, "invalid_request".to_owned()));
    let tokens = scene.redeem("shop2", &code, Some(&any)).await.json();
    let token = tokens["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{tokens}"));
    assert_eq!(payload(token)["cnf"]["x5t#S256"], any.thumbprint());

    // The refresh token of a public client goes with the same certificate (§4).
    let code = scene.code("app").await;
    let tokens = scene.redeem("app", &code, Some(&any)).await.json();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let refused = scene.token("app", Some(&scene.own), &form).await;
    assert_eq!(error(&refused), (400, "invalid_grant".to_owned()));
    let renewed = scene.token("app", Some(&any), &form).await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.body);
}

#[tokio::test]
async fn the_alias_serves_programs_and_counts_as_the_endpoint() {
    let scene = Scene::new().await;
    let house = &scene.house;
    for path in [
        "/authorize",
        "/login",
        "/account",
        "/.well-known/openid-configuration",
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = house.send_to_alias(request).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    // An assertion may name the alias wherever it may name the endpoint.
    let person = house.citizen_once().await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    for (jti, aud, status) in [
        ("1", format!("{ALIAS}/token"), StatusCode::OK),
        ("2", format!("{ALIAS}/par"), StatusCode::UNAUTHORIZED),
        ("3", ALIAS.to_owned(), StatusCode::UNAUTHORIZED),
    ] {
        let told = browser.ask(jti, json!({})).await.told();
        let assertion = house.assertion(&format!("a{jti}"), &aud);
        let changes = [("client_assertion", assertion.as_str())];
        let answer = house.redeem(&told["code"], jti, &changes).await;
        assert_eq!(answer.status, status, "{aud} {}", answer.body);
    }
    // So may a DPoP proof.
    let key = TestKey::of("mine");
    let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": key.jwk()});
    let claims =
        json!({"jti": "1", "htm": "POST", "htu": format!("{ALIAS}/token"), "iat": house.now()});
    let proof = key.sign(header.as_object().unwrap(), &claims.to_string());
    let form = [
        ("client_id", "app"),
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
    ];
    let answer = house.post_with("/token", &form, &[("DPoP", &proof)]).await;
    // The proof is good; what is missing is the certificate.
    assert_eq!(error(&answer), (400, "invalid_request".to_owned()));

    let discovery = house
        .send(
            Request::get("/.well-known/openid-configuration")
                .body(Body::empty())
                .unwrap(),
        )
        .await
        .json();
    let methods = discovery["token_endpoint_auth_methods_supported"]
        .as_array()
        .unwrap();
    for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
        assert!(methods.contains(&Value::from(method)), "{methods:?}");
    }
    assert_eq!(
        discovery["tls_client_certificate_bound_access_tokens"],
        true
    );
    let aliases = discovery["mtls_endpoint_aliases"].as_object().unwrap();
    let names: Vec<&String> = aliases.keys().collect();
    let all = [
        "introspection_endpoint",
        "pushed_authorization_request_endpoint",
        "revocation_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
    ];
    assert_eq!(names, all);
    for (name, alias) in aliases {
        let usual = discovery[name].as_str().unwrap();
        assert_eq!(alias, &usual.replacen(ISSUER, ALIAS, 1), "{name}");
    }
}
