//! `/api/control`: `{"delay_ms":3000,"fail":true}` makes the stand-in slow or broken, for trying out what people then see.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::broken;
use super::store::{self, Behaviour};
use crate::web::house::House;

/// More makes no difference to anybody who waits.
const MOST_DELAY: u64 = 60_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    delay_ms: Option<u64>,
    fail: Option<bool>,
}

pub async fn show(State(house): State<House>) -> Response {
    match read(&house).await {
        Ok(behaviour) => told(behaviour),
        Err(error) => broken(&error),
    }
}

/// What is not named stays as it is.
pub async fn change(State(house): State<House>, body: Bytes) -> Response {
    let Ok(wanted) = serde_json::from_slice::<Wanted>(&body) else {
        let help = json!({"error": "expected {\"delay_ms\": number, \"fail\": true or false}"});
        return (StatusCode::BAD_REQUEST, Json(help)).into_response();
    };
    match write(&house, &wanted).await {
        Ok(behaviour) => told(behaviour),
        Err(error) => broken(&error),
    }
}

async fn read(house: &House) -> Result<Behaviour, crate::store::Error> {
    store::behaviour(&mut *house.store.read().await?).await
}

async fn write(house: &House, wanted: &Wanted) -> Result<Behaviour, crate::store::Error> {
    let mut tx = house.store.write().await?;
    let before = store::behaviour(&mut tx).await?;
    let behaviour = Behaviour {
        delay_ms: wanted.delay_ms.unwrap_or(before.delay_ms).min(MOST_DELAY),
        fail: wanted.fail.unwrap_or(before.fail),
    };
    store::behave(&mut tx, behaviour).await?;
    tx.commit().await?;
    Ok(behaviour)
}

fn told(behaviour: Behaviour) -> Response {
    Json(json!({"delay_ms": behaviour.delay_ms, "fail": behaviour.fail})).into_response()
}
