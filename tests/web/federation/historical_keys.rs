//! `GET /federation/historical_keys`

use super::{Anchor, shown};
use crate::support::federation::{START, TestKey};

#[tokio::test]
async fn the_keys_that_no_longer_sign() {
    let anchor = Anchor::new().await;
    let mut conn = anchor.store.read().await.expect("a connection");
    let at = |seconds: i64| Some(START.plus(seconds).0);
    for (name, purpose, activated, retired, revoked) in [
        ("announced", "federation", None, None, None),
        ("active", "federation", at(-50), None, None),
        ("retired", "federation", at(-100), at(-50), None),
        (
            "revoked while active",
            "federation",
            at(-200),
            None,
            at(-100),
        ),
        (
            "revoked after it was retired",
            "federation",
            at(-5000),
            at(-4000),
            at(-1),
        ),
        ("of another purpose", "audit", at(-100), at(-50), None),
    ] {
        sqlx::query(
            "INSERT INTO keys (kid, purpose, alg, public_jwk, created_at, activated_at, retired_at, revoked_at) \
             VALUES ($1, $2, $1, $3, $4, $5, $6, $7)",
        )
        .bind(name)
        .bind(purpose)
        .bind(TestKey::of(name).named(name).jwk().to_string())
        .bind(START.plus(-6000).0)
        .bind(activated)
        .bind(retired)
        .bind(revoked)
        .execute(&mut *conn)
        .await
        .expect("a key");
    }
    drop(conn);
    insta::assert_snapshot!(shown(anchor.get("/federation/historical_keys").await).await);
    let before = anchor.signatures();
    anchor.clock.advance(3599);
    anchor.get("/federation/historical_keys").await;
    assert_eq!(anchor.signatures(), before, "one signature serves an hour");
    let mut conn = anchor.store.read().await.expect("a connection");
    sqlx::query("UPDATE keys SET revoked_at = $1 WHERE kid = 'active'")
        .bind(START.0)
        .execute(&mut *conn)
        .await
        .expect("revoked");
    drop(conn);
    let text = shown(anchor.get("/federation/historical_keys").await).await;
    assert!(text.contains("\"kid\": \"active\""), "at once: {text}");
}
