//! One change to one statement breaks exactly the check that it should, at the statement where it stands.

mod shape;
mod strangers_bytes;

use hefu::federation::statement::{Rules, Step};
use hefu::federation::{ChainError, TrustChain};
use serde_json::{Value, json};

use crate::support::federation::{Draft, LEAF, MIDDLE, START, TOP, TestKey, World};

fn validate(world: &World) -> Result<TrustChain, ChainError> {
    TrustChain::parse(
        &world.chain(&[LEAF, MIDDLE, TOP]),
        &world.anchors(&[TOP]),
        &Rules::default(),
        START,
    )
}

#[test]
fn an_unspoilt_chain_holds() {
    let chain = validate(&World::small()).expect("a valid chain");
    assert_eq!(chain.subject().as_str(), LEAF);
    assert_eq!(chain.anchor().as_str(), TOP);
    let path: Vec<&str> = chain.path().iter().map(|id| id.as_str()).collect();
    assert_eq!(path, [LEAF, MIDDLE, TOP]);
    assert_eq!(chain.expires_at(), START.plus(600));
    assert_eq!(chain.tokens().len(), 4);
    assert!(
        chain
            .trace()
            .hops
            .iter()
            .flat_map(|hop| &hop.checks)
            .all(|c| c.failure.is_none())
    );
}

/// The subject's configuration, what the intermediate says, what the anchor says, the anchor's configuration.
const HOPS: [(&str, &str); 4] = [(LEAF, LEAF), (MIDDLE, LEAF), (TOP, MIDDLE), (TOP, TOP)];

type Change = fn(&mut Draft);

fn set(draft: &mut Draft, name: &str, value: Value) {
    draft.claims.insert(name.into(), value);
}

#[test]
fn one_change_breaks_one_check() {
    use Step as S;
    let everywhere: Vec<(&str, Step, Change)> = vec![
        ("a fourth part", S::Form, |d| d.tail = ".x"),
        ("padding", S::Form, |d| d.tail = "="),
        ("typ JWT", S::Typ, |d| {
            d.header.insert("typ".into(), "JWT".into());
        }),
        ("no typ", S::Typ, |d| {
            d.header.remove("typ");
        }),
        ("a resolve response", S::Typ, |d| {
            d.header.insert("typ".into(), "resolve-response+jwt".into());
        }),
        ("a chain in the header", S::Header, |d| {
            d.header.insert("trust_chain".into(), json!([]));
        }),
        ("a peer's chain in the header", S::Header, |d| {
            d.header.insert("peer_trust_chain".into(), json!([]));
        }),
        ("an embedded key", S::Header, |d| {
            d.header.insert("jwk".into(), TestKey::of("x").jwk());
        }),
        ("a key address", S::Header, |d| {
            d.header.insert("jku".into(), "https://x.example".into());
        }),
        ("an unknown critical header", S::Header, |d| {
            d.header.insert("crit".into(), json!(["b64"]));
        }),
        ("alg none", S::Algorithm, |d| {
            d.header.insert("alg".into(), "none".into());
        }),
        ("alg HS256", S::Algorithm, |d| {
            d.header.insert("alg".into(), "HS256".into());
        }),
        ("no kid", S::Kid, |d| {
            d.header.remove("kid");
        }),
        ("an empty kid", S::Kid, |d| {
            d.header.insert("kid".into(), "".into());
        }),
        ("a repeated member", S::Payload, |d| {
            let text = Value::Object(d.claims.clone()).to_string();
            d.payload = Some(text.replacen('{', r#"{"iat":1,"#, 1));
        }),
        ("not an object", S::Payload, |d| {
            d.payload = Some("[]".into());
        }),
        ("sub is no URL", S::Subject, |d| {
            set(d, "sub", json!("leaf"));
        }),
        ("sub is missing", S::Subject, |d| {
            d.claims.remove("sub");
        }),
        ("sub with a query", S::Subject, |d| {
            set(d, "sub", json!("https://leaf.example?x"));
        }),
        ("iss is no string", S::Issuer, |d| {
            set(d, "iss", json!([LEAF]));
        }),
        ("iss over http", S::Issuer, |d| {
            set(d, "iss", json!("http://leaf.example"));
        }),
        ("issued in the future", S::IssuedAt, |d| {
            set(d, "iat", json!(START.0 + 61));
        }),
        ("iat is missing", S::IssuedAt, |d| {
            d.claims.remove("iat");
        }),
        ("iat is text", S::IssuedAt, |d| set(d, "iat", json!("1"))),
        ("expired", S::Expiry, |d| set(d, "exp", json!(START.0 - 60))),
        ("exp is missing", S::Expiry, |d| {
            d.claims.remove("exp");
        }),
        ("exp is text", S::Expiry, |d| {
            set(d, "exp", json!("9999999999"));
        }),
        ("jwks is missing", S::Keys, |d| {
            d.claims.remove("jwks");
        }),
        ("jwks is empty", S::Keys, |d| {
            set(d, "jwks", json!({"keys": []}));
        }),
        ("a key without kid", S::Keys, |d| {
            let mut jwk = TestKey::of("x").jwk();
            jwk.as_object_mut().expect("a key").remove("kid");
            set(d, "jwks", json!({"keys": [jwk]}));
        }),
        ("a kid twice", S::Keys, |d| {
            let jwk = TestKey::of("x").jwk();
            set(d, "jwks", json!({"keys": [jwk, jwk]}));
        }),
        ("a private key", S::Keys, |d| {
            let mut jwk = TestKey::of("x").jwk();
            jwk["d"] = json!("AAAA");
            set(d, "jwks", json!({"keys": [jwk]}));
        }),
        ("crit is empty", S::Crit, |d| set(d, "crit", json!([]))),
        ("crit is no array", S::Crit, |d| set(d, "crit", json!("x"))),
        ("crit names a standard claim", S::Crit, |d| {
            set(d, "crit", json!(["iss"]));
        }),
        ("crit names an absent claim", S::Crit, |d| {
            set(d, "crit", json!(["other"]));
        }),
        ("crit names a claim we do not know", S::Crit, |d| {
            set(d, "other", json!(1));
            set(d, "crit", json!(["other"]));
        }),
        ("metadata is no object", S::Claims, |d| {
            set(d, "metadata", json!([]));
        }),
        ("a metadata type is no object", S::Claims, |d| {
            set(d, "metadata", json!({"openid_relying_party": 1}));
        }),
        ("a null parameter", S::Claims, |d| {
            set(d, "metadata", json!({"openid_relying_party": {"x": null}}));
        }),
        ("an audience", S::Claims, |d| {
            set(d, "aud", json!("https://op.example"));
        }),
        ("a trust anchor", S::Claims, |d| {
            set(d, "trust_anchor", json!(TOP));
        }),
        ("an unknown key", S::Key, |d| {
            d.header.insert("kid".into(), "other".into());
        }),
        ("another algorithm than the key's", S::Key, |d| {
            d.header.insert("alg".into(), "ES256".into());
        }),
        ("somebody else's signature", S::Signature, |d| {
            d.key = TestKey::of("somebody else");
        }),
    ];
    let in_configurations: Vec<(&str, Step, Change)> = vec![
        ("a policy", S::Claims, |d| {
            set(d, "metadata_policy", json!({}));
        }),
        ("constraints", S::Claims, |d| {
            set(d, "constraints", json!({}));
        }),
        ("critical operators", S::Claims, |d| {
            set(d, "metadata_policy_crit", json!(["x"]));
        }),
        ("a source", S::Claims, |d| {
            set(d, "source_endpoint", json!("https://x.example"));
        }),
        ("empty hints", S::Claims, |d| {
            set(d, "authority_hints", json!([]));
        }),
        ("hints are text", S::Claims, |d| {
            set(d, "authority_hints", json!(MIDDLE));
        }),
        ("a hint is no identifier", S::Claims, |d| {
            set(d, "authority_hints", json!([MIDDLE, "x"]));
        }),
        ("empty anchor hints", S::Claims, |d| {
            set(d, "trust_anchor_hints", json!([]));
        }),
        ("marks are malformed", S::Claims, |d| {
            set(d, "trust_marks", json!([{"trust_mark": "x"}]));
        }),
        ("mark issuers are malformed", S::Claims, |d| {
            set(d, "trust_mark_issuers", json!({"t": TOP}));
        }),
        ("mark owners are malformed", S::Claims, |d| {
            set(d, "trust_mark_owners", json!({"t": {"sub": TOP}}));
        }),
    ];
    let in_subordinate_statements: Vec<(&str, Step, Change)> = vec![
        ("hints", S::Claims, |d| {
            set(d, "authority_hints", json!([TOP]));
        }),
        ("anchor hints", S::Claims, |d| {
            set(d, "trust_anchor_hints", json!([TOP]));
        }),
        ("marks", S::Claims, |d| set(d, "trust_marks", json!([]))),
        ("mark issuers", S::Claims, |d| {
            set(d, "trust_mark_issuers", json!({}));
        }),
        ("mark owners", S::Claims, |d| {
            set(d, "trust_mark_owners", json!({}));
        }),
        ("malformed constraints", S::Claims, |d| {
            set(d, "constraints", json!({"max_path_length": -1}));
        }),
        ("a standard operator as critical", S::Claims, |d| {
            set(d, "metadata_policy_crit", json!(["value"]));
        }),
        ("critical operators are no array", S::Claims, |d| {
            set(d, "metadata_policy_crit", json!({}));
        }),
        ("a source that is no text", S::Claims, |d| {
            set(d, "source_endpoint", json!(1));
        }),
        ("a malformed policy", S::Policy, |d| {
            set(
                d,
                "metadata_policy",
                json!({"openid_relying_party": {"x": {"one_of": "a"}}}),
            );
        }),
        ("a policy that contradicts itself", S::Policy, |d| {
            set(
                d,
                "metadata_policy",
                json!({"openid_relying_party": {"x": {"add": ["b"], "subset_of": ["a"]}}}),
            );
        }),
        ("a critical operator we do not know", S::Policy, |d| {
            set(d, "metadata_policy_crit", json!(["except"]));
        }),
        ("an excluded name", S::Naming, |d| {
            set(
                d,
                "constraints",
                json!({"naming_constraints": {"excluded": ["leaf.example"]}}),
            );
        }),
        ("a name that is not permitted", S::Naming, |d| {
            set(
                d,
                "constraints",
                json!({"naming_constraints": {"permitted": [".gov.example"]}}),
            );
        }),
    ];
    let at_one_place: Vec<(&str, usize, usize, Step, Change)> = vec![
        // (what, which statement, where it is noticed, as what)
        ("about somebody else", 1, 0, S::Link, |d| {
            set(d, "sub", json!("https://other.example"));
        }),
        ("by somebody else", 1, 1, S::Link, |d| {
            set(d, "iss", json!("https://other.example"));
        }),
        ("about another intermediate", 2, 1, S::Link, |d| {
            set(d, "sub", json!("https://other.example"));
        }),
        (
            "the subject names another superior",
            0,
            1,
            S::AuthorityHints,
            |d| {
                set(d, "authority_hints", json!(["https://other.example"]));
            },
        ),
        ("anchors without superiors", 0, 0, S::Claims, |d| {
            d.claims.remove("authority_hints");
            set(d, "trust_anchor_hints", json!([TOP]));
        }),
        ("the subject names none", 0, 1, S::AuthorityHints, |d| {
            d.claims.remove("authority_hints");
        }),
        ("the superior pins another key", 1, 0, S::Pinned, |d| {
            set(d, "jwks", TestKey::of("x").jwks());
        }),
        (
            "the superior pins another key of the same name",
            1,
            0,
            S::Pinned,
            |d| {
                set(
                    d,
                    "jwks",
                    TestKey::of("x").named(&format!("key of {LEAF}")).jwks(),
                );
            },
        ),
        (
            "the subject signs with a key it only shows itself",
            0,
            0,
            S::Pinned,
            |d| {
                d.key = TestKey::of("new");
                d.header.insert("kid".into(), "key of new".into());
                set(
                    d,
                    "jwks",
                    json!({"keys": [TestKey::of(LEAF).jwk(), TestKey::of("new").jwk()]}),
                );
            },
        ),
        (
            "the anchor pins another intermediate key",
            2,
            1,
            S::Key,
            |d| set(d, "jwks", TestKey::of("x").jwks()),
        ),
        (
            "the anchor signs with a key that is not configured",
            3,
            3,
            S::Key,
            |d| {
                d.key = TestKey::of("new");
                d.header.insert("kid".into(), "key of new".into());
                set(
                    d,
                    "jwks",
                    json!({"keys": [TestKey::of(TOP).jwk(), TestKey::of("new").jwk()]}),
                );
            },
        ),
        ("no intermediate is allowed", 2, 2, S::PathLength, |d| {
            set(d, "constraints", json!({"max_path_length": 0}));
        }),
        ("the subject breaks a policy", 2, 0, S::Metadata, |d| {
            set(
                d,
                "metadata_policy",
                json!({"openid_relying_party": {
                    "token_endpoint_auth_method": {"one_of": ["tls_client_auth"]}
                }}),
            );
        }),
        ("something essential is missing", 1, 0, S::Metadata, |d| {
            set(
                d,
                "metadata_policy",
                json!({"openid_relying_party": {"contacts": {"essential": true}}}),
            );
        }),
        ("a provider with another issuer", 0, 0, S::Metadata, |d| {
            set(
                d,
                "metadata",
                json!({"openid_provider": {"issuer": "https://other.example"}}),
            );
        }),
    ];

    let mut cases: Vec<(String, usize, usize, Step, Change)> = Vec::new();
    for (hop, (iss, sub)) in HOPS.into_iter().enumerate() {
        let special = if iss == sub {
            &in_configurations
        } else {
            &in_subordinate_statements
        };
        for (what, step, change) in everywhere.iter().chain(special) {
            cases.push((
                format!("{what} in statement {hop}"),
                hop,
                hop,
                *step,
                *change,
            ));
        }
    }
    for (what, hop, noticed, step, change) in at_one_place {
        cases.push((what.to_owned(), hop, noticed, step, change));
    }
    assert!(cases.len() > 200);
    for (what, hop, noticed, step, change) in cases {
        let world = World::small();
        let (iss, sub) = HOPS[hop];
        world.spoil(iss, sub, change);
        let error = validate(&world).expect_err(&what);
        assert_eq!(
            (error.hop, error.failure.step),
            (noticed, step),
            "{what}: {error}"
        );
        // The trace says so in exactly one line.
        let failures: Vec<Step> = error
            .trace
            .hops
            .iter()
            .flat_map(|hop| &hop.checks)
            .filter(|check| check.failure.is_some())
            .map(|check| check.step)
            .collect();
        assert_eq!(failures, [step], "{what}");
    }
}

#[test]
fn changes_that_break_nothing() {
    let harmless: Vec<(&str, usize, Change)> = vec![
        ("unknown claims", 0, |d| set(d, "other", json!({"a": 1}))),
        ("unknown claims from a superior", 1, |d| {
            set(d, "other", json!(1));
        }),
        ("unknown header members", 1, |d| {
            d.header.insert("other".into(), json!(1));
        }),
        ("typ with its prefix", 1, |d| {
            d.header
                .insert("typ".into(), "application/entity-statement+jwt".into());
        }),
        ("the superior repeats federation_entity metadata", 1, |d| {
            set(
                d,
                "metadata",
                json!({"federation_entity": {"organization_name": "x"}}),
            );
        }),
        ("unknown operators", 1, |d| {
            set(
                d,
                "metadata_policy",
                json!({"openid_relying_party": {"scope": {"except": ["x"]}}}),
            );
        }),
        ("unknown constraints", 1, |d| {
            set(d, "constraints", json!({"other": 1}));
        }),
        ("clocks that differ a little", 2, |d| {
            set(d, "iat", json!(START.0 + 60));
        }),
        ("room for one intermediate", 2, |d| {
            set(d, "constraints", json!({"max_path_length": 1}));
        }),
        ("a second key that the superior does not know", 0, |d| {
            set(
                d,
                "jwks",
                json!({"keys": [TestKey::of(LEAF).jwk(), TestKey::of("next").jwk()]}),
            );
        }),
        ("null deep inside", 0, |d| {
            set(
                d,
                "metadata",
                json!({"openid_relying_party": {"claims": {"a": null}}}),
            );
        }),
    ];
    for (what, hop, change) in harmless {
        let world = World::small();
        world.spoil(HOPS[hop].0, HOPS[hop].1, change);
        validate(&world).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}
