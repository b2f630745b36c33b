//! `hefu doctor`: what entities need to work, checked from where they run, each with what to do when it fails.

use clap::Args;
use serde_json::json;
use url::Url;

use super::federation::expiring;
use super::target::Target;
use super::{Failure, Outcome, print_json, say};
use crate::config::{Entity, Role, Section};
use crate::crypto::{Purpose, Signer};
use crate::federation::authority::{Subordinate, everyone};
use crate::federation::entity::EntityId;
use crate::federation::joining::standing::Standing;
use crate::jose::{UnverifiedJws, json as strict};
use crate::oauth::Algorithm;
use crate::outbound::Limits;
use crate::server::entity::{Opened, Shared};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    target: Target,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Seconds by which our clock may differ from a superior's before statements are refused.
const CLOCK_TOLERANCE: i64 = 30;

struct Finding {
    check: &'static str,
    good: bool,
    said: String,
}

impl Finding {
    fn new(check: &'static str, good: bool, said: impl Into<String>) -> Self {
        Self {
            check,
            good,
            said: said.into(),
        }
    }
}

impl Doctor {
    pub async fn run(self) -> Outcome {
        let (entities, shared) = self.target.entities().await?;
        let (mut bad, mut all, mut reports) = (0, 0, Vec::new());
        for entity in entities {
            let (name, id, role) = (
                entity.name.clone(),
                entity.address.id.clone(),
                entity.section.role(),
            );
            if !self.json {
                say(format_args!("{name}: {} {id}", role.as_str()));
            }
            let findings = examine(&shared, entity).await;
            if !self.json {
                for finding in &findings {
                    say(format_args!(
                        "{} {:<10}{}",
                        if finding.good { "ok  " } else { "FAIL" },
                        finding.check,
                        finding.said
                    ));
                }
            }
            let wrong = findings.iter().filter(|f| !f.good).count();
            bad += wrong;
            all += findings.len();
            let rows: Vec<_> = findings
                .iter()
                .map(|f| json!({"check": f.check, "ok": f.good, "said": f.said}))
                .collect();
            reports.push(json!({"name": name, "entity": id, "role": role.as_str(), "ok": wrong == 0, "checks": rows}));
        }
        if self.json {
            print_json(&json!({"ok": bad == 0, "entities": reports}));
        }
        if bad == 0 {
            Ok(())
        } else {
            Err(Failure::new(format!("{bad} of {all} checks failed")))
        }
    }
}

/// Everything about one entity; what cannot be opened is a finding, not the end.
async fn examine(shared: &Shared, entity: Entity) -> Vec<Finding> {
    let opened = match shared.open(entity, false).await {
        Ok(opened) => opened,
        Err(e) => return vec![Finding::new("keys", false, e.to_string())],
    };
    let mut findings = vec![Finding::new(
        "keys",
        true,
        "the database opens, its schema is current, and every key opens under the key-encryption key",
    )];
    findings.push(signs(&opened).await);
    for hint in &opened.entity.federation.authority_hints {
        findings.extend(superior(shared, hint).await);
    }
    if opened.role() != Role::Register && !opened.entity.federation.authority_hints.is_empty() {
        findings.push(chain(&opened, shared).await);
    }
    if opened.authority().is_some() {
        findings.extend(subordinates(&opened).await);
    }
    findings.extend(chains_in_danger(&opened, shared).await);
    if let Section::Provider { people, .. } = &opened.entity.section {
        findings.push(answers(shared, "register", &people.register_url).await);
        findings.push(answers(shared, "sms", &people.sms_gateway_url).await);
    }
    findings
}

/// What ends soon among those that are vouched for; nothing when nothing does.
async fn subordinates(opened: &Opened) -> Vec<Finding> {
    let (now, mut found) = (opened.house.now(), Vec::new());
    let asked = async {
        let mut conn = opened.house.store.read().await?;
        for id in everyone(&mut conn).await? {
            let standing = Standing::find(&mut conn, &id).await?.unwrap_or_default();
            let known = Subordinate::find(&mut conn, &id).await?;
            for warning in known.iter().flat_map(|s| standing.warnings(&s.jwks, now)) {
                found.push(Finding::new(
                    "enrolment",
                    false,
                    format!("{id}: {warning}; see `hefu federation terms`"),
                ));
            }
        }
        Ok::<_, crate::store::Error>(())
    };
    if let Err(e) = asked.await {
        found.push(Finding::new("enrolment", false, e.to_string()));
    }
    found
}

/// Whether something answers at `address`. Nothing personal is sent, so a refusal of the empty question is an answer too; a
/// server that says of itself that it is broken is none.
async fn answers(shared: &Shared, check: &'static str, address: &str) -> Finding {
    let Ok(url) = Url::parse(address) else {
        return Finding::new(check, false, format!("{address:?} is not a URL"));
    };
    match shared.outbound.get(&url, "*/*", &Limits::default()).await {
        Ok(answer) if answer.status().is_server_error() => {
            Finding::new(check, false, format!("{url} answers {}", answer.status()))
        }
        Ok(answer) => Finding::new(
            check,
            true,
            format!("{url} can be reached ({})", answer.status()),
        ),
        Err(e) => Finding::new(check, false, e.to_string()),
    }
}

/// Chains of others that running nodes use and cannot renew; nothing to say while there are none.
async fn chains_in_danger(opened: &Opened, shared: &Shared) -> Option<Finding> {
    let now = shared.now();
    let rows = expiring::rows(opened, None, now).await;
    let in_danger: Vec<_> = rows
        .ok()?
        .into_iter()
        .filter(|row| row.failures > 0)
        .collect();
    let first = in_danger.first()?;
    let ends = first.expires_at.to_rfc3339();
    let ends = if now < first.expires_at {
        format!("the first ends at {ends}")
    } else {
        format!("the first ended at {ends}")
    };
    Some(Finding::new(
        "chains",
        false,
        format!(
            "{} trust chains in use cannot be renewed; {ends} ({}); see `hefu federation expiring`",
            in_danger.len(),
            first.subject
        ),
    ))
}

async fn signs(opened: &Opened) -> Finding {
    let finding = |good, said: String| Finding::new("signature", good, said);
    if opened.role() == Role::Register {
        return finding(true, "a register signs nothing".to_owned());
    }
    match opened
        .ring
        .sign(
            Purpose::Federation,
            Algorithm::ES256,
            serde_json::Map::new(),
            b"{}",
        )
        .await
    {
        Ok(_) => finding(true, "the active federation key signs".to_owned()),
        Err(e) => finding(false, e.to_string()),
    }
}

/// Reaches a superior as any stranger would, and compares clocks by its `Date` header.
async fn superior(shared: &Shared, hint: &str) -> Vec<Finding> {
    let address = format!(
        "{}/.well-known/openid-federation",
        hint.trim_end_matches('/')
    );
    let reach = |good, said: String| Finding::new("superior", good, said);
    let Ok(url) = Url::parse(&address) else {
        return vec![reach(
            false,
            format!("{hint} is not a URL; correct federation.authority_hints"),
        )];
    };
    let answer = match shared
        .outbound
        .get(&url, "application/entity-statement+jwt", &Limits::default())
        .await
    {
        Ok(answer) if answer.status().is_success() => answer,
        Ok(answer) => {
            return vec![reach(
                false,
                format!("{address} answers {}", answer.status()),
            )];
        }
        Err(e) => return vec![reach(false, e.to_string())],
    };
    let readable = std::str::from_utf8(answer.body())
        .ok()
        .and_then(|text| UnverifiedJws::parse(text, 512 * 1024).ok())
        .is_some_and(|jws| strict::parse_object(&jws.payload).is_ok());
    let mut findings = vec![if readable {
        reach(true, format!("{hint} publishes an entity configuration"))
    } else {
        reach(
            false,
            format!("{address} answers, but not with an entity statement"),
        )
    }];
    let date = answer
        .headers()
        .get(http::header::DATE)
        .and_then(|v| v.to_str().ok())
        .and_then(|text| {
            jiff::fmt::rfc2822::DateTimeParser::new()
                .parse_timestamp(text)
                .ok()
                .map(jiff::Timestamp::as_second)
        });
    if let Some(theirs) = date {
        let ahead = shared.now().0 - theirs;
        findings.push(Finding {
            check: "clock",
            good: ahead.abs() <= CLOCK_TOLERANCE,
            said: match ahead {
                -1..=1 => format!("our clock and that of {hint} agree"),
                n if n > 0 => format!("our clock is {n} s ahead of {hint}"),
                n => format!("our clock is {} s behind {hint}", -n),
            },
        });
    }
    findings
}

async fn chain(opened: &Opened, shared: &Shared) -> Finding {
    let finding = |good, said: String| Finding::new("chain", good, said);
    let resolver = match shared.resolver(&opened.entity) {
        Ok(resolver) => resolver,
        Err(e) => return finding(false, e.to_string()),
    };
    let id = match EntityId::parse(&opened.entity.address.id, shared.schemes) {
        Ok(id) => id,
        Err(e) => return finding(false, e.to_string()),
    };
    match resolver.resolve(&id, None, shared.now()).await {
        Ok(chain) => finding(
            true,
            format!(
                "our own chain resolves to {}, valid until {}",
                chain.anchor(),
                chain.expires_at().to_rfc3339()
            ),
        ),
        Err(e) => finding(
            false,
            format!("{}; see `hefu federation explain {id}`", e.reason),
        ),
    }
}
