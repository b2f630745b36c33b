//! A person's account: created with a phone, later bound to a real name (`binding`). Personal columns are encrypted for their row.

use sqlx::Connection as _;

use crate::clock::UnixTime;
use crate::crypto::{Indexer, Sealer};
use crate::id::PersonId;
use crate::random::Rng;
use crate::store::{Conn, Error};

use super::level::RealNameLevel;
use super::name::Name;
use super::number::IdNumber;
use super::phone::Phone;

/// The keys by which personal data is read and found.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    pub sealer: &'a dyn Sealer,
    pub indexer: &'a dyn Indexer,
}

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub created_at: UnixTime,
    pub closed_at: Option<UnixTime>,
    pub level: RealNameLevel,
    pub name: Option<Name>,
    pub number: Option<IdNumber>,
    /// When the register last agreed to name and number.
    pub verified_at: Option<UnixTime>,
    /// Name and number are bound without the phone: believed by nobody else, and giving way to a stronger proof.
    pub provisional: bool,
    pub phone: Option<Phone>,
    pub appearance: Appearance,
}

/// How a person wants pages to be, on whatever device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appearance {
    /// Large text and large buttons.
    pub elder: bool,
    /// The tag of a language that pages are written in; `None` as long as none was chosen.
    pub language: Option<String>,
}

impl Person {
    /// A name and number that the register confirmed together with the phone, or better.
    pub fn has_real_name(&self) -> bool {
        self.level >= RealNameLevel::Rn2
    }
}

/// Columns of `persons` that hold ciphertext, as they are named to the `Sealer`.
pub(super) const NAME: &str = "persons.name";
pub(super) const ID_NUMBER: &str = "persons.id_number";
pub(super) const PHONE: &str = "persons.phone";

/// Domain of the keyed hash of a phone.
const PHONE_INDEX: &str = "phone";

type Row = (
    i64,
    Option<i64>,
    String,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<String>,
);

/// Opens an account without anything in it.
pub async fn create(conn: &mut Conn, rng: &mut Rng, now: UnixTime) -> Result<PersonId, Error> {
    let id = PersonId(rng.id("p_"));
    sqlx::query("INSERT INTO persons (id, created_at, level) VALUES ($1, $2, $3)")
        .bind(&id)
        .bind(now)
        .bind(RealNameLevel::Rn1.as_str())
        .execute(conn)
        .await?;
    Ok(id)
}

/// The person `id`; an account that was closed is found too.
pub async fn find(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    id: &PersonId,
) -> Result<Option<Person>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT created_at, closed_at, level, name, id_number, verified_at, provisional_at, phone, elder_at,
                language
         FROM persons WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    row.map(|row| read(sealer, id, row)).transpose()
}

fn read(sealer: &dyn Sealer, id: &PersonId, row: Row) -> Result<Person, Error> {
    let (
        created_at,
        closed_at,
        level,
        name,
        number,
        verified_at,
        provisional_at,
        phone,
        elder_at,
        language,
    ) = row;
    let reveal = |column: &'static str, ciphertext: Option<Vec<u8>>| {
        ciphertext
            .map(|ciphertext| {
                sealer
                    .reveal(column, id.as_str(), &ciphertext)
                    .and_then(|plain| String::from_utf8(plain).ok())
                    .ok_or_else(|| unreadable(column))
            })
            .transpose()
    };
    // What was stored had been parsed; the far future keeps every stored date of birth in the past.
    let far = UnixTime(i64::MAX);
    Ok(Person {
        id: id.clone(),
        created_at: UnixTime(created_at),
        closed_at: closed_at.map(UnixTime),
        level: level.parse().map_err(|_| unreadable("persons.level"))?,
        name: reveal(NAME, name)?
            .map(|text| Name::parse(&text))
            .transpose()
            .map_err(|_| unreadable(NAME))?,
        number: reveal(ID_NUMBER, number)?
            .map(|text| IdNumber::parse(&text, far))
            .transpose()
            .map_err(|_| unreadable(ID_NUMBER))?,
        verified_at: verified_at.map(UnixTime),
        provisional: provisional_at.is_some(),
        phone: reveal(PHONE, phone)?
            .map(|text| Phone::parse(&text))
            .transpose()
            .map_err(|_| unreadable(PHONE))?,
        appearance: Appearance {
            elder: elder_at.is_some(),
            language,
        },
    })
}

/// Who holds `phone`, if its number is verified for an account.
pub async fn by_phone(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    phone: &Phone,
) -> Result<Option<PersonId>, Error> {
    for hash in indexer.indices(PHONE_INDEX, phone.e164().as_bytes()) {
        let found: Option<PersonId> =
            sqlx::query_scalar("SELECT person FROM phones WHERE hash = $1")
                .bind(hash)
                .fetch_optional(&mut *conn)
                .await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Makes `phone`, just verified, the phone of `person`. The account that had it before loses it, and is returned. Belongs
/// into a write transaction.
pub async fn attach_phone(
    conn: &mut Conn,
    keys: Keys<'_>,
    person: &PersonId,
    phone: &Phone,
    now: UnixTime,
) -> Result<Option<PersonId>, Error> {
    let former = loop {
        // What was taken hold of in vain is let go with the savepoint: nobody waits while holding what others wait for.
        let mut attempt = conn.begin().await?;
        if let Some(former) = claim_phone(&mut attempt, keys.indexer, person, phone, now).await? {
            attempt.commit().await?;
            break former;
        }
        attempt.rollback().await?;
    };
    if let Some(former) = &former {
        detach_phone(conn, former).await?;
    }
    let ciphertext = keys
        .sealer
        .protect(PHONE, person.as_str(), phone.e164().as_bytes());
    sqlx::query("UPDATE persons SET phone = $2, phone_verified_at = $3 WHERE id = $1")
        .bind(person)
        .bind(ciphertext)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(former)
}

/// Takes the phone from `person`, who no longer holds it.
pub async fn detach_phone(conn: &mut Conn, person: &PersonId) -> Result<(), Error> {
    sqlx::query("DELETE FROM phones WHERE person = $1")
        .bind(person)
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE persons SET phone = NULL, phone_verified_at = NULL WHERE id = $1")
        .bind(person)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether `phone` is that of `person`, who is held: it stays so until the transaction ends.
pub async fn has_phone(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    person: &PersonId,
    phone: &Phone,
) -> Result<bool, Error> {
    hold(conn, person).await?;
    Ok(by_phone(conn, indexer, phone).await?.as_ref() == Some(person))
}

/// Touches the row of `person`: whoever changes the same account at once waits here, on both databases.
async fn hold(conn: &mut Conn, person: &PersonId) -> Result<(), Error> {
    sqlx::query("UPDATE persons SET level = level WHERE id = $1")
        .bind(person)
        .execute(conn)
        .await?;
    Ok(())
}

/// Puts `person` under the hashes of `phone` in place of whoever holds it now, who is returned. Both accounts' rows are held first, in one
/// order: two who exchange their phones would wait for each other for ever. `None`: somebody was faster, whose row is not held.
async fn claim_phone(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    person: &PersonId,
    phone: &Phone,
    now: UnixTime,
) -> Result<Option<Option<PersonId>>, Error> {
    let holder = by_phone(conn, indexer, phone).await?;
    let mut changed: Vec<&PersonId> = holder.iter().chain([person]).collect();
    changed.sort();
    for id in changed {
        hold(conn, id).await?;
    }
    // Nobody takes a phone from an account without holding its row, so from here on the holder stays.
    if by_phone(conn, indexer, phone).await? != holder {
        return Ok(None);
    }
    sqlx::query("DELETE FROM phones WHERE person = $1")
        .bind(person)
        .execute(&mut *conn)
        .await?;
    for hash in indexer.indices(PHONE_INDEX, phone.e164().as_bytes()) {
        let ours: Option<PersonId> = sqlx::query_scalar(
            "INSERT INTO phones (hash, person, verified_at) VALUES ($1, $2, $3)
             ON CONFLICT (hash) DO UPDATE SET person = excluded.person, verified_at = excluded.verified_at
               WHERE phones.person = $4
             RETURNING person",
        )
        .bind(hash)
        .bind(person)
        .bind(now)
        .bind(&holder)
        .fetch_optional(&mut *conn)
        .await?;
        // Nobody held it, and somebody else was first.
        if ours.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(holder.filter(|holder| holder != person)))
}

/// Remembers for the account how pages shall be.
pub async fn set_appearance(
    conn: &mut Conn,
    person: &PersonId,
    appearance: &Appearance,
    now: UnixTime,
) -> Result<(), Error> {
    sqlx::query("UPDATE persons SET elder_at = $2, language = $3 WHERE id = $1")
        .bind(person)
        .bind(appearance.elder.then_some(now))
        .bind(appearance.language.as_deref())
        .execute(conn)
        .await?;
    Ok(())
}

/// A stored value that cannot be read is a fault of ours (a lost key, a damaged row), never of the request.
pub(super) fn unreadable(column: &'static str) -> Error {
    Error::Decode(format!("{column} cannot be read").into())
}
