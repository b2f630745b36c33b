//! `/federation/join` and `/federation/change-keys` of an anchor: the page without script, and the doors for programs.

use axum::http::{HeaderMap, Method};
use hefu::federation::authority::Subordinate;
use hefu::federation::joining::standing::{self, Standing};
use hefu::federation::joining::{Request as Asked, State, Wish, keys};
use hefu::web::federation::joining::{JoiningHouse, routes};
use serde_json::json;

use super::*;

const PORTAL: &str = "https://portal.gd.example";
const STATEMENT: &str = "application/entity-statement+jwt";

struct Door {
    anchor: Anchor,
    router: Router,
}

impl Door {
    async fn open() -> Self {
        Self::with(true).await
    }

    async fn with(joining: bool) -> Self {
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let anchor = Anchor::new().await;
        let mut metadata = relying_party("https://portal.gd.example/cb");
        metadata["federation_entity"] = json!({"contacts": ["ops@gd.example"]});
        anchor.world.entity(PORTAL, &[TOP], metadata);
        let mut front = home::front(&anchor).await;
        front.joining = joining;
        let policy =
            json!({"openid_relying_party": {"scope": {"subset_of": ["openid", "real_name"]}}});
        let router = routes(JoiningHouse {
            front,
            id: entity_id(TOP),
            resolver: anchor.world.resolver_to(&[]),
            policy: Some(policy),
        });
        Self { anchor, router }
    }

    async fn send(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(body.to_owned()))
            .expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer")
    }

    async fn program(&self, token: &str) -> (u16, Value) {
        read(
            self.send(
                Method::POST,
                "/federation/join",
                &[("content-type", STATEMENT)],
                token,
            )
            .await,
        )
        .await
    }

    async fn keys(&self, token: &str) -> (u16, Value) {
        read(
            self.send(
                Method::POST,
                "/federation/change-keys",
                &[("content-type", "application/jwt")],
                token,
            )
            .await,
        )
        .await
    }

    fn configuration(&self) -> String {
        self.anchor.world.configuration(PORTAL).expect("published")
    }

    async fn requests(&self) -> Vec<Asked> {
        let mut conn = self.anchor.store.read().await.expect("a connection");
        Asked::list(&mut conn, true).await.expect("a list")
    }

    async fn enrol(&self) {
        self.anchor
            .put(PORTAL, &["openid_relying_party"], false, json!({}))
            .await;
        let mut conn = self.anchor.store.read().await.expect("a connection");
        let contacts = ["ops@gd.example".to_owned()];
        standing::set_terms(&mut conn, &entity_id(PORTAL), None, Some(&contacts), START)
            .await
            .expect("set");
    }
}

async fn read(answer: Response<Body>) -> (u16, Value) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = body(answer).await;
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")),
    )
}

/// What a form of the page needs: the browser's cookie and the hidden token.
async fn form(answer: Response<Body>) -> (String, String, String) {
    let cookie = cookie(answer.headers());
    let html = body(answer).await;
    let token = html
        .split("name=\"csrf_token\" value=\"")
        .nth(1)
        .expect("a token");
    let token = token.split('"').next().expect("a token").to_owned();
    (cookie, token, html)
}

fn cookie(headers: &HeaderMap) -> String {
    let set = headers["set-cookie"].to_str().expect("text");
    set.split(';').next().expect("a cookie").to_owned()
}

#[tokio::test]
async fn a_program_asks_and_looks_its_request_up() {
    let door = Door::open().await;
    let (status, mut told) = door.program(&door.configuration()).await;
    assert_eq!(status, 201, "{told}");
    let reference = told["reference"].as_str().expect("a handle").to_owned();
    assert!(reference.len() >= 43, "no handle to be guessed");
    assert_eq!(
        told["state_uri"],
        format!("{TOP}/federation/join/{reference}")
    );
    told["reference"] = "[handle]".into();
    told["state_uri"] = "[state_uri]".into();
    insta::assert_snapshot!(format!("{told:#}"));

    let path = format!("/federation/join/{reference}");
    let (status, state) = read(door.send(Method::GET, &path, &[], "").await).await;
    assert_eq!(status, 200);
    insta::assert_snapshot!(format!("{state:#}"));
    // One open request for each entity.
    assert_eq!(door.program(&door.configuration()).await.0, 409);
    assert_eq!(
        read(door.send(Method::DELETE, &path, &[], "").await)
            .await
            .0,
        200
    );
    assert_eq!(
        read(door.send(Method::DELETE, &path, &[], "").await)
            .await
            .0,
        404,
        "taken back once"
    );
    let (status, state) = read(door.send(Method::GET, &path, &[], "").await).await;
    assert_eq!((status, state["state"].as_str()), (200, Some("withdrawn")));
    let nobody = door
        .send(Method::GET, "/federation/join/nobody", &[], "")
        .await;
    assert_eq!(read(nobody).await.0, 404);
    assert_eq!(
        door.program(&door.configuration()).await.0,
        201,
        "asked again"
    );
    assert_eq!(door.requests().await.len(), 2);
}

#[tokio::test]
async fn what_is_in_the_way_is_told_all_at_once_and_nothing_is_filed() {
    let door = Door::open().await;
    door.anchor.world.hints(PORTAL, &[MIDDLE]);
    door.anchor.world.spoil(PORTAL, PORTAL, |draft| {
        draft.claims["metadata"]["openid_relying_party"]["redirect_uris"] =
            json!(["http://portal.gd.example/cb"]);
    });
    let (status, told) = door.program(&door.configuration()).await;
    assert_eq!(status, 400);
    insta::assert_snapshot!(format!("{told:#}"));
    // Not on the host; on the host with other keys; not readable at all.
    let foreign = TestKey::of("mallory").jwt(
        "entity-statement+jwt",
        &json!({"iss": "https://b.example", "sub": "https://b.example"}),
    );
    let (status, told) = door.program(&foreign).await;
    assert_eq!(
        (status, told["findings"][0]["finding"].as_str()),
        (400, Some("not_fetched"))
    );
    let door = Door::open().await;
    let before = door.configuration();
    door.anchor.world.rekey(PORTAL, TestKey::of("other"));
    let (status, told) = door.program(&before).await;
    let told = told["findings"].to_string();
    assert!(status == 400 && told.contains("differs"), "{told}");
    for nonsense in ["", "nonsense", "a.b.c"] {
        let (status, told) = door.program(nonsense).await;
        assert_eq!(
            (status, told["error"].as_str()),
            (400, Some("invalid_request")),
            "{nonsense}"
        );
    }
    assert_eq!(door.requests().await, []);
}

#[tokio::test]
async fn a_person_asks_without_script() {
    let door = Door::open().await;
    let page = door
        .send(
            Method::GET,
            "/federation/join",
            &[("accept", "text/html")],
            "",
        )
        .await;
    assert!(page.headers().contains_key("content-security-policy"));
    let (cookie, token, html) = form(page).await;
    assert!(html.contains(TOP) && html.contains("id=\"join-form\""));
    let submit = async |entity: &str, token: &str| {
        let mut fields = url::form_urlencoded::Serializer::new(String::new());
        fields
            .append_pair("entity-id", entity)
            .append_pair("csrf_token", token);
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("cookie", cookie.as_str()),
        ];
        door.send(Method::POST, "/federation/join", &headers, &fields.finish())
            .await
    };
    assert_eq!(submit(PORTAL, "").await.status(), 403, "no form of ours");
    let wrong = submit("nonsense", &token).await;
    assert_eq!(wrong.status(), 400);
    assert!(body(wrong).await.contains("entity-id-problem"));
    let away = submit("https://nobody.gd.example", &token).await;
    assert_eq!(away.status(), 400);
    assert!(body(away).await.contains("data-finding=\"not_fetched\""));
    assert_eq!(submit(MIDDLE, &token).await.status(), 409, "a subordinate");

    let done = submit(PORTAL, &token).await;
    assert_eq!(done.status(), 303);
    let place = done.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let headers = [("accept", "text/html"), ("cookie", cookie.as_str())];
    let html = body(door.send(Method::GET, &place, &headers, "").await).await;
    for expected in [
        "data-state=\"filed\"",
        "data-finding=\"loses\"",
        "<bdi>https://portal.gd.example</bdi>",
        "id=\"withdraw-form\"",
    ] {
        assert!(html.contains(expected), "{expected}: {html}");
    }
    let english = [("accept", "text/html"), ("accept-language", "en")];
    let shown = body(door.send(Method::GET, &place, &english, "").await).await;
    assert!(shown.contains("The request is filed"), "{shown}");
    assert_eq!(
        door.send(Method::POST, &place, &headers, "").await.status(),
        403
    );
    let taken = door
        .send(
            Method::POST,
            &place,
            &headers,
            &format!("csrf_token={token}"),
        )
        .await;
    assert_eq!(taken.status(), 303);
    assert_eq!(door.requests().await[0].state, State::Withdrawn);
}

#[tokio::test]
async fn nobody_makes_us_ask_others_without_end() {
    let door = Door::open().await;
    door.anchor.world.forget_fetches();
    let ask = async |n: usize| {
        let sub = format!("https://portal{n}.example");
        let token = TestKey::of("x").jwt("entity-statement+jwt", &json!({"iss": sub, "sub": sub}));
        door.send(
            Method::POST,
            "/federation/join",
            &[("content-type", STATEMENT)],
            &token,
        )
        .await
    };
    for n in 0..30 {
        assert_eq!(ask(n).await.status(), 400);
    }
    let answer = ask(31).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(door.anchor.world.fetches(), 30);
    door.anchor.clock.advance(3600);
    assert_eq!(ask(32).await.status(), 400, "an hour later");

    let door = Door::open().await;
    for _ in 0..10 {
        door.program(&door.configuration()).await;
    }
    assert_eq!(
        door.program(&door.configuration()).await.0,
        429,
        "for one subject"
    );
}

#[tokio::test]
async fn where_the_page_is_closed_nobody_asks() {
    let door = Door::with(false).await;
    for method in [Method::GET, Method::POST] {
        assert_eq!(
            door.send(method, "/federation/join", &[], "")
                .await
                .status(),
            404
        );
    }
}

#[tokio::test]
async fn keys_change_by_request_with_an_old_key() {
    let door = Door::open().await;
    let (old, next) = (TestKey::of(PORTAL), TestKey::of("next").named("next"));
    let both = json!({"keys": [old.jwk(), next.jwk()]});
    let claims = Value::Object(keys::claims(
        &entity_id(PORTAL),
        &entity_id(TOP),
        &both,
        "j1",
        START,
    ));
    let token = old.jwt(keys::TYP, &claims);
    let error = |(status, told): (u16, Value)| {
        (
            status,
            told["error"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(
        error(door.keys(&token).await),
        (404, "not_found".to_owned())
    );
    door.enrol().await;
    assert_eq!(
        error(door.keys(&token).await),
        (400, "invalid_metadata".to_owned()),
        "the host shows the old key alone"
    );
    let shown = both.clone();
    door.anchor.world.spoil(PORTAL, PORTAL, move |draft| {
        draft.claims["jwks"] = shown.clone();
    });
    let foreign = next.jwt(keys::TYP, &claims);
    assert_eq!(
        error(door.keys(&foreign).await),
        (401, "invalid_client".to_owned())
    );
    assert_eq!(
        error(door.keys("nonsense").await),
        (400, "invalid_request".to_owned())
    );
    let (status, told) = door.keys(&token).await;
    assert_eq!((status, told["state"].as_str()), (201, Some("filed")));
    assert_eq!(door.keys(&token).await.0, 409, "it waits");
    let asked = door.requests().await;
    assert_eq!((asked[0].wish, &asked[0].jwks), (Wish::Keys, &both));
    let mut conn = door.anchor.store.read().await.expect("a connection");
    let known = Subordinate::find(&mut conn, &entity_id(PORTAL))
        .await
        .expect("read")
        .expect("there");
    assert_eq!(known.jwks, old.jwks(), "asked, not done");
    let told: Vec<String> = sqlx::query_scalar("SELECT event FROM contact_notices")
        .fetch_all(&mut *conn)
        .await
        .expect("read");
    assert_eq!(told, ["keys_asked"], "in case it was somebody else");
}

#[tokio::test]
async fn after_a_compromise_an_old_key_proves_nothing() {
    let door = Door::open().await;
    door.enrol().await;
    let old = TestKey::of(PORTAL);
    let jwks = json!({"keys": [TestKey::of("mallory").jwk()]});
    let claims = Value::Object(keys::claims(
        &entity_id(PORTAL),
        &entity_id(TOP),
        &jwks,
        "j1",
        START,
    ));
    {
        let mut conn = door.anchor.store.read().await.expect("a connection");
        assert!(
            standing::compromise(&mut conn, &entity_id(PORTAL), START)
                .await
                .expect("marked")
        );
    }
    let (status, told) = door.keys(&old.jwt(keys::TYP, &claims)).await;
    assert_eq!(status, 401);
    insta::assert_snapshot!(format!("{told:#}"));
    assert_eq!(
        door.program(&door.configuration()).await.0,
        409,
        "not by the other door either"
    );
    // Dropped, it may ask again, but not with the same key.
    door.anchor.drop_subordinate(PORTAL).await;
    let (status, told) = door.program(&door.configuration()).await;
    assert_eq!(status, 400);
    assert!(
        told["findings"].to_string().contains("compromised_key"),
        "{told}"
    );
    door.anchor.world.rekey(PORTAL, TestKey::of("fresh"));
    assert_eq!(door.program(&door.configuration()).await.0, 201);
}

#[tokio::test]
async fn suspended_means_not_listed_and_not_stated_about() {
    let door = Door::open().await;
    door.enrol().await;
    let fetch = format!("/federation/fetch?sub={PORTAL}");
    let seen = async || {
        let fetched = door.anchor.get(&fetch).await.status().as_u16();
        (
            fetched,
            body(door.anchor.get("/federation/list").await)
                .await
                .contains(PORTAL),
        )
    };
    let id = entity_id(PORTAL);
    assert_eq!(seen().await, (200, true));
    let mut conn = door.anchor.store.read().await.expect("a connection");
    standing::suspend(&mut conn, &id, START)
        .await
        .expect("done");
    assert_eq!(seen().await, (404, false));
    standing::resume(&mut conn, &id, START).await.expect("done");
    assert_eq!(seen().await, (200, true));
    // A statement never outlives the enrolment.
    standing::set_terms(&mut conn, &id, Some(START.plus(90)), None, START)
        .await
        .expect("done");
    drop(conn);
    door.anchor.clock.advance(60);
    door.anchor
        .put(
            PORTAL,
            &["openid_relying_party"],
            false,
            json!({"openid_relying_party": {"client_name": "粤"}}),
        )
        .await;
    let statement = decoded(&body(door.anchor.get(&fetch).await).await).1;
    assert_eq!(statement["exp"], START.plus(90).0);
    door.anchor.clock.advance(30);
    assert_eq!(seen().await, (404, false));
    let mut conn = door.anchor.store.read().await.expect("a connection");
    let kept = Standing::find(&mut conn, &id).await.expect("read");
    assert!(kept.is_some(), "the row stays");
}
