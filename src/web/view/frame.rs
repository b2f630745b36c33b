//! What every page has: whose it is, in which language, for whose eyes, and what went wrong or right just before. Also the small pieces
//! that several pages share: who asks, a way back, a moment.

use std::fmt::Display;

use askama::filters::Safe;
use jiff::{Timestamp, tz::Offset};

use super::{
    language::{Language, Message, escaped, quiet},
    problem::Problem,
};
use crate::{brand::Brand, clock::UnixTime};

/// The house a page stands in: the foot differs, the design does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Provider,
    Portal,
    /// An anchor or an intermediate: for engineers, and for whoever wonders.
    Authority,
    /// For whoever operates an entity.
    Console,
    /// A development stand-in (register, outbox, demo index); the page says so on top.
    StandIn,
}

#[derive(Clone, Debug)]
pub struct Frame {
    pub language: Language,
    /// Elder mode: larger text, larger targets.
    pub elder: bool,
    pub place: Place,
    pub brand: Brand,
    /// The entity's path prefix, without a slash at its end; mostly empty.
    pub root: String,
    /// Path (with the prefix) and query of this page as one may come back to it by GET, for the language and elder links.
    pub here: String,
    /// Goes into every form that posts to us; empty on a page without forms.
    pub csrf: String,
    /// What was refused just now.
    pub problems: Vec<Problem>,
    /// What succeeded just now.
    pub notice: Option<Notice>,
}

impl Frame {
    /// A frame of `place` under `brand`, in Chinese, with nothing gone wrong; the handler sets the rest.
    pub fn new(place: Place, brand: Brand) -> Self {
        Self {
            language: Language::default(),
            elder: false,
            place,
            brand,
            root: String::new(),
            here: "/".to_owned(),
            csrf: String::new(),
            problems: Vec::new(),
            notice: None,
        }
    }

    #[must_use]
    pub fn with_problem(mut self, problem: Problem) -> Self {
        self.problems.push(problem);
        self
    }

    // The rest is for the templates.

    pub fn stands_in(&self) -> bool {
        self.place == Place::StandIn
    }

    pub fn foot(&self) -> &'static str {
        match self.place {
            Place::Provider => "foot-provider",
            Place::Portal => "foot-portal",
            Place::Authority => "foot-authority",
            Place::Console => "foot-console",
            Place::StandIn => "foot-stand-in",
        }
    }

    pub fn say(&self, key: impl Key) -> Safe<String> {
        self.language.html(&Message::new(key.name()))
    }

    pub fn say1(&self, key: &'static str, name: &'static str, value: impl Display) -> Safe<String> {
        self.language.html(&Message::new(key).with(name, value))
    }

    pub fn say2(
        &self,
        key: &'static str,
        first: &'static str,
        value: impl Display,
        second: &'static str,
        other: impl Display,
    ) -> Safe<String> {
        let message = Message::new(key).with(first, value).with(second, other);
        self.language.html(&message)
    }

    pub fn say_message(&self, message: &Message) -> Safe<String> {
        self.language.html(message)
    }

    /// For attributes; templates escape what this returns.
    pub fn plain(&self, key: &'static str) -> String {
        self.language.plain(&Message::new(key))
    }

    pub fn plain1(&self, key: &'static str, name: &'static str, value: impl Display) -> String {
        self.language.plain(&Message::new(key).with(name, value))
    }

    pub fn title(&self, heading: &Message) -> String {
        let heading = self.language.plain(heading);
        let brand = self.brand_name();
        if heading == brand {
            heading
        } else {
            format!("{heading} · {brand}")
        }
    }

    pub fn brand_name(&self) -> String {
        quiet(match self.language {
            Language::Chinese => &self.brand.zh,
            Language::English => &self.brand.en,
        })
    }

    /// A stranger's text, alone in its place.
    pub fn bdi(&self, value: impl Display) -> Safe<String> {
        Safe(format!(
            "<bdi>{}</bdi>",
            escaped(&quiet(&value.to_string()))
        ))
    }

    pub fn time(&self, moment: &UnixTime) -> Safe<String> {
        Safe(format!(
            "<time datetime=\"{}\">{}</time>",
            machine(*moment),
            escaped(&words(*moment, self.language))
        ))
    }

    /// The same moment as words alone, to put into a sentence or an attribute.
    pub fn moment(&self, moment: UnixTime) -> String {
        words(moment, self.language)
    }

    pub fn level(&self, code: &str) -> Safe<String> {
        match code {
            "rn1" => self.say("level-rn1"),
            "rn2" => self.say("level-rn2"),
            "rn3" => self.say("level-rn3"),
            "rn4" => self.say("level-rn4"),
            _ => self.say("level-none"),
        }
    }

    /// What an `acr` value means; they end in `L1` to `L4`.
    pub fn acr(&self, value: &str) -> Safe<String> {
        match value.rsplit('/').next() {
            Some("L1") => self.say("acr-l1"),
            Some("L2") => self.say("acr-l2"),
            Some("L3") => self.say("acr-l3"),
            Some("L4") => self.say("acr-l4"),
            _ => self.bdi(value),
        }
    }

    /// `male` and `female` in words; anything else as it is.
    pub fn gender(&self, code: &str) -> Safe<String> {
        match code {
            "male" => self.say("gender-male"),
            "female" => self.say("gender-female"),
            _ => self.bdi(code),
        }
    }

    /// What a claim is called. One we have no word for is shown by its code.
    pub fn claim(&self, code: &str) -> Safe<String> {
        let key = match code {
            "acr" => "claim-acr",
            "address" => "claim-address",
            "amr" => "claim-amr",
            "assurance_level" => "claim-assurance-level",
            "auth_time" => "claim-auth-time",
            "birthdate" => "claim-birthdate",
            "cn_id_number" => "claim-id-number",
            "cn_id_number_masked" => "claim-id-number-masked",
            "email" => "claim-email",
            "email_verified" => "claim-email-verified",
            "family_name" => "claim-family-name",
            "gender" => "claim-gender",
            "given_name" => "claim-given-name",
            "locale" => "claim-locale",
            "middle_name" => "claim-middle-name",
            "name" => "claim-name",
            "nickname" => "claim-nickname",
            "phone_number" => "claim-phone",
            "phone_number_verified" => "claim-phone-verified",
            "picture" => "claim-picture",
            "preferred_username" => "claim-preferred-username",
            "profile" => "claim-profile",
            "sub" => "claim-sub",
            "updated_at" => "claim-updated-at",
            "website" => "claim-website",
            "zoneinfo" => "claim-zoneinfo",
            _ => return self.bdi(code),
        };
        self.say(key)
    }

    /// The hop at `index` of a chain, in words.
    pub fn hop(&self, chain: &[Hop], index: usize) -> Safe<String> {
        let Some(hop) = chain.get(index) else {
            return Safe(String::new());
        };
        let message = match (chain.get(index + 1), hop.vouched_until) {
            (Some(superior), Some(until)) => Message::new("chain-hop")
                .with("superior", &superior.name)
                .with("until", words(until, self.language)),
            (Some(superior), None) => {
                Message::new("chain-hop-open").with("superior", &superior.name)
            }
            (None, _) => Message::new("chain-anchor"),
        };
        self.language.html(&message.with("subject", &hop.name))
    }

    pub fn switch_language(&self) -> String {
        self.preference("lang", self.language.other().tag())
    }

    pub fn switch_elder(&self) -> String {
        self.preference("mode", if self.elder { "standard" } else { "elder" })
    }

    fn preference(&self, name: &str, value: &str) -> String {
        let back: String = url::form_urlencoded::byte_serialize(self.here.as_bytes()).collect();
        format!("{}/preferences?{name}={value}&back={back}", self.root)
    }

    /// The problem that belongs to the field, if there is one.
    pub fn problem_at(&self, field: &str) -> Option<&Problem> {
        self.problems
            .iter()
            .find(|problem| problem.field() == Some(field))
    }
}

/// The name of a message, also where a template hands it on by reference.
pub trait Key {
    fn name(self) -> &'static str;
}

impl Key for &'static str {
    fn name(self) -> &'static str {
        self
    }
}

impl Key for &&'static str {
    fn name(self) -> &'static str {
        self
    }
}

/// One sentence on top of the page after something was done. It survives the redirect after a form as a code: `?notice=passkey-added`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    AccountCreated,
    Verified,
    Provisional,
    CodeSent,
    PasswordChanged,
    PhoneChanged,
    PasskeyAdded,
    PasskeyRenamed,
    PasskeyRemoved,
    SessionEnded,
    SessionsEnded,
    ConsentWithdrawn,
    AppearanceChanged,
    DetailsSaved,
    /// An operator's act, at the console.
    ActDone,
}

impl Notice {
    pub const ALL: [Self; 15] = [
        Self::AccountCreated,
        Self::Verified,
        Self::Provisional,
        Self::CodeSent,
        Self::PasswordChanged,
        Self::PhoneChanged,
        Self::PasskeyAdded,
        Self::PasskeyRenamed,
        Self::PasskeyRemoved,
        Self::SessionEnded,
        Self::SessionsEnded,
        Self::ConsentWithdrawn,
        Self::AppearanceChanged,
        Self::DetailsSaved,
        Self::ActDone,
    ];

    /// The notice of a code; a code that is none says nothing.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }

    pub fn code(self) -> &'static str {
        self.key().trim_start_matches("notice-")
    }

    pub fn message(self) -> Message {
        Message::new(self.key())
    }

    fn key(self) -> &'static str {
        match self {
            Self::AccountCreated => "notice-account-created",
            Self::Verified => "notice-verified",
            Self::Provisional => "notice-provisional",
            Self::CodeSent => "notice-code-sent",
            Self::PasswordChanged => "notice-password-changed",
            Self::PhoneChanged => "notice-phone-changed",
            Self::PasskeyAdded => "notice-passkey-added",
            Self::PasskeyRenamed => "notice-passkey-renamed",
            Self::PasskeyRemoved => "notice-passkey-removed",
            Self::SessionEnded => "notice-session-ended",
            Self::SessionsEnded => "notice-sessions-ended",
            Self::ConsentWithdrawn => "notice-consent-withdrawn",
            Self::DetailsSaved => "notice-details-saved",
            Self::AppearanceChanged => "notice-appearance-changed",
            Self::ActDone => "notice-act-done",
        }
    }
}

/// The platform that asks for a login, as far as it is proven.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The name a superior vouches for; never the name a stranger gives itself.
    pub name: Option<String>,
    /// Shown when no name is vouched for.
    pub host: String,
    pub vouched: Vouched,
    /// From the platform up to the anchor; empty when there is no chain.
    pub chain: Vec<Hop>,
    /// Links from vouched-for metadata.
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    /// What it says of itself, told as that.
    pub claimed: Option<Claimed>,
}

/// A stranger's own words.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    pub name: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
}

impl Asking {
    pub fn platform(&self) -> &str {
        match (&self.vouched, &self.name) {
            (Vouched::No, _) | (_, None) => &self.host,
            (_, Some(name)) => name,
        }
    }

    pub fn status(&self) -> Message {
        match &self.vouched {
            Vouched::Chain { region } => {
                Message::new("asking-vouched-chain").with("region", region)
            }
            Vouched::Registered => Message::new("asking-vouched-registered"),
            Vouched::No => Message::new("asking-vouched-no"),
        }
    }

    pub fn vouched_code(&self) -> &'static str {
        match self.vouched {
            Vouched::Chain { .. } => "chain",
            Vouched::Registered => "registered",
            Vouched::No => "no",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// By a trust chain that ends at the national anchor; `region` in words, e.g. 广东省 or 重庆市示范区.
    Chain {
        region: String,
    },
    /// Registered by hand at this provider.
    Registered,
    No,
}

/// One party of a trust chain, said in words.
#[derive(Clone, Debug)]
pub struct Hop {
    /// What its superior calls it; the entity id's host when nobody names it.
    pub name: String,
    pub entity_id: String,
    /// Until when its superior's word holds; `None` for the anchor, which needs no other's word.
    pub vouched_until: Option<UnixTime>,
}

/// A way to go: words that are not ours (a platform's name) and an address.
#[derive(Clone, Debug)]
pub struct Way {
    pub name: String,
    pub url: String,
}

fn machine(moment: UnixTime) -> String {
    Timestamp::from_second(moment.0).map_or_else(|_| String::new(), |time| time.to_string())
}

/// In the time of Beijing, which is the time of the whole country.
fn words(moment: UnixTime, language: Language) -> String {
    let format = match language {
        Language::Chinese => "%Y年%-m月%-d日 %H:%M",
        Language::English => "%-d %B %Y, %H:%M",
    };
    Timestamp::from_second(moment.0).map_or_else(
        |_| String::new(),
        |time| {
            time.to_zoned(Offset::constant(8).to_time_zone())
                .strftime(format)
                .to_string()
        },
    )
}
