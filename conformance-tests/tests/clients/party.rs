//! The relying parties of `clients/`, each told what it is at the laboratory.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::lab::{CLIENT, Lab, REDIRECT_URI, SIGNED_OUT_URI};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};

use super::program::{Library, Program};

pub const NODE: Library = Library {
    folder: "node",
    program: "node",
    arguments: &["client.js"],
    installed: "node_modules/openid-client",
};
pub const PYTHON: Library = Library {
    folder: "python",
    program: "venv/bin/python",
    arguments: &["client.py"],
    installed: "venv/bin/python",
};
pub const GO: Library = Library {
    folder: "go",
    program: "built/client",
    arguments: &[],
    installed: "built/client",
};
pub const JAVA: Library = Library {
    folder: "java",
    program: "java",
    arguments: &[
        "-XX:TieredStopAtLevel=1",
        "-cp",
        "built:built/lib/*",
        "Client",
    ],
    installed: "built/Client.class",
};

/// How the client proves itself at the token endpoint.
#[derive(Clone, Copy)]
pub enum Proof {
    Secret,
    Key,
    WrongSecret,
}

/// Starts the program, tells it what it is, and answers its `client_id` too. `switches` are told as `true`.
pub async fn start(
    library: &Library,
    lab: &Lab,
    proof: Proof,
    switches: &[&str],
) -> (Program, String) {
    let mut told = json!({
        "issuer": lab.issuer, "redirect_uri": REDIRECT_URI, "post_logout_redirect_uri": SIGNED_OUT_URI,
        "scope": "openid profile email address phone offline_access", "ca": lab.ca(),
    });
    let client_id = match proof {
        Proof::Secret | Proof::WrongSecret => CLIENT.0.to_owned(),
        Proof::Key => {
            let id = format!("lab-key-{}{}", library.folder, switches.concat());
            told["key"] = registered(lab, &id, switches.contains(&"fapi"));
            id
        }
    };
    told["client_id"] = client_id.clone().into();
    match proof {
        Proof::Secret => told["client_secret"] = CLIENT.1.into(),
        Proof::WrongSecret => told["client_secret"] = CLIENT.1.replace("one", "two").into(),
        Proof::Key => {}
    }
    for switch in switches {
        told[*switch] = true.into();
    }
    let mut program = Program::start(library, &lab.ca());
    program.tell(&told.to_string()).await;
    (program, client_id)
}

/// Makes a key, registers a client that proves itself with it, and answers the private key as a JWK.
fn registered(lab: &Lab, client_id: &str, fapi: bool) -> Value {
    let (private, public) = key("k1");
    let metadata = json!({
        "client_name": client_id, "redirect_uris": [REDIRECT_URI], "post_logout_redirect_uris": [SIGNED_OUT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
        "jwks": {"keys": [public]}, "hefu_profile": if fapi { "fapi2" } else { "oidc" },
    });
    lab.register(client_id, &metadata.to_string());
    private
}

/// A new key for ES256 as a JWK: private, public.
pub fn key(kid: &str) -> (Value, Value) {
    let pair = KeyPair::generate().expect("a key");
    let point = pair.der_bytes();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
        "x": part(&point[1..33]), "y": part(&point[33..65])});
    let mut private = public.clone();
    private["d"] = part(&scalar(&pair.serialize_der())).into();
    (private, public)
}

/// The private scalar of a P-256 key in PKCS #8: the first OCTET STRING of 32 bytes (RFC 5915 §3).
fn scalar(pkcs8: &[u8]) -> [u8; 32] {
    let at = pkcs8
        .windows(2)
        .position(|head| head == [0x04, 0x20])
        .expect("a private key")
        + 2;
    pkcs8[at..at + 32].try_into().expect("32 bytes")
}
