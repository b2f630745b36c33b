use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::jose::jws::signing_input;

const NOW: UnixTime = UnixTime(1_562_262_616);
/// RFC 9449 §4.1, figure 2.
const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

/// Seals by writing down when it ends.
#[derive(Debug)]
struct Open;

impl Sealer for Open {
    fn seal(&self, usage: &str, _: &str, expires: UnixTime, _: &[u8]) -> String {
        format!("{usage}.{expires}")
    }

    fn open(&self, usage: &str, _: &str, now: UnixTime, sealed: &str) -> Option<Vec<u8>> {
        let (of, expires) = sealed.split_once('.')?;
        (of == usage && now.0 < expires.parse().ok()?).then(Vec::new)
    }

    fn protect(&self, _: &str, _: &str, _: &[u8]) -> Vec<u8> {
        Vec::new()
    }

    fn reveal(&self, _: &str, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn read(proof: &str, demanded: bool, access_token: Option<&str>) -> Result<Proof, ErrorCode> {
    let expected = Expected {
        method: "POST",
        urls: &[
            "https://server.example.com/token".to_owned(),
            "https://mtls.example.com:9443/token".to_owned(),
        ],
        access_token,
        nonces: Nonces {
            sealer: &Open,
            demanded,
        },
        now: NOW,
    };
    verify(proof, &expected).map_err(|e| e.code)
}

/// A proof with these changes to header and claims; `null` removes a member.
fn proof(header: &Value, claims: &Value) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let with = |mut base: Value, changes: &Value| {
        let members = base.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            members.insert(name.clone(), value.clone());
        }
        members.retain(|_, value| !value.is_null());
        members.clone()
    };
    let header = with(
        json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}),
        header,
    );
    let claims = with(
        json!({"jti": "1", "htm": "POST", "htu": "https://server.example.com/token", "iat": NOW}),
        claims,
    );
    let input = signing_input(&header, Value::Object(claims).to_string().as_bytes());
    let signature = pair.sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[test]
fn the_example_of_the_rfc() {
    let good = read(EXAMPLE, false, None).unwrap();
    // RFC 9449 §6.1.
    assert_eq!(good.jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(
        read(&EXAMPLE.replacen("Lg", "LA", 1), false, None),
        Err(ErrorCode::InvalidDpopProof)
    );
}

#[test]
fn what_a_proof_must_say() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    // RFC 9449 §7.1, figure 13.
    let ath = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";
    let none = json!({});
    for (header, claims, with, fits) in [
        (&none, json!({}), None, true),
        (
            &none,
            json!({"unknown": 1, "nonce": "not asked for"}),
            None,
            true,
        ),
        (
            &json!({"typ": "application/dpop+jwt"}),
            json!({}),
            None,
            true,
        ),
        (&json!({"alg": "Ed25519"}), json!({}), None, true),
        (&json!({"typ": "JWT"}), json!({}), None, false),
        (&json!({"typ": null}), json!({}), None, false),
        (&json!({"alg": "ES256"}), json!({}), None, false),
        (&json!({"alg": "HS256"}), json!({}), None, false),
        (&json!({"alg": "none"}), json!({}), None, false),
        (&json!({"crit": ["x"], "x": 1}), json!({}), None, false),
        (&json!({"jwk": null}), json!({}), None, false),
        // Another key than the one that signed, a private one, a symmetric one.
        (
            &json!({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}),
            json!({}),
            None,
            false,
        ),
        (
            &json!({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x, "d": x}}),
            json!({}),
            None,
            false,
        ),
        (
            &json!({"jwk": {"kty": "oct", "k": x}}),
            json!({}),
            None,
            false,
        ),
        (&none, json!({"jti": null}), None, false),
        (&none, json!({"jti": ""}), None, false),
        (&none, json!({"jti": "x".repeat(513)}), None, false),
        (&none, json!({"htm": "GET"}), None, false),
        (&none, json!({"htm": "post"}), None, false),
        (&none, json!({"htm": null}), None, false),
        (
            &none,
            json!({"htu": "HTTPS://Server.EXAMPLE.com:443/token?x=1#y"}),
            None,
            true,
        ),
        (
            &none,
            json!({"htu": "https://server.example.com/%74oken"}),
            None,
            true,
        ),
        (
            &none,
            json!({"htu": "https://mtls.example.com:9443/token"}),
            None,
            true,
        ),
        (
            &none,
            json!({"htu": "https://server.example.com/token/"}),
            None,
            false,
        ),
        (
            &none,
            json!({"htu": "https://server.example.com/Token"}),
            None,
            false,
        ),
        (
            &none,
            json!({"htu": "https://server.example.com:8443/token"}),
            None,
            false,
        ),
        (
            &none,
            json!({"htu": "http://server.example.com/token"}),
            None,
            false,
        ),
        (
            &none,
            json!({"htu": "https://u@server.example.com/token"}),
            None,
            false,
        ),
        (&none, json!({"htu": "/token"}), None, false),
        (&none, json!({"htu": null}), None, false),
        (&none, json!({"iat": NOW.plus(-60)}), None, true),
        (&none, json!({"iat": NOW.plus(-61)}), None, false),
        (&none, json!({"iat": NOW.plus(10)}), None, true),
        (&none, json!({"iat": NOW.plus(61)}), None, false),
        (&none, json!({"iat": "now"}), None, false),
        (&none, json!({"iat": null}), None, false),
        (&none, json!({"ath": ath}), Some(token), true),
        (&none, json!({}), Some(token), false),
        (&none, json!({"ath": thumb(b"another")}), Some(token), false),
    ] {
        let read = read(&proof(header, &claims), false, with);
        assert_eq!(read.is_ok(), fits, "{header} {claims} {read:?}");
        if !fits {
            assert_eq!(read, Err(ErrorCode::InvalidDpopProof), "{header} {claims}");
        }
    }
    for bad in ["", "a.b", "e30.e30.AA", &"x".repeat(LIMIT + 1)] {
        assert!(read(bad, false, None).is_err(), "{bad}");
    }
}

#[test]
fn a_nonce_of_ours_stands_for_the_clock() {
    let nonces = Nonces {
        sealer: &Open,
        demanded: true,
    };
    let fresh = nonces.issue(NOW);
    let stale = nonces.issue(NOW.plus(-NONCE_LIFETIME));
    let none = json!({});
    for (claims, answer) in [
        (json!({"nonce": fresh}), Ok(())),
        (json!({"nonce": fresh, "iat": 1}), Ok(())),
        (
            json!({"nonce": fresh, "iat": null}),
            Err(ErrorCode::InvalidDpopProof),
        ),
        (json!({"nonce": stale}), Err(ErrorCode::UseDpopNonce)),
        (
            json!({"nonce": "csrf.9999999999"}),
            Err(ErrorCode::UseDpopNonce),
        ),
        (json!({"nonce": 5}), Err(ErrorCode::UseDpopNonce)),
        (json!({}), Err(ErrorCode::UseDpopNonce)),
        // What is wrong for good is said before a nonce is asked for.
        (json!({"htm": "GET"}), Err(ErrorCode::InvalidDpopProof)),
    ] {
        let read = read(&proof(&none, &claims), true, None).map(|_| ());
        assert_eq!(read, answer, "{claims}");
    }
}
