//! Clients that prove themselves with keys of their own.

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::{statement::now, visitor::Answer};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PublicKeyData};
use reqwest::Method;
use serde_json::{Value, json};

use super::cluster::{CHALLENGE, Cluster, REDIRECT_URI, code_form};

/// A client that proves itself with a key of its own.
pub struct Signer {
    pub id: String,
    key: KeyPair,
}

impl Signer {
    /// Registered by an operator's hand, with `more` metadata.
    pub fn registered(cluster: &Cluster, more: &Value) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut jwk = jwk(&key);
        jwk["kid"] = "k1".into();
        jwk["alg"] = "ES256".into();
        let mut metadata = json!({
            "client_name": "自有密钥",
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": {"keys": [jwk]},
        });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        let id = register(cluster, &metadata);
        Self { id, key }
    }

    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(typ.to_owned());
        header.kid = Some("k1".to_owned());
        let key = EncodingKey::from_ec_pem(self.key.serialize_pem().as_bytes()).expect("a key");
        jsonwebtoken::encode(&header, claims, &key).expect("a signature")
    }

    pub fn assertion(&self, issuer: &str) -> String {
        let claims = json!({"iss": self.id, "sub": self.id, "aud": issuer, "jti": jti(),
            "iat": now(), "exp": now() + 60});
        self.sign("JWT", &claims)
    }

    pub fn object(&self, issuer: &str) -> String {
        let claims = json!({"iss": self.id, "aud": issuer, "jti": jti(), "iat": now(), "exp": now() + 60,
            "client_id": self.id, "redirect_uri": REDIRECT_URI, "response_type": "code", "scope": "openid",
            "state": "s", "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256"});
        self.sign("oauth-authz-req+jwt", &claims)
    }

    pub async fn post(
        &self,
        cluster: &Cluster,
        node: usize,
        path: &str,
        assertion: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let party = cluster.person();
        let proof = [
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion),
        ];
        let form: Vec<_> = proof.iter().chain(form).collect();
        let request = party.at[node].request(Method::POST, &cluster.url(path));
        party.at[node].send(request.form(&form)).await
    }

    pub async fn redeem(
        &self,
        cluster: &Cluster,
        node: usize,
        assertion: &str,
        code: &str,
    ) -> Answer {
        self.post(cluster, node, "/token", assertion, &code_form(code))
            .await
    }

    pub async fn push(&self, cluster: &Cluster, node: usize, object: &str) -> Answer {
        let assertion = self.assertion(&cluster.issuer);
        self.post(cluster, node, "/par", &assertion, &[("request", object)])
            .await
    }
}

/// Registers a client from a file of metadata; answers its id.
pub fn register(cluster: &Cluster, metadata: &Value) -> String {
    let file = cluster.path(&format!("{}.json", jti()));
    std::fs::write(&file, metadata.to_string()).expect("a file");
    let file = file.to_str().expect("a readable path");
    let added = cluster.hefu_json(&["client", "add", "--metadata", file]);
    assert_eq!(added["client_secret"], Value::Null, "it has a key instead");
    added["client_id"].as_str().expect("an id").to_owned()
}

/// The public half of a P-256 key.
pub fn jwk(key: &KeyPair) -> Value {
    let point = key.der_bytes();
    let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "use": "sig",
        "x": coordinate(&point[1..33]), "y": coordinate(&point[33..65])})
}

/// A name that nobody used before.
pub fn jti() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}
