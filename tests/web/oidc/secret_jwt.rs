//! `client_secret_jwt` (OIDC Core 9): assertions under the client's own secret.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::client::registered::{self, New};
use hefu::id::ClientId;
use hefu::random::RngSource;
use serde_json::{Value, json};

use super::{ISSUER, TestHouse};
use crate::support::federation::TestKey;

/// `a.b.c`, whatever the header says signed with HMAC-SHA-2 of `bits`.
fn signed(secret: &str, bits: u16, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(header), part(claims));
    let algorithm = match bits {
        256 => hmac::HMAC_SHA256,
        384 => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    let tag = hmac::sign(
        &hmac::Key::new(algorithm, secret.as_bytes()),
        input.as_bytes(),
    );
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

async fn ask(house: &TestHouse, path: &str, assertion: &str) -> Value {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "none"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion),
    ];
    house.post(path, &form, None).await.json()
}

async fn client(house: &TestHouse, id: &str, more: Value, days: Option<i64>) -> String {
    let mut metadata = json!({"redirect_uris": ["https://rp.example/cb"], "token_endpoint_auth_method": "client_secret_jwt"});
    for (name, value) in more.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    let new = New {
        id: &ClientId(id.to_owned()),
        metadata: metadata.as_object().unwrap(),
        secret_expires_at: days.map(|days| house.now().plus(days * 86_400)),
        registration_token: None,
    };
    let mut conn = house.store.read().await.unwrap();
    let mut rng = RngSource::System.rng();
    let added = registered::add(&mut conn, &mut rng, &*house.ring, new, house.now()).await;
    added.unwrap().unwrap().unwrap().reveal().clone()
}

#[tokio::test]
async fn a_secret_proves_its_client_by_a_signature() {
    let house = TestHouse::new().await;
    let secret = client(&house, "mac", json!({}), None).await;
    let claims = |changes: Value| {
        let mut claims = json!({"iss": "mac", "sub": "mac", "aud": ISSUER, "exp": house.now().0 + 60, "iat": house.now().0});
        claims["jti"] = changes.to_string().into();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let header = |alg: &str| json!({"alg": alg, "typ": "JWT"});
    for (bits, alg) in [(256, "HS256"), (384, "HS384"), (512, "HS512")] {
        let good = signed(&secret, bits, &header(alg), &claims(json!({"jti": alg})));
        assert_eq!(
            ask(&house, "/token", &good).await["error"],
            "invalid_grant",
            "{alg}"
        );
        // Once.
        assert_eq!(
            ask(&house, "/token", &good).await["error"],
            "invalid_client",
            "{alg}"
        );
    }
    for aud in [
        json!(format!("{ISSUER}/token")),
        json!(["https://x.example", ISSUER]),
    ] {
        let good = signed(&secret, 256, &header("HS256"), &claims(json!({"aud": aud})));
        assert_eq!(
            ask(&house, "/token", &good).await["error"],
            "invalid_grant",
            "{aud}"
        );
    }
    let pushed = signed(
        &secret,
        256,
        &header("HS256"),
        &claims(json!({"aud": format!("{ISSUER}/par")})),
    );
    // Believed: what is missing is said.
    assert_eq!(
        ask(&house, "/par", &pushed).await["error"],
        "invalid_request"
    );

    let now = house.now().0;
    for changes in [
        json!({"iss": "spa"}),
        json!({"sub": "spa"}),
        json!({"aud": "https://other.example"}),
        json!({"aud": [7]}),
        json!({"aud": null}),
        json!({"exp": now - 31}),
        json!({"exp": null}),
        json!({"exp": now + 90_000}),
        json!({"nbf": now + 61}),
        json!({"iat": now + 61}),
        json!({"jti": ""}),
    ] {
        let bad = signed(&secret, 256, &header("HS256"), &claims(changes.clone()));
        assert_eq!(
            ask(&house, "/token", &bad).await["error"],
            "invalid_client",
            "{changes}"
        );
    }
    for (secret, bits, header) in [
        (&*secret, 256, json!({"alg": "none"})),
        (&*secret, 256, json!({"alg": "HS512"})),
        (&*secret, 512, json!({"alg": "RS256"})),
        (
            &*secret,
            256,
            json!({"alg": "HS256", "crit": ["b64"], "b64": true}),
        ),
        (
            &*secret,
            256,
            json!({"alg": "HS256", "typ": "oauth-authz-req+jwt"}),
        ),
        ("", 256, json!({"alg": "HS256"})),
        (&secret[1..], 256, json!({"alg": "HS256"})),
    ] {
        let bad = signed(secret, bits, &header, &claims(json!({"header": header})));
        assert_eq!(
            ask(&house, "/token", &bad).await["error"],
            "invalid_client",
            "{header}"
        );
    }
    let key = TestKey::of("rp").jwt("JWT", &claims(json!({"key": 1})));
    assert_eq!(ask(&house, "/token", &key).await["error"], "invalid_client");
    // The method is this one and no other.
    let password = [
        ("grant_type", "authorization_code"),
        ("code", "none"),
        ("client_id", "mac"),
        ("client_secret", &secret),
    ];
    let answer = house.post("/token", &password, None).await.json();
    assert_eq!(answer["error"], "invalid_client");
}

#[tokio::test]
async fn the_registered_algorithm_alone_and_the_secret_while_it_lives() {
    let house = TestHouse::new().await;
    let more = json!({"token_endpoint_auth_signing_alg": "HS384"});
    let secret = client(&house, "strict", more, Some(1)).await;
    let proof = |bits, jti: &str| {
        let claims = json!({"iss": "strict", "sub": "strict", "aud": ISSUER, "exp": house.now().0 + 60, "jti": jti});
        signed(&secret, bits, &json!({"alg": format!("HS{bits}")}), &claims)
    };
    assert_eq!(
        ask(&house, "/token", &proof(384, "a")).await["error"],
        "invalid_grant"
    );
    for bits in [256, 512] {
        assert_eq!(
            ask(&house, "/token", &proof(bits, "b")).await["error"],
            "invalid_client"
        );
    }
    house.clock.advance(86_400);
    assert_eq!(
        ask(&house, "/token", &proof(384, "c")).await["error"],
        "invalid_client"
    );
}
