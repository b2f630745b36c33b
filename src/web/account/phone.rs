//! The two steps that several ways share: which phone, and the code that was sent there. What a right code opens is the way's own matter.

use axum::body::Bytes;

use super::entry::{self, Entry, Kind};
use super::notices::tell;
use super::visit::{Answer, Door, Failure, Member, Visit};
use super::{codes, create, login, notices, recover};
use crate::authn::Factor;
use crate::identity::{Phone, person};
use crate::web::page::with_cookie;
use crate::web::view::frame::Notice;
use crate::web::view::login::{AskPhone, EnterCode, Purpose};
use crate::web::view::message::News;
use crate::web::view::{Frame, Problem};

/// Where a way asks for its phone, below the visit's base.
const fn door_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Create => "/create",
        Kind::Recover => "/recover",
        Kind::StepUp => "/step-up",
        Kind::Phone => "/phone",
        Kind::Login | Kind::Second | Kind::Takeover | Kind::Act => "/login/sms",
    }
}

const fn purpose_of(kind: Kind) -> Purpose {
    match kind {
        Kind::Create => Purpose::Create,
        Kind::Recover => Purpose::Recover,
        Kind::StepUp => Purpose::StepUp,
        Kind::Phone => Purpose::ChangePhone,
        Kind::Login | Kind::Second | Kind::Takeover | Kind::Act => Purpose::Login,
    }
}

/// Asks for the phone.
pub async fn ask(door: Door, kind: Kind) -> Answer {
    if kind == Kind::Create {
        // Somebody who stopped after the code goes on where they were.
        let mut conn = door.house().store.read().await?;
        let entry =
            entry::load(&mut conn, door.keys().sealer, kind, &door.place(), door.now).await?;
        if entry.is_some_and(|entry| entry.phone_verified) {
            return door.go_door("/create/password");
        }
    }
    door.page(&asking_page(&door, kind, door.frame(), String::new()))
}

/// Sends the code.
pub async fn submit(door: Door, kind: Kind, body: Bytes) -> Answer {
    start(&door, kind, &body).await
}

pub async fn ask_member(member: Member) -> Answer {
    if let Some(first) = super::step_up::wanted(&member, "/account/phone").await? {
        return Ok(first);
    }
    member.page(&asking_page(
        &member,
        Kind::Phone,
        member.frame(),
        String::new(),
    ))
}

pub async fn submit_member(member: Member, body: Bytes) -> Answer {
    member.form(&body)?;
    if let Some(first) = super::step_up::wanted(&member, "/account/phone").await? {
        return Ok(first);
    }
    start(&member, Kind::Phone, &body).await
}

async fn start(visit: &Visit, kind: Kind, body: &[u8]) -> Answer {
    let form = visit.form(body)?;
    let typed = form.text("phone");
    let again = |problem, typed: &str| {
        visit.again(&asking_page(
            visit,
            kind,
            visit.frame_with(problem),
            typed.chars().take(40).collect(),
        ))
    };
    let Ok(phone) = Phone::parse(typed) else {
        return again(Problem::PhoneInvalid, typed);
    };
    if let Err(problem) = codes::send(visit, kind, &phone).await? {
        return again(problem, typed);
    }
    remember(visit, kind, &phone).await?;
    visit.go_door(&format!("{}/code", door_of(kind)))
}

/// Remembers that a code went to `phone`.
pub async fn remember(visit: &Visit, kind: Kind, phone: &Phone) -> Result<(), Failure> {
    let entry = Entry {
        phone: Some(phone.e164().to_owned()),
        ..Entry::default()
    };
    let mut conn = visit.house().store.read().await?;
    entry::save(
        &mut conn,
        visit.keys().sealer,
        kind,
        &visit.place(),
        &entry,
        visit.now,
    )
    .await?;
    Ok(())
}

/// Asks for the code.
pub async fn ask_code(visit: &Visit, kind: Kind) -> Answer {
    match phone_of(visit, kind).await? {
        Some(phone) => visit.page(&code_page(visit, kind, visit.frame(), &phone)),
        None => visit.go_door(door_of(kind)),
    }
}

/// Sends another code.
pub async fn resend(visit: &Visit, kind: Kind, body: &[u8]) -> Answer {
    visit.form(body)?;
    let Some(phone) = phone_of(visit, kind).await? else {
        return visit.go_door(door_of(kind));
    };
    if let Err(problem) = codes::send(visit, kind, &phone).await? {
        return visit.again(&code_page(visit, kind, visit.frame_with(problem), &phone));
    }
    visit.go_door(&format!("{}/code", door_of(kind)))
}

/// Checks the code, and does what a right one opens.
pub async fn submit_code(door: Door, kind: Kind, body: Bytes) -> Answer {
    let form = door.form(&body)?;
    let Some(phone) = phone_of(&door, kind).await? else {
        return door.go_door(door_of(kind));
    };
    let mut tx = door.house().store.write().await?;
    if let Err(problem) = codes::check(&mut tx, &door, kind, &phone, form.text("code")).await? {
        tx.commit().await?;
        return door.again(&code_page(&door, kind, door.frame_with(problem), &phone));
    }
    match kind {
        Kind::Create => create::phone_proven(&door, tx, &phone).await,
        Kind::Recover => recover::phone_proven(&door, tx, &phone).await,
        _ => login::phone_proven(&door, tx, &phone).await,
    }
}

/// The same for the step-up of somebody who is logged in.
pub async fn submit_step_up_code(member: Member, body: Bytes) -> Answer {
    let form = member.form(&body)?;
    let Some(phone) = member.person.phone.clone() else {
        return member.go_door("/step-up");
    };
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    let checked = codes::check(&mut tx, &member, Kind::StepUp, &phone, form.text("code")).await?;
    if let Err(problem) = checked {
        tx.commit().await?;
        let page = code_page(&member, Kind::StepUp, member.frame_with(problem), &phone);
        return member.again(&page);
    }
    super::step_up::proven(&member, tx, &mut rng, Factor::Sms).await
}

/// The same for a new phone.
pub async fn submit_phone_code(member: Member, body: Bytes) -> Answer {
    let form = member.form(&body)?;
    if let Some(first) = super::step_up::wanted(&member, "/account/phone").await? {
        return Ok(first);
    }
    let Some(phone) = phone_of(&member, Kind::Phone).await? else {
        return member.go_door("/phone");
    };
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    let checked = codes::check(&mut tx, &member, Kind::Phone, &phone, form.text("code")).await?;
    if let Err(problem) = checked {
        tx.commit().await?;
        let page = code_page(&member, Kind::Phone, member.frame_with(problem), &phone);
        return member.again(&page);
    }
    let id = &member.person.id;
    let former = person::attach_phone(&mut tx, member.keys(), id, &phone, member.now).await?;
    entry::take(
        &mut tx,
        member.keys().sealer,
        Kind::Phone,
        &member.place(),
        member.now,
    )
    .await?;
    create::note_phone(&member, &mut tx, &mut rng, id, former.as_ref()).await?;
    // The new phone was just shown to be held: the session counts it, under a new handle.
    let cookie = member
        .strengthen(&mut tx, &mut rng, &member.session, Factor::Sms)
        .await?;
    let before = member
        .person
        .phone
        .as_ref()
        .filter(|before| **before != phone);
    tell(&mut tx, &mut rng, &member, id, before, News::PhoneChanged).await?;
    tx.commit().await?;
    notices::hurry(&member);
    let answer = member.go_home(Notice::PhoneChanged)?;
    Ok(match cookie {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    })
}

/// The phone that a code went to; for the step-up that of the person.
async fn phone_of(visit: &Visit, kind: Kind) -> Result<Option<Phone>, Failure> {
    let mut conn = visit.house().store.read().await?;
    let entry = entry::load(
        &mut conn,
        visit.keys().sealer,
        kind,
        &visit.place(),
        visit.now,
    )
    .await?;
    Ok(entry
        .and_then(|entry| entry.phone)
        .and_then(|phone| Phone::parse(&phone).ok()))
}

fn asking_page(visit: &Visit, kind: Kind, frame: Frame, phone: String) -> AskPhone {
    let base = visit.base();
    let back = match kind {
        Kind::Phone => base.clone(),
        _ => format!("{base}/login"),
    };
    AskPhone {
        frame,
        asking: visit.asking(),
        purpose: purpose_of(kind),
        phone,
        back,
        base,
    }
}

fn code_page(visit: &Visit, kind: Kind, frame: Frame, phone: &Phone) -> EnterCode {
    let base = visit.base();
    let settings = &visit.people().settings;
    EnterCode {
        frame,
        asking: visit.asking(),
        purpose: purpose_of(kind),
        phone_masked: phone.masked(),
        resend_url: format!("{base}{}/resend", door_of(kind)),
        minutes: codes::minutes(settings.sms_code_lifetime),
        back: format!("{base}{}", door_of(kind)),
        outbox_url: settings.outbox_url.clone(),
        base,
    }
}
