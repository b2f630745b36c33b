//! JWE at the provider (OIDC Core 10.2 and 16.14): what leaves for the eyes of one client, and what was encrypted to us.
//! The signatures inside are made in `tokens` and `userinfo`, and checked in `request`.

use serde_json::Map;

use super::request::Parameters;
use crate::client::Client;
use crate::crypto::{DecryptError, Decrypter};
use crate::jose::jwe::{self, Accepted, EncryptError, JweError, Keys, Recipient};
use crate::oauth::{ContentEncryption, Encryption, Error, ErrorCode, KeyManagement};
use crate::random::Rng;

/// The longest request object: one of 64 KiB, in base64url once more.
const LONGEST_REQUEST: usize = 90 * 1024;
/// The longest hint.
const LONGEST_HINT: usize = 16 * 1024;

/// `signed` as the client may have it: first signed, then encrypted. Without encryption it stays as it is.
pub fn nested(
    signed: String,
    client: &Client,
    encryption: Option<Encryption>,
    rng: &mut Rng,
) -> Result<String, Error> {
    let Some(Encryption { alg, enc }) = encryption else {
        return Ok(signed);
    };
    jwe::encrypt_jwt(&signed, recipient(client, alg)?, alg, enc, rng).map_err(unusable)
}

/// `content` encrypted to the client, without a signature.
pub fn content(
    content: &[u8],
    client: &Client,
    Encryption { alg, enc }: Encryption,
    rng: &mut Rng,
) -> Result<String, Error> {
    jwe::encrypt(content, Map::new(), recipient(client, alg)?, alg, enc, rng).map_err(unusable)
}

/// Nothing leaves unencrypted that the client wants encrypted. No code of RFC 6749 §5.2 or RFC 6750 §3.1 says that a
/// registration is at fault; the request cannot be served as the client is registered.
pub fn no_key() -> Error {
    Error::invalid_request("the client has no usable key for the encryption that it registered")
}

fn recipient(client: &Client, alg: KeyManagement) -> Result<Recipient<'_>, Error> {
    let found = if KeyManagement::SECRET.contains(&alg) {
        client.clear_secret.as_ref().map(Recipient::Secret)
    } else {
        client.keys.for_encryption(alg).map(Recipient::Key)
    };
    found.ok_or_else(no_key)
}

fn unusable(_: EncryptError) -> Error {
    no_key()
}

/// Takes off the encryption of a request object (OIDC Core 6.1, RFC 9101 §6.1). What does not open stays as it was, with the
/// error that the sender is told once it is known where to.
pub async fn open_request(
    sent: Parameters,
    keys: &dyn Decrypter,
    rng: &mut Rng,
) -> Result<(Parameters, Option<Error>), DecryptError> {
    let Some(token) = sent.get("request").filter(|token| jwe::is_jwe(token)) else {
        return Ok((sent, None));
    };
    match open(token, keys, LONGEST_REQUEST, rng).await {
        Ok(jwt) => Ok((sent.with("request", jwt), None)),
        Err(JweError::Refused(why)) => Err(DecryptError::Refused(why)),
        Err(error) => Ok((sent, Some(refused(&error)))),
    }
}

/// An `id_token_hint`, which a client may have encrypted to us again (OIDC Core 3.1.2.1). One that does not open is none.
pub async fn open_hint(token: &str, keys: &dyn Decrypter, rng: &mut Rng) -> Option<String> {
    if jwe::is_jwe(token) {
        open(token, keys, LONGEST_HINT, rng).await.ok()
    } else {
        Some(token.to_owned())
    }
}

async fn open(
    token: &str,
    keys: &dyn Decrypter,
    limit: usize,
    rng: &mut Rng,
) -> Result<String, JweError> {
    let accepted = Accepted {
        algorithms: &KeyManagement::PUBLIC,
        encryptions: &ContentEncryption::ALL,
        limit,
    };
    let opened = jwe::decrypt(token, Keys::Ours(keys), &accepted, rng).await?;
    opened.jwt().map(str::to_owned)
}

/// Says what the sender could see for itself; why something did not decrypt is one sentence (RFC 7516 §11.4).
fn refused(error: &JweError) -> Error {
    let text = match error {
        JweError::TooLong => "the request object is too long",
        JweError::Form | JweError::Header => "the request object is not a compact JWE",
        JweError::Algorithm => "the request object is not encrypted under algorithms that we offer",
        JweError::Critical => "the request object demands an extension that is not understood",
        JweError::Compressed => "the request object is compressed, which is not accepted",
        JweError::NoKey => "the request object is encrypted to a key that is not ours",
        JweError::Content => "the encrypted request object holds no signed JWT",
        JweError::Decryption | JweError::Refused(_) => "the request object does not decrypt",
    };
    Error::new(ErrorCode::InvalidRequestObject, text)
}
