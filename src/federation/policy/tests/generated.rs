//! Laws that hold for policies whatever they say.

use super::*;

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
