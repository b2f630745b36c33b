//! The account centre: who am I here, how do I sign in, where am I signed in, which platforms may know what; and to change it.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use serde::Deserialize;

use super::create::check_new;
use super::login::{Checked, busy, check_password, passkey_door};
use super::notices::{self, tell};
use super::recover::personal;
use super::step_up;
use super::visit::{Answer, Failure, Member};
use crate::audit::Event;
use crate::authn::passkey::{self, parse_name};
use crate::authn::{self, password};
use crate::consent;
use crate::crypto::Secret;
use crate::identity::{IdNumber, Name, Phone};
use crate::oauth::Scope;
use crate::provider::{claims, grants, logout, told, vouched};
use crate::session::{self, End};
use crate::web::cookies;
use crate::web::oidc::logout::to_done;
use crate::web::page::with_cookie;
use crate::web::view::account::{
    Act, AddPasskey, ConfirmAct, Overview, Passkey, Person, Platform, RenamePasskey, Session,
};
use crate::web::view::entry::{NewPassword, PasswordPurpose};
use crate::web::view::error::ErrorKind;
use crate::web::view::frame::Notice;
use crate::web::view::message::News;
use crate::web::view::{Frame, Problem};

#[derive(Deserialize)]
pub struct Told {
    notice: Option<String>,
}

pub async fn overview(member: Member, Query(told): Query<Told>) -> Answer {
    let mut conn = member.house().store.read().await?;
    let id = &member.person.id;
    let passkeys = passkey::list(&mut conn, id).await?;
    let password_changed = password::changed_at(&mut conn, id).await?;
    let sessions = session::list_for(&mut conn, id, member.now).await?;
    let consents = consent::list_for(&mut conn, id, member.now).await?;
    let ended = vouched::ended_for(&mut conn, id).await?;
    drop(conn);
    let mut frame = member.frame();
    frame.notice = told.notice.as_deref().and_then(Notice::of);
    let person = &member.person;
    member.page(&Overview {
        frame,
        person: Person {
            name_masked: person.name.as_ref().map(Name::masked),
            number_masked: person.number.as_ref().map(IdNumber::masked),
            level: person.level.as_str().to_owned(),
            verified_at: person.verified_at,
            provisional: person.provisional,
            phone_masked: person.phone.as_ref().map(Phone::masked).unwrap_or_default(),
        },
        passkeys_offered: member.people().passkeys.is_some(),
        passkeys: passkeys
            .into_iter()
            .map(|key| Passkey {
                handle: key.handle,
                name: key.name,
                added: key.added_at,
                last_used: key.last_used_at,
            })
            .collect(),
        password_changed,
        sessions: sessions
            .into_iter()
            .map(|session| Session {
                current: session.id == member.session.id,
                handle: session.id.0,
                device: session.device,
                since: session.begun_at,
                last_seen: session.seen_at,
            })
            .collect(),
        platforms: consents
            .into_iter()
            .map(|consent| {
                let mut names: BTreeSet<String> = claims::of_scope(&consent.scope)
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                names.extend(consent.claims);
                Platform {
                    handle: consent.id,
                    name: consent.platform,
                    region: None,
                    claims: claims::in_order(names),
                    offline: consent.scope.contains(Scope::OFFLINE_ACCESS),
                    given: consent.given_at,
                    until: consent.expires_at,
                    ended: ended.get(consent.client.as_str()).copied(),
                }
            })
            .collect(),
    })
}

// Passkeys

pub async fn add_passkey(member: Member) -> Answer {
    if let Some(first) = step_up::wanted(&member, "/account/passkeys/add").await? {
        return Ok(first);
    }
    let Some(door) = passkey_door(&member, "/passkeys/add", false) else {
        return member.go_door("");
    };
    // The doors of adding lie one level above those of using.
    let base = member.base();
    let door = crate::web::view::login::PasskeyDoor {
        options_url: format!("{base}/passkeys/add/options"),
        finish_url: format!("{base}/passkeys/add/finish"),
        ..door
    };
    member.page(&AddPasskey {
        frame: member.frame(),
        name: String::new(),
        door,
    })
}

pub async fn show_rename(member: Member, Path(handle): Path<String>) -> Answer {
    let name = passkey_name(&member, &handle).await?;
    member.page(&RenamePasskey {
        frame: member.frame(),
        name,
    })
}

pub async fn submit_rename(member: Member, Path(handle): Path<String>, body: Bytes) -> Answer {
    let form = member.form(&body)?;
    let typed = form.text("passkey-name");
    let Some(name) = parse_name(typed) else {
        return member.again(&RenamePasskey {
            frame: member.frame_with(Problem::PasskeyNameInvalid),
            name: typed.chars().take(passkey::NAME_MOST).collect(),
        });
    };
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    if !passkey::rename(&mut tx, &member.person.id, &handle, &name).await? {
        return Err(not_found(&member));
    }
    let event = Event::done("person.passkey_renamed").with_person(&member.person.id);
    member.note(&mut tx, &mut rng, event).await?;
    tx.commit().await?;
    member.go_home(Notice::PasskeyRenamed)
}

pub async fn show_remove(member: Member, Path(handle): Path<String>) -> Answer {
    let name = passkey_name(&member, &handle).await?;
    if let Some(first) = step_up::wanted(&member, &remove_path(&handle)).await? {
        return Ok(first);
    }
    member.page(&ConfirmAct {
        frame: member.frame(),
        act: Act::RemovePasskey { name },
    })
}

pub async fn submit_remove(member: Member, Path(handle): Path<String>, body: Bytes) -> Answer {
    member.form(&body)?;
    passkey_name(&member, &handle).await?;
    if let Some(first) = step_up::wanted(&member, &remove_path(&handle)).await? {
        return Ok(first);
    }
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    if !passkey::remove(&mut tx, &member.person.id, &handle).await? {
        return Err(not_found(&member));
    }
    let event = Event::done("person.passkey_removed").with_person(&member.person.id);
    member.note(&mut tx, &mut rng, event).await?;
    tx.commit().await?;
    member.go_home(Notice::PasskeyRemoved)
}

fn remove_path(handle: &str) -> String {
    format!("/account/passkeys/{handle}/remove")
}

async fn passkey_name(member: &Member, handle: &str) -> Result<String, Failure> {
    let mut conn = member.house().store.read().await?;
    passkey::list(&mut conn, &member.person.id)
        .await?
        .into_iter()
        .find(|key| key.handle == handle)
        .map(|key| key.name)
        .ok_or_else(|| not_found(member))
}

// Password

pub async fn show_password(member: Member) -> Answer {
    if let Some(first) = step_up::wanted(&member, "/account/password").await? {
        return Ok(first);
    }
    member.page(&password_page(&member, member.frame()))
}

pub async fn submit_password(member: Member, body: Bytes) -> Answer {
    let form = member.form(&body)?;
    if let Some(first) = step_up::wanted(&member, "/account/password").await? {
        return Ok(first);
    }
    let refused = |problem| member.again(&password_page(&member, member.frame_with(problem)));
    match check_password(&member, &member.person.id, form.text("current-password")).await? {
        Checked::Right(_) => {}
        Checked::Busy => return busy(&member),
        Checked::Refused(Problem::TooManyTries { minutes }) => {
            return refused(Problem::TooManyTries { minutes });
        }
        Checked::Refused(_) => return refused(Problem::CurrentPasswordWrong),
    }
    let new = form.text("new-password");
    let phone = member.person.phone.clone();
    let personal = match &phone {
        Some(phone) => personal(&member, &member.person.id, phone).await?,
        None => Vec::new(),
    };
    let personal: Vec<&str> = personal.iter().map(|text| text.reveal().as_str()).collect();
    if let Err(problem) = check_new(new, form.text("repeat-password"), &personal) {
        return refused(problem);
    }
    let mut rng = member.house().rng();
    let hashed = member
        .people()
        .passwords
        .hash(Secret::new(new.to_owned()), rng.bytes())
        .await;
    let Ok(phc) = hashed else {
        return busy(&member);
    };
    let mut tx = member.house().store.write().await?;
    password::set(&mut tx, &member.person.id, &phc, member.now).await?;
    end_others(&member, &mut tx, &mut rng, End::Security).await?;
    let event = Event::done("person.password_changed").with_person(&member.person.id);
    member.note(&mut tx, &mut rng, event).await?;
    // Whoever shared this session is out as well.
    let cookie = member
        .strengthen(&mut tx, &mut rng, &member.session, authn::Factor::Password)
        .await?;
    let id = &member.person.id;
    tell(
        &mut tx,
        &mut rng,
        &member,
        id,
        phone.as_ref(),
        News::PasswordChanged,
    )
    .await?;
    tx.commit().await?;
    notices::hurry(&member);
    let answer = member.go_home(Notice::PasswordChanged)?;
    Ok(match cookie {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    })
}

fn password_page(member: &Member, frame: Frame) -> NewPassword {
    NewPassword {
        frame,
        asking: None,
        base: member.base(),
        purpose: PasswordPurpose::Change,
        least: u32::try_from(password::LEAST).unwrap_or(8),
        username: member
            .person
            .phone
            .as_ref()
            .map(|phone| phone.local().to_owned())
            .unwrap_or_default(),
        back: Some(member.base()),
    }
}

// Sessions

pub async fn show_end(member: Member, Path(handle): Path<String>) -> Answer {
    let session = session_of(&member, &handle).await?;
    member.page(&ConfirmAct {
        frame: member.frame(),
        act: Act::EndSession {
            current: session.id == member.session.id,
            device: session.device,
        },
    })
}

pub async fn submit_end(member: Member, Path(handle): Path<String>, body: Bytes) -> Answer {
    member.form(&body)?;
    let session = session_of(&member, &handle).await?;
    let current = session.id == member.session.id;
    let why = if current {
        End::SignedOut
    } else {
        End::EndedElsewhere
    };
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    logout::end(&mut tx, &mut rng, &session.id, why, member.now).await?;
    let event = Event::done("session.end")
        .with_person(&member.person.id)
        .with("ended", session.id.as_str());
    member.note(&mut tx, &mut rng, event).await?;
    // Only the browser that is signed out has the platforms' cookies: other sessions end without frames.
    let framed = current && told::has_frames(&mut tx, &session.id).await?;
    tx.commit().await?;
    let answer = if framed {
        to_done(&member.provider, Some(&session.id), None, None, member.now)
    } else {
        member.go_home(Notice::SessionEnded)?
    };
    Ok(if current {
        with_cookie(answer, cookies::clear(member.house(), cookies::SESSION))
    } else {
        answer
    })
}

pub async fn show_end_others(member: Member) -> Answer {
    member.page(&ConfirmAct {
        frame: member.frame(),
        act: Act::EndOtherSessions,
    })
}

pub async fn submit_end_others(member: Member, body: Bytes) -> Answer {
    member.form(&body)?;
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    end_others(&member, &mut tx, &mut rng, End::EndedElsewhere).await?;
    let event = Event::done("session.end_others").with_person(&member.person.id);
    member.note(&mut tx, &mut rng, event).await?;
    tx.commit().await?;
    member.go_home(Notice::SessionsEnded)
}

async fn end_others(
    member: &Member,
    conn: &mut crate::store::Conn,
    rng: &mut crate::random::Rng,
    why: End,
) -> Result<(), crate::store::Error> {
    for session in session::list_for(conn, &member.person.id, member.now).await? {
        if session.id != member.session.id {
            logout::end(conn, rng, &session.id, why, member.now).await?;
        }
    }
    Ok(())
}

async fn session_of(member: &Member, handle: &str) -> Result<session::Session, Failure> {
    let mut conn = member.house().store.read().await?;
    session::list_for(&mut conn, &member.person.id, member.now)
        .await?
        .into_iter()
        .find(|session| session.id.as_str() == handle)
        .ok_or_else(|| not_found(member))
}

// Consents

pub async fn show_withdraw(member: Member, Path(handle): Path<String>) -> Answer {
    let platform = platform_of(&member, &handle).await?;
    member.page(&ConfirmAct {
        frame: member.frame(),
        act: Act::WithdrawConsent { platform },
    })
}

pub async fn submit_withdraw(member: Member, Path(handle): Path<String>, body: Bytes) -> Answer {
    member.form(&body)?;
    platform_of(&member, &handle).await?;
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    let client = grants::withdraw_consent(&mut tx, &member.person.id, &handle, member.now).await?;
    if let Some(client) = client {
        let event = Event::done("consent.withdraw")
            .with_person(&member.person.id)
            .with_client(&client);
        member.note(&mut tx, &mut rng, event).await?;
    }
    tx.commit().await?;
    member.go_home(Notice::ConsentWithdrawn)
}

async fn platform_of(member: &Member, handle: &str) -> Result<String, Failure> {
    let mut conn = member.house().store.read().await?;
    consent::list_for(&mut conn, &member.person.id, member.now)
        .await?
        .into_iter()
        .find(|consent| consent.id == handle)
        .map(|consent| consent.platform)
        .ok_or_else(|| not_found(member))
}

fn not_found(member: &Member) -> Failure {
    member
        .error(StatusCode::NOT_FOUND, ErrorKind::NotFound, "not_found")
        .into()
}
