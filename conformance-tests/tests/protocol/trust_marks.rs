//! Trust marks, read by the stranger's own eyes: OpenID Federation 1.0 §7, §8.4 to §8.7.

use std::time::Duration;

use conformance_tests::{
    demo,
    statement::{Statement, entity_configuration, now, verify},
    visitor::Visitor,
};
use serde_json::Value;

/// Portals fetch their marks in the background: the configuration that shows them comes within this.
const PATIENCE: Duration = Duration::from_mins(1);

async fn marked(visitor: &Visitor, id: &str) -> Statement {
    let looking = async {
        loop {
            let own = entity_configuration(visitor, id).await;
            if own.claims.get("trust_marks").is_some() {
                return own;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.expect("the portal shows its trust marks")
}

fn endpoint(of: &Statement, name: &str) -> String {
    let members = &of.claims["metadata"]["federation_entity"];
    members[name].as_str().expect("an endpoint").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portals_mark_is_its_provinces_word() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let anchor = entity_configuration(&visitor, &demo.anchor().id).await;
    for (brand, province, name) in [
        ("粤省事", "gd", "real-name-full"),
        ("贵人服务", "gz", "tested"),
    ] {
        let (portal, province) = (&demo.portal(brand).id, &demo.entity(province).id);
        let own = marked(&visitor, portal).await;
        let shown = own.claims["trust_marks"].as_array().expect("marks");
        let [shown] = shown.as_slice() else {
            panic!("one mark: {shown:?}")
        };
        let kind = shown["trust_mark_type"].as_str().expect("a type");
        assert!(kind.ends_with(name), "{kind}");
        // §17.5: the anchor lets this province give it.
        let issuers = anchor.claims["trust_mark_issuers"][kind].as_array();
        assert!(issuers.expect("issuers").iter().any(|id| id == province));

        let issuer = entity_configuration(&visitor, province).await;
        let token = shown["trust_mark"].as_str().expect("a mark");
        let mark = verify(token, &issuer.claims["jwks"]);
        assert_eq!(mark.header["typ"], "trust-mark+jwt");
        assert_eq!(mark.claims["iss"], *province);
        assert_eq!(mark.claims["sub"], *portal);
        assert_eq!(mark.claims["trust_mark_type"], kind);
        assert!(mark.claims["exp"].as_i64().expect("an exp") > now());

        let status = endpoint(&issuer, "federation_trust_mark_status_endpoint");
        let answer = visitor.post(&status, &[("trust_mark", token)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            answer.header("content-type"),
            "application/trust-mark-status-response+jwt"
        );
        let said = verify(&answer.body, &issuer.claims["jwks"]);
        assert_eq!(said.header["typ"], "trust-mark-status-response+jwt");
        assert_eq!(said.claims["trust_mark"], token);
        assert_eq!(said.claims["status"], "active");
        // §8.4: another issuer knows nothing of it.
        let other = entity_configuration(&visitor, &demo.entity("js").id).await;
        let status = endpoint(&other, "federation_trust_mark_status_endpoint");
        let answer = visitor.post(&status, &[("trust_mark", token)]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"].as_str()),
            (404, Some("not_found"))
        );

        let mut list: url::Url = endpoint(&issuer, "federation_trust_mark_list_endpoint")
            .parse()
            .expect("a URL");
        list.query_pairs_mut().append_pair("trust_mark_type", kind);
        let answer = visitor.get(list.as_str()).await;
        assert_eq!(answer.json(), serde_json::json!([portal]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_tells_the_keys_they_had() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    for entity in demo.said.entities.iter().filter(|e| e.role != "register") {
        let own = entity_configuration(&visitor, &entity.id).await;
        let url = endpoint(&own, "federation_historical_keys_endpoint");
        let answer = visitor.get(&url).await;
        assert_eq!(answer.status, 200, "{}", entity.id);
        assert_eq!(answer.header("content-type"), "application/jwk-set+jwt");
        let told = verify(&answer.body, &own.claims["jwks"]);
        assert_eq!(told.header["typ"], "jwk-set+jwt");
        assert_eq!(told.claims["iss"], entity.id);
        let ended = |key: &Value| key["kid"].is_string() && key["exp"].is_i64();
        assert!(
            told.claims["keys"]
                .as_array()
                .expect("keys")
                .iter()
                .all(ended)
        );
    }
}
