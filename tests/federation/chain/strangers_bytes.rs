//! Bytes that nobody meant as a chain.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is done to one character of a statement, it is refused or still says the same, signed by the same key.
    #[test]
    fn one_altered_character_never_changes_what_is_believed(at in 0usize..4000, with in 0u8..128) {
        let world = World::small();
        let mut chain = world.chain(&[LEAF, MIDDLE, TOP]);
        let good = TrustChain::parse(&chain, &world.anchors(&[TOP]), &Rules::default(), START).expect("valid");
        let total: usize = chain.iter().map(String::len).sum();
        let mut at = at % total;
        for token in &mut chain {
            if at < token.len() {
                let mut bytes = token.clone().into_bytes();
                bytes[at] = with;
                *token = String::from_utf8(bytes).expect("ASCII");
                break;
            }
            at -= token.len();
        }
        if let Ok(altered) = TrustChain::parse(&chain, &world.anchors(&[TOP]), &Rules::default(), START) {
            prop_assert_eq!(altered.metadata(), good.metadata());
            prop_assert_eq!(altered.path(), good.path());
            prop_assert_eq!(altered.expires_at(), good.expires_at());
        }
    }

    #[test]
    fn any_text_is_refused_quietly(text in "\\PC{0,200}", payload in "\\PC{0,100}") {
        let world = World::small();
        prop_assert!(TrustChain::parse(&[text], &world.anchors(&[TOP]), &Rules::default(), START).is_err());
        let header = json!({"typ": "entity-statement+jwt", "alg": "EdDSA", "kid": "x"});
        let token = TestKey::of(TOP).sign(header.as_object().expect("an object"), &payload);
        prop_assert!(TrustChain::parse(&[token], &world.anchors(&[TOP]), &Rules::default(), START).is_err());
    }

    /// Arbitrary JSON in the place of each claim: never a panic, and never a chain that lost its check.
    #[test]
    fn any_value_of_any_claim(
        claim in prop::sample::select(vec![
            "iss", "sub", "iat", "exp", "jwks", "metadata", "crit", "authority_hints", "constraints",
            "metadata_policy", "metadata_policy_crit", "trust_marks", "trust_mark_issuers", "trust_mark_owners",
        ]),
        hop in 0usize..4,
        value in any_json(),
    ) {
        let world = World::small();
        let (iss, sub) = HOPS[hop];
        world.spoil(iss, sub, move |draft| set(draft, claim, value.clone()));
        let _ = validate(&world).map(|chain| chain.trace().hops.len());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_:/.]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            TOP,
            MIDDLE,
            LEAF,
            "keys",
            "openid_relying_party",
            "one_of"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(
                prop::sample::select(vec![
                    "keys",
                    "kid",
                    "openid_relying_party",
                    "scope",
                    "one_of",
                    "permitted",
                    "x"
                ]),
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(
                map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            )),
        ]
    })
}
