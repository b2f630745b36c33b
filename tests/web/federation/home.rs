//! `GET /` of an anchor, for people.

use axum::http::HeaderMap;
use hefu::brand::Brand;
use hefu::crypto::Purpose;
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::outbound::Outbound;
use hefu::random::RngSource;
use hefu::web::federation::home::{self, AuthorityHouse};
use hefu::web::house::House;
use serde_json::json;

use super::*;

#[tokio::test]
async fn says_who_it_is_and_for_whom_it_vouches() {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let anchor = Anchor::new().await;
    // The longest known come first.
    anchor.clock.advance(1);
    let hostile = json!({"openid_relying_party": {"client_name": "<script>x</script>"}});
    anchor
        .put(
            "https://rp.example",
            &["openid_relying_party"],
            false,
            hostile,
        )
        .await;
    anchor
        .put(
            "https://gone.example",
            &["openid_provider"],
            false,
            json!({}),
        )
        .await;
    anchor.drop_subordinate("https://gone.example").await;
    anchor.clock.advance(1);
    for at in 0..200 {
        let id = format!("https://many.example/{at}");
        anchor
            .put(&id, &["openid_relying_party"], false, json!({}))
            .await;
    }
    let router = home::routes(front(&anchor).await);
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_security(answer.headers());
    let html = body(answer).await;
    for expected in [
        "<h1 id=\"heading\"><bdi>国家政务服务平台</bdi></h1>",
        "data-role=\"anchor\"",
        "<bdi>广东省</bdi>",
        "href=\"https://middle.example\"",
        "href=\"/.well-known/openid-federation\"",
        "href=\"/federation/map\"",
        "href=\"/federation/list\"",
        "id=\"authority-join\"",
        "href=\"/federation/join\"",
    ] {
        assert!(html.contains(expected), "{expected}: {html}");
    }
    assert!(html.contains("&lt;script&gt;x"), "escaped, and shown");
    assert!(!html.contains("<script>") && !html.contains("gone.example"));
    assert_eq!(html.matches("<li data-entity=").count(), 200);
}

pub(super) fn assert_security(headers: &HeaderMap) {
    for name in ["content-security-policy", "x-frame-options"] {
        assert!(headers.contains_key(name), "{name}");
    }
}

/// The anchor as a house with pages.
pub async fn front(anchor: &Anchor) -> AuthorityHouse {
    let (folder, rng) = (tempfile::tempdir().unwrap(), RngSource::System);
    let setup = Setup {
        entity: TOP,
        vault: folder.path(),
        kek: Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng.rng()).unwrap()),
        policy: Policy::shipped().unwrap(),
        purposes: &[Purpose::Audit],
    };
    let ring = KeyRing::open(&anchor.store, setup, START, &mut rng.rng()).await;
    let ring = Arc::new(ring.unwrap());
    AuthorityHouse {
        house: House {
            id: TOP.into(),
            store: anchor.store.clone(),
            signer: anchor.signer.clone(),
            decrypter: Arc::<KeyRing>::clone(&ring),
            sealer: Arc::<KeyRing>::clone(&ring),
            indexer: ring,
            outbound: Arc::new(Outbound::new(hefu::outbound::Options::default()).unwrap()),
            clock: Arc::new(anchor.clock.clone()),
            rng,
            plain_http: false,
        },
        brand: Brand::of_place("国家政务服务平台"),
        is_anchor: true,
        superiors: Arc::new([]),
        joining: true,
    }
}
