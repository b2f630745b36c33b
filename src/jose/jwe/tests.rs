//! Published vectors (`vectors.json`: RFC 7516, RFC 7520, the JOSE cookbook) and what is refused by its form or its key.
//! `altered` has every way to alter a token, and every algorithm there and back.

mod altered;

use std::future::Future;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeyPair, KeyPairComponents, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256,
    OaepPrivateDecryptingKey, PrivateDecryptingKey, PublicKeyComponents,
};

use super::*;
use crate::crypto::{BoxFuture, DecryptError, Recovery};
use crate::jose::JwkSet;
use crate::oauth::EncryptionKey;
use crate::random::RngSource;

const LIMIT: usize = 16 * 1024;

/// One private JWK, as the vectors write them.
struct TestKey {
    kid: Option<String>,
    kind: EncryptionKey,
    private: TestPrivate,
}

enum TestPrivate {
    Rsa(OaepPrivateDecryptingKey),
    Curve(PrivateKey),
}

impl TestKey {
    fn of(jwk: &Value) -> Self {
        let b = |name: &str| {
            URL_SAFE_NO_PAD
                .decode(
                    jwk[name]
                        .as_str()
                        .unwrap_or_else(|| panic!("{name} of {jwk}")),
                )
                .unwrap()
        };
        let curve = |kind, algorithm| {
            let key = PrivateKey::from_private_key(algorithm, &b("d")).unwrap();
            (kind, TestPrivate::Curve(key))
        };
        let (kind, private) = match jwk["crv"].as_str() {
            None => {
                let pair = KeyPair::from_components(&KeyPairComponents {
                    public_key: PublicKeyComponents {
                        n: b("n"),
                        e: b("e"),
                    },
                    d: b("d"),
                    p: b("p"),
                    q: b("q"),
                    dP: b("dp"),
                    dQ: b("dq"),
                    qInv: b("qi"),
                })
                .unwrap();
                let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
                let key = PrivateDecryptingKey::from_pkcs8(der.as_ref()).unwrap();
                let key = OaepPrivateDecryptingKey::new(key).unwrap();
                (EncryptionKey::Rsa, TestPrivate::Rsa(key))
            }
            Some("P-256") => curve(EncryptionKey::P256, &agreement::ECDH_P256),
            Some("P-384") => curve(EncryptionKey::P384, &agreement::ECDH_P384),
            Some("X25519") => curve(EncryptionKey::X25519, &agreement::X25519),
            Some(other) => panic!("{other}"),
        };
        Self {
            kid: jwk["kid"].as_str().map(str::to_owned),
            kind,
            private,
        }
    }
}

impl std::fmt::Debug for TestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestKey")
    }
}

impl Decrypter for TestKey {
    fn recover<'a>(
        &'a self,
        kid: Option<&'a str>,
        what: Recovery<'a>,
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, DecryptError>> {
        Box::pin(async move {
            if kid.is_some() && kid != self.kid.as_deref() || what.kind() != self.kind {
                return Err(DecryptError::NoKey);
            }
            match (&self.private, what) {
                (TestPrivate::Rsa(key), Recovery::Unwrap { alg, encrypted_key }) => {
                    let hash = match alg {
                        KeyManagement::RsaOaep => &OAEP_SHA1_MGF1SHA1,
                        _ => &OAEP_SHA256_MGF1SHA256,
                    };
                    let mut out = vec![0; key.min_output_size()];
                    let opened = key
                        .decrypt(hash, encrypted_key, &mut out, None)
                        .map_err(|_| DecryptError::Failed)?;
                    Ok(Secret::new(opened.to_vec()))
                }
                (TestPrivate::Curve(key), Recovery::Agree { peer, .. }) => agreement::agree(
                    key,
                    UnparsedPublicKey::new(key.algorithm(), peer),
                    DecryptError::Failed,
                    |secret| Ok(Secret::new(secret.to_vec())),
                ),
                _ => Err(DecryptError::NoKey),
            }
        })
    }
}

/// Nothing here ever waits. `Send`: a handler may decrypt.
fn now<T>(future: impl Future<Output = T> + Send) -> T {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a key of memory does not wait"),
    }
}

fn everything() -> Vec<KeyManagement> {
    KeyManagement::PUBLIC
        .into_iter()
        .chain(KeyManagement::SECRET)
        .collect()
}

fn open(token: &str, keys: Keys<'_>) -> Result<Opened, JweError> {
    let accepted = Accepted {
        algorithms: &everything(),
        encryptions: &ContentEncryption::ALL,
        limit: LIMIT,
    };
    now(decrypt(
        token,
        keys,
        &accepted,
        &mut RngSource::System.rng(),
    ))
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

/// The private key of a vector.
fn vector_key(source: &str) -> Value {
    vectors()["opened"]
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["source"] == source)
        .unwrap()["key"]
        .clone()
}

fn public(key: &Value) -> Jwk {
    let mut public = key.as_object().unwrap().clone();
    public.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi", "alg"].contains(&name.as_str()));
    Jwk::parse(&Value::Object(public)).unwrap()
}

#[test]
fn published_vectors_open() {
    let mut opened = 0;
    for vector in vectors()["opened"].as_array().unwrap() {
        let (source, token) = (&vector["source"], vector["token"].as_str().unwrap());
        let plaintext = if let Some(k) = vector["key"]["k"].as_str() {
            // Keys that are no client secret: the same steps, one by one.
            let key = URL_SAFE_NO_PAD.decode(k).unwrap();
            let sealed = Sealed::parse(token, LIMIT).unwrap();
            let enc = sealed.header.members["enc"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            let key = match sealed.header.alg.as_str() {
                "dir" => key,
                _ => key_management::unwrap(&key, &sealed.encrypted_key)
                    .unwrap()
                    .to_vec(),
            };
            content::open(
                enc,
                &key,
                &sealed.iv,
                sealed.protected,
                &sealed.ciphertext,
                &sealed.tag,
            )
            .unwrap_or_else(|e| panic!("{source}: {e:?}"))
            .to_vec()
        } else {
            let key = TestKey::of(&vector["key"]);
            open(token, Keys::Ours(&key))
                .unwrap_or_else(|e| panic!("{source}: {e}"))
                .plaintext
                .reveal()
                .clone()
        };
        assert_eq!(
            String::from_utf8(plaintext).unwrap(),
            vector["plaintext"].as_str().unwrap(),
            "{source}"
        );
        opened += 1;
    }
    assert_eq!(opened, 8);
}

#[test]
fn what_is_too_weak_or_compressed_is_refused() {
    let key = TestKey::of(&vector_key("RFC 7516 A.1"));
    let secret = ClientSecret::new("secret".to_owned());
    let errors: Vec<_> = vectors()["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| {
            let token = v["token"].as_str().unwrap();
            [Keys::Ours(&key), Keys::Secret(&secret)].map(|k| open(token, k).err())
        })
        .collect();
    assert_eq!(
        errors,
        [
            [Some(JweError::Algorithm), Some(JweError::Algorithm)],
            [Some(JweError::Compressed), Some(JweError::Compressed)],
        ]
    );
}

/// RFC 7518 appendix B.1 to B.3.
#[test]
fn cbc_with_hmac_as_in_rfc_7518() {
    let plaintext = b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience";
    let aad = b"The second principle of Auguste Kerckhoffs";
    let iv = hex("1af38c2dc2b96ffdd86694092341bc04");
    for (enc, ciphertext_start, tag) in [
        (
            ContentEncryption::A128CbcHs256,
            "c80edfa32ddf39d5ef00c0b468834279",
            "652c3fa36b0a7c5b3219fab3a30bc1c4",
        ),
        (
            ContentEncryption::A192CbcHs384,
            "ea65da6b59e61edb419be62d19712ae5",
            "8490ac0e58949bfe51875d733f93ac2075168039ccc733d7",
        ),
        (
            ContentEncryption::A256CbcHs512,
            "4affaaadb78c31c5da4b1b590d10ffbd",
            "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5",
        ),
    ] {
        let length = u8::try_from(content::key_length(enc)).unwrap();
        let key: Vec<u8> = (0..length).collect();
        let (ciphertext, made) = content::seal(enc, &key, &iv, aad, plaintext).unwrap();
        assert_eq!(ciphertext[..16], hex(ciphertext_start), "{enc}");
        assert_eq!(made, hex(tag), "{enc}");
        let opened = content::open(enc, &key, &iv, aad, &ciphertext, &made).unwrap();
        assert_eq!(opened.as_slice(), plaintext);
    }
}

/// RFC 7518 appendix C.
#[test]
fn the_agreed_key_of_rfc_7518() {
    let alice = json!({"kty": "EC", "crv": "P-256",
        "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        "d": "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"});
    let bob = json!({"kty": "EC", "crv": "P-256",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"});
    let header = json!({"alg": "ECDH-ES", "enc": "A128GCM", "apu": "QWxpY2U", "apv": "Qm9i"});
    for (ours, theirs) in [(&alice, &bob), (&bob, &alice)] {
        let theirs = public(theirs);
        let peer = [vec![4], theirs.number("x"), theirs.number("y")].concat();
        let what = Recovery::Agree {
            kind: EncryptionKey::P256,
            peer: &peer,
        };
        let secret = now(TestKey::of(ours).recover(None, what)).unwrap();
        let key = key_management::derive(
            KeyManagement::EcdhEs,
            ContentEncryption::A128Gcm,
            secret.reveal(),
            header.as_object().unwrap(),
        )
        .unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(&*key), "VqqN6vgjbSBcIijNcacQGg");
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Key pairs of every kind, from the vectors.
fn pairs() -> Vec<(Jwk, TestKey)> {
    [
        "RFC 7516 A.1",
        "RFC 7520 5.5",
        "RFC 7520 5.4",
        "JOSE cookbook, curve25519/ecdh-es",
    ]
    .into_iter()
    .map(|source| {
        let key = vector_key(source);
        (public(&key), TestKey::of(&key))
    })
    .collect()
}

/// Encrypts under `alg`, to whichever key or secret fits.
fn sealed(alg: KeyManagement, enc: ContentEncryption, pairs: &[(Jwk, TestKey)]) -> String {
    let secret = secret();
    let to = pairs
        .iter()
        .find(|(jwk, _)| jwk.encrypts(alg))
        .map_or(Recipient::Secret(&secret), |(jwk, _)| Recipient::Key(jwk));
    encrypt_jwt("a.b.c", to, alg, enc, &mut RngSource::seeded(1).rng()).unwrap()
}

fn secret() -> ClientSecret {
    ClientSecret::new("a secret that both sides hold".to_owned())
}

#[test]
fn forms_that_are_refused() {
    let pairs = pairs();
    let token = sealed(KeyManagement::EcdhEs, ContentEncryption::A128Gcm, &pairs);
    let parts: Vec<&str> = token.split('.').collect();
    let with_header = |change: &dyn Fn(&mut Map<String, Value>)| {
        let header = URL_SAFE_NO_PAD.decode(parts[0]).unwrap();
        let mut header: Map<String, Value> = serde_json::from_slice(&header).unwrap();
        change(&mut header);
        let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        [&[header.as_str()], &parts[1..]].concat().join(".")
    };
    let set = |name: &'static str, value: Value| {
        with_header(&|h| {
            h.insert(name.to_owned(), value.clone());
        })
    };
    let other_curve = public(&vector_key("RFC 7520 5.4")).to_value();
    let off_curve = {
        let mut epk = public(&vector_key("RFC 7520 5.5")).to_value();
        epk["y"] = epk["x"].clone();
        epk
    };
    let cases: [(String, JweError); 21] = [
        (String::new(), JweError::Form),
        (parts[..4].join("."), JweError::Form),
        (format!("{token}."), JweError::Form),
        (format!("{token}="), JweError::Form),
        (token.replacen('.', ".AA", 1), JweError::Form),
        ("x".repeat(LIMIT + 1), JweError::TooLong),
        (["e30", "", "", "", ""].join("."), JweError::Header),
        (["W10", "", "", "", ""].join("."), JweError::Header),
        (set("kid", json!(7)), JweError::Header),
        (set("crit", json!(["exp"])), JweError::Critical),
        (set("zip", json!("DEF")), JweError::Compressed),
        (set("alg", json!("RSA1_5")), JweError::Algorithm),
        (set("alg", json!("none")), JweError::Algorithm),
        (set("enc", json!("none")), JweError::Algorithm),
        (set("enc", json!(1)), JweError::Algorithm),
        // Another family than the key that is asked.
        (set("alg", json!("dir")), JweError::Algorithm),
        (set("kid", json!("unknown")), JweError::NoKey),
        (set("epk", other_curve), JweError::NoKey),
        (set("epk", vector_key("RFC 7520 5.5")), JweError::Header),
        (set("apu", json!("not base64url!")), JweError::Header),
        (set("epk", off_curve), JweError::Decryption),
    ];
    let accepted = Accepted {
        algorithms: &everything(),
        encryptions: &ContentEncryption::ALL,
        limit: LIMIT,
    };
    let (_, key) = &pairs[1];
    let refused = |token: &str, accepted: &Accepted<'_>| {
        let mut rng = RngSource::System.rng();
        now(decrypt(token, Keys::Ours(key), accepted, &mut rng)).err()
    };
    for (token, error) in cases {
        assert_eq!(refused(&token, &accepted), Some(error), "{token}");
    }
    // What was not registered is refused, however good it is.
    let only = |algorithms, encryptions| Accepted {
        algorithms,
        encryptions,
        limit: LIMIT,
    };
    for accepted in [
        only(&[], &ContentEncryption::ALL),
        only(&[KeyManagement::EcdhEsA128Kw], &ContentEncryption::ALL),
        only(&KeyManagement::PUBLIC, &[ContentEncryption::A256Gcm]),
    ] {
        assert_eq!(refused(&token, &accepted), Some(JweError::Algorithm));
    }
    assert_eq!(refused(&token, &accepted), None);
    let plain = with_header(&|h| {
        h.remove("epk");
    });
    assert_eq!(refused(&plain, &accepted), Some(JweError::Header));
}

#[test]
fn the_content_is_a_jwt_or_says_that_it_is_not() {
    let secret = secret();
    let opened = |cty: Option<Value>, content: &[u8]| {
        let header = cty.map(|c| ("cty".to_owned(), c));
        let token = encrypt(
            content,
            Map::from_iter(header),
            Recipient::Secret(&secret),
            KeyManagement::Dir,
            ContentEncryption::A128Gcm,
            &mut RngSource::System.rng(),
        )
        .unwrap();
        assert!(is_jwe(&token) && !is_jwe("a.b.c"));
        open(&token, Keys::Secret(&secret))
            .unwrap()
            .jwt()
            .map(str::to_owned)
    };
    for cty in [None, Some(json!("JWT")), Some(json!("application/jwt"))] {
        assert_eq!(opened(cty, b"a.b.c"), Ok("a.b.c".to_owned()));
    }
    for cty in [json!("json"), json!(""), json!(1)] {
        assert_eq!(opened(Some(cty), b"a.b.c"), Err(JweError::Content));
    }
    assert_eq!(opened(None, &[0xff]), Err(JweError::Content));
}

#[test]
fn only_a_key_for_encryption_receives() {
    let rsa = public(&vector_key("RFC 7516 A.1")).to_value();
    let with = |members: &[(&str, &str)]| {
        let mut key = rsa.clone();
        for (name, value) in members {
            key[*name] = (*value).into();
        }
        Jwk::parse(&key).unwrap()
    };
    let alg = KeyManagement::RsaOaep256;
    for (members, fits) in [
        (&[][..], true),
        (&[("use", "enc")], true),
        (&[("use", "sig")], false),
        (&[("alg", "RSA-OAEP-256")], true),
        (&[("alg", "RSA-OAEP")], false),
        (&[("alg", "RS256")], false),
    ] {
        let key = with(members);
        assert_eq!(key.encrypts(alg), fits, "{members:?}");
        let result = encrypt_jwt(
            "a.b.c",
            Recipient::Key(&key),
            alg,
            ContentEncryption::A128Gcm,
            &mut RngSource::System.rng(),
        );
        assert_eq!(result.err(), (!fits).then_some(EncryptError::Key));
    }
    // An exponent of one would send the content key in clear text.
    let bare = with(&[("e", "AQ")]);
    let secret = secret();
    for (to, alg, error) in [
        (Recipient::Key(&bare), alg, EncryptError::Unusable),
        (
            Recipient::Key(&bare),
            KeyManagement::EcdhEs,
            EncryptError::Key,
        ),
        (Recipient::Key(&bare), KeyManagement::Dir, EncryptError::Key),
        (Recipient::Secret(&secret), alg, EncryptError::Key),
    ] {
        let result = encrypt_jwt(
            "a.b.c",
            to,
            alg,
            ContentEncryption::A128Gcm,
            &mut RngSource::System.rng(),
        );
        assert_eq!(result.err(), Some(error), "{alg}");
    }
    let set = JwkSet::parse_lenient(&json!({"keys": [
        with(&[("kid", "s"), ("use", "sig")]).to_value(),
        with(&[("kid", "any")]).to_value(),
        with(&[("kid", "e"), ("use", "enc")]).to_value(),
    ]}))
    .unwrap();
    let chosen = |alg| set.for_encryption(alg).and_then(|k| k.kid.as_deref());
    assert_eq!(chosen(KeyManagement::RsaOaep), Some("e"));
    assert_eq!(chosen(KeyManagement::EcdhEs), None);
}
