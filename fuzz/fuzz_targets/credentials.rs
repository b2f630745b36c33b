//! What a stranger proves itself with at the token endpoint: the first line is the `Authorization` header, the rest the form.
//! Nothing panics, and nothing without the secret is a proof.
#![no_main]

use std::sync::LazyLock;

use hefu::client::{Authentication, Client, registered};
use hefu::clock::UnixTime;
use hefu::provider::authenticate::{At, Credentials};
use hefu::web::oidc::{basic, form};
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let metadata = json!({"client_id": "rp", "client_secret": "WtBtgK9nTYDXYqsRlMEtEwVLi1G0lGWb",
        "redirect_uris": ["https://rp.example/callback"],
        "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}});
    registered::from_config(metadata.as_object().expect("an object"), false).expect("a good client")
});

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (line, rest) = data.split_at(end);
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    if !line.is_empty() {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        headers.insert(header::AUTHORIZATION, value);
    }
    let sent = form(&headers, rest.get(1..).unwrap_or_default()).expect("a form is read");
    let Ok(pair) = basic(&headers) else {
        return;
    };
    let Ok(credentials) = Credentials::read(pair, |name| sent.get(name).map(str::to_owned)) else {
        return;
    };
    let at = At {
        issuer: "https://id.example",
        token_endpoint: "https://id.example/token",
        par_endpoint: None,
        aliases: &[],
        certificate: None,
        authorities: None,
        now: UnixTime(1_772_414_130),
    };
    for authentication in [
        Authentication::SecretBasic,
        Authentication::SecretPost,
        Authentication::PrivateKeyJwt(None),
    ] {
        let client = Client {
            authentication,
            ..CLIENT.clone()
        };
        assert!(credentials.verify(&client, &at).is_err());
    }
});
