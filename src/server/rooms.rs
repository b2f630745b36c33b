//! Which doors and tasks an entity has, by its role.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::entity::{OpenError, Opened, Shared};
use super::vouching;
use crate::authn::{code, passkey, throttle};
use crate::brand::Brand;
use crate::client::registration_token;
use crate::config::authority::Authority as AuthoritySection;
use crate::config::people::People as PeopleSection;
use crate::config::portal::{Portal, Registration};
use crate::config::provider::Provider as ProviderSection;
use crate::config::{Address, Role, Section};
use crate::crypto::{Authorities, Purpose};
use crate::federation::authority::AuthoritySettings;
use crate::federation::entity::{
    EntityId, FEDERATION_ENTITY, OPENID_PROVIDER, OPENID_RELYING_PARTY,
};
use crate::federation::policy::MetadataPolicy;
use crate::federation::publish::{
    MetadataSource, Publisher, PublisherSettings, authority_metadata, endpoint_url,
};
use crate::federation::registration::Registrar;
use crate::federation::resolve::Resolver;
use crate::federation::trust_mark::Holder;
use crate::federation::{Authority, History};
use crate::identity::{Keys, People, synthetic};
use crate::jobs::{self, Task, departures, registrations};
use crate::jose::JwkSet;
use crate::oauth::Algorithm;
use crate::provider::clients::Clients;
use crate::provider::sweep;
use crate::relying::{self, Federated, Party};
use crate::store;
use crate::web::account::{AccountHouse, entry, notices};
use crate::web::error::reference;
use crate::web::federation::FederationState;
use crate::web::federation::home::{self, AuthorityHouse};
use crate::web::federation::joining::{self, JoiningHouse};
use crate::web::federation::map;
use crate::web::house::House;
use crate::web::page::see_other;
use crate::web::portal::PortalHouse;
use crate::web::provider_house::ProviderHouse;
use crate::web::view::Frame;
use crate::web::{self, assets, lost, preferences};

/// Entity configurations live this long unless the configuration says otherwise.
const ENTITY_CONFIGURATION_LIFETIME: i64 = 86_400;

/// An entity ready to be served.
pub struct Built {
    pub router: Router,
    /// What is served where clients show certificates.
    pub alias: Option<(Address, Router)>,
    pub tasks: Vec<Task>,
    /// For the console: what this entity vouches with, where it does.
    pub authority: Option<Arc<Authority>>,
    /// And what it trusts with.
    pub resolver: Option<Arc<Resolver>>,
}

/// Puts the rooms of `opened` together, with the trust chains that were written down when the entity last ran.
pub async fn build(opened: &Opened, shared: &Shared) -> Result<Built, OpenError> {
    let resolver = shared.resolver(&opened.entity)?;
    if opened.role() == Role::Register {
        return furnish(opened, shared, resolver);
    }
    jobs::chains::restore(&opened.house, &resolver).await;
    let kept = jobs::chains::upkeep(&opened.entity.name, &opened.house, &resolver);
    let mut built = furnish(opened, shared, resolver)?;
    built.tasks.extend(kept);
    Ok(built)
}

fn furnish(opened: &Opened, shared: &Shared, resolver: Arc<Resolver>) -> Result<Built, OpenError> {
    let id = EntityId::parse(&opened.entity.address.id, shared.schemes)
        .map_err(|e| settings(opened, e.to_string()))?;
    let trusts = Arc::clone(&resolver);
    let built = match &opened.entity.section {
        Section::Anchor(section) => authority(opened, shared, &id, resolver, section, true),
        Section::Intermediate(section) => authority(opened, shared, &id, resolver, section, false),
        Section::Portal(section) => portal(opened, shared, &id, resolver, section),
        Section::Provider {
            provider: section,
            people,
        } => provider(opened, shared, &id, resolver, section, people),
        Section::Register => {
            let house = opened.house.clone();
            let router = web::register::routes(house.clone()).merge(pages());
            let frame = move |headers: &HeaderMap| web::register::frame(&house, headers, "/");
            return Ok(Built {
                router: found(router, &opened.house, frame),
                alias: None,
                tasks: Vec::new(),
                authority: None,
                resolver: None,
            });
        }
    }?;
    Ok(Built {
        resolver: Some(trusts),
        ..built
    })
}

fn authority(
    opened: &Opened,
    shared: &Shared,
    id: &EntityId,
    resolver: Arc<Resolver>,
    section: &AuthoritySection,
    is_anchor: bool,
) -> Result<Built, OpenError> {
    let authority = Arc::new(Authority::new(
        AuthoritySettings {
            id: id.clone(),
            alg: Algorithm::ES256,
            section: section.clone(),
            is_anchor,
        },
        Arc::clone(&opened.house.signer),
        opened.house.store.clone(),
        Arc::clone(&resolver),
    ));
    let metadata = authority_metadata(id, &informational(opened, id), section);
    let claims = anchor_claims(section).map_err(|reason| settings(opened, reason))?;
    let source: MetadataSource = Arc::new(move || metadata.clone());
    let publisher = publisher(opened, shared, id, source, claims)?;
    let (name, node) = (&opened.entity.name, &shared.node);
    let mut tasks = jobs::federation::of_authority(name, node, &opened.house, &authority);
    tasks.extend(shown_marks(
        opened,
        shared,
        id,
        Arc::clone(&resolver),
        &publisher,
    ));
    tasks.extend(vouching::tasks(opened));
    let federation_section = &opened.entity.federation;
    let front = AuthorityHouse {
        house: opened.house.clone(),
        brand: Brand::of_place(
            federation_section
                .organization_name
                .as_deref()
                .unwrap_or(id.as_str()),
        ),
        is_anchor,
        superiors: federation_section.authority_hints.clone().into(),
        joining: section.joining.open,
    };
    if let Some(policy) = &section.joining.metadata_policy {
        MetadataPolicy::parse(policy)
            .map_err(|e| settings(opened, format!("authority.joining.metadata_policy: {e}")))?;
    }
    let joining = JoiningHouse {
        front: front.clone(),
        id: id.clone(),
        resolver,
        policy: section.joining.metadata_policy.clone(),
    };
    let router = home::routes(front.clone())
        .merge(joining::routes(joining))
        .merge(map::routes(front.clone(), Arc::clone(&authority)))
        .merge(pages())
        .merge(federation(
            opened,
            shared,
            id,
            publisher,
            Some(Arc::clone(&authority)),
        ));
    let frame = move |headers: &HeaderMap| front.frame(headers);
    Ok(Built {
        router: found(router, &opened.house, frame),
        alias: None,
        tasks,
        authority: Some(authority),
        resolver: None,
    })
}

fn portal(
    opened: &Opened,
    shared: &Shared,
    id: &EntityId,
    resolver: Arc<Resolver>,
    section: &Portal,
) -> Result<Built, OpenError> {
    let house = &opened.house;
    let brand = Brand::by_slug(&section.brand).unwrap_or_else(|| Brand::other(&section.name));
    let party = Arc::new(Party::new(
        Arc::clone(&house.id),
        section.clone(),
        Arc::clone(&house.signer),
        Arc::clone(&house.sealer),
        Arc::clone(&house.outbound),
        Arc::new(Federated::new(Arc::clone(&resolver))),
    ));
    let (source, name) = (Arc::clone(&party), brand.zh.clone().into_owned());
    let names = informational(opened, id);
    let publisher = publisher(
        opened,
        shared,
        id,
        Arc::new(move || {
            let mut metadata = Map::new();
            let of_party = relying::metadata::openid_relying_party(&source, &name);
            metadata.insert(OPENID_RELYING_PARTY.to_owned(), Value::Object(of_party));
            metadata.insert(FEDERATION_ENTITY.to_owned(), Value::Object(names.clone()));
            metadata
        }),
        Map::new(),
    )?;
    let mut tasks = vec![forgetting(opened)];
    tasks.extend(shown_marks(opened, shared, id, resolver, &publisher));
    if section.registration == Registration::Explicit {
        tasks.push(registering(opened, &party));
    }
    let portal = PortalHouse {
        house: house.clone(),
        party,
        brand,
        region: section.region.clone(),
    };
    let router = web::portal::routes(portal.clone())
        .merge(pages())
        .merge(federation(opened, shared, id, publisher, None));
    let frame = move |headers: &HeaderMap| portal.frame(headers, "/");
    Ok(Built {
        router: found(router, house, frame),
        alias: None,
        tasks,
        authority: None,
        resolver: None,
    })
}

/// A portal that registers explicitly stays registered while nobody logs in.
fn registering(opened: &Opened, party: &Arc<Party>) -> Task {
    let (house, party) = (opened.house.clone(), Arc::clone(party));
    let name = format!("{}: registration", opened.entity.name);
    Task::new(name, Duration::from_secs(20), move || {
        let (party, now) = (Arc::clone(&party), house.now());
        async move { party.keep_registered(now).await.map_err(|e| e.to_string()) }
    })
}

/// Logins that nobody finished, sessions that are over, logout tokens that can no longer come again.
fn forgetting(opened: &Opened) -> Task {
    let house = opened.house.clone();
    let name = format!("{}: expired logins and sessions", opened.entity.name);
    Task::new(name, Duration::from_mins(10), move || {
        let house = house.clone();
        async move {
            let mut conn = house.store.read().await.map_err(|e| e.to_string())?;
            let gone = relying::purge(&mut conn, house.now()).await;
            gone.map(|_| ()).map_err(|e| e.to_string())
        }
    })
}

fn provider(
    opened: &Opened,
    shared: &Shared,
    id: &EntityId,
    resolver: Arc<Resolver>,
    section: &ProviderSection,
    people: &PeopleSection,
) -> Result<Built, OpenError> {
    let registrar = Arc::new(Registrar::new(Arc::clone(&resolver)));
    let (outbound, sealer) = (&opened.house.outbound, Arc::clone(&opened.house.sealer));
    let clients = Clients::new(section, Some(registrar), shared.plain_http)
        .map_err(|e| settings(opened, format!("provider.clients: {e}")))?
        .served_by(section, outbound, sealer)
        .registering_at(id.clone(), section);
    let ca = section.mtls.as_ref().and_then(|mtls| mtls.ca.as_ref());
    let authorities = ca.map(|path| authorities(opened, path)).transpose()?;
    let house = Arc::new(ProviderHouse {
        authorities,
        house: opened.house.clone(),
        settings: section.clone(),
        clients: Arc::new(clients),
    });
    let (source, names) = (Arc::clone(&house), informational(opened, id));
    let publisher = publisher(
        opened,
        shared,
        id,
        Arc::new(move || {
            let mut metadata = Map::new();
            metadata.insert(
                OPENID_PROVIDER.to_owned(),
                Value::Object(web::oidc::metadata(&source)),
            );
            metadata.insert(FEDERATION_ENTITY.to_owned(), Value::Object(names.clone()));
            metadata
        }),
        Map::new(),
    )?;
    let shown = shown_marks(opened, shared, id, resolver, &publisher);
    let people = Arc::new(open_people(opened, shared, people)?);
    let tell = Task::new(
        format!("{}: logout deliveries", opened.entity.name),
        Duration::from_secs(2),
        {
            let house = Arc::clone(&house);
            move || {
                let house = Arc::clone(&house);
                async move {
                    let (mut rng, now) = (house.house.rng(), house.house.now());
                    house
                        .deliverer()
                        .deliver(&mut rng, now)
                        .await
                        .map(|_| ())
                        .map_err(|e| e.to_string())
                }
            }
        },
    );
    let notices = {
        let (house, people) = (house.house.clone(), Arc::clone(&people));
        let every = Duration::from_secs(5);
        let name = format!("{}: notices to phones", opened.entity.name);
        Task::new(name, every, move || {
            let deliverer = notices::deliverer(&house, &people);
            let (mut rng, now) = (house.rng(), house.now());
            async move {
                let round = deliverer.deliver(&mut rng, now).await;
                round.map(|_| ()).map_err(|e| e.to_string())
            }
        })
    };
    let doors = web::account::routes(AccountHouse {
        provider: Arc::clone(&house),
        people,
    });
    let to_account = format!("{}/account", house.root());
    let front = Router::new().route("/", get(async move || see_other(&to_account)));
    let router = web::oidc::routes(Arc::clone(&house))
        .merge(front)
        .merge(doors)
        .merge(pages())
        .merge(federation(opened, shared, id, publisher, None));
    let alias = match &section.mtls {
        None => None,
        Some(mtls) => {
            let address = Address::parse(&mtls.url, shared.plain_http)
                .map_err(|e| settings(opened, format!("provider.mtls.url {e}")))?;
            Some((address, web::oidc::alias_routes(Arc::clone(&house))))
        }
    };
    let departures = departures::task(&opened.entity.name, &house);
    let unused = registrations::task(&opened.entity.name, &house);
    let frame = move |headers: &HeaderMap| house.frame(headers, "/account", None);
    let router = found(router, &opened.house, frame);
    let forget = Task::new(
        format!("{}: expired rows", opened.entity.name),
        Duration::from_mins(5),
        {
            let house = opened.house.clone();
            move || {
                let house = house.clone();
                async move { forget_expired(&house).await.map_err(|e| e.to_string()) }
            }
        },
    );
    Ok(Built {
        router,
        alias,
        tasks: [tell, notices, forget, departures, unused]
            .into_iter()
            .chain(shown)
            .collect(),
        authority: None,
        resolver: None,
    })
}

/// The file of authorities that vouch for names in clients' certificates.
fn authorities(opened: &Opened, path: &Path) -> Result<Authorities, OpenError> {
    let wrong = |reason: String| OpenError::File {
        path: path.display().to_string(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    Authorities::parse(&pem).map_err(|e| wrong(format!("{}: {e}", opened.entity.name)))
}

/// Codes, ceremonies, counters, interactions and marks that can no longer be used. Harmless on several nodes at once.
async fn forget_expired(house: &House) -> Result<(), store::Error> {
    let now = house.now();
    let mut conn = house.store.read().await?;
    code::sweep(&mut conn, now).await?;
    passkey::sweep(&mut conn, now).await?;
    throttle::sweep(&mut conn, now).await?;
    entry::sweep(&mut conn, now).await?;
    sweep::sweep(&mut conn, now).await?;
    registration_token::sweep(&mut conn, now).await?;
    Ok(())
}

/// The register, the SMS gateway, passwords and passkeys of a provider.
pub fn open_people(
    opened: &Opened,
    shared: &Shared,
    section: &PeopleSection,
) -> Result<People, OpenError> {
    let name = opened
        .entity
        .federation
        .organization_name
        .as_deref()
        .unwrap_or("hefu");
    People::new(
        section.clone(),
        &opened.entity.address.id,
        name,
        &shared.outbound,
        shared.hashing.clone(),
    )
    .map_err(|e| settings(opened, format!("people: {e}")))
}

/// Gives the synthetic people of a lab's configuration their accounts.
pub async fn settle_synthetic(opened: &Opened, shared: &Shared) -> Result<(), OpenError> {
    let Section::Provider { people, .. } = &opened.entity.section else {
        return Ok(());
    };
    if people.synthetic.is_empty() {
        return Ok(());
    }
    let (people, house) = (open_people(opened, shared, people)?, &opened.house);
    let keys = Keys {
        sealer: &*house.sealer,
        indexer: &*house.indexer,
    };
    synthetic::seed_configured(&house.store, keys, &people, &mut house.rng(), house.now())
        .await
        .map_err(|e| settings(opened, format!("people.synthetic: {e}")))
}

/// The entity's router, with pages of its own where a request leads nowhere.
pub(super) fn found(
    router: Router,
    house: &House,
    frame: impl Fn(&HeaderMap) -> Frame + Send + Sync + 'static,
) -> Router {
    let house = house.clone();
    lost::found(
        router,
        Arc::new(move |headers| (frame(headers), reference(&house, headers))),
    )
}

/// Stylesheets, scripts and the language switch: what every entity with pages has.
pub(super) fn pages() -> Router {
    Router::new()
        .merge(assets::router())
        .merge(preferences::router())
}

fn federation(
    opened: &Opened,
    shared: &Shared,
    id: &EntityId,
    publisher: Arc<Publisher>,
    authority: Option<Arc<Authority>>,
) -> Router {
    let verify = shared
        .policy
        .of(Purpose::Federation)
        .map_or(0, |l| l.verify);
    let (signer, store) = (Arc::clone(&opened.house.signer), opened.house.store.clone());
    let history = History::new(id.clone(), Algorithm::ES256, verify, signer, store);
    web::federation::routes(FederationState {
        clock: Arc::clone(&opened.house.clock),
        publisher,
        history: Some(Arc::new(history)),
        authority,
    })
}

/// Fetches the trust marks that the entity was granted, and has them shown.
fn shown_marks(
    opened: &Opened,
    shared: &Shared,
    id: &EntityId,
    resolver: Arc<Resolver>,
    publisher: &Arc<Publisher>,
) -> Option<Task> {
    let granted = opened.entity.federation.trust_marks.clone();
    if granted.is_empty() {
        return None;
    }
    let holder = Arc::new(Holder {
        id: id.clone(),
        granted,
        store: opened.house.store.clone(),
        resolver,
    });
    let (name, house) = (&opened.entity.name, &opened.house);
    let publisher = Arc::clone(publisher);
    Some(jobs::federation::trust_marks(
        name,
        &shared.node,
        house,
        holder,
        publisher,
    ))
}

/// What an anchor says about trust marks (OpenID Federation 1.0 §3.1.2); nothing, as long as it knows none. Peers would refuse the
/// whole configuration for one bad key.
fn anchor_claims(section: &AuthoritySection) -> Result<Map<String, Value>, String> {
    let mut claims = Map::new();
    if !section.trust_mark_issuers.is_empty() {
        let issuers = json!(section.trust_mark_issuers);
        claims.insert("trust_mark_issuers".to_owned(), issuers);
    }
    let mut owners = Map::new();
    for (kind, owner) in &section.trust_mark_owners {
        JwkSet::parse_strict(&owner.jwks)
            .map_err(|e| format!("authority.trust_mark_owners: jwks of {kind}: {e}"))?;
        owners.insert(kind.clone(), json!({"sub": owner.sub, "jwks": owner.jwks}));
    }
    if !owners.is_empty() {
        claims.insert("trust_mark_owners".to_owned(), Value::Object(owners));
    }
    Ok(claims)
}

fn publisher(
    opened: &Opened,
    shared: &Shared,
    id: &EntityId,
    metadata: MetadataSource,
    mut claims: Map<String, Value>,
) -> Result<Arc<Publisher>, OpenError> {
    let federation = &opened.entity.federation;
    let mut authority_hints = Vec::new();
    for hint in &federation.authority_hints {
        let hint = EntityId::parse(hint, shared.schemes)
            .map_err(|e| settings(opened, format!("federation.authority_hints: {hint}: {e}")))?;
        authority_hints.push(hint);
    }
    for hint in &federation.trust_anchor_hints {
        EntityId::parse(hint, shared.schemes).map_err(|e| {
            settings(
                opened,
                format!("federation.trust_anchor_hints: {hint}: {e}"),
            )
        })?;
    }
    if !federation.trust_anchor_hints.is_empty() {
        let hints = federation.trust_anchor_hints.clone();
        claims.insert("trust_anchor_hints".to_owned(), hints.into());
    }
    let publisher = Publisher::new(
        PublisherSettings {
            id: id.clone(),
            alg: Algorithm::ES256,
            lifetime: federation
                .entity_configuration_lifetime
                .unwrap_or(ENTITY_CONFIGURATION_LIFETIME),
            authority_hints,
            metadata,
            claims,
        },
        Arc::clone(&opened.house.signer),
    );
    Ok(Arc::new(publisher))
}

/// OpenID Federation 1.0 §5.2.2, and the endpoint that every role has.
fn informational(opened: &Opened, id: &EntityId) -> Map<String, Value> {
    let federation = &opened.entity.federation;
    let mut members = Map::new();
    members.insert(
        "federation_historical_keys_endpoint".to_owned(),
        endpoint_url(id, "historical_keys").into(),
    );
    if let Some(name) = &federation.organization_name {
        members.insert("organization_name".to_owned(), name.as_str().into());
    }
    if !federation.contacts.is_empty() {
        members.insert("contacts".to_owned(), federation.contacts.clone().into());
    }
    members
}

fn settings(opened: &Opened, reason: String) -> OpenError {
    OpenError::Settings {
        entity: opened.entity.name.clone(),
        reason,
    }
}
