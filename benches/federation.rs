//! What trust costs: validating a chain of five levels, merging and applying its policies, and resolving a portal that is known
//! or not.
#![expect(clippy::expect_used, reason = "a bench that cannot be set up says so")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hefu::federation::TrustChain;
use hefu::federation::policy::MetadataPolicy;
use hefu::federation::statement::Rules;
use serde_json::{Map, Value, json};

#[path = "../tests/support/federation.rs"]
#[expect(
    dead_code,
    reason = "the tests' federation; a bench needs a part of it"
)]
mod federation;

use federation::{LEAF, START, World, entity_id, relying_party};

fn policy(words: &[&str]) -> Value {
    json!({"openid_relying_party": {
        "scope": {"subset_of": words, "superset_of": ["openid"]},
        "token_endpoint_auth_method": {"one_of": ["private_key_jwt", "self_signed_tls_client_auth"], "essential": true},
        "id_token_signed_response_alg": {"default": "ES256", "one_of": ["ES256", "EdDSA", "RS256"]},
        "contacts": {"add": ["helpdesk@province.example"]},
        "subject_type": {"value": "pairwise"},
        "grant_types": {"default": ["authorization_code"], "subset_of": ["authorization_code", "refresh_token"]},
    }})
}

/// Anchor, province, city, county, township, portal: 省市县乡村.
fn chains(criterion: &mut Criterion) {
    let world = World::new();
    let names: Vec<String> = (0..6)
        .map(|n| format!("https://level{n}.example"))
        .collect();
    world.entity(&names[0], &[], json!({}));
    for pair in names.windows(2) {
        world.entity(
            &pair[1],
            &[&pair[0]],
            relying_party("https://portal.example/cb"),
        );
        let words = ["openid", "profile", "real_name", "phone"];
        world.vouch(
            &pair[0],
            &pair[1],
            json!({"metadata_policy": policy(&words)}),
        );
    }
    for (name, from) in [("3 statements", 1), ("7 statements", 5)] {
        let path: Vec<&str> = names[..=from].iter().rev().map(String::as_str).collect();
        let chain = world.chain(&path);
        let anchors = world.anchors(&[&names[0]]);
        criterion.bench_function(&format!("chain/validate, {name}"), |b| {
            b.iter(|| {
                TrustChain::parse(black_box(&chain), &anchors, &Rules::default(), START)
                    .expect("valid")
            });
        });
    }
}

fn policies(criterion: &mut Criterion) {
    let superior = MetadataPolicy::parse(&policy(&["openid", "profile", "real_name", "phone"]))
        .expect("valid");
    let subordinate = MetadataPolicy::parse(&policy(&["openid", "real_name"])).expect("valid");
    criterion.bench_function("policy/merge", |b| {
        b.iter(|| {
            black_box(superior.clone())
                .merge(black_box(subordinate.clone()))
                .expect("agreement")
        });
    });
    let merged = superior.merge(subordinate).expect("agreement");
    let metadata: Map<String, Value> = relying_party("https://portal.example/cb")
        .as_object()
        .expect("metadata")
        .clone();
    criterion.bench_function("policy/apply", |b| {
        b.iter(|| {
            let mut metadata = black_box(metadata.clone());
            merged.apply(&mut metadata).expect("compliance");
            metadata
        });
    });
}

/// A portal below a province: what a login pays when its chain is in memory, and when nothing is (fetching costs nothing here).
fn resolutions(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let (world, leaf) = (World::small(), entity_id(LEAF));
    let resolver = world.resolver();
    criterion.bench_function("resolve/warm", |b| {
        b.iter(|| {
            runtime
                .block_on(resolver.resolve(black_box(&leaf), None, START))
                .expect("a chain")
        });
    });
    criterion.bench_function("resolve/cold", |b| {
        b.iter(|| {
            let resolver = world.resolver();
            runtime
                .block_on(resolver.resolve(black_box(&leaf), None, START))
                .expect("a chain")
        });
    });
}

criterion_group!(benches, chains, policies, resolutions);
criterion_main!(benches);
