//! What leaves for one client alone, and what clients encrypt to us.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use aws_lc_rs::signature::KeyPair as _;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::authn::Factor;
use hefu::crypto::{BoxFuture, DecryptError, Decrypter, Recovery, Secret};
use hefu::jose::jwe::{self, Accepted, Keys, Recipient};
use hefu::jose::{JwkSet, UnverifiedJws};
use hefu::oauth::{Algorithm, ContentEncryption, KeyManagement};
use hefu::random::RngSource;
use serde_json::{Map, Value, json};

use super::{Answer, Browser, ISSUER, TestHouse, basic, encode};
use crate::support::federation::{LEAF, MIDDLE, TestKey};

const CB: &str = "https://box.example/cb";

/// What a client holds: an RSA and a P-256 key.
pub(super) struct ClientKeys {
    rsa: OaepPrivateDecryptingKey,
    pub(super) rsa_jwk: Value,
    ec: PrivateKey,
    pub(super) ec_jwk: Value,
}

impl ClientKeys {
    pub(super) fn new() -> Self {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let rsa = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
        let pair = KeyPair::from_pkcs8(der.as_ref()).unwrap();
        let public = pair.public_key();
        let ec = PrivateKey::generate(&agreement::ECDH_P256).unwrap();
        let point = ec.compute_public_key().unwrap();
        Self {
            rsa_jwk: json!({"kty": "RSA", "use": "enc", "kid": "client rsa",
                "n": b64(public.modulus().big_endian_without_leading_zero()),
                "e": b64(public.exponent().big_endian_without_leading_zero())}),
            ec_jwk: json!({"kty": "EC", "use": "enc", "kid": "client ec", "crv": "P-256",
                "x": b64(&point.as_ref()[1..33]), "y": b64(&point.as_ref()[33..])}),
            rsa: OaepPrivateDecryptingKey::new(rsa).unwrap(),
            ec,
        }
    }

    pub(super) fn jwks(&self) -> Value {
        json!({"keys": [TestKey::of("protocol key").jwk(), self.rsa_jwk, self.ec_jwk]})
    }

    /// RSA-OAEP-256 with A256GCM by RFC 7516 §5.2, without hefu's own reader.
    fn open_by_hand(&self, token: &str) -> (Value, String) {
        let parts: Vec<&str> = token.split('.').collect();
        let bytes = |i: usize| URL_SAFE_NO_PAD.decode(parts[i]).unwrap();
        let mut out = vec![0; self.rsa.min_output_size()];
        let key = self
            .rsa
            .decrypt(&OAEP_SHA256_MGF1SHA256, &bytes(1), &mut out, None);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.unwrap()).unwrap());
        let mut content = [bytes(3), bytes(4)].concat();
        let nonce = Nonce::try_assume_unique_for_key(&bytes(2)).unwrap();
        let plain = key.open_in_place(nonce, Aad::from(parts[0]), &mut content);
        (
            serde_json::from_slice(&bytes(0)).unwrap(),
            String::from_utf8(plain.unwrap().to_vec()).unwrap(),
        )
    }

    pub(super) async fn open(
        &self,
        token: &str,
        alg: KeyManagement,
        enc: ContentEncryption,
    ) -> jwe::Opened {
        let accepted = Accepted {
            algorithms: &[alg],
            encryptions: &[enc],
            limit: 100_000,
        };
        let mut rng = RngSource::System.rng();
        jwe::decrypt(token, Keys::Ours(self), &accepted, &mut rng)
            .await
            .unwrap()
    }
}

impl std::fmt::Debug for ClientKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientKeys")
    }
}

impl Decrypter for ClientKeys {
    fn recover<'a>(
        &'a self,
        kid: Option<&'a str>,
        what: Recovery<'a>,
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, DecryptError>> {
        let recovered = match what {
            Recovery::Unwrap { alg, encrypted_key } => {
                assert_eq!(kid, Some("client rsa"));
                let hash = match alg {
                    KeyManagement::RsaOaep => &OAEP_SHA1_MGF1SHA1,
                    _ => &OAEP_SHA256_MGF1SHA256,
                };
                let mut out = vec![0; self.rsa.min_output_size()];
                let key = self.rsa.decrypt(hash, encrypted_key, &mut out, None);
                key.unwrap().to_vec()
            }
            Recovery::Agree { peer, .. } => {
                assert_eq!(kid, Some("client ec"));
                let peer = UnparsedPublicKey::new(&agreement::ECDH_P256, peer);
                agree(&self.ec, peer, (), |secret| Ok(secret.to_vec())).unwrap()
            }
        };
        Box::pin(async move { Ok(Secret::new(recovered)) })
    }
}

/// A house with the client `box`, whose registration has these members too.
async fn house(keys: &ClientKeys, more: Value) -> TestHouse {
    let mut client = json!({"client_id": "box", "client_secret": "box secret", "redirect_uris": [CB],
        "id_token_signed_response_alg": "ES256", "jwks": keys.jwks()});
    for (name, value) in more.as_object().unwrap() {
        client[name] = value.clone();
    }
    let client = client.as_object().unwrap().clone();
    TestHouse::with(4, |settings| settings.clients.push(client)).await
}

async fn citizen(house: &TestHouse) -> Browser<'_> {
    let person = house.citizen(true).await;
    house.consent(&person, "box", "openid real_name").await;
    house.consent(&person, LEAF, "openid real_name").await;
    house.session(&person, &[Factor::Password]).await.1
}

/// A login of `box`: what the token endpoint answers.
async fn tokens(browser: &mut Browser<'_>) -> Value {
    let asked = browser
        .ask_plain("box", CB, &[("scope", "openid real_name")])
        .await;
    let code = asked.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CB),
    ];
    let authorization = basic("box", "box secret");
    let answer = browser.house.post("/token", &form, Some(&authorization));
    let answer = answer.await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

pub(super) async fn jwks(house: &TestHouse) -> JwkSet {
    let request = Request::get("/jwks").body(Body::empty()).unwrap();
    JwkSet::parse_strict(&house.send(request).await.json()).unwrap()
}

/// Header and claims of a token of ours, whose signature verifies under ES256 with a published key.
pub(super) async fn verified(house: &TestHouse, token: &str) -> (Map<String, Value>, Value) {
    let jws = UnverifiedJws::parse(token, 10_000).unwrap();
    let set = jwks(house).await;
    let key = set.find(jws.header.kid.as_deref().unwrap()).unwrap();
    assert!(key.verify(Algorithm::ES256, jws.signing_input(), jws.signature()));
    assert_eq!(jws.header.kid.as_deref(), Some(key.thumbprint()));
    let members = jws.header.members.clone();
    (members, serde_json::from_slice(&jws.payload).unwrap())
}

fn shown(answer: &Answer) -> (u16, &str, &str) {
    let header = |name| answer.headers[name].to_str().unwrap();
    (
        answer.status.as_u16(),
        header("content-type"),
        header("cache-control"),
    )
}

#[tokio::test]
async fn userinfo_is_signed_for_who_registered_it() {
    let keys = ClientKeys::new();
    let house = house(&keys, json!({"userinfo_signed_response_alg": "ES256"})).await;
    let mut browser = citizen(&house).await;
    let tokens = tokens(&mut browser).await;
    let (_, id_token) = verified(&house, tokens["id_token"].as_str().unwrap()).await;
    let access = tokens["access_token"].as_str().unwrap();
    let answer = house.userinfo(access).await;
    assert_eq!(shown(&answer), (200, "application/jwt", "no-store"));
    let (header, claims) = verified(&house, &answer.body).await;
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("ES256"), &json!("JWT"))
    );
    assert_eq!(
        claims,
        json!({"iss": ISSUER, "aud": "box", "sub": id_token["sub"], "name": "测试甲",
            "cn_id_number_masked": "4499**********0014", "assurance_level": "rn2"})
    );
    // It is neither an access token nor, as a hint, an ID Token: someone else is not told that it is another's.
    let wrong = house.userinfo(&answer.body).await;
    assert_eq!(wrong.json()["error"], "invalid_token");
    let other = house.citizen(false).await;
    house.consent(&other, "box", "openid").await;
    let (_, mut another) = house.session(&other, &[Factor::Password]).await;
    for (hint, told) in [
        (&*answer.body, "code"),
        (tokens["id_token"].as_str().unwrap(), "error"),
    ] {
        let more = [("prompt", "none"), ("id_token_hint", hint)];
        let asked = another.ask_plain("box", CB, &more).await;
        assert!(asked.told().contains_key(told), "{}", asked.location());
    }
    // Errors stay what they were.
    let refused = house.userinfo("nothing").await;
    assert_eq!(shown(&refused), (401, "application/json", "no-store"));
}

#[tokio::test]
async fn an_id_token_is_encrypted_after_it_was_signed() {
    let keys = ClientKeys::new();
    let house = house(
        &keys,
        json!({"id_token_encrypted_response_alg": "RSA-OAEP-256", "id_token_encrypted_response_enc": "A256GCM"}),
    )
    .await;
    let mut browser = citizen(&house).await;
    let tokens = tokens(&mut browser).await;
    let sealed = tokens["id_token"].as_str().unwrap();
    let (header, signed) = keys.open_by_hand(sealed);
    assert_eq!(
        header,
        json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "kid": "client rsa"})
    );
    let (_, claims) = verified(&house, &signed).await;
    let expected = json!({"iss": ISSUER, "aud": "box", "sub": claims["sub"], "sid": claims["sid"],
        "iat": house.now().0, "exp": house.now().0 + 300, "auth_time": house.now().0, "at_hash": claims["at_hash"],
        "acr": "https://hefu.example/acr/L1", "amr": ["pwd"]});
    assert_eq!(claims, expected);
    // UserInfo was not registered so.
    let answer = house
        .userinfo(tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(shown(&answer), (200, "application/json", "no-store"));

    // OIDC Core 3.1.2.1: it comes back as a hint without its encryption, or encrypted to us.
    let ours = jwks(&house).await;
    let back = sealed_to(
        &ours,
        KeyManagement::EcdhEs,
        ContentEncryption::A128Gcm,
        &signed,
    );
    let other = house.citizen(false).await;
    house.consent(&other, "box", "openid").await;
    let (_, mut another) = house.session(&other, &[Factor::Password]).await;
    for (hint, same, stranger) in [
        (&*signed, "code", "error"),
        (&*back, "code", "error"),
        // It is not for us to open: as if there were none.
        (sealed, "code", "code"),
    ] {
        let more = [("prompt", "none"), ("id_token_hint", hint)];
        let asked = browser.ask_plain("box", CB, &more).await;
        assert!(asked.told().contains_key(same), "{}", asked.location());
        let asked = another.ask_plain("box", CB, &more).await;
        assert!(asked.told().contains_key(stranger), "{}", asked.location());
    }
}

#[tokio::test]
async fn userinfo_is_encrypted_with_and_without_a_signature() {
    use ContentEncryption as C;
    use KeyManagement as K;
    let keys = ClientKeys::new();
    for (alg, enc, signed) in [
        (K::RsaOaep, C::A128CbcHs256, false),
        (K::EcdhEs, C::A256Gcm, false),
        (K::EcdhEsA256Kw, C::A128CbcHs256, true),
    ] {
        let mut more = json!({"userinfo_encrypted_response_alg": alg});
        if enc != C::A128CbcHs256 {
            more["userinfo_encrypted_response_enc"] = json!(enc);
        }
        if signed {
            more["userinfo_signed_response_alg"] = json!("ES256");
        }
        let house = house(&keys, more).await;
        let tokens = tokens(&mut citizen(&house).await).await;
        let (_, id_token) = verified(&house, tokens["id_token"].as_str().unwrap()).await;
        let answer = house
            .userinfo(tokens["access_token"].as_str().unwrap())
            .await;
        assert_eq!(
            shown(&answer),
            (200, "application/jwt", "no-store"),
            "{alg}"
        );
        let opened = keys.open(&answer.body, alg, enc).await;
        let mut expected = json!({"sub": id_token["sub"], "name": "测试甲",
            "cn_id_number_masked": "4499**********0014", "assurance_level": "rn2"});
        let cty = opened.header.members.get("cty").and_then(Value::as_str);
        let claims = if signed {
            expected["iss"] = ISSUER.into();
            expected["aud"] = "box".into();
            assert_eq!(cty, Some("JWT"));
            verified(&house, opened.jwt().unwrap()).await.1
        } else {
            assert_eq!(cty, None);
            serde_json::from_slice(opened.plaintext.reveal()).unwrap()
        };
        assert_eq!(claims, expected, "{alg}");
    }
}

pub(super) fn sealed_to(
    ours: &JwkSet,
    alg: KeyManagement,
    enc: ContentEncryption,
    jwt: &str,
) -> String {
    let to = Recipient::Key(ours.for_encryption(alg).unwrap());
    jwe::encrypt_jwt(jwt, to, alg, enc, &mut RngSource::System.rng()).unwrap()
}

/// A signed request object of `box`.
fn object(house: &TestHouse, jti: &str) -> String {
    let claims = json!({"iss": "box", "client_id": "box", "aud": ISSUER, "exp": house.now().0 + 60, "jti": jti,
        "response_type": "code", "redirect_uri": CB, "scope": "openid", "state": "inner"});
    TestKey::of("protocol key").jwt("oauth-authz-req+jwt", &claims)
}

async fn ask(browser: &mut Browser<'_>, object: &str) -> Answer {
    let more = [("request", object), ("state", "outer")];
    browser.ask_plain("box", CB, &more).await
}

#[tokio::test]
async fn request_objects_encrypted_to_us_are_opened() {
    let keys = ClientKeys::new();
    let house = house(&keys, json!({"request_object_encryption_alg": "RSA-OAEP"})).await;
    let mut browser = citizen(&house).await;
    let ours = jwks(&house).await;
    let mut count = 0;
    for alg in KeyManagement::PUBLIC {
        for enc in ContentEncryption::ALL {
            count += 1;
            let sealed = sealed_to(&ours, alg, enc, &object(&house, &format!("{count}")));
            let told = ask(&mut browser, &sealed).await.told();
            assert!(told.contains_key("code"), "{alg} {enc}: {told:?}");
            assert_eq!(told["state"], "inner");
            // Once, whatever it is wrapped in.
            let again = ask(&mut browser, &sealed).await.told();
            assert_eq!(again["error"], "invalid_request_object");
        }
    }
    let (alg, enc) = (KeyManagement::EcdhEsA128Kw, ContentEncryption::A128CbcHs256);
    // By POST from another site: it waits as it was sent.
    let sealed = sealed_to(&ours, alg, enc, &object(&house, "post"));
    let form = [("client_id", "box"), ("request", &*sealed)];
    let parked = house.browser().post("/authorize", &form).await.location();
    let path = format!("{}?{}", parked.path(), parked.query().unwrap());
    assert!(browser.get(&path).await.told().contains_key("code"));
    // Pushed.
    let sealed = sealed_to(&ours, alg, enc, &object(&house, "par"));
    let form = [("client_id", "box"), ("request", &*sealed)];
    let authorization = basic("box", "box secret");
    let pushed = house.post("/par", &form, Some(&authorization)).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    // By a client of the federation, whose object proves it, and is found by the chain in it.
    let sealed = sealed_to(&ours, alg, enc, &house.request_object("leaf", json!({})));
    let query = encode(&[("client_id", LEAF), ("request", &sealed)]);
    let asked = browser.get(&format!("/authorize?{query}")).await;
    assert!(asked.told().contains_key("code"));
    let sealed = sealed_to(
        &ours,
        alg,
        enc,
        &house.request_object("leaf par", json!({})),
    );
    let form = [("client_id", LEAF), ("request", &*sealed)];
    let pushed = house.post("/par", &form, None).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
}

#[tokio::test]
async fn what_does_not_open_is_refused_and_tells_nothing() {
    use ContentEncryption as C;
    use KeyManagement as K;
    let keys = ClientKeys::new();
    let house = house(&keys, json!({})).await;
    let mut browser = citizen(&house).await;
    let ours = jwks(&house).await;
    let good = object(&house, "good");
    let to = |alg, enc| sealed_to(&ours, alg, enc, &good);
    let part = |token: &str, which: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let mut bytes = URL_SAFE_NO_PAD.decode(&parts[which]).unwrap();
        change(&mut bytes);
        parts[which] = URL_SAFE_NO_PAD.encode(bytes);
        parts.join(".")
    };
    let header = |token: &str, name: &str, value: Value| {
        part(token, 0, &|bytes| {
            let mut header: Value = serde_json::from_slice(bytes).unwrap();
            header[name] = value.clone();
            *bytes = header.to_string().into_bytes();
        })
    };
    let flip = |token: &str, which| part(token, which, &|bytes| bytes[0] ^= 1);
    let undecrypted = "the request object does not decrypt";
    let mut cases = Vec::new();
    for alg in [K::RsaOaep, K::RsaOaep256, K::EcdhEs, K::EcdhEsA256Kw] {
        for enc in [C::A128CbcHs256, C::A256Gcm] {
            let token = to(alg, enc);
            for which in [1, 2, 3, 4] {
                if !(which == 1 && alg == K::EcdhEs) {
                    cases.push((flip(&token, which), undecrypted));
                }
            }
            cases.push((header(&token, "x", json!(1)), undecrypted));
        }
    }
    let token = to(K::RsaOaep256, C::A256Gcm);
    let inside = |jwt: &str| sealed_to(&ours, K::EcdhEs, C::A128Gcm, jwt);
    let foreign = TestKey::of("a stranger").named("key of protocol key");
    let claims =
        json!({"iss": "box", "client_id": "box", "aud": ISSUER, "exp": house.now().0 + 60});
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let other_ring = TestHouse::new().await;
    let foreign_set = jwks(&other_ring).await;
    cases.extend([
        (
            header(&token, "alg", json!("RSA1_5")),
            "the request object is not encrypted under algorithms that we offer",
        ),
        (
            header(&token, "alg", json!("dir")),
            "the request object is not encrypted under algorithms that we offer",
        ),
        (
            header(&token, "enc", json!("A128CBC")),
            "the request object is not encrypted under algorithms that we offer",
        ),
        (
            header(&token, "zip", json!("DEF")),
            "the request object is compressed, which is not accepted",
        ),
        (
            header(&token, "crit", json!(["x"])),
            "the request object demands an extension that is not understood",
        ),
        (
            header(&token, "kid", json!("x")),
            "the request object is encrypted to a key that is not ours",
        ),
        (
            sealed_to(&foreign_set, K::EcdhEs, C::A128Gcm, &good),
            "the request object is encrypted to a key that is not ours",
        ),
        (header(&token, "cty", json!("json")), undecrypted),
        (
            "a.b.c.d.e".to_owned(),
            "the request object is not a compact JWE",
        ),
        // Encryption proves nothing: what is inside is verified like anything else.
        (
            inside(&claims.to_string()),
            "the request object is not a signed JWT",
        ),
        (inside(""), "the request object is not a signed JWT"),
        (
            inside(&unsigned),
            "the request object is not signed with an allowed algorithm",
        ),
        (
            inside(&foreign.jwt("oauth-authz-req+jwt", &claims)),
            "the signature of the request object does not verify",
        ),
        (inside(&token), "the request object is not a signed JWT"),
    ]);
    let authorization = basic("box", "box secret");
    for (i, (sealed, description)) in cases.iter().enumerate() {
        let told = ask(&mut browser, sealed).await.told();
        let refused = [
            ("error", "invalid_request_object"),
            ("error_description", description),
            ("iss", ISSUER),
            ("state", "outer"),
        ];
        let refused = refused.map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(told, refused.into(), "case {i}");
        let form = [("client_id", "box"), ("request", &**sealed)];
        let pushed = house.post("/par", &form, Some(&authorization)).await;
        let said = (pushed.status.as_u16(), pushed.json());
        let expected = json!({"error": "invalid_request_object", "error_description": description});
        assert_eq!(said, (400, expected), "case {i}");
    }
    // Longer than any address: pushed.
    let long = format!("{token}{}", "A".repeat(92_000));
    let form = [("client_id", "box"), ("request", &*long)];
    let pushed = house.post("/par", &form, Some(&authorization)).await.json();
    assert_eq!(
        pushed["error_description"],
        "the request object is too long"
    );
    // Without an address of the client's own outside, a page.
    let sealed = flip(&token, 4);
    let query = encode(&[("client_id", "box"), ("request", &sealed)]);
    let shown = browser.get(&format!("/authorize?{query}")).await;
    assert_eq!(shown.element("error-code"), "invalid_request_object");
    // None of this used it up.
    assert!(ask(&mut browser, &token).await.told().contains_key("code"));
}

/// The leaf wants encrypted ID Tokens and UserInfo, and publishes `keys`.
fn leaf(house: &TestHouse, keys: &Value, uri: &str) {
    let metadata = json!({"openid_relying_party": {
        "redirect_uris": ["https://leaf.example/cb"], "client_registration_types": ["automatic"],
        "jwks_uri": uri, "scope": "openid real_name",
        "id_token_signed_response_alg": "ES256",
        "id_token_encrypted_response_alg": "ECDH-ES", "userinfo_signed_response_alg": "ES256",
        "userinfo_encrypted_response_alg": "RSA-OAEP"}});
    house.world.entity(LEAF, &[MIDDLE], metadata);
    house.world.document(uri, keys.to_string());
}

#[tokio::test]
async fn a_client_without_a_fitting_key_gets_no_token_until_it_publishes_one() {
    let keys = ClientKeys::new();
    let house = TestHouse::new().await;
    let signing_only = TestKey::of("protocol key").jwks();
    let uri = "https://leaf.example/jwks";
    leaf(&house, &signing_only, uri);
    let mut browser = citizen(&house).await;
    let code = browser.ask("1", json!({})).await.told()["code"].clone();
    let refused = house.redeem(&code, "a", &[]).await;
    assert_eq!(shown(&refused), (400, "application/json", "no-store"));
    insta::assert_snapshot!(refused.body, @r#"{"error":"invalid_request","error_description":"the client has no usable key for the encryption that it registered"}"#);

    // A minute later its new keys are looked at, and the code of that login is still good.
    house.clock.advance(61);
    let code = browser.ask("2", json!({})).await.told()["code"].clone();
    house.world.document(uri, keys.jwks().to_string());
    let answer = house.redeem(&code, "b", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    let sealed = tokens["id_token"].as_str().unwrap();
    let (alg, enc) = (KeyManagement::EcdhEs, ContentEncryption::A128CbcHs256);
    let opened = keys.open(sealed, alg, enc).await;
    let (_, claims) = verified(&house, opened.jwt().unwrap()).await;
    assert_eq!(claims["aud"], LEAF);
    let access = tokens["access_token"].as_str().unwrap();
    let told = house.userinfo(access).await;
    let opened = keys.open(&told.body, KeyManagement::RsaOaep, enc).await;
    let (_, told) = verified(&house, opened.jwt().unwrap()).await;
    assert_eq!((&told["aud"], &told["sub"]), (&json!(LEAF), &claims["sub"]));

    // It takes its keys away again: nothing is told unencrypted.
    house.world.document(uri, signing_only.to_string());
    house.clock.advance(100);
    let fresh = "an unknown kid makes us look";
    let assertion = TestKey::of("protocol key")
        .named(fresh)
        .jwt("JWT", &json!({"sub": LEAF}));
    let form = [
        ("client_assertion", &*assertion),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_id", LEAF),
    ];
    house.post("/token", &form, None).await;
    let refused = house.userinfo(access).await;
    assert_eq!(shown(&refused), (400, "application/json", "no-store"));
    assert_eq!(refused.json()["error"], "invalid_request");
}
