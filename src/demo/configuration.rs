//! The demonstration as an ordinary configuration: the same values that `deploy/*.toml` would hold, made from the plan.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::enrolment;
use super::folder::Mark;
use super::plan::{self, MARK_TYPES, MARKS, Planned, mark_type};
use crate::config::federation::{Federation, Granted, TrustAnchor};
use crate::config::joining::Joining;
use crate::config::node::{Console, Demo, KekSource, Log, Node, Outbound, Tls};
use crate::config::{Address, Config, Entity, Role, Section, authority, people, portal, provider};
use crate::oauth::ResponseType;

/// Seconds that subordinate statements live here: short, so that one can watch a dropped subordinate stop.
const SUBORDINATE_STATEMENT_LIFETIME: i64 = 600;

/// Seconds that trust marks live here.
const TRUST_MARK_LIFETIME: i64 = 3600;

/// The node and all entities but for the anchor's keys, which nobody knows before the anchor was opened.
pub fn of(folder: &Path, mark: &Mark, certificate: Option<(PathBuf, Tls)>) -> Config {
    let (ca, tls) = certificate.map_or((None, None), |(ca, tls)| (Some(ca), Some(tls)));
    let node = Node {
        listen: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), mark.port)],
        mtls_listen: Vec::new(),
        private_listen: None,
        console: Some(Console {
            origin: console_origin(mark),
        }),
        tls,
        hsts_seconds: None,
        proxies: Vec::new(),
        outbound: Outbound {
            allow: Vec::new(),
            trust_roots: ca.into_iter().collect(),
        },
        kek: KekSource::File(folder.join("kek")),
        log: Log::Text,
        name: Some("demo".to_owned()),
        demo: Some(Demo {
            port: mark.port,
            plain_http: !mark.tls,
        }),
    };
    let entities = plan::all(mark.portals > 0)
        .filter_map(|planned| entity(planned, folder, mark))
        .collect();
    Config { node, entities }
}

/// Where the demonstration's consoles are, on its one port.
fn console_origin(mark: &Mark) -> String {
    let scheme = if mark.tls { "https" } else { "http" };
    format!("{scheme}://console.localhost:{}", mark.port)
}

/// Tells everyone but the anchor itself whom to trust.
pub fn trust(config: &mut Config, anchor: &str, jwks: &Value) {
    for entity in &mut config.entities {
        entity.federation.trust_anchors = vec![TrustAnchor {
            id: anchor.to_owned(),
            jwks: Some(jwks.clone()),
            jwks_file: None,
        }];
    }
}

/// Switches on what an ordinary provider leaves off.
pub fn for_certification(config: &mut Config) {
    const TYPES: [&str; 6] = [
        "code",
        "id_token",
        "id_token token",
        "code id_token",
        "code token",
        "code id_token token",
    ];
    for entity in &mut config.entities {
        if let Section::Provider { provider, .. } = &mut entity.section {
            provider.response_types = TYPES
                .iter()
                .filter_map(|t| ResponseType::parse(t))
                .collect();
            provider.session_management = true;
        }
    }
}

fn entity(planned: &Planned, folder: &Path, mark: &Mark) -> Option<Entity> {
    let id = |name: &str| Planned::by_name(name).map(|p| p.id(mark.port, mark.tls));
    let own = folder.join(planned.name);
    let section = match planned.role {
        Role::Anchor => Section::Anchor(authority::Authority {
            trust_mark_issuers: trust_mark_issuers(mark),
            ..authority_section()
        }),
        Role::Intermediate => Section::Intermediate(authority_section()),
        Role::Provider => {
            let register = id("register")?;
            Section::Provider {
                provider: Box::new(provider::Provider {
                    explicit_registration: true,
                    marks: provider::Marks {
                        real_name_full: Some(mark_type("real-name-full", mark.port, mark.tls)),
                        level_4: Some(mark_type("level-4", mark.port, mark.tls)),
                    },
                    ..provider::Provider::default()
                }),
                people: Box::new(people::People {
                    register_url: format!("{register}/api"),
                    sms_gateway_url: format!("{register}/sms"),
                    register_name: "人口信息库（演示替身）".to_owned(),
                    outbox_url: Some(format!("{register}/outbox")),
                    // Whoever tries the demonstration does in a minute what others do in a month.
                    sms_resend: 5,
                    ..people::People::default()
                }),
            }
        }
        Role::Portal => {
            let base = provider::Provider::default().acr_base;
            Section::Portal(portal::Portal {
                brand: planned.brand.to_owned(),
                name: planned.zh.to_owned(),
                region: planned
                    .superior
                    .and_then(Planned::by_name)
                    .map(|s| s.zh.to_owned())
                    .unwrap_or_default(),
                provider: id("id")?,
                acr_values: planned
                    .acr
                    .map(|level| format!("{base}{level}"))
                    .unwrap_or_default(),
                id_token_signed_response_alg: planned.alg.parse().ok()?,
                ..portal::Portal::default()
            })
        }
        Role::Register => Section::Register,
    };
    Some(Entity {
        line: None,
        name: planned.name.to_owned(),
        address: Address::parse(&planned.id(mark.port, mark.tls), !mark.tls).ok()?,
        database: format!("sqlite:{}?mode=rwc", own.join("hefu.db").display()),
        vault: own.join("vault"),
        connections: if planned.role == Role::Provider { 4 } else { 2 },
        durable: true,
        federation: Federation {
            authority_hints: planned.superior.and_then(id).into_iter().collect(),
            organization_name: Some(planned.zh.to_owned()),
            trust_marks: granted(planned, mark),
            ..Federation::default()
        },
        section,
    })
}

fn authority_section() -> authority::Authority {
    authority::Authority {
        subordinate_statement_lifetime: SUBORDINATE_STATEMENT_LIFETIME,
        trust_mark_lifetime: TRUST_MARK_LIFETIME,
        joining: Joining {
            open: true,
            metadata_policy: Some(enrolment::of_portals()),
        },
        ..authority::Authority::default()
    }
}

/// Every province may give every mark.
fn trust_mark_issuers(mark: &Mark) -> BTreeMap<String, Vec<String>> {
    let provinces: Vec<String> = plan::all(mark.portals > 0)
        .filter(|p| p.role == Role::Intermediate && p.superior == Some("anchor"))
        .map(|p| p.id(mark.port, mark.tls))
        .collect();
    MARK_TYPES
        .map(|name| (mark_type(name, mark.port, mark.tls), provinces.clone()))
        .into()
}

/// The marks that an entity was given by its province.
fn granted(planned: &Planned, mark: &Mark) -> Vec<Granted> {
    MARKS
        .iter()
        .filter(|(_, _, bearer)| *bearer == planned.name)
        .filter_map(|(name, issuer, _)| {
            Some(Granted {
                trust_mark_type: mark_type(name, mark.port, mark.tls),
                issuer: Planned::by_name(issuer)?.id(mark.port, mark.tls),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_planned_entity_has_a_configuration() {
        for tls in [false, true] {
            let config = of(
                Path::new("/d"),
                &Mark {
                    version: 1,
                    port: 8420,
                    tls,
                    portals: 0,
                    complete: true,
                },
                None,
            );
            assert_eq!(config.entities.len(), plan::PLAN.len());
            let village = config
                .entities
                .iter()
                .find(|e| e.name == "shifancun")
                .unwrap();
            let scheme = if tls { "https" } else { "http" };
            assert_eq!(
                village.address.id,
                format!("{scheme}://shifancun.localhost:8420")
            );
            assert_eq!(
                village.federation.authority_hints,
                [format!("{scheme}://shifanzhen.cq.localhost:8420")]
            );
        }
    }
}
