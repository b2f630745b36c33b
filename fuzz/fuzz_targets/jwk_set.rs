//! A stranger's JWK Set: read both ways without a panic; no private key passes; each key does only what its type can.
#![no_main]

use hefu::jose::jwe::{self, Recipient};
use hefu::jose::{JwkSet, json};
use hefu::oauth::{Algorithm, ContentEncryption, KeyManagement};
use hefu::random::RngSource;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = json::parse(data) else {
        return;
    };
    let lenient = JwkSet::parse_lenient(&value);
    if let Ok(strict) = JwkSet::parse_strict(&value) {
        let lenient = lenient.as_ref().expect("strict is stricter than lenient");
        assert_eq!(&strict, lenient);
        for key in strict.iter() {
            assert_eq!(
                strict.find(key.kid.as_deref().expect("strict keys are named")),
                Some(key)
            );
        }
    }
    let Ok(set) = lenient else {
        return;
    };
    for key in set.iter() {
        assert_eq!(key.thumbprint().len(), 43);
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.to_value().get(member).is_none());
        }
        let signs = Algorithm::ALL.into_iter().any(|alg| key.verifies(alg));
        for alg in Algorithm::ALL {
            // Nobody signed this.
            assert!(!key.verify(alg, b"input", &[1; 64]));
        }
        for alg in KeyManagement::PUBLIC
            .into_iter()
            .filter(|alg| key.encrypts(*alg))
        {
            // A key that names its own algorithm has only one use.
            assert!(!(signs && key.alg.is_some()));
            let mut rng = RngSource::seeded(0).rng();
            let _ = jwe::encrypt_jwt(
                "a.b.c",
                Recipient::Key(key),
                alg,
                ContentEncryption::A128Gcm,
                &mut rng,
            );
        }
    }
    for alg in KeyManagement::PUBLIC {
        assert!(set.for_encryption(alg).is_none_or(|key| key.encrypts(alg)));
    }
});
