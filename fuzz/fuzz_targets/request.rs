//! A stranger's authorization request, as parameters and as a signed request object: what is accepted goes to a registered
//! address, and nothing panics.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::client::{Client, Profile, registered};
use hefu::clock::UnixTime;
use hefu::config::provider::Provider;
use hefu::jose::jws;
use hefu::provider::request::{self, Context, Parameters, Refusal};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const CALLBACK: &str = "https://rp.example/callback";

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed"));

static SETTINGS: LazyLock<Provider> = LazyLock::new(Provider::default);

static CLIENTS: LazyLock<[Client; 2]> = LazyLock::new(|| {
    let public = URL_SAFE_NO_PAD.encode(KEY.public_key().as_ref());
    let metadata = json!({"client_id": "https://rp.example", "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": public}]}});
    let plain = registered::from_config(metadata.as_object().expect("an object"), false);
    let plain = plain.expect("a good client");
    let federation = Client {
        profile: Profile::Federation,
        ..plain.clone()
    };
    [plain, federation]
});

fuzz_target!(|data: &[u8]| {
    let sent = Parameters::parse(data);
    assert_eq!(Parameters::from_json(&sent.to_json()).as_ref(), Some(&sent));
    let _ = request::hinted_chains(&sent);
    let _ = sent.get("request").and_then(request::named_key);
    // The same bytes as the claims of an object that the client did sign.
    let header = json!({"alg": "EdDSA", "typ": "oauth-authz-req+jwt"});
    let input = jws::signing_input(header.as_object().expect("an object"), data);
    let signature = URL_SAFE_NO_PAD.encode(KEY.sign(input.as_bytes()));
    let signed = Parameters::new([("request".to_owned(), format!("{input}.{signature}"))]);
    for client in CLIENTS.iter() {
        for authenticated in [false, true] {
            let context = Context {
                issuer: "https://id.example",
                acr_base: "https://id.example/acr/",
                response_types: &SETTINGS.response_types,
                settings: &SETTINGS,
                now: UnixTime(1_772_414_130),
                authenticated,
            };
            for sent in [&sent, &signed] {
                let answer = match request::read(sent, client, &context) {
                    Ok(reading) => {
                        assert_eq!(reading.request.client, client.id);
                        // It is parked as JSON and comes back the same, but for the hint, which is not kept.
                        let mut kept = reading.request.clone();
                        kept.id_token_hint = None;
                        let text = serde_json::to_string(&kept).expect("a request is JSON");
                        assert_eq!(
                            serde_json::from_str::<request::AuthorizationRequest>(&text).ok(),
                            Some(kept)
                        );
                        reading.request.answer
                    }
                    Err(Refusal::Redirect(answer, _)) => answer,
                    Err(Refusal::Page(_)) => continue,
                };
                assert_eq!(answer.redirect_uri, CALLBACK);
            }
        }
    }
});
