//! A stranger's signed token: read without a panic and never believed; and claims that are signed, however strange, are
//! believed only within their time and for their audience.
#![no_main]

use hefu::clock::UnixTime;
use hefu::jose::{Audience, ClientSecret, Expected, JwkSet, Typ, UnverifiedJws, jws, jwt};
use hefu::oauth::{Algorithm, MacAlgorithm};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, json};

const LIMIT: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    let secret = ClientSecret::new("0123456789abcdef0123456789abcdef".to_owned());
    // RFC 7515 appendix A.3, and RFC 8037 appendix A.2: their private halves sign nothing for this issuer.
    let keys = JwkSet::parse_lenient(&json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ]}))
    .expect("keys of two RFCs");
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = jwt::peek(text, LIMIT);
        if let Ok(jws) = UnverifiedJws::parse(text, LIMIT) {
            for kind in ["JWT", "at+jwt"] {
                let _ = jws.header.is_typ(kind);
            }
        }
        assert!(jwt::verify(text, &keys, &expected(&Algorithm::ALL)).is_err());
        let _ = jwt::verify_with_secret(text, &secret, &expected(&MacAlgorithm::ALL));
    }
    // Past the header, unsigned: where most of the reading happens.
    let header = json!({"typ": "JWT", "alg": "EdDSA"});
    let input = jws::signing_input(header.as_object().expect("an object"), data);
    assert!(jwt::verify(&format!("{input}.AAAA"), &keys, &expected(&Algorithm::ALL)).is_err());
    // And signed: what is believed holds what was expected.
    let token = secret
        .sign(MacAlgorithm::HS256, Map::new(), data)
        .expect("a long secret");
    let expected = expected(&MacAlgorithm::ALL);
    if let Ok(claims) = jwt::verify_with_secret(&token, &secret, &expected) {
        assert_eq!(claims.get("iss"), Some(&json!("https://rp.example")));
        let expires = jwt::time(&claims, "exp").expect("a time").expect("an end");
        assert!(expires.plus(expected.leeway) > expected.now);
        let again = Expected {
            now: expires.plus(expected.leeway),
            ..expected
        };
        assert!(jwt::verify_with_secret(&token, &secret, &again).is_err());
    }
});

fn expected<A>(algorithms: &[A]) -> Expected<'_, A> {
    Expected {
        issuer: "https://rp.example",
        audience: Audience::Contains(&["https://id.example"]),
        typ: Typ::AbsentOr(&["JWT"]),
        algorithms,
        now: UnixTime(1_772_414_130),
        leeway: 10,
        accept_expired: false,
        limit: LIMIT,
    }
}
