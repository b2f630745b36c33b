//! The first operators of the demonstration: an invitation to the anchor's console and one to the provider's, as long as nobody sits there.

use super::DemoError;
use crate::operator::{Act, Desk, Effect, Mode, account};
use crate::server::entity::{Opened, Shared};

/// Seconds that an invitation works.
const LIFETIME: i64 = 86_400;
/// Whose consoles are told of, and what their first operator is.
const FIRST: [(&str, &str); 2] = [("anchor", "federation_officer"), ("id", "security_officer")];

/// A console that the demonstration tells of.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub entity: &'static str,
    pub url: String,
    pub role: &'static str,
    /// Works once; `None` when somebody joined already.
    pub invitation: Option<String>,
}

pub(super) async fn invite(entities: &[Opened], shared: &Shared) -> Result<Vec<Told>, DemoError> {
    let mut told = Vec::new();
    for (entity, role) in FIRST {
        let Some(opened) = entities.iter().find(|opened| opened.entity.name == entity) else {
            continue;
        };
        let Some(url) = shared.console(&opened.entity) else {
            continue;
        };
        let house = &opened.house;
        let operators = account::list(&mut *house.store.read().await?).await?;
        let mut invitation = None;
        if operators.is_empty() {
            let act = Act::InviteOperator {
                name: "测试庚".to_owned(),
                roles: role
                    .parse()
                    .map_err(|e| DemoError::Seed(format!("{entity}: {e}")))?,
                expires_at: house.now().plus(LIFETIME),
            };
            let desk = Desk {
                store: &house.store,
                role: opened.role(),
                sealer: &*house.sealer,
                plain_http: house.plain_http,
                now: house.now(),
            };
            let effect = act
                .apply(desk, &mut house.rng(), "demo", Mode::Apply)
                .await?
                .map_err(|e| DemoError::Seed(format!("{entity}: {e}")))?;
            if let Effect::OperatorInvited {
                token: Some(token), ..
            } = effect
            {
                invitation = Some(format!("{url}/join?invitation={}", token.reveal()));
            }
        }
        told.push(Told {
            entity,
            url: format!("{url}/"),
            role,
            invitation,
        });
    }
    Ok(told)
}
