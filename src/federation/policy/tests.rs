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

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned)
}

fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(word(), 0..4)
}

fn array_policy() -> impl Strategy<Value = MetadataPolicy> {
    (
        prop::option::of(prop_oneof![
            words().prop_map(|w| json!(w)),
            Just(Value::Null)
        ]),
        prop::option::of(words()),
        prop::option::of(words()),
        prop::option::of(words()),
        prop::option::of(words()),
        prop::option::of(any::<bool>()),
    )
        .prop_filter_map(
            "a valid policy",
            |(value, add, default, subset, superset, essential)| {
                let mut operators = Map::new();
                let mut put = |name: &str, value: Option<Value>| {
                    if let Some(value) = value {
                        operators.insert(name.to_owned(), value);
                    }
                };
                put("value", value);
                put("add", add.map(|v| json!(v)));
                put("default", default.map(|v| json!(v)));
                put("subset_of", subset.map(|v| json!(v)));
                put("superset_of", superset.map(|v| json!(v)));
                put("essential", essential.map(|v| json!(v)));
                one("p", &Value::Object(operators)).ok()
            },
        )
}

fn as_set(value: Option<Value>) -> Option<std::collections::BTreeSet<String>> {
    value.map(|value| {
        let values = value.as_array().unwrap().clone();
        values
            .iter()
            .map(|v| v.as_str().unwrap().to_owned())
            .collect()
    })
}

proptest! {
    /// Whatever passes the merged policy also satisfies each part: a subordinate cannot loosen its superior.
    #[test]
    fn merged_is_at_least_as_strict(a in array_policy(), b in array_policy(), p in prop::option::of(words())) {
        let before = p.map(|p| json!(p));
        if let Ok(merged) = a.clone().merge(b.clone())
            && let Ok(after) = apply_one(&merged, "p", before)
        {
            for part in [&a, &b] {
                // The result is a fixed point of each part's modifiers and passes its checks …
                let again = apply_one(part, "p", after.clone());
                prop_assert!(again.is_ok(), "{:?} refuses {:?}", part, after);
                // … except that a part may add its default to an absent value that the other removed.
                if after.is_some() {
                    prop_assert_eq!(as_set(again.unwrap()), as_set(after.clone()));
                }
            }
        }
    }

    #[test]
    fn merging_is_associative_and_commutative_as_sets(a in array_policy(), b in array_policy(), c in array_policy(), p in prop::option::of(words())) {
        let before = p.map(|p| json!(p));
        let left = a.clone().merge(b.clone()).and_then(|ab| ab.merge(c.clone()));
        let right = b.clone().merge(c.clone()).and_then(|bc| a.clone().merge(bc));
        let other = c.merge(b).and_then(|cb| cb.merge(a));
        let run = |policy: Result<MetadataPolicy, PolicyError>| {
            policy.ok().map(|policy| apply_one(&policy, "p", before.clone()).map(as_set).map_err(|e| e.operator))
        };
        // Associativity of success does not hold for §6.1 in general: an intermediate merge may already contradict
        // itself. But operators only narrow, so a whole that merges one way merges every way.
        let (left, right, other) = (run(left), run(right), run(other));
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(&left, &other);
    }

    #[test]
    fn merging_with_itself_changes_nothing(a in array_policy(), p in prop::option::of(words())) {
        let before = p.map(|p| json!(p));
        let twice = a.clone().merge(a.clone()).unwrap();
        prop_assert_eq!(
            apply_one(&twice, "p", before.clone()).map(as_set),
            apply_one(&a, "p", before).map(as_set)
        );
    }

    #[test]
    fn applying_twice_is_applying_once(a in array_policy(), p in prop::option::of(words())) {
        if let Ok(once) = apply_one(&a, "p", p.map(|p| json!(p))) {
            prop_assert_eq!(as_set(apply_one(&a, "p", once.clone()).unwrap()), as_set(once));
        }
    }

    /// Strangers' bytes: reading and applying never panic.
    #[test]
    fn nothing_panics(operators in "[a-z_]{0,8}", text in ".{0,40}") {
        let value = serde_json::from_str::<Value>(&text).unwrap_or(Value::String(text));
        let _ = MetadataPolicy::parse(&json!({"openid_relying_party": {"scope": {operators: value.clone()}}}))
            .and_then(|policy| apply_one(&policy, "scope", Some(value)));
    }
}
