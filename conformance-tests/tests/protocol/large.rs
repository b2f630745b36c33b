//! The large federation of the demo: provinces, districts and sample portals, made by one option.

use std::process::Command;

use conformance_tests::{
    demo::{Demo, binary},
    statement::chain,
    visitor::Visitor,
};

#[tokio::test(flavor = "multi_thread")]
async fn sample_portals_hang_on_the_anchor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = Demo::start_with(folder.path(), &["--portals", "146"]).await;
    let visitor = Visitor::new();
    let authorities = demo.of_role("intermediate").len();
    // 31 provinces, 41 districts of 重庆, and the demonstration's three of its own below it.
    assert_eq!(authorities, 31 + 41 + 3);
    let anchor = &demo.anchor().id;
    let port = anchor.rsplit(':').next().expect("a port");
    let mut depths = Vec::new();
    for number in 1..=73 {
        let id = format!("http://p{number:05}.menhu.localhost:{port}");
        let chain = chain(&visitor, &id, anchor).await;
        depths.push(chain.hops.len());
    }
    // Under a province, or under a district of one.
    depths.sort_unstable();
    depths.dedup();
    assert_eq!(depths, [2, 3]);

    // Nobody lives at a number that was not asked for.
    let nobody = format!("http://p00147.menhu.localhost:{port}/.well-known/openid-federation");
    assert_eq!(visitor.get(&nobody).await.status, 421);

    // The superiors have enrolled so many: another number is another federation.
    demo.kill();
    let output = Command::new(binary())
        .args(["demo", "--portals", "5", "--data"])
        .arg(folder.path().join("data"))
        .output()
        .expect("hefu starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("146") && said.contains("--reset"),
        "{said}"
    );
}
