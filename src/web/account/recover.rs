//! A forgotten password, a lost phone. The phone's code alone resets the password of an account without a real name only; one with a real
//! name wants fresh proof: name, number and the phone in hand matched with the register. The account is found by the document, so that
//! somebody with a new phone finds theirs, and the new holder of an old phone does not.

use axum::body::Bytes;

use super::create::{self, check_new};
use super::entry::{self, Entry, Kind};
use super::notices::{self, tell};
use super::verify::{self, Asked};
use super::visit::{Answer, Door, Failure, Passerby, begin_login};
use crate::audit::Event;
use crate::authn::Factor;
use crate::authn::password;
use crate::crypto::Secret;
use crate::id::PersonId;
use crate::identity::{IdNumber, Method, Phone, binding, person};
use crate::store::{Conn, Error, Tx};
use crate::web::page::with_cookie;
use crate::web::view::Frame;
use crate::web::view::entry::{NewPassword, PasswordPurpose, ProofPurpose, RealName};
use crate::web::view::message::News;

/// `/recover`, from wherever somebody comes: begins a login of its own.
pub async fn begin(Passerby(visit): Passerby) -> Answer {
    begin_login(&visit, "/account".to_owned(), "/recover").await
}

/// The code was right.
pub async fn phone_proven(door: &Door, mut tx: Tx, phone: &Phone) -> Answer {
    let (keys, place) = (door.keys(), door.place());
    let holder = match person::by_phone(&mut tx, keys.indexer, phone).await? {
        Some(id) => person::find(&mut tx, keys.sealer, &id).await?,
        None => None,
    };
    let simple = holder.filter(|person| person.number.is_none() && person.closed_at.is_none());
    let next = if simple.is_some() {
        "/recover/password"
    } else {
        "/recover/proof"
    };
    let entry = Entry {
        phone: Some(phone.e164().to_owned()),
        phone_verified: true,
        person: simple.map(|person| person.id),
        ..Entry::default()
    };
    entry::save(
        &mut tx,
        keys.sealer,
        Kind::Recover,
        &place,
        &entry,
        door.now,
    )
    .await?;
    tx.commit().await?;
    door.go_door(next)
}

pub async fn show_proof(door: Door) -> Answer {
    match proven(&door).await? {
        Some((phone, _)) => {
            let page = proof_page(&door, door.frame(), &phone, String::new(), String::new());
            door.page(&page)
        }
        None => door.go_door("/recover"),
    }
}

pub async fn submit_proof(door: Door, body: Bytes) -> Answer {
    let form = door.form(&body)?;
    let Some((phone, mut entry)) = proven(&door).await? else {
        return door.go_door("/recover");
    };
    let (name, number) = (form.text("name"), form.text("number"));
    let proof = match verify::prove(&door, phone.e164(), name, number, Some(&phone)).await? {
        Asked::Proven(proof) => proof,
        Asked::TooYoung(age) => return verify::too_young(&door, door.frame(), age),
        Asked::Problem(problem) => {
            let frame = door.frame_with(problem.clone());
            let (name, number) = (verify::bounded(name), verify::bounded(number));
            let page = proof_page(&door, frame, &phone, name, number);
            return Ok(verify::refused(&door, &problem, &page));
        }
    };
    let (keys, place) = (door.keys(), door.place());
    let mut tx = door.house().store.write().await?;
    let holder = binding::holder(&mut tx, keys, &proof.number).await?;
    // An account that holds the document by name and number only may be a squatter's: it is taken over after verification,
    // never recovered into.
    if let Some((id, Method::Match3)) = holder {
        entry.person = Some(id);
        entry.proof = Some(verify::keep(&proof));
        entry::save(
            &mut tx,
            keys.sealer,
            Kind::Recover,
            &place,
            &entry,
            door.now,
        )
        .await?;
        tx.commit().await?;
        return door.go_door("/recover/password");
    }
    // There is no such account: the phone is proven, so a new one can begin at its password.
    entry::take(&mut tx, keys.sealer, Kind::Recover, &place, door.now).await?;
    let begun = Entry {
        person: None,
        ..entry
    };
    entry::save(&mut tx, keys.sealer, Kind::Create, &place, &begun, door.now).await?;
    tx.commit().await?;
    door.go_door("/create/password")
}

pub async fn show_password(door: Door) -> Answer {
    match proven(&door).await? {
        Some((phone, entry)) if entry.person.is_some() => {
            door.page(&password_page(&door, door.frame(), &phone))
        }
        _ => door.go_door("/recover"),
    }
}

pub async fn submit_password(door: Door, body: Bytes) -> Answer {
    let form = door.form(&body)?;
    let Some((phone, entry)) = proven(&door).await? else {
        return door.go_door("");
    };
    let Some(id) = entry.person else {
        return door.go_door("/recover");
    };
    let new = form.text("new-password");
    let personal = personal(&door, &id, &phone).await?;
    let personal: Vec<&str> = personal.iter().map(|text| text.reveal().as_str()).collect();
    if let Err(problem) = check_new(new, form.text("repeat-password"), &personal) {
        return door.again(&password_page(&door, door.frame_with(problem), &phone));
    }
    let mut rng = door.house().rng();
    let hashed = door
        .people()
        .passwords
        .hash(Secret::new(new.to_owned()), rng.bytes())
        .await;
    let Ok(phc) = hashed else {
        return super::login::busy(&door);
    };
    let (keys, place) = (door.keys(), door.place());
    let mut tx = door.house().store.write().await?;
    let taken = entry::take(&mut tx, keys.sealer, Kind::Recover, &place, door.now).await?;
    let Some(taken) = taken.filter(|entry| {
        entry.person.as_ref() == Some(&id) && entry.phone.as_deref() == Some(phone.e164())
    }) else {
        tx.commit().await?;
        return door.go_door("");
    };
    if !still_entitled(&door, &mut tx, &id, &phone, &taken).await? {
        tx.commit().await?;
        return door.go_door("/recover");
    }
    let before = person::find(&mut tx, keys.sealer, &id)
        .await?
        .and_then(|person| person.phone);
    password::set(&mut tx, &id, &phc, door.now).await?;
    let former = person::attach_phone(&mut tx, keys, &id, &phone, door.now).await?;
    // Whoever knew the old password is out.
    verify::end_everything(&door, &mut tx, &mut rng, &id, "recovered").await?;
    let event = Event::done("person.recovered").with_person(&id);
    door.note(&mut tx, &mut rng, event).await?;
    create::note_phone(&door, &mut tx, &mut rng, &id, former.as_ref()).await?;
    let cookie = door
        .enter(&mut tx, &mut rng, &id, &[Factor::Sms, Factor::Password])
        .await?;
    let before = before.as_ref().filter(|before| **before != phone);
    tell(&mut tx, &mut rng, &door, &id, before, News::PhoneChanged).await?;
    tell(
        &mut tx,
        &mut rng,
        &door,
        &id,
        Some(&phone),
        News::PasswordChanged,
    )
    .await?;
    tx.commit().await?;
    notices::hurry(&door);
    Ok(with_cookie(door.go_door("")?, cookie))
}

/// Whether what opened this door still does: an hour may have passed, in which the account got a real name, or the phone or
/// the document went to somebody else.
async fn still_entitled(
    door: &Door,
    conn: &mut Conn,
    id: &PersonId,
    phone: &Phone,
    entry: &Entry,
) -> Result<bool, Error> {
    let keys = door.keys();
    let open = person::find(conn, keys.sealer, id)
        .await?
        .filter(|person| person.closed_at.is_none());
    let Some(person) = open else { return Ok(false) };
    let Some(proof) = &entry.proof else {
        let holder = person::by_phone(conn, keys.indexer, phone).await?;
        return Ok(person.number.is_none() && holder.as_ref() == Some(id));
    };
    let Ok(number) = IdNumber::parse(&proof.number, door.now) else {
        return Ok(false);
    };
    let holder = binding::holder(conn, keys, &number).await?;
    Ok(holder.is_some_and(|(holder, method)| holder == *id && method == Method::Match3))
}

/// What the password of `id` must not hold.
pub async fn personal(
    visit: &super::visit::Visit,
    id: &PersonId,
    phone: &Phone,
) -> Result<Vec<Secret<String>>, Failure> {
    let mut conn = visit.house().store.read().await?;
    let person = person::find(&mut conn, visit.keys().sealer, id).await?;
    let mut out = vec![Secret::new(phone.local().to_owned())];
    if let Some(person) = person {
        out.extend(
            person
                .name
                .map(|name| Secret::new(name.as_str().to_owned())),
        );
        out.extend(
            person
                .number
                .map(|number| Secret::new(number.plain().to_owned())),
        );
        out.extend(
            person
                .phone
                .map(|phone| Secret::new(phone.local().to_owned())),
        );
    }
    Ok(out)
}

async fn proven(door: &Door) -> Result<Option<(Phone, Entry)>, Failure> {
    let mut conn = door.house().store.read().await?;
    let entry = entry::load(
        &mut conn,
        door.keys().sealer,
        Kind::Recover,
        &door.place(),
        door.now,
    )
    .await?;
    Ok(entry
        .filter(|entry| entry.phone_verified)
        .and_then(|entry| {
            let phone = Phone::parse(entry.phone.as_deref()?).ok()?;
            Some((phone, entry))
        }))
}

fn proof_page(door: &Door, frame: Frame, phone: &Phone, name: String, number: String) -> RealName {
    RealName {
        frame,
        asking: door.asking(),
        base: door.base(),
        purpose: ProofPurpose::Recover,
        name,
        number,
        source: door.people().settings.register_name.clone(),
        phone_masked: Some(phone.masked()),
        provisional: false,
        later: None,
    }
}

fn password_page(door: &Door, frame: Frame, phone: &Phone) -> NewPassword {
    NewPassword {
        frame,
        asking: door.asking(),
        base: door.base(),
        purpose: PasswordPurpose::Recover,
        least: u32::try_from(password::LEAST).unwrap_or(8),
        username: phone.local().to_owned(),
        back: Some(format!("{}/login", door.base())),
    }
}
