//! Every way to alter a token, every algorithm there and back, and arbitrary bytes.

use proptest::prelude::*;

use super::*;

fn open_any(token: &str, alg: KeyManagement, pairs: &[(Jwk, TestKey)]) -> Result<Opened, JweError> {
    let secret = secret();
    let keys = pairs
        .iter()
        .find(|(jwk, _)| jwk.encrypts(alg))
        .map_or(Keys::Secret(&secret), |(_, key)| Keys::Ours(key));
    open(token, keys)
}

#[test]
fn every_altered_segment_is_refused_and_none_tells_why() {
    let pairs = pairs();
    for alg in everything() {
        for enc in [ContentEncryption::A256Gcm, ContentEncryption::A128CbcHs256] {
            let token = sealed(alg, enc, &pairs);
            let opened = open_any(&token, alg, &pairs).unwrap();
            assert_eq!(opened.jwt(), Ok("a.b.c"));
            let parts: Vec<&str> = token.split('.').collect();
            let names = ["header", "encrypted key", "iv", "ciphertext", "tag"];
            for (at, name) in names.into_iter().enumerate() {
                let what = format!("{alg} {enc} {name}");
                let with = |part: &str| {
                    let mut parts = parts.clone();
                    parts[at] = part;
                    open_any(&parts.join("."), alg, &pairs).err()
                };
                let bytes = URL_SAFE_NO_PAD.decode(parts[at]).unwrap();
                // One bit of each byte.
                for i in 0..bytes.len() {
                    let mut altered = bytes.clone();
                    altered[i] ^= 1 << (i % 8);
                    let error = with(&URL_SAFE_NO_PAD.encode(altered));
                    if at == 0 {
                        assert!(error.is_some(), "{what}");
                    } else {
                        assert_eq!(error, Some(JweError::Decryption), "{what} byte {i}");
                    }
                }
                // Shorter, longer, empty.
                let mut lengths = vec![Vec::new(), [&bytes[..], &[0]].concat()];
                if let Some((_, shorter)) = bytes.split_last() {
                    lengths.push(shorter.to_vec());
                    lengths.push(bytes[1..].to_vec());
                }
                for altered in lengths.into_iter().filter(|l| *l != bytes) {
                    let error = with(&URL_SAFE_NO_PAD.encode(altered));
                    let lengths_are_public = at == 2 || at == 4 || bytes.is_empty();
                    match at {
                        0 => assert_eq!(error, Some(JweError::Header), "{what}"),
                        _ if lengths_are_public => {
                            assert_eq!(error, Some(JweError::Form), "{what}");
                        }
                        _ => assert_eq!(error, Some(JweError::Decryption), "{what}"),
                    }
                }
            }
            for (a, b) in (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b))) {
                let mut swapped = parts.clone();
                swapped.swap(a, b);
                assert!(open_any(&swapped.join("."), alg, &pairs).is_err());
            }
            // Of two tokens, no part fits the other.
            let other = {
                let secret = secret();
                let to = pairs
                    .iter()
                    .find(|(jwk, _)| jwk.encrypts(alg))
                    .map_or(Recipient::Secret(&secret), |(jwk, _)| Recipient::Key(jwk));
                encrypt_jwt("d.e.f", to, alg, enc, &mut RngSource::seeded(2).rng()).unwrap()
            };
            for (at, part) in other
                .split('.')
                .enumerate()
                .filter(|(at, p)| parts[*at] != *p)
            {
                let mut mixed = parts.clone();
                mixed[at] = part;
                assert_eq!(
                    open_any(&mixed.join("."), alg, &pairs).err(),
                    Some(JweError::Decryption),
                    "{alg} {enc} {}",
                    names[at]
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_encrypted_opens_again(
        content in proptest::collection::vec(any::<u8>(), 0..200),
        party in "[A-Za-z0-9_-]{0}|[A-Za-z0-9_-]{4}|[A-Za-z0-9_-]{8}",
        seed: u64,
    ) {
        let secret = secret();
        for (jwk, key) in &pairs() {
            for alg in everything() {
                let symmetric = KeyManagement::SECRET.contains(&alg);
                if !symmetric && !jwk.encrypts(alg) {
                    continue;
                }
                let (to, keys) = if symmetric {
                    (Recipient::Secret(&secret), Keys::Secret(&secret))
                } else {
                    (Recipient::Key(jwk), Keys::Ours(key))
                };
                for enc in ContentEncryption::ALL {
                    let header = Map::from_iter([("apu".to_owned(), party.as_str().into())]);
                    let mut rng = RngSource::seeded(seed).rng();
                    let token = encrypt(&content, header, to, alg, enc, &mut rng).unwrap();
                    let opened = open(&token, keys).unwrap();
                    prop_assert_eq!(opened.plaintext.reveal(), &content);
                    prop_assert_eq!(opened.header.kid.as_deref(), match to {
                        Recipient::Key(jwk) => jwk.kid.as_deref(),
                        Recipient::Secret(_) => None,
                    });
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(
        text in "\\PC{0,200}|([A-Za-z0-9_-]{0,40}\\.){0,6}",
        alg in proptest::sample::select(everything()),
        enc in proptest::sample::select(ContentEncryption::ALL.to_vec()),
        segments in proptest::array::uniform4(proptest::collection::vec(any::<u8>(), 0..80)),
        point in proptest::array::uniform32(any::<u8>()),
    ) {
        let pairs = pairs();
        prop_assert!(open(&text, Keys::Secret(&secret())).is_err());
        // Past the header, where keys are asked.
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (_, key) = &pairs[3];
        let header = json!({"alg": alg.as_str(), "enc": enc.as_str(), "apv": b64(&segments[0]),
            "epk": {"kty": "OKP", "crv": "X25519", "x": b64(&point)}});
        let parts = segments.map(|s| b64(&s)).join(".");
        let token = format!("{}.{parts}", b64(header.to_string().as_bytes()));
        prop_assert!(open(&token, Keys::Ours(key)).is_err());
        prop_assert!(open_any(&token, alg, &pairs).is_err());
    }
}
