//! Login by password, and what follows a right SMS code. One answer for all failures, and the same work whether or not the account exists.

use axum::body::Bytes;
use axum::http::StatusCode;

use super::codes::minutes;
use super::entry::{self, Entry, Kind};
use super::visit::{Answer, Door, Failure, Member, Visit};
use crate::audit::Event;
use crate::authn::Factor;
use crate::authn::hashing::Verdict;
use crate::authn::passkey;
use crate::authn::password;
use crate::authn::throttle::{self, Pass};
use crate::crypto::Secret;
use crate::id::PersonId;
use crate::identity::{Person, Phone, person};
use crate::provider::interaction::Interaction;
use crate::store::{Conn, Error, Tx};
use crate::web::error::retry_after;
use crate::web::page::with_cookie;
use crate::web::view::error::{ErrorKind, Halt};
use crate::web::view::login::{Doors, Login, PasskeyDoor, StepUp, StepUpReason};
use crate::web::view::{Frame, Problem};

pub async fn show(door: Door) -> Answer {
    let hint = door
        .interaction
        .as_ref()
        .and_then(Interaction::login_hint)
        .unwrap_or_default()
        .chars()
        .take(64)
        .collect();
    door.page(&page(&door, door.frame(), hint))
}

pub async fn submit(door: Door, body: Bytes) -> Answer {
    let form = door.form(&body)?;
    let username: String = form.text("username").trim().chars().take(64).collect();
    let typed = Secret::new(form.text("password").to_owned());
    let refused = |problem| door.again(&page(&door, door.frame_with(problem), username.clone()));
    if username.is_empty() {
        return refused(Problem::UsernameMissing);
    }
    if typed.reveal().is_empty() {
        return refused(Problem::PasswordMissing);
    }
    let phone = Phone::parse(&username).ok();
    let account = phone.as_ref().map_or(username.as_str(), Phone::e164);

    // Counted first: a hundred tries at once are a hundred tries.
    let mut tx = door.house().store.write().await?;
    if let Pass::Wait(seconds) = count(&door, &mut tx, account).await? {
        tx.commit().await?;
        let problem = Problem::TooManyTries {
            minutes: minutes(seconds),
        };
        let page = page(&door, door.frame_with(problem), username);
        return Ok(door.show(StatusCode::TOO_MANY_REQUESTS, &page));
    }
    let person = match &phone {
        Some(phone) => person::by_phone(&mut tx, door.keys().indexer, phone).await?,
        None => None,
    };
    let stored = match &person {
        Some(person) => password::find(&mut tx, person).await?,
        None => None,
    };
    tx.commit().await?;

    let Some(verdict) = verify(&door, typed.clone(), stored.clone()).await else {
        return busy(&door);
    };
    let mut rng = door.house().rng();
    let person = match (verdict, person) {
        (Verdict::Right | Verdict::RightButOld, Some(person)) => person,
        (_, known) => {
            let mut event = Event::refused("session.begin").with("reason", "password");
            if let Some(person) = &known {
                event = event.with_person(person);
            }
            let mut tx = door.house().store.write().await?;
            door.note(&mut tx, &mut rng, event).await?;
            tx.commit().await?;
            return refused(Problem::LoginRefused);
        }
    };
    let fresh_hash = if verdict == Verdict::RightButOld {
        door.people().passwords.hash(typed, rng.bytes()).await.ok()
    } else {
        None
    };
    let mut tx = door.house().store.write().await?;
    forgive(&door, &mut tx, account).await?;
    if let (Some(old), Some(new)) = (&stored, &fresh_hash) {
        password::rehash(&mut tx, &person, old, new).await?;
    }
    // The password may have been changed while this one was being checked.
    let unchanged = match fresh_hash.or(stored) {
        Some(phc) => password::hold(&mut tx, &person, &phc).await?,
        None => false,
    };
    if !unchanged {
        tx.commit().await?;
        return refused(Problem::LoginRefused);
    }
    admit(&door, tx, &person, &[Factor::Password]).await
}

/// The phone is held by whom we talk to: log in, ask for more, or begin a new account.
pub async fn phone_proven(door: &Door, mut tx: Tx, phone: &Phone) -> Answer {
    let place = door.place();
    let sealer = door.keys().sealer;
    entry::take(&mut tx, sealer, Kind::Login, &place, door.now).await?;
    let Some(id) = person::by_phone(&mut tx, door.keys().indexer, phone).await? else {
        // Nobody's yet. Only the phone's holder learns that.
        let entry = Entry {
            phone: Some(phone.e164().to_owned()),
            phone_verified: true,
            ..Entry::default()
        };
        entry::save(&mut tx, sealer, Kind::Create, &place, &entry, door.now).await?;
        tx.commit().await?;
        return door.go_door("/create/password");
    };
    let Some(person) = person::find(&mut tx, sealer, &id).await? else {
        tx.commit().await?;
        return door.go_door("/login");
    };
    // A phone is a factor, not a person: it may have been re-issued since. SMS alone opens no account with a real name that
    // has another way to prove itself.
    if person.has_real_name() && has_other_means(&mut tx, &id).await? {
        let entry = Entry {
            phone: Some(phone.e164().to_owned()),
            phone_verified: true,
            person: Some(id),
            ..Entry::default()
        };
        entry::save(&mut tx, sealer, Kind::Second, &place, &entry, door.now).await?;
        tx.commit().await?;
        return door.go_door("/login/second");
    }
    admit(door, tx, &id, &[Factor::Sms]).await
}

/// Asks for the second factor.
pub async fn show_second(door: Door) -> Answer {
    match pending(&door).await? {
        Some(id) => door.page(&second_page(&door, door.frame(), &id).await?),
        None => door.go_door("/login"),
    }
}

pub async fn submit_second(door: Door, body: Bytes) -> Answer {
    let form = door.form(&body)?;
    let Some(id) = pending(&door).await? else {
        return door.go_door("/login");
    };
    let phc = match check_password(&door, &id, form.text("password")).await? {
        Checked::Right(phc) => phc,
        Checked::Busy => return busy(&door),
        Checked::Refused(problem) => {
            let page = second_page(&door, door.frame_with(problem), &id).await?;
            return door.again(&page);
        }
    };
    let mut tx = door.house().store.write().await?;
    // Its one use decides between two who post it at once.
    let taken = entry::take(
        &mut tx,
        door.keys().sealer,
        Kind::Second,
        &door.place(),
        door.now,
    )
    .await?;
    if taken.and_then(|entry| entry.person).as_ref() != Some(&id)
        || !password::hold(&mut tx, &id, &phc).await?
    {
        tx.commit().await?;
        return door.go_door("");
    }
    admit(&door, tx, &id, &[Factor::Sms, Factor::Password]).await
}

/// Who proved to hold the phone and still owes a second factor.
pub async fn pending(visit: &Visit) -> Result<Option<PersonId>, Failure> {
    let mut conn = visit.house().store.read().await?;
    let entry = entry::load(
        &mut conn,
        visit.keys().sealer,
        Kind::Second,
        &visit.place(),
        visit.now,
    )
    .await?;
    Ok(entry
        .filter(|entry| entry.phone_verified)
        .and_then(|entry| entry.person))
}

/// Logs in and goes back to the dispatcher. An account that was closed is told so, now that its holder has proven themself.
pub async fn admit(door: &Visit, mut tx: Tx, id: &PersonId, factors: &[Factor]) -> Answer {
    let person = person::find(&mut tx, door.keys().sealer, id).await?;
    if person.is_none_or(|person| person.closed_at.is_some()) {
        tx.commit().await?;
        return door.halt(Halt::Closed);
    }
    let mut rng = door.house().rng();
    let cookie = door.enter(&mut tx, &mut rng, id, factors).await?;
    tx.commit().await?;
    Ok(with_cookie(door.go_door("")?, cookie))
}

/// How a password that must belong to a known person fared.
pub enum Checked {
    /// With the stored hash that it fits.
    Right(String),
    Refused(Problem),
    Busy,
}

/// Checks the password of `id`, counted like any login. The name it is counted by is not the one that is typed at the login
/// page: who fails there cannot close this door to a person who has shown another factor.
pub async fn check_password(visit: &Visit, id: &PersonId, typed: &str) -> Result<Checked, Failure> {
    if typed.is_empty() {
        return Ok(Checked::Refused(Problem::PasswordMissing));
    }
    let mut tx = visit.house().store.write().await?;
    if let Pass::Wait(seconds) = count(visit, &mut tx, id.as_str()).await? {
        tx.commit().await?;
        return Ok(Checked::Refused(Problem::TooManyTries {
            minutes: minutes(seconds),
        }));
    }
    let stored = password::find(&mut tx, id).await?;
    tx.commit().await?;
    let typed = Secret::new(typed.to_owned());
    Ok(match (verify(visit, typed, stored.clone()).await, stored) {
        (None, _) => Checked::Busy,
        (Some(Verdict::Wrong), _) | (_, None) => Checked::Refused(Problem::LoginRefused),
        (Some(Verdict::Right | Verdict::RightButOld), Some(phc)) => {
            let mut tx = visit.house().store.write().await?;
            forgive(visit, &mut tx, id.as_str()).await?;
            tx.commit().await?;
            Checked::Right(phc)
        }
    })
}

/// A page that says to come back.
pub fn busy(visit: &Visit) -> Answer {
    let answer = visit.error(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::TooManyRequests,
        "temporarily_unavailable",
    );
    Ok(retry_after(answer, 5))
}

/// Whether the account can prove itself by more than its phone.
pub async fn has_other_means(conn: &mut Conn, id: &PersonId) -> Result<bool, Error> {
    Ok(password::find(conn, id).await?.is_some() || !passkey::list(conn, id).await?.is_empty())
}

/// The login page's passkey door, and those of the second factor, hang below `door`.
pub fn passkey_door(visit: &Visit, door: &str, conditional: bool) -> Option<PasskeyDoor> {
    visit.people().passkeys.as_ref()?;
    let base = visit.base();
    Some(PasskeyDoor {
        options_url: format!("{base}{door}/passkey/options"),
        finish_url: format!("{base}{door}/passkey/finish"),
        conditional,
    })
}

async fn second_page(door: &Door, frame: Frame, id: &PersonId) -> Result<StepUp, Failure> {
    let mut conn = door.house().store.read().await?;
    let has_passkeys = !passkey::list(&mut conn, id).await?.is_empty();
    let password = password::find(&mut conn, id).await?.is_some();
    Ok(StepUp {
        frame,
        asking: door.asking(),
        base: door.base(),
        reason: StepUpReason::RealName,
        sms: None,
        password,
        passkey: passkey_door(door, "/login/second", false).filter(|_| has_passkeys),
    })
}

async fn verify(visit: &Visit, typed: Secret<String>, stored: Option<String>) -> Option<Verdict> {
    // Longer than any password of ours; not worth the memory.
    if typed.reveal().len() > 4 * password::MOST {
        return Some(Verdict::Wrong);
    }
    visit.people().passwords.verify(typed, stored).await.ok()
}

/// Counts a try against the source, the account from this source, and the account from everywhere. What has to wait already is
/// not counted against the account as a whole: one address would close it with a few clicks.
async fn count(visit: &Visit, conn: &mut Conn, account: &str) -> Result<Pass, Error> {
    let (indexer, people) = (visit.keys().indexer, visit.people());
    let source = throttle::count(
        conn,
        indexer,
        people.source_limit(),
        &[&visit.source],
        visit.now,
    )
    .await?;
    let here = throttle::count(
        conn,
        indexer,
        people.login_limit(),
        &[account, &visit.source],
        visit.now,
    )
    .await?;
    Ok(match (source, here) {
        (Pass::Go, Pass::Go) => {
            let limit = people.account_limit();
            throttle::count(conn, indexer, limit, &[account], visit.now).await?
        }
        (Pass::Wait(a), Pass::Wait(b)) => Pass::Wait(a.max(b)),
        (Pass::Wait(wait), Pass::Go) | (Pass::Go, Pass::Wait(wait)) => Pass::Wait(wait),
    })
}

/// Only failures are limited.
async fn forgive(visit: &Visit, conn: &mut Conn, account: &str) -> Result<(), Error> {
    let (indexer, people) = (visit.keys().indexer, visit.people());
    throttle::forgive(conn, indexer, people.source_limit(), &[&visit.source]).await?;
    // Not cleared: the owner's own logins give nobody new tries.
    throttle::forgive(conn, indexer, people.account_limit(), &[account]).await?;
    throttle::clear(
        conn,
        indexer,
        people.login_limit(),
        &[account, &visit.source],
    )
    .await
}

fn page(door: &Visit, frame: Frame, username: String) -> Login {
    Login {
        frame,
        asking: door.asking(),
        base: door.base(),
        username,
        doors: Doors {
            sms: true,
            passkey: passkey_door(door, "/login", true),
            create: true,
            recover: true,
        },
    }
}

/// Whether `member` can still add a factor they have not shown in this session; used by pages that explain.
pub async fn means_of(member: &Member) -> Result<Means, Error> {
    let mut conn = member.house().store.read().await?;
    means(&mut conn, &member.person).await
}

/// What a person can prove themself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    pub password: bool,
    pub sms: bool,
    pub passkey: bool,
}

async fn means(conn: &mut Conn, person: &Person) -> Result<Means, Error> {
    Ok(Means {
        password: password::find(conn, &person.id).await?.is_some(),
        sms: person.phone.is_some(),
        passkey: !passkey::list(conn, &person.id).await?.is_empty(),
    })
}
