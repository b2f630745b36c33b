use super::*;

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A provider that offers everything.
fn discovery() -> Map<String, Value> {
    let discovery = json!({
        "response_types_supported": ["code", "id_token", "code id_token token"],
        "grant_types_supported": ["authorization_code", "implicit", "refresh_token", DEVICE],
        "subject_types_supported": ["pairwise", "public"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["PS256"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "id_token_encryption_alg_values_supported": ["RSA-OAEP"],
        "id_token_encryption_enc_values_supported": ["A128CBC-HS256"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "tls_client_certificate_bound_access_tokens": false,
        "backchannel_token_delivery_modes_supported": ["poll"],
    });
    discovery.as_object().unwrap().clone()
}

fn accepted(changes: &Value) -> Result<Map<String, Value>, Error> {
    let scope = Scope::parse("openid email").unwrap();
    let mut sent = json!({"redirect_uris": ["https://rp.example/cb"]});
    for (name, value) in changes.as_object().unwrap() {
        sent[name] = value.clone();
    }
    let offer = Offer {
        discovery: &discovery(),
        scope: &scope,
        plain_http: false,
    };
    accept(sent.as_object().unwrap(), offer)
}

#[test]
fn what_is_offered_may_be_had_and_nothing_else() {
    for (changes, taken) in [
        (json!({"dpop_bound_access_tokens": true}), true),
        (json!({"dpop_bound_access_tokens": "true"}), false),
        (
            json!({"tls_client_certificate_bound_access_tokens": true}),
            false,
        ),
        (
            json!({"tls_client_certificate_bound_access_tokens": false}),
            true,
        ),
        (json!({"backchannel_user_code_parameter": true}), false),
        (
            json!({"id_token_encrypted_response_alg": "RSA-OAEP", "jwks_uri": "https://rp.example/jwks"}),
            true,
        ),
        // There is no key to encrypt to.
        (
            json!({"id_token_encrypted_response_alg": "RSA-OAEP"}),
            false,
        ),
        (json!({"id_token_encrypted_response_alg": "RSA1_5"}), false),
        (
            json!({"userinfo_encrypted_response_alg": "RSA-OAEP"}),
            false,
        ),
        (json!({"userinfo_signed_response_alg": "RS256"}), false),
        (json!({"backchannel_token_delivery_mode": "poll"}), true),
        (json!({"backchannel_token_delivery_mode": "push"}), false),
        (
            json!({"token_endpoint_auth_method": "client_secret_post"}),
            false,
        ),
        (json!({"authorization_details_types": ["payment"]}), false),
        (json!({"subject_type": "public"}), true),
    ] {
        let answer = accepted(&changes);
        assert_eq!(answer.is_ok(), taken, "{changes}: {answer:?}");
        if let Ok(kept) = answer {
            for (name, value) in changes.as_object().unwrap() {
                assert_eq!(kept.get(name), Some(value));
            }
        }
    }
    let keys = "https://rp.example/jwks";
    let kept = accepted(&json!({"id_token_encrypted_response_alg": "RSA-OAEP", "jwks_uri": keys}))
        .unwrap();
    assert_eq!(kept["id_token_encrypted_response_enc"], "A128CBC-HS256");
}

#[test]
fn grants_follow_responses() {
    for (changes, grants) in [
        (json!({}), Some(json!(["authorization_code"]))),
        (
            json!({"response_types": ["id_token"]}),
            Some(json!(["implicit"])),
        ),
        (
            json!({"response_types": ["token id_token code"]}),
            Some(json!(["authorization_code", "implicit"])),
        ),
        (
            json!({"response_types": ["code", "id_token"], "grant_types": ["implicit", "authorization_code", "refresh_token"]}),
            Some(json!(["implicit", "authorization_code", "refresh_token"])),
        ),
        (
            json!({"response_types": ["id_token"], "grant_types": ["authorization_code"]}),
            None,
        ),
        (
            json!({"response_types": ["code id_token token"], "grant_types": ["authorization_code"]}),
            None,
        ),
        (json!({"grant_types": ["implicit"]}), None),
        (json!({"response_types": ["id_token token"]}), None),
    ] {
        let kept = accepted(&changes).ok();
        let found = kept.map(|kept| kept["grant_types"].clone());
        assert_eq!(found, grants, "{changes}");
    }
    let local = json!({"response_types": ["id_token"], "redirect_uris": ["https://localhost/cb"]});
    let refused = accepted(&local).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidRedirectUri);
}

#[test]
fn grants_without_redirects_need_no_address() {
    let none = json!(null);
    for (changes, taken) in [
        (json!({"grant_types": [DEVICE]}), true),
        (
            json!({"grant_types": [DEVICE, "refresh_token"], "response_types": []}),
            true,
        ),
        (
            json!({"grant_types": [DEVICE], "response_types": ["code"]}),
            false,
        ),
        (
            json!({"grant_types": [DEVICE, "authorization_code"], "response_types": ["code"]}),
            false,
        ),
        (
            json!({"grant_types": ["refresh_token"], "response_types": []}),
            false,
        ),
        (json!({}), false),
        // A list of nothing proves no sector.
        (
            json!({"grant_types": [DEVICE], "sector_identifier_uri": "https://rp.example/sector"}),
            false,
        ),
    ] {
        let mut changes = changes;
        changes["redirect_uris"] = none.clone();
        let answer = accepted(&changes);
        assert_eq!(answer.is_ok(), taken, "{changes}: {answer:?}");
        if let Ok(kept) = answer {
            assert_eq!(kept["response_types"], json!([]));
            assert!(!kept.contains_key("redirect_uris"));
        }
    }
}

#[test]
fn scopes_are_those_that_may_be_had() {
    for (asked, kept) in [
        (json!(null), "email openid"),
        (json!("openid"), "openid"),
        (json!("openid real_name"), "openid"),
        (json!("real_name"), ""),
    ] {
        let found = accepted(&json!({"scope": asked})).unwrap();
        let mut names: Vec<&str> = found["scope"].as_str().unwrap().split(' ').collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), kept, "{asked}");
    }
}
