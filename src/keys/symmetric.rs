//! Sealing, encryption at rest and keyed hashes, each under a sub-key that HKDF makes for one use (RFC 5869).

use aws_lc_rs::hkdf;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::clock::UnixTime;
use crate::crypto::{AeadKey, hmac_sha256};

/// The symmetric keys of one purpose, newest first.
pub(super) struct Symmetric {
    entity: String,
    keys: Vec<(String, Zeroizing<[u8; 32]>)>,
}

/// Bytes of the key's name that stand in front of a ciphertext; names are random, so eight are enough to tell them apart.
const TAG: usize = 8;

impl Symmetric {
    pub fn new(entity: &str, keys: Vec<(String, Zeroizing<[u8; 32]>)>) -> Self {
        Self {
            entity: entity.to_owned(),
            keys,
        }
    }

    /// base64url( tag || expiry || ciphertext ).
    pub fn seal(&self, usage: &str, context: &str, expires: UnixTime, plaintext: &[u8]) -> String {
        let (kid, root) = self.newest();
        let mut out = tag(kid).to_vec();
        out.extend_from_slice(&expires.0.to_be_bytes());
        let place = self.place(&[usage, context, &expires.to_string()]);
        out.extend(self.aead(root, usage).seal(place.as_bytes(), plaintext));
        URL_SAFE_NO_PAD.encode(out)
    }

    pub fn open(&self, usage: &str, context: &str, now: UnixTime, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (named, rest) = bytes.split_at_checked(TAG)?;
        let (expires, body) = rest.split_at_checked(8)?;
        let expires = UnixTime(i64::from_be_bytes(expires.try_into().ok()?));
        if expires <= now {
            return None;
        }
        let place = self.place(&[usage, context, &expires.to_string()]);
        self.aead(self.find(named)?, usage)
            .open(place.as_bytes(), body)
            .ok()
    }

    /// tag || ciphertext.
    pub fn protect(&self, column: &str, row: &str, plaintext: &[u8]) -> Vec<u8> {
        let (kid, root) = self.newest();
        let mut out = tag(kid).to_vec();
        out.extend(
            self.aead(root, column)
                .seal(self.place(&[column, row]).as_bytes(), plaintext),
        );
        out
    }

    pub fn reveal(&self, column: &str, row: &str, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let (named, body) = ciphertext.split_at_checked(TAG)?;
        self.aead(self.find(named)?, column)
            .open(self.place(&[column, row]).as_bytes(), body)
            .ok()
    }

    /// The keyed hashes of `value` in `domain`, newest key first.
    pub fn indices(&self, domain: &str, value: &[u8]) -> Vec<Vec<u8>> {
        self.keys
            .iter()
            .map(|(_, root)| hmac_sha256(self.sub_key(root, domain).as_slice(), &[value]).to_vec())
            .collect()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn newest(&self) -> (&str, &[u8; 32]) {
        #[expect(
            clippy::expect_used,
            reason = "KeyRing::open makes one key of each symmetric purpose before anything is sealed"
        )]
        let (kid, root) = self.keys.first().expect("a symmetric key");
        (kid, root)
    }

    fn find(&self, named: &[u8]) -> Option<&[u8; 32]> {
        self.keys
            .iter()
            .find(|(kid, _)| tag(kid) == named)
            .map(|(_, root)| &**root)
    }

    fn aead(&self, root: &[u8; 32], usage: &str) -> AeadKey {
        AeadKey::new(&self.sub_key(root, usage))
    }

    fn sub_key(&self, root: &[u8; 32], usage: &str) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, self.entity.as_bytes()).extract(root);
        #[expect(
            clippy::expect_used,
            reason = "32 bytes are within what HKDF-SHA-256 gives"
        )]
        key.expand(&[usage.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(out.as_mut_slice()))
            .expect("HKDF of one block");
        out
    }

    /// Parts joined so that no two lists of parts look alike.
    fn place(&self, parts: &[&str]) -> String {
        parts.iter().fold(self.entity.clone(), |place, part| {
            format!("{place}\n{}:{part}", part.len())
        })
    }
}

fn tag(kid: &str) -> [u8; TAG] {
    let mut out = [0; TAG];
    // Names look like `sl_` and 22 random characters; the random part tells them apart.
    for (to, from) in out.iter_mut().zip(kid.bytes().skip(3)) {
        *to = from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(entity: &str, kids: &[(&str, u8)]) -> Symmetric {
        Symmetric::new(
            entity,
            kids.iter()
                .map(|(k, b)| ((*k).to_owned(), Zeroizing::new([*b; 32])))
                .collect(),
        )
    }

    #[test]
    fn sealed_values_open_in_time_and_place_only() {
        let ours = keys("https://a", &[("sl_new_key_1", 1), ("sl_old_key_2", 2)]);
        let sealed = ours.seal("csrf", "client", UnixTime(100), b"value");
        assert_eq!(
            ours.open("csrf", "client", UnixTime(99), &sealed).unwrap(),
            b"value"
        );
        assert!(
            ours.open("csrf", "client", UnixTime(100), &sealed)
                .is_none()
        );
        assert!(ours.open("csrf", "other", UnixTime(99), &sealed).is_none());
        assert!(ours.open("form", "client", UnixTime(99), &sealed).is_none());
        assert!(
            keys("https://b", &[("sl_new_key_1", 1)])
                .open("csrf", "client", UnixTime(99), &sealed)
                .is_none()
        );
        for bad in ["", "AAAA", "not base64 合", &sealed[..30]] {
            assert!(ours.open("csrf", "client", UnixTime(99), bad).is_none());
        }
        // A longer life cannot be written into the value.
        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        bytes[TAG + 7] += 1;
        assert!(
            ours.open(
                "csrf",
                "client",
                UnixTime(99),
                &URL_SAFE_NO_PAD.encode(bytes)
            )
            .is_none()
        );
        // What the old key sealed still opens after a new one came.
        let old = keys("https://a", &[("sl_old_key_2", 2)]);
        assert!(
            ours.open(
                "csrf",
                "c",
                UnixTime(1),
                &old.seal("csrf", "c", UnixTime(9), b"x")
            )
            .is_some()
        );
    }

    #[test]
    fn data_stays_in_its_row_and_indices_follow_all_keys() {
        let ours = keys("https://a", &[("dt_new", 1), ("dt_old", 2)]);
        let protected = ours.protect("person.name", "p1", "测试甲".as_bytes());
        assert_eq!(
            ours.reveal("person.name", "p1", &protected).unwrap(),
            "测试甲".as_bytes()
        );
        assert!(ours.reveal("person.name", "p2", &protected).is_none());
        assert!(ours.reveal("person.number", "p1", &protected).is_none());
        assert!(ours.reveal("person.name", "p1", b"x").is_none());
        assert_eq!(ours.indices("phone", b"1").len(), 2);
        assert_ne!(ours.indices("phone", b"1"), ours.indices("document", b"1"));
    }
}
