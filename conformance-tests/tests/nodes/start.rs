//! The first minutes of an operator: what refuses to start, with which sentence, and what then makes it start.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::production::write_private;

use super::cluster::{A, B, Cluster, hefu, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_when_everything_it_needs_is_there() {
    let cluster = tokio::task::spawn_blocking(Cluster::prepare)
        .await
        .expect("files and a database");
    let config = cluster.config(A);
    let refuses = |config: &std::path::Path, sentence: &str| {
        let done = hefu(&["serve"], config);
        let said = said(&done);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(sentence), "{sentence:?} is not in: {said}");
        assert!(!said.contains("panicked"), "{said}");
    };
    let variant = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(&config).expect("a file");
        assert!(text.contains(from), "{from}");
        let path = cluster.path(name);
        std::fs::write(&path, text.replacen(from, to, 1)).expect("a file");
        path
    };

    refuses(
        &config,
        "migrations are not applied; run `hefu migrate` first",
    );
    let dry = hefu(&["migrate", "--dry-run"], &config);
    assert!(
        said(&dry).contains("id: ") && said(&dry).contains("to apply"),
        "{}",
        said(&dry)
    );
    refuses(&config, "run `hefu migrate` first"); // dry means dry

    // Both operators type it at once: one of them applies, both succeed.
    let (a, b) = std::thread::scope(|scope| {
        let first = scope.spawn(|| cluster.hefu(&["migrate"], A));
        let second = scope.spawn(|| cluster.hefu(&["migrate"], B));
        (
            first.join().expect("it ends"),
            second.join().expect("it ends"),
        )
    });
    for done in [&a, &b] {
        assert!(done.status.success(), "{}", said(done));
    }
    let again = cluster.hefu(&["migrate"], A);
    assert_eq!(said(&again), "id: 0 applied\n");

    // Keys are made at the first open; from then on only who has the right secrets opens them.
    let listed = cluster.hefu(&["keys", "list"], A);
    assert!(listed.status.success(), "{}", said(&listed));
    write_private(&cluster.path("other-kek"), &URL_SAFE_NO_PAD.encode([7; 32]));
    refuses(
        &variant("wrong-kek.toml", "file = \"kek\"", "file = \"other-kek\""),
        "key",
    );
    std::fs::create_dir(cluster.path("empty")).expect("a folder");
    refuses(
        &variant("empty-vault.toml", "vault = \"vault\"", "vault = \"empty\""),
        "index key",
    );
    refuses(
        &variant(
            "no-database.toml",
            "postgres://hefu@localhost",
            "postgres://hefu@127.0.0.1:1",
        ),
        "database",
    );
    refuses(
        &variant("no-tls.toml", "\"certificate.pem\"", "\"no-such.pem\""),
        "no-such.pem",
    );
    let missing = hefu(&["serve"], &cluster.path("no-such.toml"));
    assert!(
        said(&missing).contains("no-such.toml"),
        "{}",
        said(&missing)
    );

    cluster.serve(A);
    cluster.serve(B);
    cluster.until_ready(A).await;
    cluster.until_ready(B).await;
    // The port is taken: said in a sentence, the running node is not disturbed.
    refuses(&config, "is in use");
    let jwks = cluster.person().at[A].get(&cluster.url("/jwks")).await;
    assert_eq!(jwks.status, 200);
}
