//! `hefu client registration-token`: who may register clients without an operator, how often and until when (RFC 7591 §1.2).

use clap::Args;
use serde_json::json;

use super::{Common, Failure, Outcome, apply, print_json, provider, say};
use crate::client::registration_token;
use crate::operator::{Act, Effect, Mode};

const DAY: i64 = 86_400;

#[derive(Debug, Args)]
pub(in crate::cli) struct RegistrationToken {
    /// Clients that may be registered with the token.
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: i64,
    /// Days that it works.
    #[arg(long, value_name = "N", default_value_t = 7)]
    days: i64,
    /// List the tokens that still count, instead of making one.
    #[arg(long, conflicts_with_all = ["revoke", "uses", "days"])]
    list: bool,
    /// End the token with this id, instead of making one.
    #[arg(long, value_name = "ID", conflicts_with_all = ["uses", "days"])]
    revoke: Option<String>,
    #[command(flatten)]
    common: Common,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl RegistrationToken {
    pub(super) async fn run(self) -> Outcome {
        if self.list {
            self.list().await
        } else if let Some(id) = &self.revoke {
            self.revoke(id).await
        } else {
            self.issue().await
        }
    }

    async fn issue(&self) -> Outcome {
        let opened = provider(&self.common.target).await?;
        let expires_at = opened.house.now().plus(self.days.saturating_mul(DAY));
        let act = Act::IssueRegistrationToken {
            uses: self.uses,
            expires_at,
        };
        let effect = apply(&opened, &act, Mode::of(self.dry_run)).await?;
        let Effect::RegistrationTokenIssued { id, token } = effect else {
            return Ok(());
        };
        let Some(token) = token else {
            if self.common.json {
                print_json(&json!({"uses": self.uses, "expires_at": expires_at, "dry_run": true}));
            } else {
                say(format_args!(
                    "a token for {} clients would work until {}",
                    self.uses,
                    expires_at.to_rfc3339()
                ));
            }
            return Ok(());
        };
        if self.common.json {
            print_json(
                &json!({"id": id, "token": token.reveal(), "uses": self.uses, "expires_at": expires_at}),
            );
        } else {
            say(format_args!("id: {id}"));
            say(format_args!("token: {}", token.reveal()));
            eprintln!(
                "It is shown this once, registers {} clients and works until {}.",
                self.uses,
                expires_at.to_rfc3339()
            );
        }
        Ok(())
    }

    async fn list(&self) -> Outcome {
        let opened = provider(&self.common.target).await?;
        let now = opened.house.now();
        let tokens = registration_token::list(&mut *opened.house.store.read().await?, now).await?;
        if self.common.json {
            let shown = tokens
                .iter()
                .map(|t| json!({"id": t.id, "uses_left": t.uses_left, "expires_at": t.expires_at}));
            print_json(&shown.collect());
        } else {
            for token in &tokens {
                say(format_args!(
                    "{:<28}{:>6}  {}",
                    token.id,
                    token.uses_left,
                    token.expires_at.to_rfc3339()
                ));
            }
            eprintln!("{} tokens", tokens.len());
        }
        Ok(())
    }

    async fn revoke(&self, id: &str) -> Outcome {
        let opened = provider(&self.common.target).await?;
        let act = Act::RevokeRegistrationToken { id: id.to_owned() };
        apply(&opened, &act, Mode::of(self.dry_run)).await?;
        if self.common.json {
            print_json(&json!({"id": id, "revoked": !self.dry_run}));
        } else {
            let word = if self.dry_run { "would end" } else { "ended" };
            say(format_args!("{id} {word}; clients registered with it stay"));
        }
        Ok::<(), Failure>(())
    }
}
