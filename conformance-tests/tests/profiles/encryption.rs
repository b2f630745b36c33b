//! Everything that the discovery document promises to encrypt or to decrypt, under every algorithm that it names; read and made by
//! `jose` of JavaScript. OIDC Core 10.2 and 16.14, RFC 7516, RFC 7518 4 and 5, JARM 2.2.

use conformance_tests::statement::{now, verify};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::ground::{Ground, ground};
use super::party::{Client, Faults, register, text};
use super::signing::jti;
use crate::clients::program::{Library, Program};

const JOSE: Library = Library {
    folder: "node",
    program: "node",
    arguments: &["jwe.js"],
    installed: "node_modules/jose",
};

struct Jose(Mutex<Program>);

impl Jose {
    fn start(ground: &Ground) -> Self {
        Self(Mutex::new(Program::start(&JOSE, &ground.lab.ca())))
    }

    async fn ask(&self, order: Value) -> Value {
        let mut program = self.0.lock().await;
        program.tell(&order.to_string()).await;
        let answer = program.hear().await;
        assert_eq!(answer["error"], Value::Null, "{order}");
        answer
    }

    /// What is inside, and the header outside.
    async fn open(&self, jwe: &str, key: &EncryptionKey, alg: &str, enc: &str) -> (String, Value) {
        let mut order = key.named();
        order["do"] = "decrypt".into();
        order["jwe"] = jwe.into();
        order["alg"] = alg.into();
        order["enc"] = enc.into();
        let read = self.ask(order).await;
        (text(&read, "text"), read["header"].clone())
    }
}

/// What a client reads with: a key of its own, or the secret that both know.
enum EncryptionKey {
    Pair { public: Value, private: Value },
    Secret(String),
}

impl EncryptionKey {
    fn named(&self) -> Value {
        match self {
            Self::Pair { private, .. } => json!({"jwk": private}),
            Self::Secret(secret) => json!({"secret": secret}),
        }
    }
}

fn under_secret(alg: &str) -> bool {
    alg == "dir" || alg.starts_with('A')
}

/// A client whose answers of this kind are encrypted, and how it reads them.
async fn client(ground: &Ground, jose: &Jose, more: Value, alg: &str) -> (Client, EncryptionKey) {
    let mut metadata = more;
    if under_secret(alg) {
        let client = Client::with(ground, metadata).await;
        let secret = client.secret.clone();
        return (client, EncryptionKey::Secret(secret));
    }
    let pair = jose.ask(json!({"do": "generate", "alg": alg})).await;
    let mut public = pair["public"].clone();
    public["use"] = "enc".into();
    public["kid"] = "e1".into();
    metadata["jwks"] = json!({"keys": [public]});
    let client = Client::with(ground, metadata).await;
    let (public, private) = (public, pair["private"].clone());
    (client, EncryptionKey::Pair { public, private })
}

fn promised(ground: &Ground, what: &str) -> Vec<(String, String)> {
    let list = |kind: &str| -> Vec<String> {
        let name = format!("{what}_encryption_{kind}_values_supported");
        serde_json::from_value(ground.metadata[&name].clone())
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let encs = list("enc");
    assert!(encs.len() >= 4, "{encs:?}");
    let algs = list("alg");
    assert!(algs.len() >= 4, "{algs:?}");
    algs.iter()
        .flat_map(|alg| encs.iter().map(move |enc| (alg.clone(), enc.clone())))
        .collect()
}

fn outside(
    faults: &mut Faults,
    what: &str,
    header: &Value,
    key: &EncryptionKey,
    alg: &str,
    enc: &str,
) {
    faults.same((what, alg, enc), &header["alg"], &json!(alg));
    faults.same((what, alg, enc), &header["enc"], &json!(enc));
    faults.same((what, alg, enc, "cty"), &header["cty"], &json!("JWT"));
    if let EncryptionKey::Pair { public, .. } = key {
        faults.same((what, alg, enc, "kid"), &header["kid"], &public["kid"]);
    }
}

/// OIDC Core 2, 5.3.2 and 10.2: signed, then encrypted.
#[tokio::test(flavor = "multi_thread")]
async fn id_tokens_and_userinfo_are_nested() {
    let ground = ground().await;
    let jose = Jose::start(ground);
    let mut faults = Faults::default();
    assert_eq!(promised(ground, "id_token"), promised(ground, "userinfo"));
    for (alg, enc) in promised(ground, "id_token") {
        let metadata = json!({
            "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc,
            "userinfo_signed_response_alg": "ES256",
            "userinfo_encrypted_response_alg": alg, "userinfo_encrypted_response_enc": enc,
        });
        let (client, key) = client(ground, &jose, metadata, &alg).await;
        let tokens = client.tokens(ground, &[]).await;
        let (inner, header) = jose
            .open(&text(&tokens, "id_token"), &key, &alg, &enc)
            .await;
        outside(&mut faults, "ID Token", &header, &key, &alg, &enc);
        client.id_token(ground, &inner).await;

        let answer = ground.userinfo(&text(&tokens, "access_token")).await;
        faults.same(
            (&alg, &enc, "media type"),
            &answer.header("content-type"),
            &"application/jwt",
        );
        let (inner, header) = jose.open(&answer.body, &key, &alg, &enc).await;
        outside(&mut faults, "UserInfo", &header, &key, &alg, &enc);
        let claims = verify(&inner, &ground.jwks().await).claims;
        faults.same("iss", &claims["iss"], &json!(ground.issuer()));
        faults.same("aud", &claims["aud"], &json!(client.id));
    }
    faults.none();
}

/// OIDC Core 5.3.2: every algorithm under which UserInfo is promised to be signed.
#[tokio::test(flavor = "multi_thread")]
async fn userinfo_is_signed_as_registered() {
    let ground = ground().await;
    let algs = ground.metadata["userinfo_signing_alg_values_supported"].as_array();
    for alg in algs.expect("a list") {
        let client = Client::with(ground, json!({"userinfo_signed_response_alg": alg})).await;
        let tokens = client.tokens(ground, &[]).await;
        let answer = ground.userinfo(&text(&tokens, "access_token")).await;
        assert_eq!(answer.header("content-type"), "application/jwt", "{alg}");
        let read = verify(&answer.body, &ground.jwks().await);
        assert_eq!(read.header["alg"], *alg);
    }
}

/// OIDC Core 6.1 and 10.2: what is encrypted to the keys that are published.
#[tokio::test(flavor = "multi_thread")]
async fn request_objects_are_opened() {
    let ground = ground().await;
    let jose = Jose::start(ground);
    let client = Client::with(ground, json!({"jwks": "own"})).await;
    let keys = ground.jwks().await;
    for (alg, enc) in promised(ground, "request_object") {
        let kty = if alg.starts_with("RSA") { "RSA" } else { "EC" };
        let key = keys["keys"].as_array().expect("keys").iter();
        let key = key
            .filter(|key| key["use"] == "enc" && key["kty"] == kty)
            .find(|key| key["crv"] != "X25519")
            .unwrap_or_else(|| panic!("no key for {alg}"));
        let claims = json!({"iss": client.id, "aud": ground.issuer(), "client_id": client.id, "jti": jti(),
            "iat": now(), "exp": now() + 60, "response_type": "code", "scope": "openid",
            "redirect_uri": conformance_tests::lab::REDIRECT_URI, "state": "inner", "nonce": "inner"});
        let object = client.key.sign("oauth-authz-req+jwt", &claims);
        let order = json!({"do": "encrypt", "alg": alg, "enc": enc, "text": object, "jwk": key});
        let jwe = text(&jose.ask(order).await, "jwe");
        let told = client
            .ask(ground, &ground.citizen, &[("request", &jwe)])
            .await;
        assert_eq!(told.get("state"), "inner", "{alg} {enc}");
        // One letter less, and it opens for nobody.
        let told = client
            .begin(
                ground,
                &ground.citizen,
                &[("request", &jwe[..jwe.len() - 1])],
            )
            .await;
        assert_eq!(told.refusal().1, "invalid_request_object", "{alg} {enc}");
    }
}

/// JARM 2.2.
#[tokio::test(flavor = "multi_thread")]
async fn authorization_answers_are_nested() {
    let ground = ground().await;
    let jose = Jose::start(ground);
    let mut faults = Faults::default();
    for (alg, enc) in promised(ground, "authorization") {
        let metadata = json!({"authorization_signed_response_alg": "ES256",
            "authorization_encrypted_response_alg": alg, "authorization_encrypted_response_enc": enc});
        let (client, key) = client(ground, &jose, metadata, &alg).await;
        let told = client
            .ask(ground, &ground.citizen, &[("response_mode", "query.jwt")])
            .await;
        let (inner, header) = jose.open(told.get("response"), &key, &alg, &enc).await;
        outside(&mut faults, "JARM", &header, &key, &alg, &enc);
        let claims = verify(&inner, &ground.jwks().await).claims;
        let answer = client.redeem(ground, &text(&claims, "code"), &[]).await;
        faults.same((&alg, &enc), &answer.status.as_u16(), &200);
    }
    faults.none();
}

/// RFC 9701 5 and 6.
#[tokio::test(flavor = "multi_thread")]
async fn introspection_answers_are_nested() {
    let ground = ground().await;
    let jose = Jose::start(ground);
    let mut faults = Faults::default();
    let kind = "application/token-introspection+jwt";
    for (alg, enc) in promised(ground, "introspection") {
        let metadata = json!({"introspection_signed_response_alg": "ES256",
            "introspection_encrypted_response_alg": alg, "introspection_encrypted_response_enc": enc});
        let (client, key) = client(ground, &jose, metadata, &alg).await;
        let access = text(&client.tokens(ground, &[]).await, "access_token");
        let program = ground.program();
        let request = program.request(Method::POST, ground.endpoint("introspection_endpoint"));
        let request = client.proven(ground, request, &[("token", &access)]);
        let answer = program.send(request.header("accept", kind)).await;
        faults.same((&alg, &enc), &answer.header("content-type"), &kind);
        let (inner, header) = jose.open(&answer.body, &key, &alg, &enc).await;
        outside(&mut faults, "introspection", &header, &key, &alg, &enc);
        let claims = verify(&inner, &ground.jwks().await).claims;
        faults.same(
            (&alg, &enc),
            &claims["token_introspection"]["active"],
            &json!(true),
        );
    }
    faults.none();
}

/// OIDC Registration 2: a content encryption needs an algorithm; what is not promised is not registered; a key must be there.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_encrypted_is_not_registered() {
    let ground = ground().await;
    let redirect = conformance_tests::lab::REDIRECT_URI;
    for more in [
        json!({"id_token_encrypted_response_enc": "A128GCM"}),
        json!({"id_token_encrypted_response_alg": "RSA1_5"}),
        json!({"userinfo_encrypted_response_alg": "PBES2-HS256+A128KW"}),
        json!({"id_token_encrypted_response_alg": "RSA-OAEP", "id_token_encrypted_response_enc": "A512GCM"}),
    ] {
        let mut metadata = json!({"redirect_uris": [redirect]});
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        let answer = register(ground, &metadata).await;
        assert_eq!(answer.status, 400, "{metadata}: {}", answer.body);
        assert_eq!(
            answer.json()["error"],
            "invalid_client_metadata",
            "{metadata}"
        );
    }
}
