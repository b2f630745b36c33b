//! `kill -9` at any moment: what was answered as done is there afterwards, nothing is half done, nothing works twice.

use conformance_tests::{demo::Demo, visitor::Visitor};

use super::walk::{genuine_request, log_in, until_callback};

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again_it_knows_everybody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = Demo::start(folder.path()).await;
    let citizen = demo.citizen("14000000001").clone();
    let visitor = Visitor::new();
    let (before, _) = log_in(&visitor, &demo, "粤省事", &citizen).await;
    let issuer = demo.provider().id.clone();
    let keys = visitor
        .get(&format!("{}/jwks", issuer.trim_end_matches('/')))
        .await
        .json();

    // Killed between two pages of a login: one callback spent, one not yet.
    let request = genuine_request(&visitor, &demo, "海易办").await;
    let start = visitor.get(request.as_str()).await;
    let spent = until_callback(&visitor, &demo, "海易办", &citizen, start).await;
    let page = visitor.get(spent.url.as_str()).await;
    assert!(visitor.follow(page, |_| false).await.has("portal-name"));
    let request = genuine_request(&visitor, &demo, "苏服办").await;
    let start = visitor.get(request.as_str()).await;
    let pending = until_callback(&visitor, &demo, "苏服办", &citizen, start).await;
    demo.kill();

    let demo = Demo::start(folder.path()).await;
    assert_eq!(
        demo.provider().id,
        issuer,
        "another address after a restart"
    );
    assert_eq!(
        visitor
            .get(&format!("{}/jwks", issuer.trim_end_matches('/')))
            .await
            .json(),
        keys,
        "other keys after a restart"
    );

    // The portal knows her, and so does the provider: she is asked for consent at a new portal, and for nothing else.
    let home = visitor.get(&demo.portal("粤省事").url).await;
    assert_eq!(home.text("portal-sub"), before.text("portal-sub"));
    let (again, seen) = log_in(&visitor, &demo, "贵人服务", &citizen).await;
    assert_eq!(seen, ["consent-form"], "the national session is gone");
    assert_eq!(again.text("portal-name"), citizen.name);

    // What was spent stays spent; what was not is still good.
    let twice = visitor.get(spent.url.as_str()).await;
    assert!(
        twice.status.is_client_error(),
        "a callback was taken twice: {}",
        twice.status
    );
    let once = visitor.get(pending.url.as_str()).await;
    let once = visitor.follow(once, |_| false).await;
    assert!(once.has("portal-name"), "{} {}", once.status, once.body);
    demo.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_its_first_second_it_still_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for pause in [20, 100, 300, 700] {
        let mut child = std::process::Command::new(conformance_tests::demo::binary())
            .args(["demo", "--json", "--port", "0", "--data"])
            .arg(folder.path().join("data"))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("hefu starts");
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await; // The moment is the point of the test.
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }
    let demo = Demo::start(folder.path()).await;
    let citizen = demo.citizen("14000000003").clone();
    let (page, _) = log_in(&Visitor::new(), &demo, "粤省事", &citizen).await;
    assert_eq!(page.text("portal-name"), citizen.name);
    demo.kill();
}
