//! A new account: phone, code, password. One can stop after the code and come back.

use axum::body::Bytes;

use super::entry::{self, Entry, Kind};
use super::visit::{Answer, Door, Failure, Visit};
use crate::audit::Event;
use crate::authn::Factor;
use crate::authn::password::{self, Weakness};
use crate::crypto::Secret;
use crate::id::PersonId;
use crate::identity::{Phone, person};
use crate::random::Rng;
use crate::store::{Conn, Error, Tx};
use crate::web::page::with_cookie;
use crate::web::view::entry::{NewPassword, PasswordPurpose, PhoneTaken};
use crate::web::view::{Frame, Problem};

/// The code was right: on to the password, unless the phone has an account.
pub async fn phone_proven(door: &Door, mut tx: Tx, phone: &Phone) -> Answer {
    let entry = Entry {
        phone: Some(phone.e164().to_owned()),
        phone_verified: true,
        ..Entry::default()
    };
    let (keys, place) = (door.keys(), door.place());
    entry::save(&mut tx, keys.sealer, Kind::Create, &place, &entry, door.now).await?;
    let taken = person::by_phone(&mut tx, keys.indexer, phone).await?;
    tx.commit().await?;
    door.go_door(if taken.is_some() {
        "/create/taken"
    } else {
        "/create/password"
    })
}

pub async fn show_taken(door: Door) -> Answer {
    let Some((phone, _)) = proven(&door).await? else {
        return door.go_door("/create");
    };
    door.page(&PhoneTaken {
        frame: door.frame(),
        asking: door.asking(),
        base: door.base(),
        phone_masked: phone.masked(),
    })
}

/// The number was given to a new holder, who says so.
pub async fn submit_taken(door: Door, body: Bytes) -> Answer {
    door.form(&body)?;
    let Some((_, mut entry)) = proven(&door).await? else {
        return door.go_door("/create");
    };
    entry.new_holder = true;
    let mut conn = door.house().store.read().await?;
    let (sealer, place) = (door.keys().sealer, door.place());
    entry::save(&mut conn, sealer, Kind::Create, &place, &entry, door.now).await?;
    door.go_door("/create/password")
}

pub async fn show_password(door: Door) -> Answer {
    let Some((phone, entry)) = proven(&door).await? else {
        return door.go_door("/create");
    };
    if !entry.new_holder && holder(&door, &phone).await?.is_some() {
        return door.go_door("/create/taken");
    }
    door.page(&page(&door, door.frame(), &phone))
}

pub async fn submit_password(door: Door, body: Bytes) -> Answer {
    let form = door.form(&body)?;
    let Some((phone, _)) = proven(&door).await? else {
        return door.go_door("");
    };
    let new = form.text("new-password");
    if let Err(problem) = check_new(new, form.text("repeat-password"), &[phone.local()]) {
        return door.again(&page(&door, door.frame_with(problem), &phone));
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
    // A form posted twice makes one account: who takes the entry makes it.
    let Some(entry) = entry::take(&mut tx, keys.sealer, Kind::Create, &place, door.now).await?
    else {
        tx.commit().await?;
        return door.go_door("");
    };
    if !entry.new_holder
        && person::by_phone(&mut tx, keys.indexer, &phone)
            .await?
            .is_some()
    {
        // Somebody else was faster with this phone, or asked to be the same: ask again.
        entry::save(&mut tx, keys.sealer, Kind::Create, &place, &entry, door.now).await?;
        tx.commit().await?;
        return door.go_door("/create/taken");
    }
    let id = person::create(&mut tx, &mut rng, door.now).await?;
    let former = person::attach_phone(&mut tx, keys, &id, &phone, door.now).await?;
    password::set(&mut tx, &id, &phc, door.now).await?;
    let event = Event::done("person.create").with_person(&id);
    door.note(&mut tx, &mut rng, event).await?;
    note_phone(&door, &mut tx, &mut rng, &id, former.as_ref()).await?;
    let cookie = door
        .enter(&mut tx, &mut rng, &id, &[Factor::Sms, Factor::Password])
        .await?;
    tx.commit().await?;
    Ok(with_cookie(door.go_door("")?, cookie))
}

/// Whether the two fields hold one password that may be used.
pub fn check_new(new: &str, repeat: &str, personal: &[&str]) -> Result<(), Problem> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    if new.is_empty() {
        return Err(Problem::PasswordTooShort {
            least: number(password::LEAST),
        });
    }
    password::check(new, personal).map_err(|weakness| match weakness {
        Weakness::TooShort => Problem::PasswordTooShort {
            least: number(password::LEAST),
        },
        Weakness::TooLong => Problem::PasswordTooLong {
            most: number(password::MOST),
        },
        Weakness::TooSimple => Problem::PasswordTooSimple,
        Weakness::Common => Problem::PasswordCommon,
        Weakness::Personal => Problem::PasswordPersonal,
    })?;
    if new == repeat {
        Ok(())
    } else {
        Err(Problem::PasswordsDiffer)
    }
}

/// Writes down that a phone came to `id`, and from whom it went.
pub async fn note_phone(
    visit: &Visit,
    conn: &mut Conn,
    rng: &mut Rng,
    id: &PersonId,
    former: Option<&PersonId>,
) -> Result<(), Error> {
    let event = Event::done("person.phone_attached").with_person(id);
    visit.note(conn, rng, event).await?;
    if let Some(former) = former {
        let event = Event::done("person.phone_detached")
            .with_actor(id.as_str())
            .with_person(former)
            .with("reason", "new_holder");
        visit.note(conn, rng, event).await?;
    }
    Ok(())
}

/// The phone that was proven, and the entry.
async fn proven(visit: &Visit) -> Result<Option<(Phone, Entry)>, Failure> {
    let mut conn = visit.house().store.read().await?;
    let entry = entry::load(
        &mut conn,
        visit.keys().sealer,
        Kind::Create,
        &visit.place(),
        visit.now,
    )
    .await?;
    Ok(entry
        .filter(|entry| entry.phone_verified)
        .and_then(|entry| {
            let phone = Phone::parse(entry.phone.as_deref()?).ok()?;
            Some((phone, entry))
        }))
}

async fn holder(visit: &Visit, phone: &Phone) -> Result<Option<PersonId>, Failure> {
    let mut conn = visit.house().store.read().await?;
    Ok(person::by_phone(&mut conn, visit.keys().indexer, phone).await?)
}

fn page(door: &Door, frame: Frame, phone: &Phone) -> NewPassword {
    NewPassword {
        frame,
        asking: door.asking(),
        base: door.base(),
        purpose: PasswordPurpose::Create,
        least: u32::try_from(password::LEAST).unwrap_or(8),
        username: phone.local().to_owned(),
        back: None,
    }
}
