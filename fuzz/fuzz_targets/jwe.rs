//! A stranger's JWE, whole or only what follows its header: refused without a panic, whatever key is asked. And any content
//! that is encrypted opens again.
#![no_main]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::crypto::{BoxFuture, DecryptError, Decrypter, Recovery, Secret};
use hefu::jose::ClientSecret;
use hefu::jose::jwe::{self, Accepted, JweError, Keys, Opened, Recipient};
use hefu::oauth::{ContentEncryption, KeyManagement};
use hefu::random::RngSource;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, json};

fuzz_target!(|data: &[u8]| {
    let secret = ClientSecret::new("a secret that both sides hold".to_owned());
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = open(text, Keys::Secret(&secret));
        assert!(open(text, Keys::Ours(&Constant)).is_err());
    }
    let [alg, enc, lengths, content @ ..] = data else {
        return;
    };
    let algorithms = [&KeyManagement::PUBLIC[..], &KeyManagement::SECRET].concat();
    let alg = algorithms[usize::from(*alg) % algorithms.len()];
    let enc = ContentEncryption::ALL[usize::from(*enc) % ContentEncryption::ALL.len()];
    // Past the header: the four parts cut from the rest, the first two of any length.
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = json!({"alg": alg.as_str(), "enc": enc.as_str(), "apu": b64(content),
        "epk": {"kty": "OKP", "crv": "X25519", "x": b64(&[*lengths; 32])}});
    let (key, rest) = content.split_at(usize::from(lengths >> 4).min(content.len()));
    let (ciphertext, rest) = rest.split_at(usize::from(lengths & 15).min(rest.len()));
    let (iv, tag) = rest.split_at(16.min(rest.len()));
    let parts = [header.to_string().as_bytes(), key, iv, ciphertext, tag].map(b64);
    for keys in [Keys::Secret(&secret), Keys::Ours(&Constant)] {
        assert!(open(&parts.join("."), keys).is_err());
    }
    if KeyManagement::SECRET.contains(&alg) {
        let mut rng = RngSource::seeded(1).rng();
        let token = jwe::encrypt(
            content,
            Map::new(),
            Recipient::Secret(&secret),
            alg,
            enc,
            &mut rng,
        );
        let token = token.expect("any content is encrypted");
        let opened = open(&token, Keys::Secret(&secret)).expect("what was encrypted opens");
        assert_eq!(opened.plaintext.reveal(), content);
    }
});

fn open(token: &str, keys: Keys<'_>) -> Result<Opened, JweError> {
    let accepted = Accepted {
        algorithms: &[&KeyManagement::PUBLIC[..], &KeyManagement::SECRET].concat(),
        encryptions: &ContentEncryption::ALL,
        limit: 64 * 1024,
    };
    let mut rng = RngSource::seeded(0).rng();
    let mut opening = pin!(jwe::decrypt(token, keys, &accepted, &mut rng));
    match opening
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a constant does not wait"),
    }
}

/// Agrees on the same with everybody, so that what follows is reached without the arithmetic.
#[derive(Debug)]
struct Constant;

impl Decrypter for Constant {
    fn recover<'a>(
        &'a self,
        _: Option<&'a str>,
        what: Recovery<'a>,
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, DecryptError>> {
        Box::pin(async move {
            match what {
                Recovery::Unwrap { encrypted_key, .. } => Ok(Secret::new(
                    encrypted_key.iter().map(|b| b ^ 0x5a).collect(),
                )),
                Recovery::Agree { peer, .. } if peer.first() == Some(&0) => {
                    Err(DecryptError::Failed)
                }
                Recovery::Agree { .. } => Ok(Secret::new(vec![7; 32])),
            }
        })
    }
}
