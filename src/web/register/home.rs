//! `/`: what the stand-in is and how to speak with it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{broken, frame, store};
use crate::store::Error;
use crate::web::house::House;
use crate::web::page::page;
use crate::web::view::register::{Call, RegisterHome};

pub async fn show(State(house): State<House>, headers: HeaderMap) -> Response {
    match read(&house).await {
        Ok((people, behaviour)) => page(
            StatusCode::OK,
            &RegisterHome {
                frame: frame(&house, &headers, "/"),
                base_url: house.id.trim_end_matches('/').to_owned(),
                calls: calls(),
                people,
                delay_ms: behaviour.delay_ms,
                failing: behaviour.fail,
            },
        ),
        Err(error) => broken(&error),
    }
}

async fn read(house: &House) -> Result<(usize, store::Behaviour), Error> {
    let mut conn = house.store.read().await?;
    let people = store::people(&mut conn).await?;
    let behaviour = store::behaviour(&mut conn).await?;
    Ok((usize::try_from(people).unwrap_or(0), behaviour))
}

fn calls() -> Vec<Call> {
    let call = |method: &str, path: &str, request: &str, answer: &str, control| Call {
        method: method.to_owned(),
        path: path.to_owned(),
        request: request.to_owned(),
        answer: answer.to_owned(),
        control,
    };
    vec![
        call(
            "POST",
            "/api/match",
            r#"{"name":"测试甲","number":"449999195003010014","phone":"+8614000000001"}"#,
            r#"{"result":"match" | "mismatch" | "no_such_number","check_id":"chk-…"}"#,
            false,
        ),
        call(
            "POST",
            "/sms",
            r#"{"to":"+8614000000001","text":"…"}"#,
            r#"{"id":1}"#,
            false,
        ),
        call(
            "GET",
            "/outbox.json?to=14000000001",
            "",
            r#"{"messages":[{"id":1,"to":"14000000001","text":"…","code":"012345","sent_at":1790000000}]}"#,
            false,
        ),
        call(
            "POST",
            "/api/control",
            r#"{"delay_ms":3000,"fail":false}"#,
            r#"{"delay_ms":3000,"fail":false}"#,
            true,
        ),
        call(
            "GET",
            "/api/control",
            "",
            r#"{"delay_ms":0,"fail":false}"#,
            true,
        ),
    ]
}
