//! `hefu federation join` and `hefu federation change-keys`: what a portal's engineer asks of her superior. What comes of it is said at the
//! address that the answer names.

use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value};
use url::Url;

use super::super::target::Target;
use super::super::{Failure, Outcome, print_json, say};
use super::entity_id;
use crate::crypto::{Purpose, Signer};
use crate::federation::joining::keys;
use crate::federation::resolve::{Document, Fetch, Network};
use crate::federation::{EntityId, Schemes, statement};
use crate::jose::json as strict;
use crate::oauth::Algorithm;
use crate::outbound::{Limits, Options, Outbound};
use crate::server::entity::{Opened, Shared};

#[derive(Debug, Args)]
pub struct Join {
    /// Entity identifier of the superior; without: the first of the entity's own `authority_hints`.
    #[arg(long, value_name = "URL")]
    superior: Option<String>,
    /// Entity configuration of an entity that hefu does not serve: where it is published, or a file with it.
    #[arg(long, value_name = "URL|FILE", conflicts_with_all = ["entity"], requires = "superior")]
    entity_configuration: Option<String>,
    #[command(flatten)]
    target: Target,
    /// The superior's answer, one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ChangeKeys {
    /// Entity identifier of the superior; without: the first of the entity's own `authority_hints`.
    #[arg(long, value_name = "URL")]
    superior: Option<String>,
    #[command(flatten)]
    target: Target,
    /// The superior's answer, one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

impl Join {
    pub async fn run(self) -> Outcome {
        let (superior, statement, outbound) = match &self.entity_configuration {
            Some(place) => self.of_stranger(place).await?,
            None => self.our_own().await?,
        };
        let answer = post(
            &outbound,
            &superior,
            "join",
            "application/entity-statement+jwt",
            statement,
        )
        .await?;
        told(&answer, self.json)
    }

    /// Of an entity that something else serves.
    async fn of_stranger(&self, place: &str) -> Result<Asking, Failure> {
        let (outbound, schemes) = if self.target.is_said() {
            let (_, shared) = self.target.configuration().await?;
            (shared.outbound, shared.schemes)
        } else {
            (
                Arc::new(Outbound::new(Options::default())?),
                Schemes::HttpsOnly,
            )
        };
        let superior = self.superior.as_deref().unwrap_or_default();
        let superior = EntityId::parse(superior, schemes)
            .map_err(|e| Failure::new(format!("{superior}: {e}")))?;
        Ok((superior, elsewhere(place, &outbound).await?, outbound))
    }

    /// As the superior will see it: from our own public address.
    async fn our_own(&self) -> Result<Asking, Failure> {
        let (opened, shared) = self.target.open().await?;
        let superior = above(&opened, &shared, self.superior.as_deref())?;
        let own = entity_id(&opened.entity.address.id, &shared)?;
        let network = Network::new(
            (*shared.outbound).clone(),
            Limits::default(),
            shared.schemes,
        );
        let fetched = network.fetch(&Document::Configuration(own)).await;
        let fetched =
            fetched.map_err(|e| Failure::new(format!("our own entity configuration: {e}")))?;
        Ok((superior, fetched, shared.outbound))
    }
}

/// Who is asked, the entity configuration, and the way out.
type Asking = (EntityId, String, Arc<Outbound>);

impl ChangeKeys {
    pub async fn run(self) -> Outcome {
        let (opened, shared) = self.target.open().await?;
        let superior = above(&opened, &shared, self.superior.as_deref())?;
        let own = entity_id(&opened.entity.address.id, &shared)?;
        let jwks = opened.ring.published(Purpose::Federation);
        let claims = keys::claims(
            &own,
            &superior,
            &jwks,
            &shared.rng.rng().token(),
            shared.now(),
        );
        // The key that signs now: the one that the superior knows. The set shows the next one too.
        let signed =
            statement::sign_typed(&*opened.ring, Algorithm::ES256, keys::TYP, &claims).await?;
        let answer = post(
            &shared.outbound,
            &superior,
            "change-keys",
            "application/jwt",
            signed,
        )
        .await?;
        told(&answer, self.json)
    }
}

fn above(opened: &Opened, shared: &Shared, said: Option<&str>) -> Result<EntityId, Failure> {
    let hints = &opened.entity.federation.authority_hints;
    match said.or(hints.first().map(String::as_str)) {
        Some(superior) if hints.iter().any(|hint| hint == superior) => entity_id(superior, shared),
        Some(superior) => Err(Failure::new(format!(
            "{superior} is not among federation.authority_hints of {}; name it there first, or it will refuse",
            opened.entity.name
        ))),
        None => Err(Failure::new(format!(
            "{} has no superior",
            opened.entity.name
        ))),
    }
}

/// A published entity configuration, or a file with one.
async fn elsewhere(place: &str, outbound: &Outbound) -> Result<String, Failure> {
    let url = match Url::parse(place) {
        Ok(url) if url.has_host() => url,
        _ => {
            return std::fs::read_to_string(place)
                .map_err(|e| Failure::new(format!("{place}: {e}")));
        }
    };
    let answer = outbound
        .get(&url, "application/entity-statement+jwt", &Limits::default())
        .await?;
    if !answer.status().is_success() {
        return Err(Failure::new(format!("{place} answers {}", answer.status())));
    }
    String::from_utf8(answer.into_body())
        .map_err(|_| Failure::new(format!("{place}: the answer is not text")))
}

async fn post(
    outbound: &Outbound,
    superior: &EntityId,
    door: &str,
    media_type: &str,
    body: String,
) -> Result<http::Response<Vec<u8>>, Failure> {
    let address = format!(
        "{}/federation/{door}",
        superior.as_str().trim_end_matches('/')
    );
    let url = Url::parse(&address).map_err(|e| Failure::new(format!("{address}: {e}")))?;
    let body = body.trim().to_owned().into_bytes();
    Ok(outbound
        .post(&url, media_type, body, &Limits::default())
        .await?)
}

/// The superior's answer in words. What is in the way makes the verb fail.
fn told(answer: &http::Response<Vec<u8>>, as_json: bool) -> Outcome {
    let status = answer.status();
    let said: Map<String, Value> = strict::parse_object(answer.body()).map_err(|_| {
        Failure::new(format!(
            "the superior answers {status}, but not as a joining door does: is its page open?"
        ))
    })?;
    if as_json {
        print_json(&Value::Object(said.clone()));
    }
    let text = |name: &str| {
        said.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let list = |name: &str| -> Vec<String> {
        let listed = said
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        listed
            .filter_map(|finding| finding["text"].as_str().map(str::to_owned))
            .collect()
    };
    if !status.is_success() {
        let mut sentences = vec![format!("refused ({status}): {}", text("error_description"))];
        sentences.extend(list("findings"));
        return Err(Failure(sentences));
    }
    if !as_json {
        say(format_args!(
            "filed for {}; an operator of the superior decides",
            text("entity_id")
        ));
        for note in list("notes") {
            say(format_args!("  note: {note}"));
        }
        say(format_args!("what becomes of it: {}", text("state_uri")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_says_everything_that_is_in_the_way() {
        let answer = |status: u16, body: Value| {
            http::Response::builder()
                .status(status)
                .body(body.to_string().into_bytes())
                .unwrap()
        };
        let refused = json!({"error": "invalid_metadata", "error_description": "not acceptable",
            "findings": [{"text": "one"}, {"text": "two"}]});
        let Err(Failure(sentences)) = told(&answer(400, refused), false) else {
            panic!("a refusal fails")
        };
        assert_eq!(
            sentences,
            ["refused (400 Bad Request): not acceptable", "one", "two"]
        );
        let Err(Failure(sentences)) = told(&http::Response::new(b"<html>".to_vec()), false) else {
            panic!("a page is no answer")
        };
        assert!(sentences[0].contains("is its page open?"));
        assert!(
            told(
                &answer(
                    201,
                    json!({"entity_id": "x", "state_uri": "y", "notes": []})
                ),
                false
            )
            .is_ok()
        );
    }
}
