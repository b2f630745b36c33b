use serde_json::{Value, json};

use super::*;
use crate::oauth::{ContentEncryption, KeyManagement};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn parse(profile: Profile, metadata: &Value) -> Result<Client, MetadataError> {
    let id = ClientId("https://rp.example".to_owned());
    let platform = Platform::unvouched("rp.example");
    Client::parse(
        id,
        profile,
        metadata.as_object().unwrap(),
        Some([0; 32]),
        platform,
        false,
    )
}

#[test]
fn defaults_of_registration() {
    let client = parse(
        Profile::Oidc,
        &json!({"redirect_uris": ["https://rp.example/cb?x=1"]}),
    )
    .unwrap();
    assert_eq!(client.authentication, Authentication::SecretBasic);
    assert_eq!(client.id_token_alg, Algorithm::RS256);
    assert_eq!(
        client.subject,
        Subject::Pairwise {
            sector: "rp.example".to_owned()
        }
    );
    assert!(!client.requires_pkce() && client.refresh_tokens());
}

#[test]
fn federation_clients_never_use_secrets() {
    let jwks = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]});
    let client = parse(
        Profile::Federation,
        &json!({"redirect_uris": ["https://rp.example/cb"], "jwks": jwks,
        "token_endpoint_auth_method": "client_secret_basic"}),
    )
    .unwrap();
    assert_eq!(client.authentication, Authentication::PrivateKeyJwt(None));
    assert!(client.requires_pkce());
    assert_eq!(
        parse(
            Profile::Federation,
            &json!({"redirect_uris": ["https://rp.example/cb"]})
        )
        .err(),
        Some(MetadataError::Missing("jwks"))
    );
}

#[test]
fn what_is_refused() {
    let good = "https://rp.example/cb";
    let cases = [
        (json!({}), MetadataError::Missing("redirect_uris")),
        (
            json!({"grant_types": [DEVICE, "authorization_code"]}),
            MetadataError::Missing("redirect_uris"),
        ),
        (
            json!({"grant_types": ["refresh_token"]}),
            MetadataError::Missing("redirect_uris"),
        ),
        (
            json!({"grant_types": [DEVICE], "response_types": ["code"]}),
            MetadataError::Missing("redirect_uris"),
        ),
        (
            json!({"grant_types": [DEVICE], "redirect_uris": ["http://rp.example/cb"]}),
            MetadataError::RedirectUri("http://rp.example/cb".to_owned()),
        ),
        (
            json!({"redirect_uris": [good], "response_types": []}),
            MetadataError::Value("response_types"),
        ),
        (
            json!({"redirect_uris": [good], "post_logout_redirect_uris": ["http://rp.example/bye"]}),
            MetadataError::Value("post_logout_redirect_uris"),
        ),
        (
            json!({"redirect_uris": [good], "post_logout_redirect_uris": ["https://rp.example/bye#x"]}),
            MetadataError::Value("post_logout_redirect_uris"),
        ),
        (
            json!({"redirect_uris": [good], "post_logout_redirect_uris": ["javascript:alert(1)"]}),
            MetadataError::Value("post_logout_redirect_uris"),
        ),
        (
            json!({"redirect_uris": [good], "authorization_details_types": "records"}),
            MetadataError::Value("authorization_details_types"),
        ),
        (
            json!({"redirect_uris": []}),
            MetadataError::Missing("redirect_uris"),
        ),
        (
            json!({"redirect_uris": "x"}),
            MetadataError::Value("redirect_uris"),
        ),
        (
            json!({"redirect_uris": [good, 1]}),
            MetadataError::Value("redirect_uris"),
        ),
        (
            json!({"redirect_uris": ["http://rp.example/cb"]}),
            MetadataError::RedirectUri("http://rp.example/cb".into()),
        ),
        (
            json!({"redirect_uris": ["https://rp.example/cb#x"]}),
            MetadataError::RedirectUri("https://rp.example/cb#x".into()),
        ),
        (
            json!({"redirect_uris": ["javascript:alert(1)"], "application_type": "native"}),
            MetadataError::RedirectUri("javascript:alert(1)".into()),
        ),
        (
            json!({"redirect_uris": ["https://u@rp.example/"]}),
            MetadataError::RedirectUri("https://u@rp.example/".into()),
        ),
        (
            json!({"redirect_uris": [good], "response_types": ["none"]}),
            MetadataError::Value("response_types"),
        ),
        (
            json!({"redirect_uris": [good], "token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "RS256"}),
            MetadataError::Value("token_endpoint_auth_signing_alg"),
        ),
        (
            json!({"redirect_uris": [good], "request_uris": ["http://rp.example/r"]}),
            MetadataError::Value("request_uris"),
        ),
        (
            json!({"redirect_uris": [good], "jwks": {"keys": []}, "jwks_uri": "https://rp.example/jwks"}),
            MetadataError::Value("jwks_uri"),
        ),
        (
            json!({"redirect_uris": [good], "initiate_login_uri": "http://rp.example/login"}),
            MetadataError::Value("initiate_login_uri"),
        ),
        (
            json!({"redirect_uris": [good], "id_token_signed_response_alg": "none"}),
            MetadataError::Value("id_token_signed_response_alg"),
        ),
        (
            json!({"redirect_uris": [good], "token_endpoint_auth_method": "private_key_jwt"}),
            MetadataError::Missing("jwks"),
        ),
        (
            json!({"redirect_uris": [good], "jwks": {"keys": [{"kty": "oct", "k": "AA"}]}}),
            MetadataError::Value("jwks"),
        ),
        (
            json!({"redirect_uris": [good], "default_max_age": -1}),
            MetadataError::Value("default_max_age"),
        ),
        (
            json!({"redirect_uris": [good, "https://other.example/cb"]}),
            MetadataError::Missing("sector_identifier_uri"),
        ),
        (
            json!({"redirect_uris": [good], "backchannel_logout_uri": "https://rp.example/x#y"}),
            MetadataError::Value("backchannel_logout_uri"),
        ),
    ];
    for (metadata, error) in cases {
        assert_eq!(
            parse(Profile::Oidc, &metadata).err(),
            Some(error),
            "{metadata}"
        );
    }
}

#[test]
fn answers_are_signed_and_encrypted_as_registered() {
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    let key = |usage: &str| json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": usage}]});
    let with = |more: &Value| {
        let mut metadata = json!({"redirect_uris": ["https://rp.example/cb"], "jwks": key("enc")});
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        parse(Profile::Oidc, &metadata)
    };
    let plain = with(&json!({})).unwrap();
    assert_eq!(
        (
            plain.id_token_encryption,
            plain.userinfo_alg,
            plain.userinfo_encryption
        ),
        (None, None, None)
    );
    let client = with(&json!({"id_token_encrypted_response_alg": "ECDH-ES",
        "userinfo_signed_response_alg": "EdDSA", "userinfo_encrypted_response_alg": "ECDH-ES+A128KW",
        "userinfo_encrypted_response_enc": "A256GCM", "request_object_encryption_alg": "RSA-OAEP"}))
    .unwrap();
    let encryption = |alg, enc| Some(Encryption { alg, enc });
    assert_eq!(
        client.id_token_encryption,
        encryption(KeyManagement::EcdhEs, ContentEncryption::A128CbcHs256)
    );
    assert_eq!(client.userinfo_alg, Some(Algorithm::EdDSA));
    assert_eq!(
        client.userinfo_encryption,
        encryption(KeyManagement::EcdhEsA128Kw, ContentEncryption::A256Gcm)
    );
    // Keys behind a URL are looked at when they are needed.
    let elsewhere = json!({"jwks": null, "jwks_uri": "https://rp.example/jwks", "id_token_encrypted_response_alg": "RSA-OAEP"});
    let mut elsewhere = elsewhere.as_object().unwrap().clone();
    elsewhere.remove("jwks");
    elsewhere.insert("redirect_uris".to_owned(), json!(["https://rp.example/cb"]));
    assert!(parse(Profile::Oidc, &Value::Object(elsewhere)).is_ok());

    use MetadataError::{Missing, NoKey, Value as Wrong};
    for (more, error) in [
        (
            json!({"id_token_encrypted_response_alg": "RSA1_5"}),
            Wrong("id_token_encrypted_response_alg"),
        ),
        // Under a secret that it does not have.
        (
            json!({"id_token_encrypted_response_alg": "dir", "token_endpoint_auth_method": "none"}),
            Wrong("id_token_encrypted_response_alg"),
        ),
        (
            json!({"request_object_encryption_alg": "dir"}),
            Wrong("request_object_encryption_alg"),
        ),
        (
            json!({"introspection_encrypted_response_alg": "RSA-OAEP"}),
            NoKey("introspection_encrypted_response_alg"),
        ),
        (
            json!({"authorization_encrypted_response_enc": "A128GCM"}),
            Missing("authorization_encrypted_response_alg"),
        ),
        (
            json!({"id_token_encrypted_response_alg": 1}),
            Wrong("id_token_encrypted_response_alg"),
        ),
        (
            json!({"id_token_encrypted_response_enc": "A128GCM"}),
            Missing("id_token_encrypted_response_alg"),
        ),
        (
            json!({"userinfo_encrypted_response_enc": "A128GCM"}),
            Missing("userinfo_encrypted_response_alg"),
        ),
        (
            json!({"request_object_encryption_enc": "A128GCM"}),
            Missing("request_object_encryption_alg"),
        ),
        (
            json!({"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "A128CBC"}),
            Wrong("id_token_encrypted_response_enc"),
        ),
        (
            json!({"request_object_encryption_alg": "RSA1_5"}),
            Wrong("request_object_encryption_alg"),
        ),
        (
            json!({"id_token_encrypted_response_alg": "RSA-OAEP"}),
            NoKey("id_token_encrypted_response_alg"),
        ),
        (
            json!({"userinfo_encrypted_response_alg": "ECDH-ES", "jwks": key("sig")}),
            NoKey("userinfo_encrypted_response_alg"),
        ),
        (
            json!({"userinfo_signed_response_alg": "none"}),
            Wrong("userinfo_signed_response_alg"),
        ),
        (
            json!({"userinfo_signed_response_alg": "HS256"}),
            Wrong("userinfo_signed_response_alg"),
        ),
        (
            json!({"userinfo_signed_response_alg": "ES384"}),
            Wrong("userinfo_signed_response_alg"),
        ),
    ] {
        assert_eq!(with(&more).err(), Some(error), "{more}");
    }
}

#[test]
fn a_client_of_fapi_has_keys_and_pushes_its_requests() {
    let jwks = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]});
    let good = json!({"redirect_uris": ["https://rp.example/cb"], "jwks": jwks, "hefu_profile": "fapi2",
        "token_endpoint_auth_method": "private_key_jwt"});
    let profile = Profile::of(good.as_object().unwrap()).unwrap();
    assert_eq!(profile, Profile::Fapi2);
    let client = parse(profile, &good).unwrap();
    assert!(client.requires_pkce() && client.require_pushed_requests && client.dpop_bound);
    assert_eq!(client.id_token_alg, Algorithm::PS256);
    for (name, value) in [
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("token_endpoint_auth_method", json!("none")),
        ("token_endpoint_auth_method", Value::Null),
        ("token_endpoint_auth_signing_alg", json!("RS256")),
        ("userinfo_signed_response_alg", json!("RS256")),
        ("response_types", json!(["code", "code id_token"])),
        ("id_token_signed_response_alg", json!("RS256")),
        ("request_object_signing_alg", json!("RS256")),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(parse(profile, &bad).is_err(), "{name}");
    }
    assert!(Profile::of(json!({"hefu_profile": "x"}).as_object().unwrap()).is_err());
}

#[test]
fn certificates_and_keys_that_tokens_are_bound_to() {
    let with = |profile: &str, more: Value| {
        let mut metadata =
            json!({"redirect_uris": ["https://rp.example/cb"], "hefu_profile": profile});
        metadata
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        parse(
            Profile::of(metadata.as_object().unwrap()).unwrap(),
            &metadata,
        )
    };
    let key = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "x5c": ["MAA="]});
    let pki = |more: Value| {
        let mut metadata = json!({"token_endpoint_auth_method": "tls_client_auth"});
        metadata
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        metadata
    };
    let dns = json!({"tls_client_auth_san_dns": "rp.example"});
    let client = with("oidc", pki(dns.clone())).unwrap();
    assert_eq!(client.authentication, Authentication::TlsClientAuth);
    assert!(client.certificate_name.is_some() && !client.dpop_bound && !client.certificate_bound);
    // FAPI 2.0 §5.3.2.1: bound one way or the other.
    assert!(with("fapi2", pki(dns)).unwrap().dpop_bound);
    let own = json!({"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": {"keys": [key]},
        "tls_client_certificate_bound_access_tokens": true});
    let client = with("fapi2", own).unwrap();
    assert!(client.certificate_bound && !client.dpop_bound);
    assert!(client.has_certificate(&ClientCertificate::new(vec![vec![0x30, 0]]).unwrap()));
    assert!(!client.has_certificate(&ClientCertificate::new(vec![vec![0x30, 1]]).unwrap()));
    for (more, error) in [
        (
            pki(json!({})),
            MetadataError::Missing("tls_client_auth_subject_dn"),
        ),
        (
            pki(json!({"tls_client_auth_san_dns": "a", "tls_client_auth_san_uri": "https://a"})),
            MetadataError::Value("tls_client_auth_san_uri"),
        ),
        (
            pki(json!({"tls_client_auth_san_ip": "a"})),
            MetadataError::Value("tls_client_auth_san_ip"),
        ),
        (
            json!({"token_endpoint_auth_method": "self_signed_tls_client_auth"}),
            MetadataError::Missing("x5c"),
        ),
        // What comes through the browser cannot be bound.
        (
            json!({"dpop_bound_access_tokens": true, "response_types": ["code", "id_token token"]}),
            MetadataError::Value("response_types"),
        ),
    ] {
        assert_eq!(with("oidc", more.clone()).err(), Some(error), "{more}");
    }
}

#[test]
fn answers_are_signed_as_the_client_or_its_profile_says() {
    let jwks = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]});
    let metadata = |alg: Option<&str>| {
        json!({"redirect_uris": ["https://rp.example/cb"], "jwks": jwks,
            "token_endpoint_auth_method": "private_key_jwt", "authorization_signed_response_alg": alg})
    };
    for (profile, alg, expected) in [
        (Profile::Oidc, None, Some(Algorithm::RS256)),
        (Profile::Oidc, Some("EdDSA"), Some(Algorithm::EdDSA)),
        (Profile::Oidc, Some("HS256"), None),
        (Profile::Oidc, Some("none"), None),
        (Profile::Fapi2, Some("ES256"), Some(Algorithm::ES256)),
        (Profile::Fapi2, Some("RS256"), None),
    ] {
        let client = parse(profile, &metadata(alg));
        assert_eq!(
            client.ok().map(|c| c.authorization_alg),
            expected,
            "{profile:?} {alg:?}"
        );
    }
    // Whatever it is today, it is one that the profile allows and that we sign with.
    let client = parse(Profile::Fapi2, &metadata(None)).unwrap();
    assert!(Algorithm::FAPI.contains(&client.authorization_alg));
    assert!(ISSUED.contains(&client.authorization_alg));
}

#[test]
fn a_front_channel_lies_where_the_redirect_uris_do() {
    for (uri, fits) in [
        ("https://rp.example/out", true),
        ("https://rp.example:443/out?x=1", true),
        ("https://rp.example/out#x", false),
        ("https://other.example/out", false),
        ("https://rp.example:8443/out", false),
        ("http://rp.example/out", false),
        ("javascript:alert(1)", false),
        ("/out", false),
    ] {
        let metadata = json!({"redirect_uris": ["https://rp.example/cb"],
            "frontchannel_logout_uri": uri, "frontchannel_logout_session_required": true});
        let front = parse(Profile::Oidc, &metadata).map(|c| c.front_channel);
        match front {
            Ok(front) => {
                assert!(fits && front.unwrap().session_required, "{uri}");
            }
            Err(error) => {
                assert_eq!(
                    error,
                    MetadataError::Value("frontchannel_logout_uri"),
                    "{uri}"
                );
                assert!(!fits, "{uri}");
            }
        }
    }
}

#[test]
fn who_is_never_answered_by_a_redirect_needs_no_address() {
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    for grants in [
        vec![DEVICE],
        vec![DEVICE, "refresh_token"],
        vec![exchange],
        vec![exchange, DEVICE],
    ] {
        for more in [
            json!({}),
            json!({"redirect_uris": [], "response_types": []}),
        ] {
            let mut metadata = json!({"grant_types": grants, "token_endpoint_auth_method": "none"});
            for (name, value) in more.as_object().unwrap() {
                metadata[name] = value.clone();
            }
            let client = parse(Profile::Oidc, &metadata).unwrap();
            assert!(client.redirect_uris.is_empty() && client.response_types.is_empty());
            // It has no host: its `sub` is made for itself.
            assert_eq!(client.sector(), client.id.as_str());
            assert!(
                !client.has_redirect_uri("") && !client.has_redirect_uri("https://rp.example/cb")
            );
        }
    }
}

#[test]
fn the_port_of_a_native_app_is_its_own_affair() {
    for (kind, fits) in [("native", true), ("web", false)] {
        let client = Client {
            native: kind == "native",
            ..parse(Profile::Oidc, &json!({"application_type": "native", "sector_identifier_uri": "https://rp.example/sector",
                "redirect_uris": ["http://127.0.0.1/cb", "http://localhost/cb", "com.example.app:/cb"]}))
            .unwrap()
        };
        assert_eq!(
            client.has_redirect_uri("http://127.0.0.1:51004/cb"),
            fits,
            "{kind}"
        );
        assert!(client.has_redirect_uri("http://127.0.0.1/cb"));
        for uri in [
            "http://localhost:51004/cb",
            "com.example.app:1/cb",
            "http://127.0.0.1:51004/",
        ] {
            assert!(!client.has_redirect_uri(uri), "{kind} {uri}");
        }
    }
}
