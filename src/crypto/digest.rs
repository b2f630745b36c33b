//! SHA-256, HMAC-SHA-256, comparison in constant time.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::oauth::{Algorithm, MacAlgorithm};

/// SHA-256 of `data`: how random codes and tokens are stored. Short codes need `Indexer` instead.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// base64url(SHA-256(data)) without padding: `S256` of RFC 7636 §4.2, `ath` of RFC 9449, JWK thumbprints.
pub fn thumb(data: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(sha256(data))
}

/// base64url of the left half of `data` under the hash of `alg`: `at_hash` of OIDC Core 3.1.3.6. Ed25519 names no hash but
/// has one inside, SHA-512 (RFC 8032 §5.1), and that is what relying parties take.
pub fn left_half(alg: Algorithm, data: &[u8]) -> String {
    use Algorithm as A;
    half(
        match alg {
            A::RS256 | A::PS256 | A::ES256 => &digest::SHA256,
            A::RS384 | A::PS384 | A::ES384 => &digest::SHA384,
            A::RS512 | A::PS512 | A::ES512 | A::EdDSA => &digest::SHA512,
        },
        data,
    )
}

/// `left_half` for ID Tokens that are signed with a client secret.
pub fn left_half_mac(alg: MacAlgorithm, data: &[u8]) -> String {
    half(
        match alg {
            MacAlgorithm::HS256 => &digest::SHA256,
            MacAlgorithm::HS384 => &digest::SHA384,
            MacAlgorithm::HS512 => &digest::SHA512,
        },
        data,
    )
}

fn half(hash: &'static digest::Algorithm, data: &[u8]) -> String {
    let hash = digest::digest(hash, data);
    let whole = hash.as_ref();
    URL_SAFE_NO_PAD.encode(&whole[..whole.len() / 2])
}

/// HMAC-SHA-256 over `parts`, each preceded by its length so that no two lists of parts look alike.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// Compares secrets without telling by time where they differ.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7636_appendix_b() {
        assert_eq!(
            thumb(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_half_hash_is_as_long_as_its_algorithm_says() {
        // 16, 24 and 32 octets in base64url.
        for (alg, length) in [
            (Algorithm::RS256, 22),
            (Algorithm::ES384, 32),
            (Algorithm::ES512, 43),
            (Algorithm::EdDSA, 43),
        ] {
            assert_eq!(left_half(alg, b"token").len(), length, "{alg}");
        }
        for (mac, alg) in [
            (MacAlgorithm::HS256, Algorithm::RS256),
            (MacAlgorithm::HS384, Algorithm::RS384),
            (MacAlgorithm::HS512, Algorithm::RS512),
        ] {
            assert_eq!(left_half_mac(mac, b"token"), left_half(alg, b"token"));
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(
            hmac_sha256(b"k", &[b"ab", b"c"]),
            hmac_sha256(b"k", &[b"a", b"bc"])
        );
        assert!(constant_time_eq(b"x", b"x") && !constant_time_eq(b"x", b"xy"));
    }
}
