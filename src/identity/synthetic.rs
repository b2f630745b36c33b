//! Synthetic people: those of the demo, and those that the configuration of a lab names. All of them are made up: the numbers carry the
//! unassigned county code `9999` (permits: reserved test values), the phones begin with 140, which is not given to subscribers. The
//! demo's are shared by the register's stand-in, which knows all of them, and by the provider, where some have accounts.

use crate::authn::hashing::Busy;
use crate::authn::password;
use crate::clock::UnixTime;
use crate::config;
use crate::crypto::Secret;
use crate::random::Rng;
use crate::store::{Error, Store};

use super::binding::{self, Binding, Proof, Takeover};
use super::details::{self, BadDetail, Detail};
use super::evidence::{Evidence, Method};
use super::name::Name;
use super::number::IdNumber;
use super::people::People;
use super::person::{self, Appearance, Keys};
use super::phone::Phone;

/// Whether a synthetic person has an account from the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Account,
    RegisterOnly,
}

impl State {
    /// The word of `hefu demo --json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::RegisterOnly => "register_only",
        }
    }
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Citizen {
    /// Also the user name.
    pub phone: &'static str,
    pub name: &'static str,
    pub number: &'static str,
    pub state: State,
    pub elder: bool,
}

/// Everybody's password.
pub const PASSWORD: &str = "Hefu-demo-2026";

/// Two separators, twenty-six characters.
const LONG_NAME: &str = "测试测试测试测试·测试测试测试测试·测试测试测试测丑";

/// Everybody.
pub const CITIZENS: [Citizen; 12] = [
    account("14000000001", "测试甲", "449999195003010014"),
    account("14000000002", "阿依古丽·测试", "329999196207150024"),
    account("14000000003", "测试丙", "509999198811090032"),
    account("14000000004", "测试丁", "529999199105200044"),
    Citizen {
        elder: true,
        ..account("14000000005", "测试戊", "469999192002290069")
    },
    register_only("14000000006", "测试己", "219999197908080072"),
    register_only("14000000007", "𠮷测试", "44999919700101001X"),
    register_only("14000000008", "测试辛", "810000198504129981"),
    register_only("14000000009", "测试壬", "944276198102039925"),
    register_only("14000000010", "测试癸", "509999201806010098"),
    register_only("14000000011", LONG_NAME, "820000198504129983"),
    register_only("14000000012", "测试子", "449999201009010080"),
];

const fn account(phone: &'static str, name: &'static str, number: &'static str) -> Citizen {
    Citizen {
        phone,
        name,
        number,
        state: State::Account,
        elder: false,
    }
}

const fn register_only(phone: &'static str, name: &'static str, number: &'static str) -> Citizen {
    Citizen {
        state: State::RegisterOnly,
        ..account(phone, name, number)
    }
}

/// Why the demo's accounts could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("the synthetic person {0} is not well-formed: phone, name or number")]
    Data(String),
    #[error(
        "{0} could be a real person: the number of a synthetic one has the county code 9999, the phone begins with 140"
    )]
    NotSynthetic(String),
    #[error(transparent)]
    Detail(#[from] BadDetail),
}

/// Makes the accounts of the demo that are missing. What people did with theirs since stays as it is.
pub async fn seed(
    store: &Store,
    keys: Keys<'_>,
    people: &People,
    rng: &mut Rng,
    now: UnixTime,
) -> Result<(), SeedError> {
    for citizen in CITIZENS.iter().filter(|c| c.state == State::Account) {
        let newcomer = Newcomer::parse(citizen.phone, citizen.name, citizen.number, PASSWORD, now)?;
        let newcomer = Newcomer {
            elder: citizen.elder,
            ..newcomer
        };
        newcomer.settle(store, keys, people, rng, now).await?;
    }
    Ok(())
}

/// The same for those that the configuration names; nobody who could be real is let in.
pub async fn seed_configured(
    store: &Store,
    keys: Keys<'_>,
    people: &People,
    rng: &mut Rng,
    now: UnixTime,
) -> Result<(), SeedError> {
    for citizen in &people.settings.synthetic {
        let newcomer = configured(citizen, now)?;
        newcomer.settle(store, keys, people, rng, now).await?;
    }
    Ok(())
}

/// Reads a synthetic person of a configuration.
pub fn configured(
    citizen: &config::people::Synthetic,
    now: UnixTime,
) -> Result<Newcomer, SeedError> {
    let config::people::Synthetic {
        phone,
        password,
        name,
        number,
        claims,
    } = citizen;
    let newcomer = Newcomer::parse(phone, name, number, password, now)?;
    let unassigned = newcomer.number.plain().get(2..6) == Some("9999");
    if !unassigned || !newcomer.phone.local().starts_with("140") {
        return Err(SeedError::NotSynthetic(phone.clone()));
    }
    let details: Result<Vec<Detail>, BadDetail> = claims
        .iter()
        .map(|(claim, value)| Detail::parse(claim, value))
        .collect();
    Ok(Newcomer {
        details: details?,
        ..newcomer
    })
}

/// Somebody who gets an account without having asked for it: only ever somebody who does not exist.
#[derive(Debug)]
pub struct Newcomer {
    phone: Phone,
    name: Name,
    number: IdNumber,
    password: Secret<String>,
    elder: bool,
    details: Vec<Detail>,
}

impl Newcomer {
    fn parse(
        phone: &str,
        name: &str,
        number: &str,
        password: &str,
        now: UnixTime,
    ) -> Result<Self, SeedError> {
        let bad = || SeedError::Data(phone.to_owned());
        Ok(Self {
            phone: Phone::parse(phone).map_err(|_| bad())?,
            name: Name::parse(name).map_err(|_| bad())?,
            number: IdNumber::parse(number, now).map_err(|_| bad())?,
            password: Secret::new(password.to_owned()),
            elder: false,
            details: Vec::new(),
        })
    }

    async fn settle(
        self,
        store: &Store,
        keys: Keys<'_>,
        people: &People,
        rng: &mut Rng,
        now: UnixTime,
    ) -> Result<(), SeedError> {
        if known(store, keys, &self.phone, &self.number).await? {
            return Ok(());
        }
        let phc = people.passwords.hash(self.password, rng.bytes()).await?;
        let mut tx = store.write().await?;
        let id = person::create(&mut tx, rng, now).await?;
        person::attach_phone(&mut tx, keys, &id, &self.phone, now).await?;
        password::set(&mut tx, &id, &phc, now).await?;
        if self.elder {
            let elder = Appearance {
                elder: true,
                ..Appearance::default()
            };
            person::set_appearance(&mut tx, &id, &elder, now).await?;
        }
        for detail in &self.details {
            details::keep(&mut tx, keys.sealer, &id, detail, now).await?;
        }
        let proof = Proof {
            name: self.name,
            number: self.number,
            evidence: Evidence {
                source: "synthetic".to_owned(),
                method: Method::Match3,
                check_id: "seed".to_owned(),
                at: now,
            },
        };
        match binding::bind(&mut tx, keys, rng, &id, &proof, Takeover::NotAsked, now).await? {
            Binding::Bound { .. } => tx.commit().await?,
            // Another node was faster.
            _ => drop(tx),
        }
        Ok(())
    }
}

/// Whether the phone or the document has an account already.
async fn known(
    store: &Store,
    keys: Keys<'_>,
    phone: &Phone,
    number: &IdNumber,
) -> Result<bool, Error> {
    let mut conn = store.read().await?;
    Ok(person::by_phone(&mut conn, keys.indexer, phone)
        .await?
        .is_some()
        || binding::holder(&mut conn, keys, number).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_well_formed_and_nobody_is_there_twice() {
        let now = UnixTime(1_795_400_000);
        let mut seen = std::collections::BTreeSet::new();
        for citizen in CITIZENS {
            assert!(Phone::parse(citizen.phone).is_ok());
            let name = Name::parse(citizen.name).unwrap();
            assert_eq!(name.as_str(), citizen.name);
            assert!(
                IdNumber::parse(citizen.number, now).is_ok(),
                "{}",
                citizen.number
            );
            assert!(seen.insert(citizen.phone) && seen.insert(citizen.number));
        }
        assert_eq!(LONG_NAME.chars().count(), 26);
        let personal: Vec<&str> = CITIZENS
            .iter()
            .flat_map(|c| [c.phone, c.name, c.number])
            .collect();
        assert_eq!(password::check(PASSWORD, &personal), Ok(()));
    }
}
