//! A configuration file: read, checked as a whole, every problem said with its line.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::authority::Authority;
use super::federation::Federation;
use super::people::People;
use super::portal::Portal;
use super::provider::Provider;
use super::{Address, Config, Entity, Role, Section, node};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1; `None` when it is about the file as a whole.
    pub line: Option<usize>,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    node: node::Node,
    #[serde(default)]
    entity: Vec<Spanned<RawEntity>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntity {
    name: Spanned<String>,
    role: Spanned<Role>,
    id: Spanned<String>,
    database: Spanned<String>,
    vault: PathBuf,
    #[serde(default = "default_connections")]
    connections: u32,
    #[serde(default = "yes")]
    durable: bool,
    #[serde(default)]
    federation: Federation,
    #[serde(default)]
    authority: Option<Spanned<Authority>>,
    #[serde(default)]
    provider: Option<Spanned<Provider>>,
    #[serde(default)]
    people: Option<Spanned<People>>,
    #[serde(default)]
    portal: Option<Spanned<Portal>>,
}

const fn default_connections() -> u32 {
    4
}

const fn yes() -> bool {
    true
}

/// Reads the file at `path`, with the environment variables that it names put in. Relative paths in it are relative to its folder.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        vec![Problem {
            line: None,
            what: format!("cannot read {}: {e}", path.display()),
        }]
    })?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the file is the door here: only variables that it names are read, once, before anything else"
    )]
    let text = super::expand::expand(&text, |name| std::env::var(name))?;
    let mut config = parse(&text)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let anchor = |p: &mut PathBuf| {
        if p.is_relative() {
            *p = folder.join(&*p);
        }
    };
    if let Some(tls) = &mut config.node.tls {
        anchor(&mut tls.certificate);
        anchor(&mut tls.key);
    }
    if let node::KekSource::File(file) = &mut config.node.kek {
        anchor(file);
    }
    config.node.outbound.trust_roots.iter_mut().for_each(anchor);
    for entity in &mut config.entities {
        anchor(&mut entity.vault);
        if let Section::Provider { provider, .. } = &mut entity.section
            && let Some(ca) = provider.mtls.as_mut().and_then(|mtls| mtls.ca.as_mut())
        {
            anchor(ca);
        }
        entity
            .federation
            .trust_anchors
            .iter_mut()
            .filter_map(|a| a.jwks_file.as_mut())
            .for_each(anchor);
    }
    Ok(config)
}

/// Checks the text of a configuration file.
pub fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let line_at =
        |offset: usize| Some(text.get(..offset).unwrap_or(text).matches('\n').count() + 1);
    let raw: RawFile = toml::from_str(text).map_err(|e| {
        vec![Problem {
            line: e.span().and_then(|s| line_at(s.start)),
            what: e.message().replace('\n', " "),
        }]
    })?;
    let mut problems = Vec::new();
    let mut say = |span: std::ops::Range<usize>, what: String| {
        problems.push(Problem {
            line: line_at(span.start),
            what,
        });
    };
    if raw.node.listen.is_empty() {
        say(0..0, "[node] listen names no address".to_owned());
    }
    if raw.node.tls.is_none() && raw.node.proxies.is_empty() {
        say(0..0, "[node] has neither tls nor proxies: citizens' logins would cross the network in the clear".to_owned());
    }
    if raw.node.tls.is_none() && !raw.node.mtls_listen.is_empty() {
        say(
            0..0,
            "[node] mtls_listen needs tls: a certificate that a proxy tells of is not believed"
                .to_owned(),
        );
    }
    if let Some(console) = &raw.node.console {
        if raw.node.private_listen.is_none() {
            say(
                0..0,
                "[node] console needs private_listen: nobody would answer there".to_owned(),
            );
        }
        match Address::parse(&console.origin, false) {
            Ok(address) if address.path.is_empty() => {}
            Ok(_) => say(
                0..0,
                "[node] console.origin has a path: it is scheme, host and port alone".to_owned(),
            ),
            Err(why) => say(0..0, format!("[node] console.origin {why}")),
        }
    }
    if raw.entity.is_empty() {
        say(
            0..0,
            "no [[entity]]: the node would host nothing".to_owned(),
        );
    }
    let mut entities: Vec<Entity> = Vec::new();
    let node = raw.node;
    for raw in raw.entity {
        let whole = raw.span();
        let raw = raw.into_inner();
        let address = match Address::parse(raw.id.get_ref(), false) {
            Ok(address) => address,
            Err(why) => {
                say(raw.id.span(), format!("id {why}"));
                continue;
            }
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let name = raw.name.get_ref();
        if node.console.is_some()
            && !(name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric()))
        {
            let what = "name stands in the address of the console: letters, digits, - _ . only";
            say(raw.name.span(), what.to_owned());
        }
        if node.console.as_ref().is_some_and(|console| {
            Address::parse(&console.origin, false).is_ok_and(|c| c.authority == address.authority)
        }) {
            let what = "id has the console's host: operators' passkeys and cookies need a host or port of their own";
            say(raw.id.span(), what.to_owned());
        }
        for other in &entities {
            if other.address.authority == address.authority && other.address.path == address.path {
                say(
                    raw.id.span(),
                    format!("id is that of entity {} too", other.name),
                );
            }
            if other.name == *raw.name.get_ref() {
                say(raw.name.span(), "name is used twice".to_owned());
            }
            if other.database == *raw.database.get_ref() {
                say(
                    raw.database.span(),
                    format!(
                        "database is that of entity {} too; each entity needs its own",
                        other.name
                    ),
                );
            }
        }
        if !["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|s| raw.database.get_ref().starts_with(s))
        {
            say(
                raw.database.span(),
                "database must begin with sqlite: or postgres://".to_owned(),
            );
        }
        let role = *raw.role.get_ref();
        if role == Role::Register {
            say(
                raw.role.span(),
                "role register is a development stand-in; it exists only in `hefu demo`".to_owned(),
            );
        }
        let is_anchor = role == Role::Anchor;
        if !is_anchor && raw.federation.authority_hints.is_empty() && role != Role::Register {
            say(
                whole.clone(),
                "federation.authority_hints is empty: only an anchor has no superior".to_owned(),
            );
        }
        if raw.federation.authority_hints.is_empty()
            && !raw.federation.trust_anchor_hints.is_empty()
        {
            say(
                whole.clone(),
                "federation.trust_anchor_hints: an anchor without superiors has none".to_owned(),
            );
        }
        for (i, trusted) in raw.federation.trust_anchors.iter().enumerate() {
            if trusted.jwks.is_some() == trusted.jwks_file.is_some() {
                say(
                    whole.clone(),
                    format!("federation.trust_anchors[{i}] needs either jwks or jwks_file"),
                );
            }
        }
        for granted in &raw.federation.trust_marks {
            if url::Url::parse(&granted.issuer).is_err() {
                let what = "federation.trust_marks: the issuer is no entity identifier: ";
                say(whole.clone(), format!("{what}{}", granted.issuer));
            }
        }
        let foreign = [
            (
                "authority",
                raw.authority.as_ref().map(Spanned::span),
                matches!(role, Role::Anchor | Role::Intermediate),
            ),
            (
                "provider",
                raw.provider.as_ref().map(Spanned::span),
                role == Role::Provider,
            ),
            (
                "people",
                raw.people.as_ref().map(Spanned::span),
                role == Role::Provider,
            ),
            (
                "portal",
                raw.portal.as_ref().map(Spanned::span),
                role == Role::Portal,
            ),
        ];
        for (name, span, fits) in foreign {
            if let Some(span) = span.filter(|_| !fits) {
                say(
                    span,
                    format!("section {name} does not belong to role {}", role.as_str()),
                );
            }
        }
        if let Some(provider) = &raw.provider {
            for problem in provider.get_ref().problems() {
                say(provider.span(), problem);
            }
            if let Some(mtls) = &provider.get_ref().mtls {
                if node.mtls_listen.is_empty() {
                    say(
                        provider.span(),
                        "mtls needs [node] mtls_listen: nobody would answer there".to_owned(),
                    );
                }
                if Address::parse(&mtls.url, false)
                    .is_ok_and(|alias| alias.authority == address.authority)
                {
                    say(
                        provider.span(),
                        "mtls.url needs a host or a port of its own".to_owned(),
                    );
                }
            }
        }
        if let Some(people) = &raw.people {
            for problem in people.get_ref().problems() {
                say(people.span(), problem);
            }
        }
        let authority = raw.authority.map(Spanned::into_inner).unwrap_or_default();
        for problem in authority.problems(is_anchor) {
            say(whole.clone(), problem);
        }
        let section = match role {
            Role::Anchor => Section::Anchor(authority),
            Role::Intermediate => Section::Intermediate(authority),
            Role::Provider => Section::Provider {
                provider: Box::new(raw.provider.map(Spanned::into_inner).unwrap_or_default()),
                people: Box::new(raw.people.map(Spanned::into_inner).unwrap_or_default()),
            },
            Role::Portal => {
                Section::Portal(raw.portal.map(Spanned::into_inner).unwrap_or_default())
            }
            Role::Register => Section::Register,
        };
        entities.push(Entity {
            line: line_at(whole.start),
            name: raw.name.into_inner(),
            address,
            database: raw.database.into_inner(),
            vault: raw.vault,
            connections: raw.connections,
            durable: raw.durable,
            federation: raw.federation,
            section,
        });
    }
    if problems.is_empty() {
        Ok(Config { node, entities })
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[node]
listen = ["0.0.0.0:8443"]
tls = { certificate = "tls.crt", key = "tls.key" }
kek = { env = "HEFU_KEK" }

[[entity]]
name = "id"
role = "provider"
id = "https://id.example.cn"
database = "postgres://hefu@db/id"
vault = "vault/id"
federation.authority_hints = ["https://anchor.example.cn"]
"#;

    fn problems(text: &str) -> Vec<String> {
        parse(text).map_or_else(
            |p| p.iter().map(ToString::to_string).collect(),
            |_| Vec::new(),
        )
    }

    #[test]
    fn a_good_file_is_read() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.entities[0].address.authority, "id.example.cn");
        assert_eq!(config.entities[0].line, Some(7));
        assert_eq!(config.entities[0].section.role(), Role::Provider);
    }

    #[test]
    fn problems_are_said_by_line_and_all_at_once() {
        let edit = |from: &str, to: &str| problems(&GOOD.replacen(from, to, 1));
        assert_eq!(
            edit("https://id", "http://id"),
            ["line 10: id must begin with https://"]
        );
        assert_eq!(
            edit("postgres:", "mysql:"),
            ["line 11: database must begin with sqlite: or postgres://"]
        );
        assert!(edit("vault = ", "vualt = ")[0].starts_with("line 12: unknown field `vualt`"));
        assert!(edit("\"provider\"", "\"register\"")[0].starts_with("line 9: role register"));
        assert!(edit("tls = ", "# tls = ")[0].contains("in the clear"));
        assert!(
            edit("[\"https://anchor.example.cn\"]", "[]")[0]
                .starts_with("line 7: federation.authority_hints")
        );
        assert!(
            edit(
                "federation.authority_hints = [\"https://anchor.example.cn\"]",
                "federation.trust_anchor_hints = [\"https://anchor.example.cn\"]"
            )[1]
            .contains("trust_anchor_hints")
        );
        assert!(edit("vault = ", "federation.resolution.max_depth = 0\nvault = ").len() == 1);
        assert!(edit("vault = ", "federation.resolution.max_depth = 12\nvault = ").is_empty());
        assert!(edit("\n[[entity]]", "\n[entity.portal]\n[[entity]]").len() == 1);
        assert!(
            edit("name = \"id\"", "name = \"id\"\nportal.provider = \"x\"")[0]
                .contains("does not belong")
        );
        let console = |node: &str| problems(&GOOD.replacen("kek =", &format!("{node}\nkek ="), 1));
        let private = "private_listen = \"127.0.0.1:9444\"\nconsole.origin";
        assert_eq!(
            console(&format!("{private} = \"https://console.example.cn\"")),
            [""; 0]
        );
        for (text, said) in [
            (
                "console.origin = \"https://console.example.cn\"".to_owned(),
                "needs private_listen",
            ),
            (
                format!("{private} = \"http://console.example.cn\""),
                "must begin with",
            ),
            (
                format!("{private} = \"https://console.example.cn/x\""),
                "has a path",
            ),
            (
                format!("{private} = \"https://id.example.cn\""),
                "console's host",
            ),
        ] {
            assert!(
                console(&text)[0].contains(said),
                "{text}: {:?}",
                console(&text)
            );
        }
        let numbers = edit(
            "\n[[entity]]",
            "\n[[entity]]\nprovider = { code_lifetime = 90, session_idle = -5 }",
        );
        assert_eq!(
            numbers,
            [
                "line 8: session_idle is -5; it must be at least 1",
                "line 8: code_lifetime is over 60: FAPI 2.0 §5.3.2.1 lets a code live 60 seconds at most",
            ]
        );
        assert!(
            edit("\n[[entity]]", "\n[[entity]]\npeople.sms_code_tries = 0")[0]
                .contains("sms_code_tries is 0")
        );
        let mtls = |node: &str, url: &str| {
            let text = GOOD.replacen("kek =", &format!("{node}\nkek ="), 1);
            problems(&format!("{text}provider.mtls = {{ url = \"{url}\" }}\n"))
        };
        let listen = "mtls_listen = [\"0.0.0.0:9443\"]";
        assert_eq!(mtls(listen, "https://id.example.cn:9443"), [""; 0]);
        assert!(mtls(listen, "http://id.example.cn:9443")[0].contains("mtls.url must begin with"));
        assert!(mtls(listen, "https://id.example.cn")[0].contains("a port of its own"));
        assert!(mtls("", "https://id.example.cn:9443")[0].contains("nobody would answer"));
        let clear = edit(
            "tls = { certificate = \"tls.crt\", key = \"tls.key\" }",
            "mtls_listen = [\"0.0.0.0:9443\"]\nproxies = [\"10.0.0.0/8\"]",
        );
        assert!(clear[0].contains("mtls_listen needs tls"), "{clear:?}");
        let entity = &GOOD[GOOD.find("[[entity]]").unwrap()..];
        let twice = problems(&format!("{GOOD}{entity}"));
        assert_eq!(twice.len(), 3, "{twice:?}");
        assert!(problems("[node]")[0].starts_with("line 1: missing field"));
    }
}
