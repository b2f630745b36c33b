//! Passkeys of people (WebAuthn Level 3, through webauthn-rs). A credential belongs to one account by its primary key; ceremonies under way
//! are kept by `ceremony`. Operators have theirs in `operator::passkey`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Webauthn,
    WebauthnBuilder,
};
use webauthn_rs_proto::{AllowCredentials, ResidentKeyRequirement};

use super::ceremony::{begin, from_json, take, to_json};
use crate::clock::UnixTime;
use crate::id::PersonId;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// Characters of a passkey's name.
pub const NAME_MOST: usize = 40;

/// Passkeys for one host.
#[derive(Clone, Debug)]
pub struct Passkeys {
    webauthn: Webauthn,
}

/// The issuer's address cannot have passkeys: they want a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("passkeys cannot be used at {0}")]
pub struct NoPasskeysHere(String);

/// A stored passkey, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub handle: String,
    pub name: String,
    pub added_at: UnixTime,
    pub last_used_at: Option<UnixTime>,
}

/// How a ceremony ended. A refusal says nothing more: the reason is of use to an attacker only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished<T> {
    Done(T),
    Refused,
}

pub use super::ceremony::{Begun, sweep};

impl Passkeys {
    /// For the entity at this address.
    pub fn new(entity: &str, name: &str) -> Result<Self, NoPasskeysHere> {
        relying_party(entity, name).map(|webauthn| Self { webauthn })
    }

    /// Begins to add a passkey to `person`; `shown_as` (a masked phone) is what the device lists it under.
    pub async fn begin_registration(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        person: &PersonId,
        shown_as: &str,
        context: &str,
        now: UnixTime,
    ) -> Result<Option<Begun>, Error> {
        let Some(handle) = user_handle(person) else {
            return Ok(None);
        };
        let known = credentials(conn, person).await?;
        let exclude = known.iter().map(|key| key.cred_id().clone()).collect();
        let Ok((mut challenge, state)) =
            self.webauthn
                .start_passkey_registration(handle, shown_as, shown_as, Some(exclude))
        else {
            return Ok(None);
        };
        // The library discourages resident keys; login without typing a name needs them.
        if let Some(selection) = &mut challenge.public_key.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Preferred);
        }
        begin(
            conn,
            rng,
            REGISTER,
            context,
            Some(person.as_str()),
            &state,
            &challenge,
            now,
        )
        .await
    }

    /// Ends it: the passkey is stored under `name`. A credential that some account has already is refused.
    #[expect(
        clippy::too_many_arguments,
        reason = "one ceremony, one call; a struct would be used once"
    )]
    pub async fn finish_registration(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        person: &PersonId,
        ceremony: &str,
        context: &str,
        name: &str,
        credential: Value,
        now: UnixTime,
    ) -> Result<Finished<String>, Error> {
        let Some((owner, state)) =
            take::<PasskeyRegistration>(conn, REGISTER, ceremony, context, now).await?
        else {
            return Ok(Finished::Refused);
        };
        if owner.as_deref() != Some(person.as_str()) {
            return Ok(Finished::Refused);
        }
        let Ok(credential) = serde_json::from_value::<RegisterPublicKeyCredential>(credential)
        else {
            return Ok(Finished::Refused);
        };
        let Ok(passkey) = self
            .webauthn
            .finish_passkey_registration(&credential, &state)
        else {
            return Ok(Finished::Refused);
        };
        let handle = rng.id("pk_");
        let stored: Option<String> = sqlx::query_scalar(
            "INSERT INTO passkeys (credential_id, person, handle, name, passkey, added_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (credential_id) DO NOTHING RETURNING handle",
        )
        .bind(passkey.cred_id().clone())
        .bind(person)
        .bind(&handle)
        .bind(name)
        .bind(to_json(&passkey)?)
        .bind(now)
        .fetch_optional(conn)
        .await?;
        Ok(stored.map_or(Finished::Refused, Finished::Done))
    }

    /// Begins a login without a name: the browser offers the passkeys it has. `conditional`: in the autofill of a field.
    pub async fn begin_login(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        conditional: bool,
        context: &str,
        now: UnixTime,
    ) -> Result<Option<Begun>, Error> {
        let Ok((mut challenge, state)) = self.webauthn.start_discoverable_authentication() else {
            return Ok(None);
        };
        if !conditional {
            // The library forces conditional mediation; a button wants the browser's own dialogue.
            challenge.mediation = None;
        }
        begin(conn, rng, LOGIN, context, None, &state, &challenge, now).await
    }

    /// Begins a login or step-up of somebody whose name is known. A name without passkeys (or without account) gets options of the same
    /// shape, with one made-up credential per name, so that nobody learns which is which.
    pub async fn begin_known(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        person: Option<&PersonId>,
        decoy: &[u8],
        context: &str,
        now: UnixTime,
    ) -> Result<Option<Begun>, Error> {
        let keys = match person {
            Some(person) => credentials(conn, person).await?,
            None => Vec::new(),
        };
        if keys.is_empty() {
            let Ok((mut challenge, state)) = self.webauthn.start_discoverable_authentication()
            else {
                return Ok(None);
            };
            challenge.mediation = None;
            challenge.public_key.allow_credentials = vec![AllowCredentials {
                type_: "public-key".to_owned(),
                id: decoy.to_vec(),
                transports: None,
            }];
            // Nothing can answer it: it is kept under a kind that no finish asks for.
            return begin(conn, rng, "decoy", context, None, &state, &challenge, now).await;
        }
        let Ok((challenge, state)) = self.webauthn.start_passkey_authentication(&keys) else {
            return Ok(None);
        };
        let holder = person.map(PersonId::as_str);
        begin(conn, rng, KNOWN, context, holder, &state, &challenge, now).await
    }

    /// Ends a login or step-up: who proved to hold a passkey. The same door serves both kinds of beginning.
    pub async fn finish_login(
        &self,
        conn: &mut Conn,
        ceremony: &str,
        context: &str,
        credential: Value,
        now: UnixTime,
    ) -> Result<Finished<PersonId>, Error> {
        let known = take::<PasskeyAuthentication>(conn, KNOWN, ceremony, context, now).await?;
        let open = take::<DiscoverableAuthentication>(conn, LOGIN, ceremony, context, now).await?;
        let Ok(credential) = serde_json::from_value::<PublicKeyCredential>(credential) else {
            return Ok(Finished::Refused);
        };
        let row: Option<(PersonId, String)> =
            sqlx::query_as("SELECT person, passkey FROM passkeys WHERE credential_id = $1")
                .bind(credential.get_credential_id())
                .fetch_optional(&mut *conn)
                .await?;
        let Some((person, passkey)) = row else {
            return Ok(Finished::Refused);
        };
        let mut passkey: Passkey = from_json(&passkey)?;
        let result = match (known, open) {
            (Some((asked, state)), _) if asked.as_deref() == Some(person.as_str()) => self
                .webauthn
                .finish_passkey_authentication(&credential, &state),
            (None, Some((_, state))) => {
                // WebAuthn §7.2 step 6: the user handle must be that of the credential's owner.
                let claimed = self
                    .webauthn
                    .identify_discoverable_authentication(&credential)
                    .map(|(handle, _)| handle);
                if claimed.ok() != user_handle(&person) {
                    return Ok(Finished::Refused);
                }
                self.webauthn.finish_discoverable_authentication_v2(
                    &credential,
                    state,
                    DiscoverableKey::from(&passkey),
                )
            }
            _ => return Ok(Finished::Refused),
        };
        let Ok(result) = result else {
            return Ok(Finished::Refused);
        };
        if !result.user_verified() {
            return Ok(Finished::Refused);
        }
        passkey.update_credential(&result);
        sqlx::query("UPDATE passkeys SET passkey = $2, last_used_at = $3 WHERE credential_id = $1")
            .bind(credential.get_credential_id())
            .bind(to_json(&passkey)?)
            .bind(now)
            .execute(conn)
            .await?;
        Ok(Finished::Done(person))
    }
}

/// RP ID = host of `address`, origin = its scheme, host and port (WebAuthn §5.1.2: `http` counts as secure on `localhost` names only).
pub fn relying_party(address: &str, name: &str) -> Result<Webauthn, NoPasskeysHere> {
    let refused = || NoPasskeysHere(address.to_owned());
    let url = Url::parse(address).map_err(|_| refused())?;
    let host = url.domain().ok_or_else(refused)?.to_owned();
    let mut origin = url.clone();
    origin.set_path("");
    WebauthnBuilder::new(&host, &origin)
        .map_err(|_| refused())?
        .rp_name(name)
        .build()
        .map_err(|_| refused())
}

/// The passkeys of `person`, oldest first.
pub async fn list(conn: &mut Conn, person: &PersonId) -> Result<Vec<Listed>, Error> {
    let rows: Vec<(String, String, i64, Option<i64>)> = sqlx::query_as(
        "SELECT handle, name, added_at, last_used_at FROM passkeys WHERE person = $1 ORDER BY added_at, handle",
    )
    .bind(person)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(handle, name, added_at, last_used_at)| Listed {
            handle,
            name,
            added_at: UnixTime(added_at),
            last_used_at: last_used_at.map(UnixTime),
        })
        .collect())
}

/// Gives a passkey of `person` another name; `false` when it is not theirs.
pub async fn rename(
    conn: &mut Conn,
    person: &PersonId,
    handle: &str,
    name: &str,
) -> Result<bool, Error> {
    Ok(
        sqlx::query("UPDATE passkeys SET name = $3 WHERE person = $1 AND handle = $2")
            .bind(person)
            .bind(handle)
            .bind(name)
            .execute(conn)
            .await?
            .rows_affected()
            == 1,
    )
}

/// Removes a passkey of `person`; `false` when it is not theirs.
pub async fn remove(conn: &mut Conn, person: &PersonId, handle: &str) -> Result<bool, Error> {
    Ok(
        sqlx::query("DELETE FROM passkeys WHERE person = $1 AND handle = $2")
            .bind(person)
            .bind(handle)
            .execute(conn)
            .await?
            .rows_affected()
            == 1,
    )
}

/// A name for a passkey: what was typed, trimmed; `None` when empty, too long, or not fit to be shown.
pub fn parse_name(typed: &str) -> Option<String> {
    let name = typed.trim();
    let fit = !name.is_empty()
        && name.chars().count() <= NAME_MOST
        && !name.chars().any(|c| {
            c.is_control()
                || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        });
    fit.then(|| name.to_owned())
}

const REGISTER: &str = "register";
const LOGIN: &str = "login";
const KNOWN: &str = "known";

/// The user handle that devices store: the 128 random bits of the person's identifier.
fn user_handle(person: &PersonId) -> Option<Uuid> {
    let bits = URL_SAFE_NO_PAD
        .decode(person.as_str().strip_prefix("p_")?)
        .ok()?;
    Uuid::from_slice(&bits).ok()
}

async fn credentials(conn: &mut Conn, person: &PersonId) -> Result<Vec<Passkey>, Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT passkey FROM passkeys WHERE person = $1 ORDER BY added_at, handle",
    )
    .bind(person)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| from_json(row)).collect()
}
