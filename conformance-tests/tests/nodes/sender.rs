//! Tokens that are worth nothing to a thief: the FAPI 2.0 profile with DPoP, and with a certificate, by a stranger with crypto
//! of its own. Each step goes to the node that did not take the one before.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use conformance_tests::{
    statement::{now, peek, verify},
    visitor::Answer,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{CertificateParams, KeyPair};
use reqwest::Method;
use serde_json::{Value, json};

use super::cluster::{
    A, B, CHALLENGE, Cluster, Person, REDIRECT_URI, code_form, member, parameter, refusal, shared,
};
use super::signer::{Signer, jti, jwk, register};

const REQUEST: [(&str, &str); 7] = [
    ("redirect_uri", REDIRECT_URI),
    ("response_type", "code"),
    ("scope", "openid offline_access"),
    ("state", "af0ifjsldkj"),
    ("nonce", "n-0S6_WzA2Mj"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

fn hash(data: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, data))
}

/// The code that the person grants for a pushed request.
async fn code(cluster: &Cluster, person: &Person, client: &str, pushed: &Answer) -> String {
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let uri = pushed.json()["request_uri"]
        .as_str()
        .expect("a URI")
        .to_owned();
    let mut url: url::Url = cluster.url("/authorize").parse().expect("a URL");
    url.query_pairs_mut()
        .append_pair("client_id", client)
        .append_pair("request_uri", &uri);
    let answer = person.get(url.as_str()).await;
    let to = cluster.to_the_end(person, "", answer).await;
    assert_eq!(parameter(&to, "iss").as_deref(), Some(&*cluster.issuer));
    parameter(&to, "code").unwrap_or_else(|| panic!("no code: {to}"))
}

/// A key that proves itself with each request (RFC 9449).
struct Holder {
    key: KeyPair,
}

impl Holder {
    fn proof(&self, method: &str, url: &str, more: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(serde_json::from_value(jwk(&self.key)).expect("a JWK"));
        let mut claims = json!({"jti": jti(), "htm": method, "htu": url, "iat": now()});
        for (name, value) in more.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let key = EncodingKey::from_ec_pem(self.key.serialize_pem().as_bytes()).expect("a key");
        jsonwebtoken::encode(&header, &claims, &key).expect("a signature")
    }

    /// RFC 7638 §3.
    fn thumbprint(&self) -> String {
        let key = jwk(&self.key);
        hash(
            format!(
                r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
                key["x"], key["y"]
            )
            .as_bytes(),
        )
    }
}

fn nonce(answer: &Answer) -> String {
    answer.header("dpop-nonce").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_fapi_with_a_key_goes_all_the_way() {
    let cluster = shared().await;
    let person = cluster.newcomer("14000000241").await;
    let signer = Signer::registered(cluster, &json!({"hefu_profile": "fapi2"}));
    let holder = Holder {
        key: KeyPair::generate().expect("a key"),
    };
    let token_url = cluster.url("/token");
    let ask = async |node: usize, form: &[(&str, &str)], proof: Option<&str>| {
        let assertion = signer.assertion(&cluster.issuer);
        let mut form = form.to_vec();
        form.extend([
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
        ]);
        let program = cluster.program(node, None);
        let mut request = program.request(Method::POST, &token_url).form(&form);
        if let Some(proof) = proof {
            request = request.header("DPoP", proof);
        }
        program.send(request).await
    };
    let assertion = signer.assertion(&cluster.issuer);
    let pushed = signer.post(cluster, A, "/par", &assertion, &REQUEST).await;
    let code = code(cluster, &person, &signer.id, &pushed).await;
    let form = code_form(&code);

    let unbound = ask(A, &form, None).await;
    assert_eq!(refusal(&unbound), (400, "invalid_dpop_proof".to_owned()));
    // What one node hands out as a nonce, the other takes; and the code is still good.
    let proof = holder.proof("POST", &token_url, &json!({}));
    let asked = ask(A, &form, Some(&proof)).await;
    assert_eq!(refusal(&asked), (400, "use_dpop_nonce".to_owned()));
    let good = holder.proof("POST", &token_url, &json!({"nonce": nonce(&asked)}));
    let answer = ask(B, &form, Some(&good)).await;
    assert_eq!(member(&answer, "token_type"), "DPoP");
    let replayed = ask(A, &form, Some(&good)).await;
    assert_eq!(refusal(&replayed), (400, "invalid_dpop_proof".to_owned()));

    let jwks = person.at[A].get(&cluster.url("/jwks")).await.json();
    let id_token = verify(&member(&answer, "id_token"), &jwks);
    assert_eq!(id_token.header["alg"], "PS256");
    assert_eq!(id_token.claims["aud"], signer.id);
    assert_eq!(id_token.claims["nonce"], "n-0S6_WzA2Mj");
    let access_token = member(&answer, "access_token");
    let claims = verify(&access_token, &jwks).claims;
    assert_eq!(claims["cnf"], json!({"jkt": holder.thumbprint()}));

    // UserInfo: with a proof for this token, never as Bearer.
    let userinfo = cluster.url("/userinfo");
    let stolen = cluster.userinfo(A, &access_token).await;
    assert_eq!(refusal(&stolen), (401, "invalid_token".to_owned()));
    let more = json!({"ath": hash(access_token.as_bytes()), "nonce": nonce(&answer)});
    let proof = holder.proof("GET", &userinfo, &more);
    let see = async |node: usize| {
        let program = cluster.program(node, None);
        let request = program
            .request(Method::GET, &userinfo)
            .header("Authorization", format!("DPoP {access_token}"))
            .header("DPoP", &proof);
        program.send(request).await
    };
    let seen = see(A).await;
    assert_eq!(member(&seen, "sub"), claims["sub"].as_str().expect("a sub"));
    assert_eq!(
        refusal(&see(B).await),
        (401, "invalid_dpop_proof".to_owned())
    );

    // The refresh token stays the same.
    let refresh_token = member(&answer, "refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
    ];
    let mut last = nonce(&seen);
    for node in [A, B, A] {
        let proof = holder.proof("POST", &token_url, &json!({"nonce": last}));
        let renewed = ask(node, &form, Some(&proof)).await;
        assert_eq!(member(&renewed, "token_type"), "DPoP");
        assert_eq!(renewed.json().get("refresh_token"), None);
        last = nonce(&renewed);
    }
}

/// PEM of a certificate that nobody vouches for and its key, and the certificate in DER.
fn self_signed(key: &KeyPair) -> (String, Vec<u8>) {
    let certificate = CertificateParams::new(vec!["rp.hefu.test".to_owned()])
        .expect("a name")
        .self_signed(key)
        .expect("a certificate");
    let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
    (pem, certificate.der().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_certificate_goes_all_the_way() {
    let cluster = shared().await;
    let person = cluster.newcomer("14000000242").await;
    let key = KeyPair::generate().expect("a key");
    let (identity, der) = self_signed(&key);
    let (foreign, _) = self_signed(&KeyPair::generate().expect("a key"));
    let mut with_certificate = jwk(&key);
    with_certificate["x5c"] = json!([STANDARD.encode(&der)]);
    let id = register(
        cluster,
        &json!({"hefu_profile": "fapi2", "client_name": "自有证书", "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": {"keys": [with_certificate]},
            "tls_client_certificate_bound_access_tokens": true}),
    );
    let discovery = cluster.url("/.well-known/openid-configuration");
    let aliases = person.at[A].get(&discovery).await.json()["mtls_endpoint_aliases"].clone();
    let alias = |name: &str| aliases[name].as_str().expect("an alias").to_owned();
    let par = alias("pushed_authorization_request_endpoint");
    assert!(par.starts_with(&cluster.alias));
    let post =
        async |node, url: &str, client: &str, identity: Option<&str>, form: &[(&str, &str)]| {
            let program = cluster.program(node, identity);
            let form: Vec<_> = form
                .iter()
                .copied()
                .chain([("client_id", client)])
                .collect();
            program
                .send(program.request(Method::POST, url).form(&form))
                .await
        };

    // Nothing, another's certificate, and a word in a header count for nothing.
    let unknown = (401, "invalid_client".to_owned());
    for identity in [None, Some(foreign.as_str())] {
        let refused = post(A, &par, &id, identity, &REQUEST).await;
        assert_eq!(refusal(&refused), unknown);
    }
    for url in [&par, &cluster.url("/par")] {
        let program = cluster.program(B, None);
        let form: Vec<_> = REQUEST.into_iter().chain([("client_id", &*id)]).collect();
        let told = STANDARD.encode(&der);
        let request = program
            .request(Method::POST, url)
            .header("Client-Cert", format!(":{told}:"))
            .header("X-SSL-Client-Cert", &told)
            .form(&form);
        assert_eq!(refusal(&program.send(request).await), unknown);
    }
    // At the ordinary door nobody is asked for a certificate.
    let refused = post(A, &cluster.url("/par"), &id, Some(&identity), &REQUEST).await;
    assert_eq!(refusal(&refused), unknown);

    let pushed = post(A, &par, &id, Some(&identity), &REQUEST).await;
    let code = code(cluster, &person, &id, &pushed).await;
    let form = code_form(&code);
    let token = alias("token_endpoint");
    let answer = post(B, &token, &id, Some(&identity), &form).await;
    assert_eq!(member(&answer, "token_type"), "Bearer");
    let access_token = member(&answer, "access_token");
    assert_eq!(
        peek(&access_token).claims["cnf"],
        json!({"x5t#S256": hash(&der)})
    );
    let see = async |node, url: &str, identity: Option<&str>| {
        let program = cluster.program(node, identity);
        let request = program.request(Method::GET, url).bearer_auth(&access_token);
        program.send(request).await
    };
    let userinfo = alias("userinfo_endpoint");
    assert_eq!(see(A, &userinfo, Some(&identity)).await.status, 200);
    let invalid = (401, "invalid_token".to_owned());
    for (url, identity) in [
        (&userinfo, None),
        (&userinfo, Some(foreign.as_str())),
        (&cluster.url("/userinfo"), Some(identity.as_str())),
    ] {
        assert_eq!(refusal(&see(B, url, identity).await), invalid);
    }
    // Pages are not served there, nor other hosts.
    let program = cluster.program(A, Some(&identity));
    let page = program.get(&format!("{}/authorize", cluster.alias)).await;
    assert_eq!(page.status, 404);
    let elsewhere = cluster.alias.replace("mtls.hefu.test", "id.hefu.test");
    assert_eq!(program.get(&format!("{elsewhere}/token")).await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_an_authority_vouches_for_is_a_client() {
    let cluster = shared().await;
    let id = register(
        cluster,
        &json!({"hefu_profile": "fapi2", "client_name": "机构证书", "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "rp.hefu.test"}),
    );
    let par = format!("{}/par", cluster.alias);
    let (unvouched, _) = self_signed(&KeyPair::generate().expect("a key"));
    for (identity, status) in [
        (cluster.client_identity("rp.hefu.test"), 201),
        (cluster.client_identity("other.hefu.test"), 401),
        (unvouched, 401),
    ] {
        let program = cluster.program(A, Some(&identity));
        let form: Vec<_> = REQUEST.into_iter().chain([("client_id", &*id)]).collect();
        let answer = program
            .send(program.request(Method::POST, &par).form(&form))
            .await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}
