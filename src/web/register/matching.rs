//! `POST /api/match`: do name, number and, when given, phone belong together? One answer for whatever differs.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::{broken, store};
use crate::identity::{Name, Phone};
use crate::web::house::House;

#[derive(Deserialize)]
struct Question {
    name: String,
    number: String,
    phone: Option<String>,
}

pub async fn answer(State(house): State<House>, body: Bytes) -> Response {
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        let help = json!({"error": "expected {\"name\", \"number\", \"phone\"?}"});
        return (StatusCode::BAD_REQUEST, Json(help)).into_response();
    };
    match ask(&house, &question).await {
        Ok(answer) => answer,
        Err(error) => broken(&error),
    }
}

async fn ask(house: &House, question: &Question) -> Result<Response, crate::store::Error> {
    let (behaviour, holder) = {
        let mut conn = house.store.read().await?;
        let behaviour = store::behaviour(&mut conn).await?;
        let number = question.number.replace('\0', "");
        (behaviour, store::holder(&mut conn, &number).await?)
    };
    if behaviour.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(behaviour.delay_ms)).await;
    }
    if behaviour.fail {
        let told = Json(json!({"error": "told to fail by /api/control"}));
        return Ok((StatusCode::SERVICE_UNAVAILABLE, told).into_response());
    }
    let result = match holder {
        None => "no_such_number",
        Some((name, phone)) => {
            let same_name = Name::parse(&question.name).is_ok_and(|asked| asked.as_str() == name);
            let same_phone = question
                .phone
                .as_deref()
                .is_none_or(|asked| Phone::parse(asked).is_ok_and(|asked| asked.e164() == phone));
            if same_name && same_phone {
                "match"
            } else {
                "mismatch"
            }
        }
    };
    let check_id = house.rng().id("chk-");
    Ok(Json(json!({"result": result, "check_id": check_id})).into_response())
}
