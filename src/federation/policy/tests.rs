//! What operators do, alone and merged.

mod generated;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn one(parameter: &str, operators: &Value) -> Result<MetadataPolicy, PolicyError> {
    MetadataPolicy::parse(&json!({ "openid_relying_party": { parameter: operators } }))
}

fn apply_one(
    policy: &MetadataPolicy,
    parameter: &str,
    before: Option<Value>,
) -> Result<Option<Value>, PolicyError> {
    let mut rp = Map::new();
    if let Some(before) = before {
        rp.insert(parameter.into(), before);
    }
    let mut metadata = Map::new();
    metadata.insert("openid_relying_party".into(), rp.into());
    policy.apply(&mut metadata)?;
    Ok(metadata["openid_relying_party"].get(parameter).cloned())
}

/// Operators, parameter before, parameter after; `Err` names the operator that objects.
type Case = (Value, Option<Value>, Result<Option<Value>, &'static str>);

#[test]
fn operators_do_what_the_specification_says() {
    let absent = || None::<Value>;
    let cases: Vec<Case> = vec![
        (json!({"value": "x"}), absent(), Ok(Some(json!("x")))),
        (
            json!({"value": "x"}),
            Some(json!(["y"])),
            Ok(Some(json!("x"))),
        ),
        (
            json!({"value": false}),
            Some(json!(true)),
            Ok(Some(json!(false))),
        ),
        (
            json!({"value": {"a": 1}}),
            absent(),
            Ok(Some(json!({"a": 1}))),
        ),
        (json!({"value": null}), Some(json!("y")), Ok(None)),
        (json!({"add": ["a"]}), absent(), Ok(Some(json!(["a"])))),
        (
            json!({"add": ["a", "b"]}),
            Some(json!(["b"])),
            Ok(Some(json!(["b", "a"]))),
        ),
        (json!({"add": ["a"]}), Some(json!("b")), Err("add")),
        (json!({"default": "d"}), absent(), Ok(Some(json!("d")))),
        (
            json!({"default": "d"}),
            Some(json!("x")),
            Ok(Some(json!("x"))),
        ),
        (
            json!({"one_of": ["a", "b"]}),
            Some(json!("b")),
            Ok(Some(json!("b"))),
        ),
        (json!({"one_of": ["a", "b"]}), absent(), Ok(None)),
        (
            json!({"one_of": ["a", "b"]}),
            Some(json!("c")),
            Err("one_of"),
        ),
        (
            json!({"one_of": ["a", "b"]}),
            Some(json!(["a"])),
            Err("one_of"),
        ),
        (
            json!({"one_of": [1, 2]}),
            Some(json!(2)),
            Ok(Some(json!(2))),
        ),
        (
            json!({"default": "c", "one_of": ["a"]}),
            absent(),
            Err("one_of"),
        ),
        // Table 1 of §6.1.3.1.8.
        (
            json!({"subset_of": ["a","b","c"], "essential": true}),
            Some(json!(["a", "e"])),
            Ok(Some(json!(["a"]))),
        ),
        (
            json!({"subset_of": ["a","b","c"], "essential": false}),
            Some(json!(["a", "e"])),
            Ok(Some(json!(["a"]))),
        ),
        (
            json!({"subset_of": ["a","b","c"], "essential": true}),
            Some(json!(["d", "e"])),
            Ok(Some(json!([]))),
        ),
        (
            json!({"subset_of": ["a","b","c"], "essential": false}),
            Some(json!(["d", "e"])),
            Ok(Some(json!([]))),
        ),
        (
            json!({"subset_of": ["a","b","c"], "essential": true}),
            absent(),
            Err("essential"),
        ),
        (
            json!({"subset_of": ["a","b","c"], "essential": false}),
            absent(),
            Ok(None),
        ),
        (
            json!({"subset_of": ["a"]}),
            Some(json!("a")),
            Err("subset_of"),
        ),
        (
            json!({"superset_of": ["a"]}),
            Some(json!(["b", "a"])),
            Ok(Some(json!(["b", "a"]))),
        ),
        (
            json!({"superset_of": ["a"]}),
            Some(json!(["b"])),
            Err("superset_of"),
        ),
        (
            json!({"superset_of": ["a"]}),
            Some(json!("a")),
            Err("superset_of"),
        ),
        (json!({"superset_of": ["a"]}), absent(), Ok(None)),
        (
            json!({"subset_of": ["a"], "superset_of": ["a"]}),
            Some(json!(["a", "b"])),
            Ok(Some(json!(["a"]))),
        ),
        (json!({"essential": true}), absent(), Err("essential")),
        (
            json!({"essential": true, "default": "d"}),
            absent(),
            Ok(Some(json!("d"))),
        ),
        // Order: value, add, default, checks.
        (
            json!({"add": ["a"], "default": ["b"]}),
            absent(),
            Ok(Some(json!(["a"]))),
        ),
        (
            json!({"value": ["a","b"], "add": ["a"], "subset_of": ["a","b"]}),
            Some(json!(["z"])),
            Ok(Some(json!(["a", "b"]))),
        ),
        // Not understood, not critical.
        (
            json!({"except": ["a"]}),
            Some(json!(["a"])),
            Ok(Some(json!(["a"]))),
        ),
    ];
    for (operators, before, expected) in cases {
        let policy = one("p", &operators).unwrap_or_else(|e| panic!("{operators}: {e}"));
        let got = apply_one(&policy, "p", before.clone());
        match expected {
            Ok(after) => assert_eq!(got, Ok(after), "{operators} on {before:?}"),
            Err(operator) => assert_eq!(
                got.unwrap_err().operator,
                operator,
                "{operators} on {before:?}"
            ),
        }
    }
}

#[test]
fn combinations_follow_the_table() {
    let allowed = [
        json!({"value": ["a","b"], "add": ["a"]}),
        json!({"value": "a", "default": "b"}),
        json!({"value": "a", "one_of": ["a","b"]}),
        json!({"value": ["a"], "subset_of": ["a","b"]}),
        json!({"value": ["a","b"], "superset_of": ["a"]}),
        json!({"value": "a", "essential": true}),
        json!({"value": null, "essential": false}),
        json!({"value": null, "subset_of": ["a"]}),
        json!({"value": null, "add": []}),
        json!({"add": ["a"], "default": ["b"]}),
        json!({"add": ["a"], "subset_of": ["a"]}),
        json!({"add": ["a"], "superset_of": ["b"]}),
        json!({"add": ["a"], "essential": true}),
        json!({"default": "z", "one_of": ["a"]}),
        json!({"default": ["z"], "subset_of": ["a"]}),
        json!({"default": ["z"], "superset_of": ["a"]}),
        json!({"one_of": ["a"], "essential": true}),
        json!({"subset_of": ["a","b"], "superset_of": ["a"]}),
        json!({}),
    ];
    for operators in allowed {
        assert!(one("p", &operators).is_ok(), "{operators}");
    }
    let refused = [
        json!({"value": ["a"], "add": ["b"]}),
        json!({"value": null, "add": ["b"]}),
        json!({"value": "a", "add": ["a"]}),
        json!({"value": null, "default": "b"}),
        json!({"value": "c", "one_of": ["a","b"]}),
        json!({"value": null, "one_of": ["a"]}),
        json!({"value": ["a"], "one_of": ["a"]}),
        json!({"value": ["c"], "subset_of": ["a","b"]}),
        json!({"value": ["b"], "superset_of": ["a"]}),
        json!({"value": null, "superset_of": ["a"]}),
        json!({"value": null, "essential": true}),
        json!({"add": ["a"], "one_of": ["a"]}),
        json!({"add": ["c"], "subset_of": ["a"]}),
        json!({"one_of": ["a"], "subset_of": ["a"]}),
        json!({"one_of": ["a"], "superset_of": ["a"]}),
        json!({"subset_of": ["a"], "superset_of": ["a","b"]}),
        // Types that an operator does not support.
        json!({"add": "a"}),
        json!({"add": [null]}),
        json!({"add": [["a"]]}),
        json!({"default": null}),
        json!({"one_of": "a"}),
        json!({"subset_of": [true]}),
        json!({"superset_of": {}}),
        json!({"essential": "true"}),
        json!("value"),
    ];
    for operators in refused {
        assert!(one("p", &operators).is_err(), "{operators}");
    }
    assert!(MetadataPolicy::parse(&json!([])).is_err());
    assert!(MetadataPolicy::parse(&json!({"openid_provider": null})).is_err());
}

#[test]
fn merging_narrows_or_fails() {
    let cases: Vec<(Value, Value, Option<Value>)> = vec![
        (
            json!({"value": "a"}),
            json!({"value": "a"}),
            Some(json!({"value": "a"})),
        ),
        (
            json!({"value": ["a","b"]}),
            json!({"value": ["b","a"]}),
            Some(json!({"value": ["a","b"]})),
        ),
        (json!({"value": "a"}), json!({"value": "b"}), None),
        (json!({"value": null}), json!({"value": "b"}), None),
        (
            json!({"add": ["a"]}),
            json!({"add": ["b","a"]}),
            Some(json!({"add": ["a","b"]})),
        ),
        (
            json!({"default": "a"}),
            json!({"default": "a"}),
            Some(json!({"default": "a"})),
        ),
        (json!({"default": "a"}), json!({"default": "b"}), None),
        (
            json!({"one_of": ["a","b"]}),
            json!({"one_of": ["b","c"]}),
            Some(json!({"one_of": ["b"]})),
        ),
        (json!({"one_of": ["a"]}), json!({"one_of": ["b"]}), None),
        (
            json!({"subset_of": ["a","b"]}),
            json!({"subset_of": ["b","c"]}),
            Some(json!({"subset_of": ["b"]})),
        ),
        (
            json!({"subset_of": ["a"]}),
            json!({"subset_of": ["b"]}),
            Some(json!({"subset_of": []})),
        ),
        (
            json!({"superset_of": ["a"]}),
            json!({"superset_of": ["b"]}),
            Some(json!({"superset_of": ["a","b"]})),
        ),
        (
            json!({"essential": false}),
            json!({"essential": true}),
            Some(json!({"essential": true})),
        ),
        (
            json!({"essential": true}),
            json!({"essential": false}),
            Some(json!({"essential": true})),
        ),
        // Combinations that only arise by merging.
        (json!({"add": ["a"]}), json!({"one_of": ["a"]}), None),
        (
            json!({"subset_of": ["a","b"]}),
            json!({"superset_of": ["c"]}),
            None,
        ),
        (
            json!({"subset_of": ["a","b"], "superset_of": ["a"]}),
            json!({"subset_of": ["b"]}),
            None,
        ),
        (json!({"value": null}), json!({"essential": true}), None),
        (json!({"value": null}), json!({"default": "x"}), None),
        (json!({"value": "a"}), json!({"one_of": ["b"]}), None),
        (json!({"subset_of": ["a"]}), json!({"add": ["b"]}), None),
        (
            json!({"one_of": ["a"]}),
            json!({"default": "z"}),
            Some(json!({"one_of": ["a"], "default": "z"})),
        ),
    ];
    for (superior, subordinate, expected) in cases {
        let merged = one("p", &superior)
            .unwrap()
            .merge(one("p", &subordinate).unwrap());
        match expected {
            Some(expected) => assert_eq!(
                merged.as_ref().map(MetadataPolicy::to_json),
                Ok(json!({"openid_relying_party": {"p": expected}})),
                "{superior} + {subordinate}"
            ),
            None => assert!(merged.is_err(), "{superior} + {subordinate}"),
        }
    }
}

/// Figures 10 to 14 of §6.1.5.
#[test]
fn the_example_of_the_specification() {
    let anchor = json!({"openid_relying_party": {
        "grant_types": {
            "default": ["authorization_code"],
            "subset_of": ["authorization_code", "refresh_token"],
            "superset_of": ["authorization_code"]
        },
        "token_endpoint_auth_method": {
            "one_of": ["private_key_jwt", "self_signed_tls_client_auth"],
            "essential": true
        },
        "token_endpoint_auth_signing_alg": {"one_of": ["PS256", "ES256"]},
        "subject_type": {"value": "pairwise"},
        "contacts": {"add": ["helpdesk@federation.example.org"]}
    }});
    let intermediate = json!({"openid_relying_party": {
        "grant_types": {"subset_of": ["authorization_code"]},
        "token_endpoint_auth_method": {"one_of": ["self_signed_tls_client_auth"]},
        "contacts": {"add": ["helpdesk@org.example.org"]}
    }});
    let merged = MetadataPolicy::parse(&anchor)
        .unwrap()
        .merge(MetadataPolicy::parse(&intermediate).unwrap())
        .unwrap();
    assert_eq!(
        merged.to_json(),
        json!({"openid_relying_party": {
            "grant_types": {
                "default": ["authorization_code"],
                "superset_of": ["authorization_code"],
                "subset_of": ["authorization_code"]
            },
            "token_endpoint_auth_method": {
                "one_of": ["self_signed_tls_client_auth"],
                "essential": true
            },
            "token_endpoint_auth_signing_alg": {"one_of": ["PS256", "ES256"]},
            "subject_type": {"value": "pairwise"},
            "contacts": {"add": ["helpdesk@federation.example.org", "helpdesk@org.example.org"]}
        }})
    );
    let Value::Object(mut metadata) = json!({"openid_relying_party": {
        "redirect_uris": ["https://rp.example.org/callback"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "contacts": ["rp_admins@rp.example.org"],
        "sector_identifier_uri": "https://org.example.org/sector-ids.json",
        "policy_uri": "https://org.example.org/policy.html"
    }}) else {
        unreachable!()
    };
    merged.apply(&mut metadata).unwrap();
    assert_eq!(
        Value::Object(metadata),
        json!({"openid_relying_party": {
            "redirect_uris": ["https://rp.example.org/callback"],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "self_signed_tls_client_auth",
            "subject_type": "pairwise",
            "sector_identifier_uri": "https://org.example.org/sector-ids.json",
            "policy_uri": "https://org.example.org/policy.html",
            "contacts": ["rp_admins@rp.example.org", "helpdesk@federation.example.org", "helpdesk@org.example.org"]
        }})
    );
}

#[test]
fn scope_is_a_set_of_words() {
    let cases = [
        (
            json!({"subset_of": ["openid", "profile"]}),
            Some(json!("openid phone profile")),
            Ok(Some(json!("openid profile"))),
        ),
        (
            json!({"subset_of": "openid profile"}),
            Some(json!("phone")),
            Ok(Some(json!(""))),
        ),
        (
            json!({"superset_of": ["openid"]}),
            Some(json!("profile openid")),
            Ok(Some(json!("profile openid"))),
        ),
        (
            json!({"superset_of": ["openid"]}),
            Some(json!("profile")),
            Err(()),
        ),
        (
            json!({"default": "openid profile"}),
            None,
            Ok(Some(json!("openid profile"))),
        ),
        (
            json!({"default": ["openid", "profile"]}),
            None,
            Ok(Some(json!("openid profile"))),
        ),
        (
            json!({"value": "openid"}),
            Some(json!("a b")),
            Ok(Some(json!("openid"))),
        ),
        (json!({"value": null}), Some(json!("a b")), Ok(None)),
        (
            json!({"add": ["openid"]}),
            Some(json!("profile")),
            Ok(Some(json!("profile openid"))),
        ),
        (json!({"essential": true}), Some(json!(["openid"])), Err(())),
    ];
    for (operators, before, expected) in cases {
        let policy = one("scope", &operators).unwrap();
        let got = apply_one(&policy, "scope", before).map_err(|_| ());
        assert_eq!(got, expected, "{operators}");
    }
    let merged = one("scope", &json!({"value": "a b"}))
        .unwrap()
        .merge(one("scope", &json!({"value": ["b", "a"]})).unwrap());
    assert!(merged.is_ok());
    // Only this parameter.
    let policy = one("scopes_supported", &json!({"subset_of": ["a"]})).unwrap();
    assert!(apply_one(&policy, "scopes_supported", Some(json!("a"))).is_err());
}

#[test]
fn absent_entity_types_and_other_languages_are_left_alone() {
    let policy = MetadataPolicy::parse(&json!({
        "openid_provider": {"issuer": {"essential": true}},
        "openid_relying_party": {"client_name#en": {"value": "x"}}
    }))
    .unwrap();
    let Value::Object(mut metadata) = json!({"openid_relying_party": {"client_name": "名"}})
    else {
        unreachable!()
    };
    policy.apply(&mut metadata).unwrap();
    assert_eq!(
        Value::Object(metadata),
        json!({"openid_relying_party": {"client_name": "名", "client_name#en": "x"}})
    );
}

#[test]
fn critical_operator_names() {
    assert_eq!(
        critical_operators(&json!(["except"])),
        Ok(vec!["except".to_owned()])
    );
    for refused in [
        json!([]),
        json!({}),
        json!(["value"]),
        json!([1]),
        json!("except"),
    ] {
        assert!(critical_operators(&refused).is_err(), "{refused}");
    }
}
