//! From a `client_id` to a client, wherever it was registered: configuration, database, or the federation.
//! Nothing is fetched for a client that is known; what is known is at most a few seconds older than its source.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::client::{
    Authentication, BackChannel, Client, FrontChannel, Hop, Mark, MetadataError, Name, Platform,
    Profile, Subject, Vouched,
    registered::{self, Registered},
};
use crate::clock::UnixTime;
use crate::config;
use crate::crypto::Sealer;
use crate::federation::EntityId;
use crate::federation::registration::{
    HintedChains, Localized, Registrar, RegistrationError, ResolvedRelyingParty, Standing,
    SubjectType,
};
use crate::id::ClientId;
use crate::jose::ClientSecret;
use crate::oauth::{Encryption, Error, KeyManagement, ResponseType};
use crate::outbound::Outbound;
use crate::store::{self, Store};

use super::client_keys::ClientKeys;
use super::encrypted;
use super::explicit::Registrations;
use super::request::reference::References;
use super::request::{Parameters, Refusal, named_key};

/// Seconds after which a client of the database is read again.
const STALE: i64 = 5;
/// Clients of the database that are remembered at most.
const MOST: usize = 10_000;

/// The ways to the clients of one provider.
#[derive(Debug)]
pub struct Clients {
    configured: HashMap<String, Arc<Client>>,
    registrar: Option<Arc<Registrar>>,
    /// Missing where explicit registration is not offered.
    registrations: Option<Registrations>,
    /// The types of trust marks that allow something here.
    marks: Vec<String>,
    plain_http: bool,
    known: Mutex<HashMap<String, Remembered>>,
    /// Opens sealed secrets.
    sealer: Option<Arc<dyn Sealer>>,
    keys: Option<ClientKeys>,
    /// Missing where request objects are not taken by reference.
    references: Option<References>,
}

#[derive(Debug, Clone)]
struct Remembered {
    client: Option<Arc<Client>>,
    /// From what it was made, where that is the federation: the same party is not read twice.
    party: Option<Arc<ResolvedRelyingParty>>,
    at: UnixTime,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the client is not known here")]
    Unknown,
    /// Federation 1.0 §12.1.3: a page, never a redirect; the code is told in PAR answers only.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    #[error("the client's metadata does not fit: {0}")]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Clients {
    /// `registrar` is missing where the provider serves registered clients only.
    pub fn new(
        settings: &config::provider::Provider,
        registrar: Option<Arc<Registrar>>,
        plain_http: bool,
    ) -> Result<Self, MetadataError> {
        let mut configured = HashMap::new();
        for table in &settings.clients {
            let client = registered::from_config(table, plain_http)?;
            configured.insert(client.id.0.clone(), Arc::new(client));
        }
        Ok(Self {
            configured,
            registrar,
            registrations: None,
            plain_http,
            marks: [&settings.marks.real_name_full, &settings.marks.level_4]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            known: Mutex::default(),
            sealer: None,
            keys: None,
            references: None,
        })
    }

    /// With all that serving clients needs beside reading them: what their metadata point to, and sealed secrets.
    #[must_use]
    pub fn served_by(
        self,
        settings: &config::provider::Provider,
        outbound: &Arc<Outbound>,
        sealer: Arc<dyn Sealer>,
    ) -> Self {
        let references = settings.request_uri.then(|| {
            References::new(
                Arc::clone(outbound),
                settings.require_request_uri_registration,
                self.plain_http,
            )
        });
        Self {
            sealer: Some(sealer),
            keys: Some(ClientKeys::new(Arc::clone(outbound))),
            references,
            ..self
        }
    }

    /// With relying parties that registered explicitly at `provider`, where that is offered.
    #[must_use]
    pub fn registering_at(self, provider: EntityId, settings: &config::provider::Provider) -> Self {
        let registrations = settings
            .explicit_registration
            .then(|| Registrations::of(provider));
        Self {
            registrations,
            ..self
        }
    }

    /// What explicit registration needs, where it is offered.
    pub fn offices(&self) -> Option<(&Registrar, &Registrations)> {
        Some((self.registrar.as_deref()?, self.registrations.as_ref()?))
    }

    /// How the superiors of `client` stand to it; none when it does not come from the federation. May go out.
    pub async fn standing(
        &self,
        store: &Store,
        client: &ClientId,
        now: UnixTime,
    ) -> Result<Option<Standing>, ClientError> {
        let id = client.as_str();
        let Some(registrar) = self
            .registrar
            .as_ref()
            .filter(|_| !self.configured.contains_key(id))
        else {
            return Ok(None);
        };
        let Some(entity) = registrar.entity_id(id) else {
            return Ok(None);
        };
        if let Some(registrations) = &self.registrations
            && let Some(chain) = registrations.chain(store, registrar, &entity, now).await?
        {
            return Ok(Some(Standing::of(&chain)));
        }
        Ok(Some(registrar.standing(&entity, now).await))
    }

    /// The client as it was when it was last found: for what it must still be told when it is found no more.
    pub fn last_known(&self, id: &ClientId) -> Option<Arc<Client>> {
        self.lock().get(id.as_str())?.client.clone()
    }

    /// Whether `party` can be a client of ours.
    pub fn accepts(&self, party: &ResolvedRelyingParty) -> Result<(), MetadataError> {
        of_federation(party).map(|_| ())
    }

    /// The client `id`. `hinted` are the unverified chains of its request object. May go out to the
    /// federation: no connection of the store may be held by the caller.
    pub async fn find(
        &self,
        store: &Store,
        id: &str,
        hinted: Option<&HintedChains>,
        now: UnixTime,
    ) -> Result<Arc<Client>, ClientError> {
        if let Some(client) = self.configured.get(id) {
            return Ok(Arc::clone(client));
        }
        if id.len() > 2048 || id.contains('\0') {
            return Err(ClientError::Unknown);
        }
        if let Some((registrar, entity)) = self
            .registrar
            .as_ref()
            .and_then(|r| Some((r, r.entity_id(id)?)))
        {
            // A registration that holds comes first; without one the client is registered automatically.
            let chain = match &self.registrations {
                Some(registrations) => registrations.chain(store, registrar, &entity, now).await?,
                None => None,
            };
            let party = match chain {
                Some(chain) => registrar.of_chain(&chain, now).await?,
                // Boxed: the search is large, and every request passes here.
                None => Box::pin(registrar.client(&entity, hinted, now)).await?,
            };
            let client = self.federated(Arc::clone(&party), now)?;
            return Ok(self.with_marks(client, registrar, &party, now).await);
        }
        let known = self.lock().get(id).cloned();
        if let Some(known) = known.filter(|k| now.since(k.at).abs() < STALE) {
            return known.client.ok_or(ClientError::Unknown);
        }
        let row = registered::find(&mut *store.read().await?, &ClientId(id.to_owned())).await?;
        let client = row.map(|row| self.registered(&row)).transpose()?;
        let client = client.map(Arc::new);
        self.remember(
            id,
            Remembered {
                client: client.clone(),
                party: None,
                at: now,
            },
        );
        client.ok_or(ClientError::Unknown)
    }

    fn registered(&self, row: &Registered) -> Result<Client, MetadataError> {
        Ok(Client {
            clear_secret: self
                .sealer
                .as_ref()
                .and_then(|sealer| row.clear_secret(&**sealer))
                .map(ClientSecret::new),
            ..row.client(self.plain_http)?
        })
    }

    /// The database's row of this client has changed: it is read again at once (by other nodes within seconds).
    pub fn forget(&self, id: &ClientId) {
        self.lock().remove(id.as_str());
    }

    /// The client with the keys that `token` may be verified with: those behind its `jwks_uri` once somebody needs them, and the
    /// newest when the token names one that we do not know (OIDC Core 10.1.1). Goes out: no connection of the store may be held.
    pub async fn for_token(&self, client: Arc<Client>, token: &str, now: UnixTime) -> Arc<Client> {
        let kid = named_key(token);
        if client.jwks_uri.is_some() {
            return self.with_keys(client, kid.as_deref(), now).await;
        }
        match kid {
            Some(kid) if client.keys.find(&kid).is_none() => {
                self.with_fresh_keys(&client, now).await
            }
            _ => client,
        }
    }

    /// The client with the keys behind its `jwks_uri`, if it has one; whoever encrypts to it needs them too.
    pub async fn with_keys(
        &self,
        client: Arc<Client>,
        kid: Option<&str>,
        now: UnixTime,
    ) -> Arc<Client> {
        let (Some(keys), Some(url)) = (&self.keys, &client.jwks_uri) else {
            return client;
        };
        let keys = keys.behind(url, kid, now).await;
        Arc::new(Client {
            keys: (*keys).clone(),
            ..(*client).clone()
        })
    }

    /// `sent` with the request object that its `request_uri` points to, where that is offered (OIDC Core 6.2). Goes out.
    pub async fn followed(
        &self,
        sent: Parameters,
        client: &Client,
        now: UnixTime,
    ) -> Result<Parameters, Refusal> {
        match &self.references {
            Some(references) => references.followed(sent, client, now).await,
            None => Ok(sent),
        }
    }

    /// The same federation client with keys read anew; the registrar limits how often.
    async fn with_fresh_keys(&self, client: &Arc<Client>, now: UnixTime) -> Arc<Client> {
        let party = self
            .lock()
            .get(client.id.as_str())
            .and_then(|k| k.party.clone());
        let (Some(registrar), Some(party)) = (&self.registrar, party) else {
            return Arc::clone(client);
        };
        match registrar.with_fresh_keys(&party, now).await {
            Ok(party) => match self.federated(Arc::clone(&party), now) {
                Ok(client) => self.with_marks(client, registrar, &party, now).await,
                Err(_) => Arc::clone(client),
            },
            Err(_) => Arc::clone(client),
        }
    }

    /// The client without the marks that allow something and were revoked: their issuers are asked, once a minute each.
    async fn with_marks(
        &self,
        client: Arc<Client>,
        registrar: &Registrar,
        party: &ResolvedRelyingParty,
        now: UnixTime,
    ) -> Arc<Client> {
        let mut gone = Vec::new();
        for mark in &self.marks {
            if client.shows_mark(mark, now)
                && !registrar.still_has_trust_mark(party, mark, now).await
            {
                gone.push(mark);
            }
        }
        if gone.is_empty() {
            return client;
        }
        let mut without = Client::clone(&client);
        if let Some(marks) = &mut without.marks {
            marks.retain(|mark| !gone.contains(&&mark.trust_mark_type));
        }
        Arc::new(without)
    }

    /// The client with a key that `encryption` can go to: its secret, those behind its `jwks_uri`, or its federation's, read anew when those
    /// known do not fit (OIDC Core 10.2.1). Goes out: no connection of the store may be held.
    pub async fn with_key_for(
        &self,
        client: Arc<Client>,
        encryption: Option<Encryption>,
        now: UnixTime,
    ) -> Result<Arc<Client>, Error> {
        let Some(Encryption { alg, .. }) = encryption else {
            return Ok(client);
        };
        if KeyManagement::SECRET.contains(&alg) {
            return if client.clear_secret.is_some() && client.secret_works(now) {
                Ok(client)
            } else {
                Err(encrypted::no_key())
            };
        }
        let client = self.with_keys(client, None, now).await;
        if client.keys.for_encryption(alg).is_some() {
            return Ok(client);
        }
        let fresh = self.with_fresh_keys(&client, now).await;
        match fresh.keys.for_encryption(alg) {
            Some(_) => Ok(fresh),
            None => Err(encrypted::no_key()),
        }
    }

    fn federated(
        &self,
        party: Arc<ResolvedRelyingParty>,
        now: UnixTime,
    ) -> Result<Arc<Client>, MetadataError> {
        let id = party.entity_id.to_string();
        if let Some(Remembered {
            client: Some(client),
            party: Some(before),
            ..
        }) = self.lock().get(&id)
            && Arc::ptr_eq(before, &party)
        {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(of_federation(&party)?);
        self.remember(
            &id,
            Remembered {
                client: Some(Arc::clone(&client)),
                party: Some(party),
                at: now,
            },
        );
        Ok(client)
    }

    fn remember(&self, id: &str, what: Remembered) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id.to_owned(), what);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Remembered>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A relying party of the federation as a client of ours.
fn of_federation(party: &ResolvedRelyingParty) -> Result<Client, MetadataError> {
    if !crate::client::ISSUED.contains(&party.id_token_signed_response_alg) {
        return Err(MetadataError::Value("id_token_signed_response_alg"));
    }
    if party
        .userinfo_signed_response_alg
        .is_some_and(|alg| !crate::client::ISSUED.contains(&alg))
    {
        return Err(MetadataError::Value("userinfo_signed_response_alg"));
    }
    let flag = |name: &str| party.metadata.get(name) == Some(&serde_json::Value::Bool(true));
    let response_types: Vec<ResponseType> = party
        .response_types
        .iter()
        .filter_map(|text| ResponseType::parse(text))
        .collect();
    let authorization_alg = match party.metadata.get("authorization_signed_response_alg") {
        None => Profile::Federation.default_answer_alg(),
        Some(alg) => alg
            .as_str()
            .and_then(|alg| alg.parse().ok())
            .filter(|alg| crate::client::ISSUED.contains(alg))
            .ok_or(MetadataError::Value("authorization_signed_response_alg"))?,
    };
    let front_channel = party
        .frontchannel_logout_uri
        .as_deref()
        .map(|uri| {
            uri.parse()
                .ok()
                .and_then(|uri| {
                    let session_required = party.frontchannel_logout_session_required;
                    FrontChannel::of(uri, session_required, &party.redirect_uris)
                })
                .ok_or(MetadataError::Value("frontchannel_logout_uri"))
        })
        .transpose()?;
    Ok(Client {
        id: ClientId(party.entity_id.to_string()),
        // What §12.1 demands of requests is for clients that never registered.
        profile: if party.is_explicit() {
            Profile::Oidc
        } else {
            Profile::Federation
        },
        redirect_uris: party.redirect_uris.clone(),
        // The federation has platforms with https addresses only.
        native: false,
        response_types,
        grant_types: party.grant_types.iter().cloned().collect(),
        post_logout_redirect_uris: party.post_logout_redirect_uris.clone(),
        authentication: Authentication::PrivateKeyJwt(party.token_endpoint_auth_signing_alg),
        secret: None,
        certificate_name: None,
        clear_secret: None,
        secret_expires_at: None,
        keys: party.keys.clone(),
        // Behind an address or not: the registrar has read them.
        jwks_uri: None,
        request_uris: party
            .metadata
            .get("request_uris")
            .and_then(|uris| serde_json::from_value(uris.clone()).ok())
            .unwrap_or_default(),
        id_token_alg: party.id_token_signed_response_alg,
        id_token_encryption: party.id_token_encryption,
        userinfo_alg: party.userinfo_signed_response_alg,
        userinfo_encryption: party.userinfo_encryption,
        introspection_alg: party.id_token_signed_response_alg,
        introspection_encryption: party.introspection_encryption,
        authorization_alg,
        authorization_encryption: party.authorization_encryption,
        front_channel,
        request_object_alg: party.request_object_signing_alg,
        subject: match party.subject_type {
            SubjectType::Public => Subject::Public,
            SubjectType::Pairwise => Subject::Pairwise {
                sector: party.sector.clone(),
            },
        },
        required_acr: Vec::new(),
        default_acr: party.default_acr_values.clone(),
        default_max_age: party.default_max_age,
        require_auth_time: party.require_auth_time,
        require_pushed_requests: party.require_pushed_authorization_requests,
        require_signed_requests: false,
        dpop_bound: flag("dpop_bound_access_tokens"),
        certificate_bound: flag("tls_client_certificate_bound_access_tokens"),
        back_channel: party
            .backchannel_logout_uri
            .as_deref()
            .and_then(|uri| uri.parse().ok())
            .map(|uri| BackChannel {
                uri,
                session_required: party.backchannel_logout_session_required,
            }),
        scope_limit: party.scope.clone(),
        marks: Some(
            party
                .trust_marks
                .iter()
                .map(|mark| Mark {
                    trust_mark_type: mark.trust_mark_type.clone(),
                    expires_at: mark.exp,
                })
                .collect(),
        ),
        details_types: party
            .metadata
            .get("authorization_details_types")
            .map(|types| serde_json::from_value(types.clone()))
            .transpose()
            .map_err(|_| MetadataError::Value("authorization_details_types"))?,
        platform: platform(party),
    })
}

/// What the chain says in words: the portal's name as its superior vouches for it, and who stands above.
fn platform(party: &ResolvedRelyingParty) -> Platform {
    let name = party.display_name.as_ref().map(in_both);
    let mut chain = vec![Hop {
        name: name.clone().unwrap_or_else(|| Name::plain(&party.host())),
        entity_id: party.entity_id.to_string(),
        vouched_until: Some(party.expires_at),
    }];
    let last = party.superiors.len().saturating_sub(1);
    for (i, superior) in party.superiors.iter().enumerate() {
        chain.push(Hop {
            name: superior
                .name
                .as_ref()
                .map_or_else(|| Name::plain(&superior.entity_id.host()), in_both),
            entity_id: superior.entity_id.to_string(),
            vouched_until: (i != last).then_some(party.expires_at),
        });
    }
    let between = &chain[1..chain.len().saturating_sub(1).max(1)];
    let english: Vec<&str> = between.iter().map(|hop| &*hop.name.english).collect();
    let region = Name {
        // As an address is said: 重庆市示范区; Demonstration District, Chongqing.
        chinese: between.iter().rev().map(|hop| &*hop.name.chinese).collect(),
        english: english.join(", "),
    };
    Platform {
        vouched: match name {
            Some(_) => Vouched::Chain { region },
            None => Vouched::No,
        },
        host: party.host(),
        name,
        chain,
        policy_uri: None,
        tos_uri: None,
        claimed: None,
    }
}

fn in_both(name: &Localized) -> Name {
    Name {
        chinese: name.best(&["zh-CN", "zh"]).to_owned(),
        english: name.best(&["en"]).to_owned(),
    }
}
