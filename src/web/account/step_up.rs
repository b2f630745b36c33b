//! One more proof of somebody who is logged in: because a platform asks for two kinds, because the last proof is too old, or because an act
//! of the account centre wants it. Says why. Every proof gives the session a new handle.

use axum::body::Bytes;
use axum::response::Response;

use super::codes;
use super::entry::{self, Entry, Kind};
use super::login::{Checked, Means, busy, check_password, means_of, passkey_door};
use super::phone;
use super::visit::{Answer, Failure, Member};
use crate::authn::{self, Factor};
use crate::identity::Phone;
use crate::provider::acr::Level;
use crate::random::Rng;
use crate::store::Tx;
use crate::web::page::with_cookie;
use crate::web::view::error::Halt;
use crate::web::view::login::{StepUp, StepUpReason};
use crate::web::view::{Frame, Problem};

pub async fn show(member: Member) -> Answer {
    let means = offered(&member).await?;
    if !(means.password || means.sms || means.passkey) {
        // Nothing is left to show: the dispatcher knows what that means for the platform.
        return if member.interaction.is_some() {
            member.go_door("")
        } else {
            member.halt(Halt::Locked)
        };
    }
    member.page(&page(&member, member.frame(), means))
}

/// The password, as the second factor or as a fresh one.
pub async fn submit(member: Member, body: Bytes) -> Answer {
    let form = member.form(&body)?;
    match check_password(&member, &member.person.id, form.text("password")).await? {
        Checked::Right(_) => {}
        Checked::Busy => return busy(&member),
        Checked::Refused(problem) => {
            let means = offered(&member).await?;
            return member.again(&page(&member, member.frame_with(problem), means));
        }
    }
    let mut rng = member.house().rng();
    let tx = member.house().store.write().await?;
    proven(&member, tx, &mut rng, Factor::Password).await
}

/// Sends a code to the person's phone.
pub async fn send_code(member: Member, body: Bytes) -> Answer {
    member.form(&body)?;
    let means = offered(&member).await?;
    let Some(phone) = member.person.phone.clone() else {
        let frame = member.frame_with(Problem::SmsUnavailable);
        return member.again(&page(&member, frame, means));
    };
    if let Err(problem) = codes::send(&member, Kind::StepUp, &phone).await? {
        return member.again(&page(&member, member.frame_with(problem), means));
    }
    phone::remember(&member, Kind::StepUp, &phone).await?;
    member.go_door("/step-up/code")
}

/// Adds the factor and goes on: back to the dispatcher, or to the page of the account centre that wanted it.
pub async fn proven(member: &Member, mut tx: Tx, rng: &mut Rng, factor: Factor) -> Answer {
    let cookie = member
        .strengthen(&mut tx, rng, &member.session, factor)
        .await?;
    let sealer = member.keys().sealer;
    let next = if member.interaction.is_none() {
        entry::take(&mut tx, sealer, Kind::Act, &member.place(), member.now)
            .await?
            .and_then(|entry| entry.next)
    } else {
        None
    };
    entry::take(&mut tx, sealer, Kind::StepUp, &member.place(), member.now).await?;
    tx.commit().await?;
    let answer = match next {
        Some(next) => member.go(&member.url(&next))?,
        None => member.go_door("")?,
    };
    Ok(match cookie {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    })
}

/// For acts that change how the account proves itself: `None` when the session is recent and strong enough, else where to go first.
pub async fn wanted(member: &Member, next: &str) -> Result<Option<Response>, Failure> {
    if is_recent(member) && (is_strong(member) || !could_be_stronger(member).await?) {
        return Ok(None);
    }
    let entry = Entry {
        next: Some(next.to_owned()),
        ..Entry::default()
    };
    let mut conn = member.house().store.read().await?;
    entry::save(
        &mut conn,
        member.keys().sealer,
        Kind::Act,
        &member.place(),
        &entry,
        member.now,
    )
    .await?;
    Ok(Some(member.go(&member.url("/account/step-up"))?))
}

/// The last proof was given within the idle time.
fn is_recent(member: &Member) -> bool {
    let last = member.session.proofs.iter().map(|proof| proof.at).max();
    last.is_some_and(|at| member.now.since(at) <= member.provider.settings.session_idle)
}

fn is_strong(member: &Member) -> bool {
    authn::level(&member.session.factors()) >= 2
}

async fn could_be_stronger(member: &Member) -> Result<bool, Failure> {
    let means = missing(member, means_of(member).await?);
    Ok(means.password || means.sms || means.passkey)
}

/// What is offered: what the session does not have yet; everything, when it only has to be shown afresh.
async fn offered(member: &Member) -> Result<Means, Failure> {
    let all = means_of(member).await?;
    let more = missing(member, all);
    let only_afresh = member.interaction.is_none()
        && (is_strong(member) || !(more.password || more.sms || more.passkey));
    Ok(if only_afresh { all } else { more })
}

fn missing(member: &Member, means: Means) -> Means {
    let factors = member.session.factors();
    Means {
        password: means.password && !factors.contains(&Factor::Password),
        sms: means.sms && !factors.contains(&Factor::Sms),
        passkey: means.passkey && !factors.contains(&Factor::Passkey),
    }
}

fn page(member: &Member, frame: Frame, means: Means) -> StepUp {
    let asked = member.interaction.as_ref().and_then(|i| i.asked());
    let reason = match asked {
        None => StepUpReason::SensitiveAct,
        Some(asked) => {
            let wish = &asked.request.acr;
            let level = wish
                .voluntary
                .iter()
                .chain(wish.binding.iter().flatten())
                .find(|level| **level > Level::L1)
                .unwrap_or(&Level::L2);
            StepUpReason::Level {
                acr: level.acr(&member.provider.settings.acr_base),
            }
        }
    };
    StepUp {
        frame,
        asking: member.asking(),
        base: member.base(),
        reason,
        sms: member
            .person
            .phone
            .as_ref()
            .filter(|_| means.sms)
            .map(Phone::masked),
        password: means.password,
        passkey: passkey_door(member, "/step-up", false).filter(|_| means.passkey),
    }
}
