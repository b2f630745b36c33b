//! The doors at which a person proves who they are, and the account centre in which they look after it. Each door reads, calls a function of
//! `identity`, `authn` or `session`, and answers with a redirect; which door comes next is decided by `provider::interaction`, asked by
//! the dispatcher in `web::oidc`. Ids of the pages stand in `docs/pages.md`.

#![expect(
    clippy::unnecessary_wraps,
    reason = "a handler ends with `visit.page(…)` or `visit.go(…)`, which therefore have its type"
)]

mod appearance;
mod centre;
mod codes;
mod create;
mod details;
pub mod entry;
pub(super) mod form;
mod login;
pub mod notices;
mod passkeys;
mod phone;
mod recover;
mod step_up;
mod verify;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use self::entry::Kind;
use self::visit::{Answer, Door, Member};
use super::browser_state;
use super::provider_house::{Provider, say_refusals};
use crate::identity::People;

/// What these doors are handed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AccountHouse {
    pub provider: Provider,
    pub people: Arc<People>,
}

/// The doors, below the entity's own path.
pub fn routes(house: AccountHouse) -> Router {
    Router::new()
        .merge(interaction())
        .route("/account", get(centre::overview))
        .merge(account())
        .route("/recover", get(recover::begin))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .route_layer(from_fn_with_state(
            Provider::clone(&house.provider),
            say_refusals,
        ))
        .route_layer(from_fn_with_state(
            Provider::clone(&house.provider),
            browser_state::follow,
        ))
        .with_state(house)
}

fn interaction() -> Router<AccountHouse> {
    Router::new()
        .route(
            "/interaction/{id}/login",
            get(login::show).post(login::submit),
        )
        .route(
            "/interaction/{id}/login/second",
            get(login::show_second).post(login::submit_second),
        )
        .route(
            "/interaction/{id}/login/passkey/options",
            post(passkeys::login_options),
        )
        .route(
            "/interaction/{id}/login/passkey/finish",
            post(passkeys::login_finish),
        )
        .route(
            "/interaction/{id}/login/second/passkey/options",
            post(passkeys::second_options),
        )
        .route(
            "/interaction/{id}/login/second/passkey/finish",
            post(passkeys::second_finish),
        )
        .merge(with_phone("/interaction/{id}/login/sms", Kind::Login))
        .merge(with_phone("/interaction/{id}/create", Kind::Create))
        .merge(with_phone("/interaction/{id}/recover", Kind::Recover))
        .route(
            "/interaction/{id}/create/taken",
            get(create::show_taken).post(create::submit_taken),
        )
        .route(
            "/interaction/{id}/create/password",
            get(create::show_password).post(create::submit_password),
        )
        .route(
            "/interaction/{id}/recover/proof",
            get(recover::show_proof).post(recover::submit_proof),
        )
        .route(
            "/interaction/{id}/recover/password",
            get(recover::show_password).post(recover::submit_password),
        )
        .route(
            "/interaction/{id}/verify",
            get(async |door: Door| verify::show(Member::at(door).await?).await).post(
                async |door: Door, body: Bytes| verify::submit(Member::at(door).await?, body).await,
            ),
        )
        .route(
            "/interaction/{id}/verify/later",
            get(async |door: Door| verify::later(Member::at(door).await?).await),
        )
        .route(
            "/interaction/{id}/verify/existing",
            get(async |door: Door| verify::show_existing(Member::at(door).await?).await).post(
                async |door: Door, body: Bytes| {
                    verify::submit_existing(Member::at(door).await?, body).await
                },
            ),
        )
        .route(
            "/interaction/{id}/step-up",
            get(async |door: Door| step_up::show(Member::at(door).await?).await).post(
                async |door: Door, body: Bytes| {
                    step_up::submit(Member::at(door).await?, body).await
                },
            ),
        )
        .route(
            "/interaction/{id}/step-up/sms",
            post(async |door: Door, body: Bytes| {
                step_up::send_code(Member::at(door).await?, body).await
            }),
        )
        .route(
            "/interaction/{id}/step-up/code",
            get(async |door: Door| phone::ask_code(&*Member::at(door).await?, Kind::StepUp).await)
                .post(async |door: Door, body: Bytes| {
                    phone::submit_step_up_code(Member::at(door).await?, body).await
                }),
        )
        .route(
            "/interaction/{id}/step-up/resend",
            post(async |door: Door, body: Bytes| {
                phone::resend(&*Member::at(door).await?, Kind::StepUp, &body).await
            }),
        )
        .route(
            "/interaction/{id}/step-up/passkey/options",
            post(async |door: Door, body: Bytes| {
                passkeys::step_up_options(Member::at(door).await?, body).await
            }),
        )
        .route(
            "/interaction/{id}/step-up/passkey/finish",
            post(async |door: Door, body: Bytes| {
                passkeys::step_up_finish(Member::at(door).await?, body).await
            }),
        )
}

/// The steps of a way that begins with a phone.
fn with_phone(path: &'static str, kind: Kind) -> Router<AccountHouse> {
    Router::new()
        .route(
            path,
            get(async move |door: Door| phone::ask(door, kind).await)
                .post(async move |door: Door, body: Bytes| phone::submit(door, kind, body).await),
        )
        .route(
            &format!("{path}/code"),
            get(async move |door: Door| phone::ask_code(&door, kind).await).post(
                async move |door: Door, body: Bytes| phone::submit_code(door, kind, body).await,
            ),
        )
        .route(
            &format!("{path}/resend"),
            post(async move |door: Door, body: Bytes| phone::resend(&door, kind, &body).await),
        )
}

fn account() -> Router<AccountHouse> {
    Router::new()
        .route("/account/recover", get(recover::begin))
        .route("/account/verify", get(verify::show).post(verify::submit))
        .route(
            "/account/verify/existing",
            get(verify::show_existing).post(verify::submit_existing),
        )
        .route("/account/step-up", get(step_up::show).post(step_up::submit))
        .route("/account/step-up/sms", post(step_up::send_code))
        .route(
            "/account/step-up/code",
            get(step_up_code).post(phone::submit_step_up_code),
        )
        .route("/account/step-up/resend", post(step_up_resend))
        .route(
            "/account/step-up/passkey/options",
            post(passkeys::step_up_options),
        )
        .route(
            "/account/step-up/passkey/finish",
            post(passkeys::step_up_finish),
        )
        .route(
            "/account/phone",
            get(phone::ask_member).post(phone::submit_member),
        )
        .route(
            "/account/phone/code",
            get(phone_code).post(phone::submit_phone_code),
        )
        .route("/account/phone/resend", post(phone_resend))
        .route("/account/details", get(details::show).post(details::submit))
        .route(
            "/account/password",
            get(centre::show_password).post(centre::submit_password),
        )
        .route("/account/passkeys/add", get(centre::add_passkey))
        .route("/account/passkeys/add/options", post(passkeys::add_options))
        .route("/account/passkeys/add/finish", post(passkeys::add_finish))
        .route("/account/appearance", post(appearance::submit))
        .route(
            "/account/passkeys/{handle}/rename",
            get(centre::show_rename).post(centre::submit_rename),
        )
        .route(
            "/account/passkeys/{handle}/remove",
            get(centre::show_remove).post(centre::submit_remove),
        )
        .route(
            "/account/sessions/{handle}/end",
            get(centre::show_end).post(centre::submit_end),
        )
        .route(
            "/account/sessions/end-others",
            get(centre::show_end_others).post(centre::submit_end_others),
        )
        .route(
            "/account/consents/{handle}/withdraw",
            get(centre::show_withdraw).post(centre::submit_withdraw),
        )
}

async fn step_up_code(member: Member) -> Answer {
    phone::ask_code(&member, Kind::StepUp).await
}

async fn step_up_resend(member: Member, body: Bytes) -> Answer {
    phone::resend(&member, Kind::StepUp, &body).await
}

async fn phone_code(member: Member) -> Answer {
    phone::ask_code(&member, Kind::Phone).await
}

async fn phone_resend(member: Member, body: Bytes) -> Answer {
    phone::resend(&member, Kind::Phone, &body).await
}
