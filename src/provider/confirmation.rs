//! What a token is bound to (RFC 7800 `cnf`): a key whose possession is proven with each use (RFC 9449), a certificate
//! shown in TLS (RFC 8705), both, or nothing. How a proof is read stands in `dpop`.

use serde::{Deserialize, Serialize};

use super::dpop::Proof;
use crate::client::Client;
use crate::crypto::{ClientCertificate, constant_time_eq};
use crate::oauth::{Error, ErrorCode};

/// The value of `cnf`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// RFC 7638 thumbprint of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// SHA-256 of the certificate.
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
}

impl Confirmation {
    /// What the tokens of a request are bound to. A client that registered a binding is given nothing without it.
    pub fn of(
        client: &Client,
        proof: Option<&Proof>,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Self, Error> {
        if client.dpop_bound && proof.is_none() {
            // RFC 9449 §5.2.
            return Err(invalid_proof(
                "this client must prove possession of a key: the DPoP header is missing",
            ));
        }
        let x5t = match (client.certificate_bound, certificate) {
            (false, _) => None,
            (true, Some(certificate)) => Some(certificate.thumbprint()),
            (true, None) => {
                return Err(Error::invalid_request(
                    "this client must show its certificate: ask at the mTLS endpoint alias",
                ));
            }
        };
        Ok(Self {
            jkt: proof.map(|proof| proof.jkt.clone()),
            x5t,
        })
    }

    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What the refresh token is bound to: that of a public client to whatever its access token is (RFC 9449 §5, RFC 8705 §4);
    /// a confidential client proves itself and may change key and certificate.
    pub fn bond(&self, client: &Client) -> Option<String> {
        let bound = client.is_public() && !self.is_none();
        bound.then(|| serde_json::json!(self).to_string())
    }

    /// RFC 9449 §5: `DPoP` for tokens that need a proof; certificates change nothing in the scheme (RFC 8705 §3).
    pub fn token_type(&self) -> &'static str {
        if self.jkt.is_some() { "DPoP" } else { "Bearer" }
    }

    /// Whether who presents a token with this binding is who it was given to. `proof`: of `Authorization: DPoP`; `None`
    /// means the token came as Bearer.
    pub fn check(
        &self,
        proof: Option<&Proof>,
        certificate: Option<&ClientCertificate>,
    ) -> Result<(), Error> {
        let same = |bound: &str, shown: &str| constant_time_eq(bound.as_bytes(), shown.as_bytes());
        match (&self.jkt, proof) {
            (None, None) => {}
            (Some(jkt), Some(proof)) if same(jkt, &proof.jkt) => {}
            (Some(_), Some(_)) => {
                return Err(invalid_token("the access token is bound to another key"));
            }
            // RFC 9449 §7.2: never downgraded.
            (Some(_), None) => {
                return Err(invalid_token(
                    "the access token is bound to a key and needs a DPoP proof",
                ));
            }
            (None, Some(_)) => return Err(invalid_token("the access token is not bound to a key")),
        }
        match (&self.x5t, certificate) {
            (None, _) => Ok(()),
            (Some(x5t), Some(certificate)) if same(x5t, &certificate.thumbprint()) => Ok(()),
            // RFC 8705 §3.
            (Some(_), _) => Err(invalid_token(
                "the access token is bound to a certificate that was not shown",
            )),
        }
    }
}

fn invalid_proof(text: &'static str) -> Error {
    Error::new(ErrorCode::InvalidDpopProof, text)
}

fn invalid_token(text: &'static str) -> Error {
    Error::new(ErrorCode::InvalidToken, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;
    use crate::provider::one_use::OneUse;

    #[test]
    fn who_presents_a_token_must_be_who_it_was_given_to() {
        let proof = |jkt: &str| Proof {
            jkt: jkt.to_owned(),
            one_use: OneUse::of("test", "", "", UnixTime(0)),
        };
        let certificate = |der: &[u8]| ClientCertificate::new(vec![der.to_vec()]).unwrap();
        let bound = |jkt: Option<&str>, x5t: Option<&[u8]>| Confirmation {
            jkt: jkt.map(str::to_owned),
            x5t: x5t.map(|der| certificate(der).thumbprint()),
        };
        for (cnf, key, shown, fits) in [
            (bound(None, None), None, None, true),
            (bound(None, None), None, Some(&b"c"[..]), true),
            (bound(None, None), Some("k"), None, false),
            (bound(Some("k"), None), Some("k"), None, true),
            (bound(Some("k"), None), Some("other"), None, false),
            (bound(Some("k"), None), None, None, false),
            (bound(None, Some(b"c")), None, Some(b"c"), true),
            (bound(None, Some(b"c")), None, Some(b"d"), false),
            (bound(None, Some(b"c")), None, None, false),
            (bound(Some("k"), Some(b"c")), Some("k"), Some(b"c"), true),
            (bound(Some("k"), Some(b"c")), Some("k"), None, false),
            (bound(Some("k"), Some(b"c")), None, Some(b"c"), false),
        ] {
            let checked = cnf.check(key.map(proof).as_ref(), shown.map(certificate).as_ref());
            assert_eq!(checked.is_ok(), fits, "{cnf:?} {key:?} {shown:?}");
        }
    }
}
