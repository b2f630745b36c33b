//! `/interaction/{id}/consent`: may this platform know these items?

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::interaction::{as_of_now, form, load, not_our_form, over};
use super::{read, reply};
use crate::audit::{self, Event};
use crate::client::Client;
use crate::config::offers::in_language;
use crate::consent;
use crate::oauth::{Error, ErrorCode, Scope};
use crate::provider::interaction::{self, Asked, Interaction};
use crate::provider::person;
use crate::session;
use crate::web::cookies;
use crate::web::csrf::Ours;
use crate::web::error::Fault;
use crate::web::page::{page_leading_to, see_other};
use crate::web::preferences::Preferences;
use crate::web::provider_house::{Provider, ProviderHouse, asking};
use crate::web::view::Language;
use crate::web::view::login::{Access, Consent, Item};

/// Claims that an account may lack today and have tomorrow.
const FILLED_LATER: [&str; 9] = [
    "name",
    "cn_id_number",
    "birthdate",
    "gender",
    "cn_id_number_masked",
    "phone_number",
    "email",
    "address",
    "nickname",
];

pub(super) async fn show(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    ask(&provider, &headers, &id)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

pub(super) async fn decide(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    decided(&provider, &headers, &id, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

async fn ask(provider: &ProviderHouse, headers: &HeaderMap, id: &str) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let Some(interaction) = load(provider, headers, id).await? else {
        return Ok(over(provider, headers));
    };
    let back = || see_other(&house.url(&interaction.path()));
    let Some(asked) = interaction.asked() else {
        return Ok(back());
    };
    let asked = match as_of_now(provider, headers, asked).await? {
        Ok((_, asked)) => asked,
        Err(page) => return Ok(page),
    };
    let mut conn = house.store.read().await?;
    let Some(session) = session_of(provider, headers, &mut conn).await? else {
        return Ok(back());
    };
    let Some(person) = person::find(&mut conn, &*house.sealer, &session.person).await? else {
        return Ok(back());
    };
    let (scope, request) = (&asked.request.scope, &asked.request.claims);
    let held = person::masked_claims(&mut conn, &*house.sealer, &person, scope, request).await?;
    let items = interaction::items(&asked.request)
        .into_iter()
        .filter_map(|claim| {
            let value = match held.get(&claim) {
                Some(serde_json::Value::String(text)) => text.clone(),
                // Not known yet; the yes covers it all the same, once the person has proven it.
                None if FILLED_LATER.contains(&claim.as_str()) => "—".to_owned(),
                // What is never held, or a flag beside its value, says nothing of its own.
                _ => return None,
            };
            Some(Item { claim, value })
        })
        .collect();
    let secret = read::browser(house, headers).secret.unwrap_or_default();
    let here = format!("{}/consent", interaction.path());
    let preferences = Preferences::of(headers).or_of_account(&person.appearance);
    let frame = provider.frame_with_form(
        preferences,
        &here,
        interaction.ui_locales(),
        secret,
        &session.person,
        now,
    );
    let language = frame.language;
    let page = Consent {
        asking: asking(&asked.platform, language),
        frame,
        base: format!("{}{}", provider.root(), interaction.path()),
        items,
        access: access(provider, &asked, language),
        offline: asked.request.scope.contains(Scope::OFFLINE_ACCESS),
        purpose: None,
        until: now.plus(provider.settings.consent_lifetime),
        sensitive_follows: false,
    };
    Ok(page_leading_to(
        StatusCode::OK,
        &page,
        &[&asked.request.answer.redirect_uri],
    ))
}

/// What could be done in the person's name: at resources, by scope (RFC 8707), and in detail (RFC 9396).
fn access(provider: &ProviderHouse, asked: &Asked, language: Language) -> Vec<Access> {
    let tag = language.tag();
    let request = &asked.request;
    let settings = &provider.settings;
    let at_resources = settings
        .resources
        .iter()
        .filter(|resource| request.resources.contains(&resource.uri))
        .flat_map(|resource| {
            resource
                .scopes
                .iter()
                .filter(|scope| request.scope.contains(&scope.name))
                .map(|scope| Access {
                    place: Some(
                        in_language(tag, &resource.name, resource.name_en.as_deref()).to_owned(),
                    ),
                    text: in_language(tag, &scope.text, scope.text_en.as_deref()).to_owned(),
                    facts: Vec::new(),
                })
        });
    let in_detail = request
        .details
        .iter()
        .filter_map(|detail| detail.in_words(&settings.authorization_details, tag))
        .map(|words| Access {
            place: None,
            text: words.text,
            facts: words.facts,
        });
    at_resources.chain(in_detail).collect()
}

async fn decided(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    id: &str,
    body: &[u8],
) -> Result<Response, Fault> {
    let house = &provider.house;
    let Some(interaction) = load(provider, headers, id).await? else {
        return Ok(over(provider, headers));
    };
    let Some(asked) = interaction.asked() else {
        return Ok(see_other(&house.url(&interaction.path())));
    };
    let Some(ours) = form(provider, headers, body) else {
        return Ok(not_our_form(provider, headers));
    };
    let (client, asked) = &match as_of_now(provider, headers, asked).await? {
        Ok(now) => now,
        Err(page) => return Ok(page),
    };
    let decision = read::form(headers, body)
        .ok()
        .and_then(|form| form.get("decision").map(str::to_owned));
    match decision.as_deref() {
        Some("allow") => allow(provider, headers, &interaction, asked, &ours).await,
        Some("deny") => deny(provider, headers, &interaction, asked, client).await,
        _ => Ok(see_other(
            &house.url(&format!("{}/consent", interaction.path())),
        )),
    }
}

async fn allow(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    interaction: &Interaction,
    asked: &Asked,
    ours: &Ours,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let mut rng = house.rng();
    let mut tx = house.store.write().await?;
    // A yes counts for whom the page was shown to; somebody else who logged in since is asked themself.
    let session = session_of(provider, headers, &mut tx).await?;
    if let Some(session) = session.filter(|session| ours.is_for(&session.person)) {
        let claims = asked.request.claims.known_names();
        let yes = consent::Yes {
            person: &session.person,
            client: &asked.request.client,
            scope: &asked.request.scope,
            claims: &claims,
            platform: asked.platform.shown_name(),
            lifetime: provider.settings.consent_lifetime,
        };
        consent::give(&mut tx, &mut rng, &yes, now).await?;
        // What the person said yes to, they said as this session.
        interaction::note_consent(&mut tx, interaction, &session.id, now).await?;
        let event = Event::done("consent.give")
            .with_person(&session.person)
            .with_client(&asked.request.client)
            .with_session(&session.id)
            .with("scope", asked.request.scope.to_string());
        audit::record(&mut tx, &mut rng, now, &event).await?;
    }
    tx.commit().await?;
    Ok(see_other(&house.url(&interaction.path())))
}

async fn deny(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    interaction: &Interaction,
    asked: &Asked,
    client: &Arc<Client>,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let mut tx = house.store.write().await?;
    let first = interaction::complete(&mut tx, interaction, now).await?;
    if first {
        provider.rules().told_no(&mut tx, &asked.request).await?;
    }
    let event = Event::refused("consent.refuse").with_client(&asked.request.client);
    audit::record(&mut tx, &mut house.rng(), now, &event).await?;
    tx.commit().await?;
    if !first {
        return Ok(over(provider, headers));
    }
    let error = Error::new(ErrorCode::AccessDenied, "the person did not agree");
    let answer = provider.rules().refuse(asked.request.answer.clone(), error);
    let name = asked.platform.shown_name();
    reply::send(provider, headers, &answer, client, name).await
}

async fn session_of(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    conn: &mut crate::store::Conn,
) -> Result<Option<session::Session>, Fault> {
    let house = &provider.house;
    match cookies::read(headers, house, cookies::SESSION) {
        Some(handle) => Ok(session::find(conn, handle, house.now()).await?),
        None => Ok(None),
    }
}
