//! Chains as a whole: how they are built, when they end, what comes of their metadata.

use super::*;

#[test]
fn a_chain_expires_with_its_first_statement_and_is_refused_after_it() {
    for (hop, (iss, sub)) in HOPS.into_iter().enumerate() {
        let world = World::small();
        world.spoil(iss, sub, |d| set(d, "exp", json!(START.0 + 30)));
        let chain = world.chain(&[LEAF, MIDDLE, TOP]);
        let at = |now| TrustChain::parse(&chain, &world.anchors(&[TOP]), &Rules::default(), now);
        assert_eq!(
            at(START).expect("valid").expires_at(),
            START.plus(30),
            "statement {hop}"
        );
        // 60 seconds of leeway between clocks.
        assert!(at(START.plus(30 + 59)).is_ok());
        let error = at(START.plus(30 + 60)).expect_err("expired");
        assert_eq!((error.hop, error.failure.step), (hop, Step::Expiry));
    }
}

#[test]
fn shapes_of_chains() {
    let world = World::small();
    let full = world.chain(&[LEAF, MIDDLE, TOP]);
    let check = |chain: &[String]| {
        TrustChain::parse(chain, &world.anchors(&[TOP]), &Rules::default(), START)
            .map(|chain| chain.path().len())
            .map_err(|error| error.failure.step)
    };
    assert_eq!(check(&full), Ok(3));
    // §4: the anchor's configuration may be left out.
    assert_eq!(check(&full[..3]), Ok(3));
    // The anchor alone.
    assert_eq!(check(&full[3..]), Ok(1));
    assert_eq!(check(&full[..2]), Err(Step::Anchor));
    assert_eq!(check(&full[..1]), Err(Step::Anchor));
    assert_eq!(check(&full[1..]), Err(Step::Issuer));
    assert_eq!(check(&[]), Err(Step::Form));
    assert_eq!(check(&vec![full[0].clone(); 12]), Err(Step::Form));
    let twice = [
        full[0].clone(),
        full[0].clone(),
        full[1].clone(),
        full[2].clone(),
    ];
    assert_eq!(check(&twice), Err(Step::Issuer));
    let swapped = [
        full[0].clone(),
        full[2].clone(),
        full[1].clone(),
        full[3].clone(),
    ];
    assert_eq!(check(&swapped), Err(Step::Link));
    // Another anchor's federation.
    let other = TrustChain::parse(
        &full,
        &world.anchors(&["https://other.example"]),
        &Rules::default(),
        START,
    );
    assert_eq!(
        other.expect_err("unknown anchor").failure.step,
        Step::Anchor
    );
}

#[test]
fn metadata_is_resolved_in_the_order_of_the_specification() {
    let world = World::small();
    world.vouch(
        MIDDLE,
        LEAF,
        json!({
            // Replaces parameter by parameter, for declared types only.
            "metadata": {
                "openid_relying_party": {"client_name": "vouched", "policy_uri": "https://m.example/p"},
                "openid_provider": {"issuer": LEAF},
            },
            "metadata_policy": {"openid_relying_party": {"scope": {"subset_of": ["openid", "real_name"]}}},
        }),
    );
    world.vouch(
        TOP,
        MIDDLE,
        json!({
            // Concerns the intermediate, not the subject.
            "metadata": {"openid_relying_party": {"client_name": "from above"}},
            "metadata_policy": {
                "openid_relying_party": {
                    "scope": {"subset_of": ["openid", "phone", "real_name"]},
                    "client_name": {"one_of": ["vouched"]},
                    "contacts": {"default": ["a@top.example"]},
                },
                "openid_provider": {"issuer": {"essential": true}},
            },
            "constraints": {"allowed_entity_types": ["openid_relying_party"]},
        }),
    );
    world.spoil(LEAF, LEAF, |d| {
        d.claims["metadata"]["oauth_client"] = json!({});
    });
    let chain = validate(&world).expect("a valid chain");
    let mut metadata = chain.metadata().clone();
    metadata["openid_relying_party"]
        .as_object_mut()
        .expect("members")
        .remove("jwks");
    assert_eq!(
        Value::Object(metadata),
        json!({"openid_relying_party": {
            "redirect_uris": ["https://leaf.example/cb"],
            "client_registration_types": ["automatic"],
            "client_name": "vouched",
            "policy_uri": "https://m.example/p",
            "token_endpoint_auth_method": "private_key_jwt",
            "contacts": ["a@top.example"],
            "scope": "openid real_name",
        }})
    );
}

#[test]
fn policies_of_two_superiors_must_agree() {
    let world = World::small();
    let policy = |value| json!({"metadata_policy": {"openid_relying_party": {"subject_type": {"value": value}}}});
    world.vouch(TOP, MIDDLE, policy("pairwise"));
    world.vouch(MIDDLE, LEAF, policy("public"));
    let error = validate(&world).expect_err("a conflict");
    assert_eq!((error.hop, error.failure.step), (1, Step::Policy));
    assert!(
        error
            .to_string()
            .contains("openid_relying_party.subject_type"),
        "{error}"
    );
    world.vouch(MIDDLE, LEAF, policy("pairwise"));
    assert_eq!(
        validate(&world).expect("agreement").metadata()["openid_relying_party"]["subject_type"],
        "pairwise"
    );
}

#[test]
fn hundreds_of_kilobytes_are_read_and_more_are_not() {
    let world = World::small();
    world.spoil(LEAF, LEAF, |d| {
        set(d, "other", json!("x".repeat(300 * 1024)));
    });
    assert!(validate(&world).is_ok());
    world.spoil(LEAF, LEAF, |d| {
        set(d, "other", json!("x".repeat(400 * 1024)));
    });
    assert_eq!(
        validate(&world).expect_err("too long").failure.step,
        Step::Form
    );
}
