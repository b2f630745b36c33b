//! Passkeys of operators, the only way to sign in at the console: always with user verification, never a password beside. People have
//! theirs in `authn::passkey`; ceremonies under way are kept by `authn::ceremony` for both.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Webauthn,
};
use webauthn_rs_proto::ResidentKeyRequirement;

use super::invitation::Invitation;
use crate::authn::ceremony::{self, Begun, from_json, to_json};
use crate::authn::passkey::{Finished, NoPasskeysHere, relying_party};
use crate::clock::UnixTime;
use crate::id::OperatorId;
use crate::random::Rng;
use crate::store::{Conn, Error};

const JOIN: &str = "operator_join";
const SIGN_IN: &str = "operator_sign_in";

/// Passkeys for the console at one origin.
#[derive(Clone, Debug)]
pub struct Passkeys(Webauthn);

impl Passkeys {
    pub fn new(origin: &str, name: &str) -> Result<Self, NoPasskeysHere> {
        relying_party(origin, name).map(Self)
    }

    /// Begins to register the first passkey of whoever was invited; `shown_as` is what the device lists it under.
    pub async fn begin_join(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        invitation: &Invitation,
        shown_as: &str,
        context: &str,
        now: UnixTime,
    ) -> Result<Option<Begun>, Error> {
        let Some(handle) = user_handle(&invitation.id) else {
            return Ok(None);
        };
        let Ok((mut challenge, state)) =
            self.0
                .start_passkey_registration(handle, shown_as, &invitation.name, None)
        else {
            return Ok(None);
        };
        // Nobody types a name at the console: the device must know the key by itself.
        if let Some(selection) = &mut challenge.public_key.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Required);
            selection.require_resident_key = true;
        }
        let holder = Some(invitation.id.as_str());
        ceremony::begin(conn, rng, JOIN, context, holder, &state, &challenge, now).await
    }

    /// Ends it: the passkey is stored under `name`, for `operator` alone.
    #[expect(
        clippy::too_many_arguments,
        reason = "one ceremony, one call; a struct would be used once"
    )]
    pub async fn finish_join(
        &self,
        conn: &mut Conn,
        operator: &OperatorId,
        ceremony: &str,
        context: &str,
        name: &str,
        credential: Value,
        now: UnixTime,
    ) -> Result<Finished<()>, Error> {
        let taken =
            ceremony::take::<PasskeyRegistration>(conn, JOIN, ceremony, context, now).await?;
        let Some((Some(holder), state)) = taken else {
            return Ok(Finished::Refused);
        };
        let Ok(credential) = serde_json::from_value::<RegisterPublicKeyCredential>(credential)
        else {
            return Ok(Finished::Refused);
        };
        let Ok(passkey) = self.0.finish_passkey_registration(&credential, &state) else {
            return Ok(Finished::Refused);
        };
        if holder != operator.as_str() {
            return Ok(Finished::Refused);
        }
        let stored = sqlx::query(
            "INSERT INTO operator_passkeys (credential_id, operator, name, passkey, added_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (credential_id) DO NOTHING RETURNING operator",
        )
        .bind(passkey.cred_id().clone())
        .bind(operator)
        .bind(name)
        .bind(to_json(&passkey)?)
        .bind(now)
        .fetch_optional(conn)
        .await?;
        Ok(stored.map_or(Finished::Refused, |_| Finished::Done(())))
    }

    /// Begins a sign-in: the browser offers the passkeys it has.
    pub async fn begin_sign_in(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        context: &str,
        now: UnixTime,
    ) -> Result<Option<Begun>, Error> {
        let Ok((mut challenge, state)) = self.0.start_discoverable_authentication() else {
            return Ok(None);
        };
        // The library forces conditional mediation; a button wants the browser's own dialogue.
        challenge.mediation = None;
        ceremony::begin(conn, rng, SIGN_IN, context, None, &state, &challenge, now).await
    }

    /// Ends it: which operator, not disabled, proved to hold a passkey.
    pub async fn finish_sign_in(
        &self,
        conn: &mut Conn,
        ceremony: &str,
        context: &str,
        credential: Value,
        now: UnixTime,
    ) -> Result<Finished<OperatorId>, Error> {
        let taken =
            ceremony::take::<DiscoverableAuthentication>(conn, SIGN_IN, ceremony, context, now)
                .await?;
        let Some((_, state)) = taken else {
            return Ok(Finished::Refused);
        };
        let Ok(credential) = serde_json::from_value::<PublicKeyCredential>(credential) else {
            return Ok(Finished::Refused);
        };
        let row: Option<(OperatorId, String)> = sqlx::query_as(
            "SELECT p.operator, p.passkey FROM operator_passkeys p JOIN operators o ON o.id = p.operator \
             WHERE p.credential_id = $1 AND o.disabled_at IS NULL",
        )
        .bind(credential.get_credential_id())
        .fetch_optional(&mut *conn)
        .await?;
        let Some((operator, passkey)) = row else {
            return Ok(Finished::Refused);
        };
        let mut passkey: Passkey = from_json(&passkey)?;
        // WebAuthn §7.2 step 6: the user handle must be that of the credential's owner.
        let claimed = self
            .0
            .identify_discoverable_authentication(&credential)
            .map(|(handle, _)| handle);
        if claimed.ok() != user_handle(&operator) {
            return Ok(Finished::Refused);
        }
        let Ok(result) = self.0.finish_discoverable_authentication_v2(
            &credential,
            state,
            DiscoverableKey::from(&passkey),
        ) else {
            return Ok(Finished::Refused);
        };
        if !result.user_verified() {
            return Ok(Finished::Refused);
        }
        passkey.update_credential(&result);
        sqlx::query(
            "UPDATE operator_passkeys SET passkey = $2, last_used_at = $3 WHERE credential_id = $1",
        )
        .bind(credential.get_credential_id())
        .bind(to_json(&passkey)?)
        .bind(now)
        .execute(conn)
        .await?;
        Ok(Finished::Done(operator))
    }
}

/// The user handle that devices store: the 128 random bits of the operator's identifier.
fn user_handle(operator: &OperatorId) -> Option<Uuid> {
    let bits = URL_SAFE_NO_PAD
        .decode(operator.as_str().strip_prefix("op_")?)
        .ok()?;
    Uuid::from_slice(&bits).ok()
}
