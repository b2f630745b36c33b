//! `GET /federation/map`

use hefu::federation::authority::state::{Outcome, State};
use hefu::federation::authority::subtree::{Listed, note_listed};
use hefu::web::federation::map;

use super::home::{assert_security, front};
use super::*;

const PATH: &str = "/federation/map";

struct House {
    anchor: Anchor,
    router: Router,
}

impl House {
    async fn of(anchor: Anchor) -> Self {
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let router = map::routes(front(&anchor).await, Arc::clone(&anchor.authority));
        anchor.world.forget_fetches();
        Self { anchor, router }
    }

    async fn get(&self, query: &str, language: &str) -> Response<Body> {
        let request = Request::get(format!("{PATH}{query}"))
            .header("accept-language", language)
            .body(Body::empty())
            .expect("a request");
        let answer = self.router.clone().oneshot(request).await;
        let answer = answer.expect("an answer");
        assert_security(answer.headers());
        assert_eq!(self.anchor.world.fetches(), 0, "nobody is asked");
        answer
    }

    async fn page(&self, query: &str) -> String {
        let answer = self.get(query, "zh").await;
        assert_eq!(answer.status(), 200, "{query}");
        body(answer).await
    }
}

fn at(id: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("at", id)
        .finish();
    format!("?{query}")
}

/// The page without what every page has.
fn main_of(html: &str) -> &str {
    let from = html.find("<main").expect("a main");
    &html[from..html.find("</main>").expect("its end")]
}

async fn small() -> House {
    let anchor = Anchor::new().await;
    // Nobody of that name is there, and the name tries to get out of its place.
    anchor.clock.advance(1);
    let hostile =
        json!({"openid_relying_party": {"client_name": "<script>alert(1)</script>\" onload=\"x"}});
    anchor
        .put(
            "https://gone.example",
            &["openid_relying_party"],
            false,
            hostile,
        )
        .await;
    let now = anchor.clock.now();
    anchor.authority.walk_subtree(now).await.expect("walked");
    assert_eq!(anchor.authority.warm_subtree(now).await.expect("warm"), 2);
    House::of(anchor).await
}

#[tokio::test]
async fn the_tree_with_its_states() {
    let house = small().await;
    let html = house.page("").await;
    insta::assert_snapshot!("anchor", main_of(&html));
    assert!(!html.contains("<script>") && !html.contains("\" onload"));
    let html = house.page(&at(MIDDLE)).await;
    assert!(html.contains("data-state=\"good\"") && html.contains("map-chain-words"));
    let words = text(&html);
    for expected in ["粤省事", "国家政务服务平台 为 广东省 担保"] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
}

#[tokio::test]
async fn a_chain_is_explained_hop_by_hop() {
    let house = small().await;
    insta::assert_snapshot!("portal", main_of(&house.page(&at(LEAF)).await));
    let answer = house.get(&at(LEAF), "en").await;
    let words = text(&body(answer).await);
    for expected in [
        "The trust chain of 粤省事",
        "广东省 vouches for 粤省事, signed with its own key (EdDSA), until 2 March 2026",
        "国家政务服务平台 is where trust begins",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    // What is not in memory is told as it was noted; why there is none, in words without a stranger's text.
    let words = text(&house.page(&at("https://gone.example")).await);
    assert!(
        words.contains("它的实体配置取不到，或者不可用。 上次核验："),
        "{words}"
    );
    assert!(text(&house.page("").await).contains("它就是信任的起点"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let house = small().await;
    for (query, status) in [
        (at("https://nobody.example"), 404),
        (at("nonsense"), 404),
        (at("javascript:alert(1)"), 404),
        (at(""), 404),
        ("?at=a&at=b".to_owned(), 400),
        ("?page=x".to_owned(), 400),
        ("?q=%00".to_owned(), 400),
        ("?page=99999999999999999999".to_owned(), 400),
        ("?page=-5&q=%25".to_owned(), 200),
        ("?page=9223372036854775807".to_owned(), 200),
        ("?page=9223372036854775807&q=a".to_owned(), 200),
        (at(TOP), 200),
    ] {
        let answer = house.get(&query, "zh").await;
        assert_eq!(answer.status(), status, "{query}");
    }
}

#[tokio::test]
async fn a_search_goes_through_names_and_identifiers() {
    let house = small().await;
    for (query, expected) in [
        ("?q=%E7%B2%A4", "名称或标识含有“粤”的实体：1 个。"),
        ("?q=LEAF.ex", "实体：1 个。"),
        ("?q=.example", "实体：3 个。"),
        ("?q=%25", "没有名称或标识含有“%”的实体。"),
        (
            "?q=%3Cscript%3E",
            "名称或标识含有“&lt;script&gt;”的实体：1 个。",
        ),
        ("?q=++", "它直接担保 1 个中间机构、1 个其他实体。"),
    ] {
        let words = text(&house.page(query).await);
        assert!(words.contains(expected), "{query} {expected}: {words}");
    }
}

/// 31 provinces, 41 districts below one of them, 10 000 portals below another: every page stays small and is answered from the
/// rows it shows.
#[tokio::test]
async fn ten_thousand_portals_stay_legible() {
    let anchor = Anchor::new().await;
    let now = anchor.clock.now();
    for n in 0..31 {
        let name = json!({"federation_entity": {"display_name": format!("第{n}省")}});
        let id = format!("https://p{n:02}.example");
        anchor.put(&id, &["federation_entity"], true, name).await;
    }
    let mut tx = anchor.store.write().await.expect("a transaction");
    let districts: Listed = (0..41)
        .map(|n| (entity_id(&format!("https://d{n:02}.example")), true))
        .collect();
    let portals: Listed = (0..10_000)
        .map(|n| (entity_id(&format!("https://rp.example/{n:05}")), false))
        .collect();
    for (via, listed) in [
        ("https://p00.example", &districts),
        ("https://p01.example", &portals),
    ] {
        let (via, none) = (entity_id(via), Listed::new());
        note_listed(&mut tx, &via, &none, listed, now)
            .await
            .expect("noted");
        for (at, id) in listed.keys().enumerate() {
            let state = State {
                entity_id: id.clone(),
                name: Some(format!("测试政务服务办事大厅门户 {at}")),
                name_en: Some(format!("A portal for services of all sorts {at}")),
                types: "openid_relying_party".to_owned(),
                marks: "https://federation.example.cn/trust-marks/tested".to_owned(),
                outcome: Outcome::Good {
                    expires_at: now.plus(3600),
                },
            };
            state.put(&mut tx, now).await.expect("put");
        }
    }
    tx.commit().await.expect("committed");
    let house = House::of(anchor).await;
    let nodes = |html: &str| html.matches("<use ").count();
    let (p0, p1) = (at("https://p00.example"), at("https://p01.example"));
    for (query, drawn, expected) in [
        // The 31 and the one that every test has.
        ("", 33, "它直接担保 32 个中间机构、0 个其他实体。"),
        (&p0, 43, "它直接担保 41 个中间机构"),
        (&p1, 52, "还有 9950 个，看下一页"),
        (&format!("{p1}&page=200"), 52, "第 200 页，共 200 页"),
        ("?q=%E9%97%A8%E6%88%B7+77", 50, "门户 77"),
        ("?q=%E9%97%A8%E6%88%B7+77&page=3", 11, "第 3 页"),
        (&at("https://rp.example/00007"), 3, "门户 7 的信任链"),
    ] {
        let html = house.page(query).await;
        assert_eq!(nodes(&html), drawn, "{query}");
        assert!(text(&html).contains(expected), "{query} {expected}");
        assert!(html.len() < 100_000, "{query}: {} bytes", html.len());
    }
    // Of a thousand portals of our own, one counted row.
    for n in 0..31 {
        let id = format!("https://own.example/{n}");
        house
            .anchor
            .put(&id, &["openid_relying_party"], false, json!({}))
            .await;
    }
    let html = house.page("").await;
    assert!(text(&html).contains("门户等其他实体 31 个"));
    assert!(html.contains("class=\"more\" href=\"/federation/map?page=2\""));
    assert_eq!(nodes(&html), 33);
    assert_eq!(nodes(&house.page("?page=2").await), 32);
}

/// Beyond those whose chains are kept, each is looked up in turn; what is written says what was found.
#[tokio::test]
async fn what_the_job_finds_is_noted_once() {
    let house = small().await;
    let (anchor, now) = (&house.anchor, house.anchor.clock.now());
    let seen = async || -> Vec<(String, Option<String>, i64)> {
        let mut conn = anchor.store.read().await.expect("a connection");
        let sql = "SELECT entity_id, fault, seen_at FROM subtree_states ORDER BY entity_id";
        sqlx::query_as(sql)
            .fetch_all(&mut *conn)
            .await
            .expect("rows")
    };
    let row = |id: &str, fault: Option<&str>, at: UnixTime| {
        (id.to_owned(), fault.map(str::to_owned), at.0)
    };
    let first = [
        row("https://gone.example", Some("subject"), now),
        row(LEAF, None, now),
        row(MIDDLE, None, now),
    ];
    assert_eq!(seen().await, first);
    let later = now.plus(15);
    anchor.authority.warm_subtree(later).await.expect("warm");
    assert_eq!(seen().await, first, "nothing new, nothing written");
    // Its superior takes it back; the signed policy says so, and it is told at once.
    anchor.world.advance(700);
    let later = now.plus(700);
    anchor.world.vouch(
        MIDDLE,
        LEAF,
        json!({"metadata_policy": {"openid_relying_party": {"contacts": {"essential": true}}}}),
    );
    anchor.authority.warm_subtree(later).await.expect("warm");
    let rows = seen().await;
    assert_eq!(rows[1].2, later.0);
    assert!(rows[1].1.is_some(), "{rows:?}");
    // Who is no longer listed is forgotten by the walk.
    anchor
        .world
        .vouch(MIDDLE, "https://other.example", json!({}));
    anchor.world.drop_subordinate(MIDDLE, LEAF);
    anchor.authority.walk_subtree(later).await.expect("walked");
    assert_eq!(seen().await.len(), 2);
}

/// What a person reads, without markup.
fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}
