//! The register's stand-in and the adapters that speak with it, over real HTTP.

use super::*;
use hefu::identity::sms::HttpGateway;
use hefu::identity::source::HttpSource;
use hefu::identity::{IdNumber, Name};
use hefu::outbound::Guard;
use hefu::web::register;
use std::time::Duration;

#[tokio::test]
async fn matches_messages_and_misbehaviour() {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let base = format!("http://register.localhost:{port}");
    let home = TestHouse::new().await;
    let mut conn = home.store.read().await.unwrap();
    register::store::seed(&mut conn).await.unwrap();
    register::store::seed(&mut conn).await.unwrap();
    assert_eq!(register::store::people(&mut conn).await.unwrap(), 12);
    drop(conn);
    let guard = Guard {
        allow: Vec::new(),
        demo_port: Some(port),
    };
    let options = hefu::outbound::Options {
        guard,
        ..hefu::outbound::Options::default()
    };
    let outbound = Arc::new(Outbound::new(options).unwrap());
    let house = House {
        id: base.as_str().into(),
        store: home.store.clone(),
        signer: Arc::<KeyRing>::clone(&home.ring),
        decrypter: Arc::<KeyRing>::clone(&home.ring),
        sealer: Arc::<KeyRing>::clone(&home.ring),
        indexer: Arc::<KeyRing>::clone(&home.ring),
        outbound: Arc::clone(&outbound),
        clock: Arc::new(home.clock.clone()),
        rng: RngSource::System,
        plain_http: true,
    };
    let router = register::routes(house);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let api: url::Url = format!("{base}/api").parse().unwrap();
    let source = HttpSource::new(Arc::clone(&outbound), &api, Duration::from_millis(500));
    let name = |text| Name::parse(text).unwrap();
    let number = |text| IdNumber::parse(text, NOW).unwrap();
    let phone = |text| Phone::parse(text).unwrap();
    for (who, what, with, yes) in [
        (
            "测试甲",
            "449999195003010014",
            Some("14000000001"),
            Some(true),
        ),
        ("测试甲", "449999195003010014", None, Some(true)),
        (
            "阿依古丽．测试",
            "329999196207150024",
            Some("14000000002"),
            Some(true),
        ),
        (
            "𠮷测试",
            "44999919700101001x",
            Some("14000000007"),
            Some(true),
        ),
        (
            "测试甲",
            "449999195003010014",
            Some("14000000002"),
            Some(false),
        ),
        ("测试乙", "449999195003010014", None, Some(false)),
        ("测试甲", "11010519491231002X", None, None),
    ] {
        let (who, what, with) = (name(who), number(what), with.map(phone));
        let answer = source
            .matches(Query {
                name: &who,
                number: &what,
                phone: with.as_ref(),
            })
            .await
            .unwrap();
        match yes {
            Some(true) => assert!(matches!(answer, Match::Yes { .. })),
            Some(false) => assert_eq!(answer, Match::No),
            None => assert_eq!(answer, Match::NoSuchNumber),
        }
    }

    let text = |body: Vec<u8>| String::from_utf8(body).unwrap();
    let url = |path: &str| -> url::Url { format!("{base}{path}").parse().unwrap() };
    let limits = hefu::outbound::Limits::default();
    let post = async |path: &str, body: &str| {
        outbound
            .post(
                &url(path),
                "application/json",
                body.as_bytes().to_vec(),
                &limits,
            )
            .await
            .unwrap()
    };
    let (who, what) = (name("测试甲"), number("449999195003010014"));
    let query = Query {
        name: &who,
        number: &what,
        phone: None,
    };
    post("/api/control", r#"{"fail":true}"#).await;
    assert!(matches!(
        source.matches(query).await,
        Err(SourceError::Down(_))
    ));
    post("/api/control", r#"{"fail":false,"delay_ms":2000}"#).await;
    assert_eq!(source.matches(query).await, Err(SourceError::Slow));
    let behaviour = post("/api/control", r#"{"delay_ms":0}"#).await;
    assert_eq!(
        text(behaviour.into_body()),
        r#"{"delay_ms":0,"fail":false}"#
    );
    for (path, body) in [
        ("/api/control", r#"{"fail":1}"#),
        ("/api/match", "[]"),
        ("/sms", r#"{"to":"12","text":"x"}"#),
        ("/sms", "not json"),
    ] {
        assert_eq!(
            post(path, body).await.status(),
            StatusCode::BAD_REQUEST,
            "{path} {body}"
        );
    }

    let gateway = HttpGateway::new(Arc::clone(&outbound), url("/sms"), Duration::from_secs(5));
    for (to, message) in [
        ("14000000001", "验证码 012345，5 分钟内有效"),
        ("14000000002", "<b>hello</b>"),
        ("14000000001", "notice"),
    ] {
        gateway.send(&phone(to), message).await.unwrap();
    }
    let get = async |path: &str| {
        let answer = outbound.get(&url(path), "*/*", &limits).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        text(answer.into_body())
    };
    let list =
        async |path: &str| -> serde_json::Value { serde_json::from_str(&get(path).await).unwrap() };
    let all = list("/outbox.json").await;
    assert_eq!(all["messages"].as_array().unwrap().len(), 3);
    for to in ["14000000001", "%2B8614000000001", "+8614000000001"] {
        let mine = list(&format!("/outbox.json?to={to}")).await;
        assert_eq!(mine["messages"].as_array().unwrap().len(), 2, "{to}");
        assert_eq!(mine["messages"][1]["code"], "012345");
        assert!(mine["messages"][0]["code"].is_null());
        assert!(mine["messages"][0]["id"].as_i64() > mine["messages"][1]["id"].as_i64());
    }
    assert_eq!(
        list("/outbox.json?to=nobody").await["messages"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    let page = get("/outbox").await;
    assert!(page.contains("data-code=\"012345\"") && !page.contains("<b>hello"));
    assert!(get("/").await.contains("id=\"register-api\""));
}
