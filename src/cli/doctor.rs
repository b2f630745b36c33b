//! `hefu doctor`: what an entity needs to work, checked from where it runs, each with what to do when it fails.

use clap::Args;
use serde_json::json;
use url::Url;

use super::target::Target;
use super::{Failure, Outcome, print_json, say};
use crate::config::Role;
use crate::crypto::{Purpose, Signer};
use crate::federation::entity::EntityId;
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

impl Doctor {
    pub async fn run(self) -> Outcome {
        let (opened, shared) = self.target.open().await?;
        let mut findings = vec![Finding {
            check: "keys",
            good: true,
            said: "the database opens, its schema is current, and every key opens under the key-encryption key".to_owned(),
        }];
        findings.push(signs(&opened).await);
        for hint in &opened.entity.federation.authority_hints {
            findings.extend(superior(&shared, hint).await);
        }
        if opened.role() != Role::Register && !opened.entity.federation.authority_hints.is_empty() {
            findings.push(chain(&opened, &shared).await?);
        }
        let bad = findings.iter().filter(|f| !f.good).count();
        if self.json {
            let rows: Vec<_> = findings
                .iter()
                .map(|f| json!({"check": f.check, "ok": f.good, "said": f.said}))
                .collect();
            print_json(
                &json!({"entity": opened.entity.address.id, "ok": bad == 0, "checks": rows}),
            );
        } else {
            for finding in &findings {
                say(format_args!(
                    "{} {:<10}{}",
                    if finding.good { "ok  " } else { "FAIL" },
                    finding.check,
                    finding.said
                ));
            }
        }
        if bad == 0 {
            Ok(())
        } else {
            Err(Failure::new(format!(
                "{bad} of {} checks failed",
                findings.len()
            )))
        }
    }
}

async fn signs(opened: &Opened) -> Finding {
    let finding = |good, said: String| Finding {
        check: "signature",
        good,
        said,
    };
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
    let reach = |good, said: String| Finding {
        check: "superior",
        good,
        said,
    };
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

async fn chain(opened: &Opened, shared: &Shared) -> Result<Finding, Failure> {
    let finding = |good, said: String| Finding {
        check: "chain",
        good,
        said,
    };
    let resolver = shared.resolver(&opened.entity)?;
    let id = EntityId::parse(&opened.entity.address.id, shared.schemes)?;
    Ok(match resolver.resolve(&id, None, shared.now()).await {
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
    })
}
