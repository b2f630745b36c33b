//! What a token costs: signing through the key ring as a login does, and verifying what a stranger sent.
#![expect(clippy::expect_used, reason = "a bench that cannot be set up says so")]

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use hefu::{
    clock::UnixTime,
    crypto::{Purpose, Signer, sha256},
    jose::{JwkSet, UnverifiedJws},
    keys::{Kek, KeyRing, Policy, Setup},
    oauth::Algorithm,
    random::RngSource,
    store::{Options, Store},
};
use serde_json::{Map, Value, json};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

fn tokens(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ring = runtime.block_on(ring(folder.path()));
    let keys = JwkSet::parse_strict(&ring.published(Purpose::IdToken)).expect("our own keys");
    let payload = json!({
        "iss": "https://id.example", "sub": "Zx81-pairwise-subject-of-43-characters-abcdef", "aud": "https://portal.example",
        "iat": 1_795_000_000, "exp": 1_795_000_300, "auth_time": 1_795_000_000, "nonce": "n-0S6_WzA2Mj",
        "acr": "https://hefu.example/acr/L1", "amr": ["pwd"], "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
    })
    .to_string();

    for alg in ALGORITHMS {
        let header = || Map::from_iter([("typ".to_owned(), Value::from("JWT"))]);
        criterion.bench_function(&format!("sign/{alg}"), |b| {
            b.iter(|| {
                runtime
                    .block_on(ring.sign(
                        Purpose::IdToken,
                        alg,
                        header(),
                        black_box(payload.as_bytes()),
                    ))
                    .expect("a signature")
            });
        });
        let token = runtime
            .block_on(ring.sign(Purpose::IdToken, alg, header(), payload.as_bytes()))
            .expect("a signature");
        criterion.bench_function(&format!("verify/{alg}"), |b| {
            b.iter(|| {
                let jws = UnverifiedJws::parse(black_box(&token), 16_384).expect("our own token");
                let key = keys
                    .find(jws.header.kid.as_deref().expect("a kid"))
                    .expect("our own key");
                jws.verify(key, &[alg]).expect("our own signature");
            });
        });
    }
    criterion.bench_function("sha256/code", |b| {
        b.iter(|| sha256(black_box(b"0123456789012345678901234567890123456789012")));
    });
}

async fn ring(folder: &std::path::Path) -> KeyRing {
    let store = Store::open_file(&folder.join("keys.db"), &Options::default())
        .await
        .expect("a store");
    store.migrate().await.expect("a schema");
    let mut rng = RngSource::System.rng();
    let kek =
        Arc::new(Kek::create_file(&folder.join("kek"), &mut rng).expect("a key-encryption key"));
    let setup = Setup {
        entity: "https://id.example",
        vault: folder,
        kek,
        policy: Policy::shipped().expect("the shipped policy"),
        purposes: &[Purpose::IdToken],
    };
    KeyRing::open(&store, setup, UnixTime(1_795_000_000), &mut rng)
        .await
        .expect("a ring")
}

criterion_group!(benches, tokens);
criterion_main!(benches);
