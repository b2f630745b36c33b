//! `GET /federation/list`

use serde_json::json;

use super::{Anchor, body, error_of, shown};

#[tokio::test]
async fn the_subordinates() {
    let anchor = Anchor::new().await;
    anchor
        .put("https://op.example", &["openid_provider"], false, json!({}))
        .await;
    insta::assert_snapshot!(shown(anchor.get("/federation/list").await).await);
    let cases = [
        ("entity_type=openid_provider", r#"["https://op.example"]"#),
        (
            "entity_type=openid_relying_party&entity_type=openid_provider",
            r#"["https://op.example"]"#,
        ),
        ("entity_type=openid_relying_party", "[]"),
        ("entity_type=nonsense", "[]"),
        ("intermediate=true", r#"["https://middle.example"]"#),
        (
            "intermediate=false",
            r#"["https://middle.example","https://op.example"]"#,
        ),
        ("trust_marked=true", "[]"),
        ("trust_mark_type=https%3A%2F%2Ft.example", "[]"),
        (
            "unknown=1&unknown=2",
            r#"["https://middle.example","https://op.example"]"#,
        ),
    ];
    for (query, expected) in cases {
        let answer = anchor.get(&format!("/federation/list?{query}")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(body(answer).await, expected, "{query}");
    }
    for query in [
        "intermediate=1",
        "trust_marked=yes",
        "trust_mark_type=a&trust_mark_type=b",
    ] {
        let answer = anchor.get(&format!("/federation/list?{query}")).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(error_of(&body(answer).await), "invalid_request", "{query}");
    }
}
