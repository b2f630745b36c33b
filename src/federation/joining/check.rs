//! What is asked of an entity that wants to be vouched for. Its entity configuration came from its own host over TLS, which proves that
//! whoever signs it has that host; who stands behind it, and what it is called, an operator decides.

use serde_json::{Map, Value};
use url::{Host, Url};

use super::effect::{Above, Said, differences};
use super::finding::{Finding, Kind};
use crate::clock::UnixTime;
use crate::federation::entity::{
    EntityId, FEDERATION_ENTITY, OPENID_PROVIDER, OPENID_RELYING_PARTY,
};
use crate::federation::statement::{EntityStatement, Rules};
use crate::jose::JwkSet;

/// The most contacts that are kept, and the longest.
const MOST_CONTACTS: usize = 10;
const LONGEST_CONTACT: usize = 200;

/// What a superior holds applicants to.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub superior: &'a EntityId,
    pub rules: &'a Rules,
    /// The policy that an approval gives unless the operator says another.
    pub policy: Option<&'a Value>,
    pub above: &'a Above,
}

/// An entity as it described itself, fit to be decided on.
#[derive(Debug, Clone, PartialEq)]
pub struct Applicant {
    pub entity_id: EntityId,
    pub jwks: JwkSet,
    pub entity_types: Vec<String>,
    pub is_intermediate: bool,
    /// Entity type → its own metadata.
    pub metadata: Map<String, Value>,
    pub contacts: Vec<String>,
}

/// What was found. Whoever is refused is told everything at once.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    pub findings: Vec<Finding>,
    /// Absent when there is nothing to be read.
    pub applicant: Option<Applicant>,
}

impl Examined {
    pub fn only(finding: Finding) -> Self {
        Self {
            findings: vec![finding],
            applicant: None,
        }
    }

    /// The applicant, when nothing stands in the way.
    pub fn acceptable(&self) -> Option<&Applicant> {
        let refused = self.findings.iter().any(|f| f.kind.refuses());
        self.applicant.as_ref().filter(|_| !refused)
    }

    fn say(&mut self, kind: Kind, what: impl std::fmt::Display) {
        self.findings.push(Finding::new(kind, what));
    }
}

/// Examines `token`, which the host of `subject` serves as its entity configuration.
pub fn examine(token: &str, subject: &EntityId, terms: &Terms<'_>, now: UnixTime) -> Examined {
    let statement = match EntityStatement::parse(token, terms.rules, now) {
        Ok(statement) => statement,
        Err(failure) => return Examined::only(Finding::new(Kind::Invalid, failure)),
    };
    if statement.iss != *subject || statement.sub != *subject {
        let reason = format!("iss and sub must be {subject}, character for character");
        return Examined::only(Finding::new(Kind::Invalid, reason));
    }
    if let Err(failure) = statement.verify(&statement.jwks) {
        return Examined::only(Finding::new(Kind::Signature, failure));
    }
    let mut examined = Examined::default();
    let hints = statement.configuration().map(|c| &c.authority_hints);
    if !hints.is_some_and(|hints| hints.contains(terms.superior)) {
        examined.say(Kind::NotNamed, terms.superior);
    }
    let is_intermediate = roles(&statement, &mut examined);
    for (entity_type, members) in &statement.metadata {
        if let Some(members) = members.as_object() {
            protocol_keys(entity_type, members, &statement.jwks, &mut examined);
        }
    }
    let relying_party = statement.metadata.get(OPENID_RELYING_PARTY);
    if let Some(Value::Object(members)) = relying_party {
        redirect_uris(members, subject, terms, &mut examined);
    }
    policy(&statement, terms, &mut examined);
    let contacts = contacts(&statement.metadata);
    if contacts.is_empty() {
        examined.say(Kind::NoContacts, "");
    }
    if let Some(name) = own_name(&statement.metadata) {
        examined.say(Kind::OwnName, name);
    }
    let mut entity_types: Vec<String> = statement.metadata.keys().cloned().collect();
    if entity_types.len() > 1 {
        // What a listing is filtered by; names of the organisation are no role.
        entity_types.retain(|t| t != FEDERATION_ENTITY);
    }
    examined.applicant = Some(Applicant {
        entity_id: subject.clone(),
        jwks: statement.jwks.clone(),
        entity_types,
        is_intermediate,
        metadata: statement.metadata.clone(),
        contacts,
    });
    examined
}

/// One entity plays one role, and has the endpoints of that role (§9). Whether it is an intermediate.
fn roles(statement: &EntityStatement, examined: &mut Examined) -> bool {
    let mut types = statement
        .metadata
        .keys()
        .filter(|t| *t != FEDERATION_ENTITY);
    let is_leaf = types.next().is_some();
    let both = [OPENID_RELYING_PARTY, OPENID_PROVIDER].map(|t| statement.metadata.contains_key(t));
    if both == [true, true] {
        examined.say(Kind::Types, "a portal and a provider are two entities");
    }
    if statement.metadata.is_empty()
        || statement
            .metadata
            .keys()
            .any(|t| t.contains(char::is_whitespace))
    {
        examined.say(Kind::Types, "metadata");
        return false;
    }
    let endpoints = ["federation_fetch_endpoint", "federation_list_endpoint"];
    for endpoint in endpoints {
        match (is_leaf, statement.federation_entity(endpoint)) {
            (true, Some(_)) => examined.say(Kind::Endpoint, endpoint),
            (false, None) => examined.say(Kind::Endpoint, format_args!("{endpoint} is missing")),
            _ => {}
        }
    }
    !is_leaf
}

/// §5.2.1, and ours: federation keys sign statements and nothing else.
fn protocol_keys(
    entity_type: &str,
    members: &Map<String, Value>,
    federation: &JwkSet,
    examined: &mut Examined,
) {
    let Some(jwks) = members.get("jwks") else {
        return;
    };
    if entity_type == FEDERATION_ENTITY {
        examined.say(Kind::ProtocolKeys, "federation_entity must not hold jwks");
        return;
    }
    match JwkSet::parse_lenient(jwks) {
        Err(e) => examined.say(Kind::ProtocolKeys, format_args!("{entity_type}.jwks: {e}")),
        Ok(keys) => {
            let ours = |print: &str| federation.iter().any(|key| key.thumbprint() == print);
            if let Some(shared) = keys.iter().find(|key| ours(key.thumbprint())) {
                let kid = shared.kid.as_deref().unwrap_or_default();
                let said = format_args!(
                    "{entity_type}.jwks: {kid:?} is a federation key too; use another one"
                );
                examined.say(Kind::ProtocolKeys, said);
            }
        }
    }
}

fn redirect_uris(
    members: &Map<String, Value>,
    subject: &EntityId,
    terms: &Terms<'_>,
    examined: &mut Examined,
) {
    let uris = members.get("redirect_uris").and_then(Value::as_array);
    for uri in uris
        .into_iter()
        .flatten()
        .take(100)
        .filter_map(Value::as_str)
    {
        let Ok(url) = Url::parse(uri) else {
            examined.say(Kind::RedirectUri, uri);
            continue;
        };
        match url.host() {
            Some(Host::Domain(host)) if terms.rules.schemes.allow(&url) => {
                if !akin(host, &subject.host()) {
                    examined.say(Kind::ForeignHost, uri);
                }
            }
            _ => examined.say(Kind::RedirectUri, uri),
        }
    }
}

/// Whether two hosts are evidently of one house: the same, one below the other, or both below one name of three labels or more, which is
/// nobody's registry.
fn akin(a: &str, b: &str) -> bool {
    let below = |name: &str, parent: &str| {
        name == parent
            || name
                .strip_suffix(parent)
                .is_some_and(|rest| rest.ends_with('.'))
    };
    if below(a, b) || below(b, a) {
        return true;
    }
    let parent = |host: &str| host.split_once('.').map(|(_, parent)| parent.to_owned());
    let shared =
        |parent: String| parent.split('.').count() >= 3 && (below(a, &parent) && below(b, &parent));
    parent(a).is_some_and(shared) || parent(b).is_some_and(shared)
}

/// What our policy, and those above, would leave of it.
fn policy(statement: &EntityStatement, terms: &Terms<'_>, examined: &mut Examined) {
    let said = Said {
        metadata_policy: terms.policy.cloned(),
        ..Said::default()
    };
    let nothing = Said::default();
    let resolve = |said: &Said, above: &Above| {
        said.resolve(
            &statement.sub,
            &statement.metadata,
            above,
            terms.rules.schemes,
        )
    };
    // Wrong by itself, or only under policy: the applicant must know where to look.
    if let Err(reason) = resolve(&nothing, &Above::default()) {
        examined.say(Kind::RelyingParty, reason);
        return;
    }
    let constraints = Above {
        constraints: terms.above.constraints.clone(),
        ..Above::default()
    };
    if let Err(reason) = resolve(&nothing, &constraints) {
        examined.say(Kind::Constraint, reason);
        return;
    }
    match resolve(&said, terms.above) {
        Err(reason) => examined.say(Kind::Policy, reason),
        Ok(left) => {
            for difference in differences(&statement.metadata, &left) {
                let lost = difference.lost();
                if !lost.is_empty() {
                    let (t, p) = (&difference.entity_type, &difference.parameter);
                    examined.say(Kind::Loses, format_args!("{t}.{p}: {}", lost.join(", ")));
                }
            }
        }
    }
}

/// Whom to tell: of the organisation before the role's.
fn contacts(metadata: &Map<String, Value>) -> Vec<String> {
    let of = |members: &Value| members.get("contacts")?.as_array().cloned();
    let own = metadata.get(FEDERATION_ENTITY).and_then(of);
    let others = || metadata.values().find_map(of);
    let listed = own.or_else(others).unwrap_or_default();
    let mut contacts: Vec<String> = Vec::new();
    for contact in listed.iter().filter_map(Value::as_str) {
        if is_contact(contact)
            && !contacts.iter().any(|c| c == contact)
            && contacts.len() < MOST_CONTACTS
        {
            contacts.push(contact.to_owned());
        }
    }
    contacts
}

/// A mail address or an https address, of one line and bearable length.
pub fn is_contact(text: &str) -> bool {
    let plain = !text.contains(|c: char| c.is_control() || c.is_whitespace());
    let known = text.contains('@') || text.starts_with("https://");
    plain && known && text.len() <= LONGEST_CONTACT
}

fn own_name(metadata: &Map<String, Value>) -> Option<&str> {
    let members = metadata.get(OPENID_RELYING_PARTY)?;
    ["client_name", "logo_uri"]
        .iter()
        .find_map(|name| members.get(*name)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_one_house() {
        for (a, b, same) in [
            ("portal.gd.example.cn", "portal.gd.example.cn", true),
            ("login.portal.gd.example.cn", "portal.gd.example.cn", true),
            ("gd.example.cn", "portal.gd.example.cn", true),
            ("login.gd.example.cn", "portal.gd.example.cn", true),
            ("other.example.cn", "portal.gd.example.cn", false),
            ("example.org", "portal.gd.example.cn", false),
            (
                "evilportal.gd.example.cn.example",
                "portal.gd.example.cn",
                false,
            ),
            ("a.com.cn", "b.com.cn", false),
            ("a.localhost", "b.localhost", false),
        ] {
            assert_eq!(akin(a, b), same, "{a} {b}");
        }
    }

    #[test]
    fn contacts_are_addresses() {
        for (text, good) in [
            ("ops@gd.example", true),
            ("https://gd.example/hook", true),
            ("http://gd.example/hook", false),
            ("a b@gd.example", false),
            ("a@b\n", false),
            ("mail me", false),
        ] {
            assert_eq!(is_contact(text), good, "{text}");
        }
    }
}
