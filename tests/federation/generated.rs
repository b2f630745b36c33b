//! Federations that chance makes: what should hold holds, with the metadata that the rules say; one change breaks exactly
//! its check; among several ways the first that holds is found; and floods end.

use std::collections::BTreeSet;
use std::sync::Arc;

use hefu::federation::TrustChain;
use hefu::federation::statement::{Rules, Step};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::federation::{
    Draft, LEAF, MIDDLE, START, TOP, TestKey, World, entity_id, relying_party,
};

/// What one superior demands. Every combination of these can be met by the leaf, whatever stands above or below.
#[derive(Debug, Clone)]
struct Demand {
    contacts: BTreeSet<u8>,
    /// Scopes that are left besides `openid`.
    scopes: Option<BTreeSet<&'static str>>,
    is_essential: bool,
    default_uri: bool,
    /// How many more intermediates than there are.
    path_slack: Option<u64>,
    naming: bool,
    types: bool,
}

const SCOPES: [&str; 3] = ["real_name", "phone", "address"];

fn demand() -> impl Strategy<Value = Demand> {
    (
        prop::collection::btree_set(0u8..4, 0..3),
        prop::option::of(prop::sample::subsequence(SCOPES.to_vec(), 0..=3)),
        any::<bool>(),
        any::<bool>(),
        prop::option::of(0u64..3),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(contacts, scopes, is_essential, default_uri, path_slack, naming, types)| Demand {
                contacts,
                scopes: scopes.map(BTreeSet::from_iter),
                is_essential,
                default_uri,
                path_slack,
                naming,
                types,
            },
        )
}

impl Demand {
    /// The claims of the statement at place `hop` of the chain, 1 being the immediate superior's.
    fn claims(&self, hop: usize) -> Value {
        let contacts: Vec<String> = self.contacts.iter().copied().map(contact).collect();
        let mut policy = json!({
            "contacts": {"add": contacts},
            "client_name": {"essential": self.is_essential},
            "subject_type": {"one_of": ["public", "pairwise"]},
        });
        if let Some(scopes) = &self.scopes {
            let allowed: Vec<&str> = scopes.iter().copied().chain(["openid"]).collect();
            policy["scope"] = json!({"subset_of": allowed, "superset_of": "openid"});
        }
        if self.default_uri {
            policy["policy_uri"] = json!({"default": "https://top.example/policy"});
        }
        let mut constraints = json!({});
        if let Some(slack) = self.path_slack {
            constraints["max_path_length"] = json!(hop as u64 - 1 + slack);
        }
        if self.naming {
            constraints["naming_constraints"] =
                json!({"permitted": [".example"], "excluded": ["evil.example"]});
        }
        if self.types {
            constraints["allowed_entity_types"] = json!(["openid_relying_party"]);
        }
        json!({
            "metadata_policy": {"openid_relying_party": policy},
            "constraints": constraints,
        })
    }
}

fn contact(n: u8) -> String {
    format!("desk{n}@superior.example")
}

/// A leaf, `demands.len() - 1` intermediates, and the anchor, each demanding something of what stands below.
fn federation(demands: &[Demand]) -> (Arc<World>, Vec<String>) {
    let world = World::new();
    let mut path = vec![LEAF.to_owned()];
    path.extend((1..demands.len()).map(|n| format!("https://level{n}.example")));
    path.push(TOP.to_owned());
    let mut rp = relying_party("https://leaf.example/cb");
    rp["openid_relying_party"]["scope"] = json!("openid real_name phone address other");
    rp["openid_relying_party"]["subject_type"] = json!("pairwise");
    rp["oauth_client"] = json!({});
    rp["of_the_future"] = json!({"kept": true});
    world.entity(LEAF, &[&path[1]], rp);
    for pair in path[1..].windows(2) {
        world.entity(&pair[0], &[&pair[1]], json!({}));
    }
    world.entity(TOP, &[], json!({}));
    for (n, demand) in demands.iter().enumerate() {
        world.vouch(&path[n + 1], &path[n], demand.claims(n + 1));
    }
    (world, path)
}

fn tokens(world: &World, path: &[String]) -> Vec<String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    world.chain(&path)
}

/// Everything that an operator would be told about a chain.
fn failures(world: &World, path: &[String]) -> Vec<(usize, Step)> {
    let judged = TrustChain::examine(
        &tokens(world, path),
        &world.anchors(&[TOP]),
        &Rules::default(),
        START,
    );
    let trace = match &judged {
        Ok(chain) => chain.trace(),
        Err(error) => &error.trace,
    };
    let failed: BTreeSet<(usize, Step)> = trace
        .hops
        .iter()
        .enumerate()
        .flat_map(|(hop, told)| told.checks.iter().map(move |check| (hop, check)))
        .filter(|(_, check)| check.failure.is_some())
        .map(|(hop, check)| (hop, check.step))
        .collect();
    assert_eq!(judged.is_ok(), failed.is_empty());
    failed.into_iter().collect()
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Here,
    /// Noticed at the statement below, whose issuer's keys these are.
    Below,
    Subject,
}

type Mutation = (&'static str, Place, Step, fn(&mut Draft));

/// Changes that can be made to any statement.
const ANYWHERE: [Mutation; 14] = [
    ("typ", Place::Here, Step::Typ, |d| {
        d.header.insert("typ".into(), "JWT".into());
    }),
    ("alg", Place::Here, Step::Algorithm, |d| {
        d.header.insert("alg".into(), "none".into());
    }),
    ("a header", Place::Here, Step::Header, |d| {
        d.header.insert("trust_chain".into(), json!([]));
    }),
    ("no kid", Place::Here, Step::Kid, |d| {
        d.header.remove("kid");
    }),
    ("another kid", Place::Here, Step::Key, |d| {
        d.header.insert("kid".into(), "other".into());
    }),
    ("signature", Place::Here, Step::Signature, |d| {
        let kid = d.key.kid.clone();
        d.key = TestKey::of("somebody else").named(&kid);
    }),
    ("nested too deeply", Place::Here, Step::Payload, |d| {
        let text = Value::Object(d.claims.clone()).to_string();
        let deep = "[".repeat(200) + &"]".repeat(200);
        d.payload = Some(text.replacen('{', &format!(r#"{{"x":{deep},"#), 1));
    }),
    ("iat", Place::Here, Step::IssuedAt, |d| {
        d.claims.insert("iat".into(), json!(START.0 + 61));
    }),
    ("exp", Place::Here, Step::Expiry, |d| {
        d.claims.insert("exp".into(), json!(START.0 - 60));
    }),
    ("no exp", Place::Here, Step::Expiry, |d| {
        d.claims.remove("exp");
    }),
    ("no jwks", Place::Here, Step::Keys, |d| {
        d.claims.remove("jwks");
    }),
    ("crit", Place::Here, Step::Crit, |d| {
        d.claims.insert("x".into(), json!(1));
        d.claims.insert("crit".into(), json!(["x"]));
    }),
    ("a claim out of place", Place::Here, Step::Claims, |d| {
        d.claims.insert("aud".into(), json!(TOP));
    }),
    ("a null", Place::Here, Step::Claims, |d| {
        let metadata = d.claims.entry("metadata").or_insert(json!({}));
        metadata["of_the_future"] = json!({"x": null});
    }),
];

/// Changes to what a superior says.
const BY_SUPERIORS: [Mutation; 6] = [
    ("the keys below", Place::Below, Step::Key, |d| {
        d.claims.insert("jwks".into(), TestKey::of("x").jwks());
    }),
    (
        "a policy that contradicts itself",
        Place::Here,
        Step::Policy,
        |d| {
            d.claims["metadata_policy"] =
                json!({"openid_relying_party": {"x": {"add": ["b"], "subset_of": ["a"]}}});
        },
    ),
    ("a critical operator", Place::Here, Step::Policy, |d| {
        d.claims
            .insert("metadata_policy_crit".into(), json!(["regexp"]));
    }),
    (
        "an essential parameter",
        Place::Subject,
        Step::Metadata,
        |d| {
            d.claims["metadata_policy"]["openid_relying_party"]["tos_uri"] =
                json!({"essential": true});
        },
    ),
    ("a name", Place::Here, Step::Naming, |d| {
        d.claims["constraints"]["naming_constraints"] = json!({"excluded": ["leaf.example"]});
    }),
    ("constraints of no sense", Place::Here, Step::Claims, |d| {
        d.claims["constraints"]["max_path_length"] = json!(-1);
    }),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_should_hold_holds(demands in prop::collection::vec(demand(), 1..7)) {
        let (world, path) = federation(&demands);
        prop_assert_eq!(failures(&world, &path), vec![]);
        let chain = TrustChain::parse(&tokens(&world, &path), &world.anchors(&[TOP]), &Rules::default(), START).expect("valid");
        let told: Vec<&str> = chain.path().iter().map(|id| id.as_str()).collect();
        prop_assert_eq!(&told, &path.iter().map(String::as_str).collect::<Vec<_>>());

        // The rules once more, written differently.
        let rp = &chain.metadata()["openid_relying_party"];
        let contacts: BTreeSet<String> = demands.iter().flat_map(|d| d.contacts.iter().copied().map(contact)).collect();
        let got: BTreeSet<String> = rp["contacts"].as_array().expect("added").iter()
            .map(|c| c.as_str().expect("text").to_owned()).collect();
        prop_assert_eq!(got, contacts);
        let left = |scope: &str| scope == "openid" || demands.iter().all(|d| d.scopes.as_ref().is_none_or(|s| s.contains(scope)));
        let scopes: Vec<&str> = ["openid", "real_name", "phone", "address", "other"].into_iter().filter(|s| left(s)).collect();
        let scopes = scopes.join(" ");
        prop_assert_eq!(rp["scope"].as_str(), Some(&*scopes));
        prop_assert_eq!(rp.get("policy_uri").is_some(), demands.iter().any(|d| d.default_uri));
        // Types that nobody knows are kept, unless somebody allows only others.
        let limited = demands.iter().any(|d| d.types);
        prop_assert_eq!(chain.metadata().contains_key("of_the_future"), !limited);
        prop_assert_eq!(chain.metadata().contains_key("oauth_client"), !limited);
    }

    #[test]
    fn one_change_breaks_exactly_its_check(
        demands in prop::collection::vec(demand(), 1..5),
        at in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(),
    ) {
        let (world, path) = federation(&demands);
        let hops = path.len() + 1;
        let hop = at.index(hops);
        let is_superiors = hop > 0 && hop + 1 < hops;
        let mutations: Vec<&Mutation> = if is_superiors {
            ANYWHERE.iter().chain(&BY_SUPERIORS).collect()
        } else {
            ANYWHERE.iter().collect()
        };
        let (what, place, step, change) = *mutations[which.index(mutations.len())];
        let (iss, sub) = match hop {
            0 => (&path[0], &path[0]),
            _ if hop + 1 == hops => (&path[hop - 1], &path[hop - 1]),
            _ => (&path[hop], &path[hop - 1]),
        };
        world.spoil(iss, sub, change);
        let expected = match (place, hop, step) {
            (Place::Here, ..) => (hop, step),
            // The subject's key is asked for by its superior's leave.
            (Place::Below, 1, Step::Key) => (0, Step::Pinned),
            (Place::Below, ..) => (hop - 1, step),
            (Place::Subject, ..) => (0, step),
        };
        prop_assert_eq!(failures(&world, &path), vec![expected], "{} in statement {}", what, hop);
        // A login hears of the same one.
        let error = TrustChain::parse(&tokens(&world, &path), &world.anchors(&[TOP]), &Rules::default(), START).expect_err("broken");
        prop_assert_eq!((error.hop, error.failure.step), expected);
    }

    #[test]
    fn a_path_that_is_longer_than_allowed_is_refused(demands in prop::collection::vec(demand(), 2..6), at in any::<prop::sample::Index>()) {
        let (world, path) = federation(&demands);
        let hop = 2 + at.index(path.len() - 2);
        world.spoil(&path[hop], &path[hop - 1], move |d| {
            d.claims["constraints"]["max_path_length"] = json!(hop as u64 - 2);
        });
        prop_assert_eq!(failures(&world, &path), vec![(hop, Step::PathLength)]);
    }

    /// Five entities, any hints, any statements: the first way in the order of hints whose every statement exists is found,
    /// loops and forks notwithstanding; and when there is none, none is found.
    #[test]
    fn the_first_way_that_holds_is_found(
        hints in prop::collection::vec(prop::collection::vec(0usize..5, 0..4), 4),
        vouched in prop::collection::vec(any::<bool>(), 25),
    ) {
        let names: Vec<String> = (0..4).map(|n| format!("https://n{n}.example")).chain([TOP.to_owned()]).collect();
        let world = World::new();
        for (n, hints) in hints.iter().enumerate() {
            let hints: Vec<&str> = hints.iter().map(|h| names[*h].as_str()).collect();
            world.entity(&names[n], &hints, relying_party("https://n.example/cb"));
        }
        world.entity(TOP, &[], json!({}));
        for (n, is_vouched) in vouched.iter().enumerate() {
            let (superior, subject) = (n / 5, n % 5);
            if *is_vouched && superior != subject {
                world.vouch(&names[superior], &names[subject], json!({}));
            }
        }
        let expected = first_way(&mut vec![0], &hints, &vouched);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let found = runtime.block_on(async {
            let told = world.resolver().explain(&entity_id(&names[0]), world.now()).await;
            let chain = world.resolver().resolve(&entity_id(&names[0]), None, world.now()).await;
            assert_eq!(told.outcome.is_ok(), chain.is_ok(), "{}", told.to_text());
            chain.ok().map(|chain| chain.path().iter().map(ToString::to_string).collect::<Vec<_>>())
        });
        let expected = expected.map(|way| way.into_iter().map(|n| names[n].clone()).collect::<Vec<_>>());
        prop_assert_eq!(found, expected);
    }
}

fn first_way(way: &mut Vec<usize>, hints: &[Vec<usize>], vouched: &[bool]) -> Option<Vec<usize>> {
    let last = *way.last()?;
    if last == 4 {
        let holds = way.windows(2).all(|pair| vouched[pair[1] * 5 + pair[0]]);
        return holds.then(|| way.clone());
    }
    for above in &hints[last] {
        if !way.contains(above) {
            way.push(*above);
            let found = first_way(way, hints, vouched);
            way.pop();
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

#[test]
fn the_clock_at_every_boundary() {
    // 60 seconds by which clocks may differ, either way.
    let world = World::small();
    world
        .lifetime
        .store(30, std::sync::atomic::Ordering::SeqCst);
    let chain = world.chain(&[LEAF, MIDDLE, TOP]);
    // Issued five seconds before START, good until 30 after.
    let cases = [
        (-66, Err(Step::IssuedAt)),
        (-65, Ok(())),
        (0, Ok(())),
        (29, Ok(())),
        (30, Ok(())),
        (89, Ok(())),
        (90, Err(Step::Expiry)),
    ];
    for (seconds, expected) in cases {
        let judged = TrustChain::parse(
            &chain,
            &world.anchors(&[TOP]),
            &Rules::default(),
            START.plus(seconds),
        );
        let got = judged.map(|_| ()).map_err(|error| error.failure.step);
        assert_eq!(got, expected, "{seconds}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let demand = Demand {
        contacts: BTreeSet::new(),
        scopes: None,
        is_essential: false,
        default_uri: false,
        path_slack: None,
        naming: false,
        types: false,
    };
    let (world, path) = federation(&[demand.clone(), demand.clone(), demand]);
    world.spoil(&path[0], &path[0], |d| {
        d.header.insert("typ".into(), "JWT".into());
        d.claims.insert("exp".into(), json!(1));
        d.claims.insert("constraints".into(), json!({}));
        d.claims.insert("aud".into(), json!("x"));
    });
    world.spoil(&path[1], &path[0], |d| {
        d.key = TestKey::of("somebody else");
        d.claims["metadata_policy"] =
            json!({"openid_relying_party": {"a": {"add": 1}, "b": {"one_of": {}}}});
    });
    world.spoil(&path[2], &path[1], |d| {
        d.claims["constraints"] =
            json!({"max_path_length": 0, "naming_constraints": {"permitted": [".gov.example"]}});
    });
    assert_eq!(
        failures(&world, &path),
        [
            (0, Step::Typ),
            (0, Step::Expiry),
            (0, Step::Claims),
            (1, Step::Signature),
            (1, Step::Policy),
            (2, Step::PathLength),
            (2, Step::Naming),
        ]
    );
    let error = TrustChain::examine(
        &tokens(&world, &path),
        &world.anchors(&[TOP]),
        &Rules::default(),
        START,
    )
    .expect_err("broken");
    let reasons = |hop: usize, step: Step| -> Vec<String> {
        let checks = error.trace.hops[hop].checks.iter();
        checks
            .filter(|check| check.step == step)
            .filter_map(|check| check.failure.clone())
            .collect()
    };
    assert_eq!(
        reasons(0, Step::Claims),
        [
            "constraints does not belong in an entity configuration",
            "aud does not belong in an entity configuration"
        ]
    );
    assert_eq!(
        reasons(1, Step::Policy),
        [
            "openid_relying_party.a (add) is not an array",
            "openid_relying_party.b (one_of) is not an array"
        ]
    );
    assert_eq!(reasons(2, Step::Naming).len(), 2, "both names below");
}

#[test]
fn thousands_of_keys_are_no_key_set() {
    let world = World::small();
    world.spoil(MIDDLE, LEAF, |d| {
        let keys = (0..3_000).map(|n| TestKey::of("x").named(&n.to_string()).jwk());
        d.claims
            .insert("jwks".into(), json!({"keys": keys.collect::<Vec<_>>()}));
    });
    let error = TrustChain::parse(
        &world.chain(&[LEAF, MIDDLE, TOP]),
        &world.anchors(&[TOP]),
        &Rules::default(),
        START,
    )
    .expect_err("too many");
    assert_eq!((error.hop, error.failure.step), (1, Step::Keys));
}
