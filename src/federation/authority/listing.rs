//! Two listings that are drafts, off unless configured: the extended listing of immediate subordinates (OpenID Federation
//! Extended Subordinate Listing 1.0, draft 03) and the collection of all entities below (OpenID Federation Entity Collection
//! Endpoint 1.0, draft 01). Both in pages, in the order of identifiers; unsigned, hence for information only.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::mark::IssuedMark;
use super::subordinate::{ListFilter, Subordinate, list};
use super::{Authority, AuthorityError, subtree};
use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::{EntityId, FEDERATION_ENTITY, Schemes};
use crate::federation::trust_mark;
use crate::oauth::{Error, ErrorCode};

/// Entries on one page at most, whatever the caller asks for: a collected entity costs more than a listed one.
const MOST_LISTED: usize = 500;
const MOST_COLLECTED: usize = 100;
/// Members that a collection is made of.
const MOST_MEMBERS: usize = 100_000;

/// Which page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// As the page before said in `next`.
    pub from: Option<String>,
    pub limit: Option<usize>,
}

/// A request for the extended listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extended {
    pub filter: ListFilter,
    pub page: Page,
    pub updated_after: Option<UnixTime>,
    pub updated_before: Option<UnixTime>,
    pub audit_timestamps: bool,
    /// What to say of each besides its identifier.
    pub claims: Vec<String>,
}

/// A request for the collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    pub page: Page,
    /// Any of these.
    pub entity_types: Vec<String>,
    /// All of these.
    pub trust_mark_types: Vec<String>,
    pub trust_anchor: Option<String>,
    /// Part of a name or of the identifier.
    pub query: Option<String>,
    /// What to say of each; nothing: everything.
    pub entity_claims: Vec<String>,
    pub ui_claims: Vec<String>,
}

impl Page {
    fn start(&self) -> Result<Option<EntityId>, Error> {
        let lost = || {
            Error::new(
                ErrorCode::PageNotFound,
                "from is not a page of this listing",
            )
        };
        let Some(from) = &self.from else {
            return Ok(None);
        };
        let bytes = URL_SAFE_NO_PAD.decode(from).map_err(|_| lost())?;
        let text = String::from_utf8(bytes).map_err(|_| lost())?;
        EntityId::parse(&text, Schemes::HttpsOrLoopbackHttp)
            .map(Some)
            .map_err(|_| lost())
    }

    fn size(&self, most: usize) -> Result<usize, Error> {
        match self.limit {
            Some(0) => Err(Error::invalid_request("limit is not a positive number")),
            limit => Ok(limit.unwrap_or(most).min(most)),
        }
    }
}

fn pointer(id: &EntityId) -> Value {
    URL_SAFE_NO_PAD.encode(id.as_str()).into()
}

impl Authority {
    /// Draft 03 §3.3.
    pub async fn extended_list(
        &self,
        asked: &Extended,
        now: UnixTime,
    ) -> Result<Value, AuthorityError> {
        let (start, size) = (asked.page.start()?, asked.page.size(MOST_LISTED)?);
        let mut conn = self.store.read().await?;
        let ids = list(&mut conn, &asked.filter, now).await?;
        let marks = if asked.claims.iter().any(|claim| claim == "trust_marks") {
            IssuedMark::all(&mut conn).await?
        } else {
            Vec::new()
        };
        let mut rows = Vec::new();
        let mut next = None;
        for id in ids
            .iter()
            .filter(|id| start.as_ref().is_none_or(|start| *id >= start))
        {
            let Some(row) = Subordinate::find(&mut conn, id).await? else {
                continue;
            };
            let after = asked
                .updated_after
                .is_none_or(|time| row.updated_at >= time);
            let before = asked
                .updated_before
                .is_none_or(|time| row.updated_at <= time);
            if !(after && before) {
                continue;
            }
            if rows.len() == size {
                next = Some(pointer(id));
                break;
            }
            rows.push(row);
        }
        // Signing, below, happens without a connection held.
        drop(conn);
        let mut entries = Vec::new();
        for row in &rows {
            let mut entry = Map::new();
            entry.insert("id".into(), row.entity_id.as_str().into());
            // Draft 03 §3.2: unless refused, they come with the filters that need them.
            if asked.audit_timestamps
                || asked.updated_after.is_some()
                || asked.updated_before.is_some()
            {
                entry.insert("registered".into(), row.added_at.0.into());
                entry.insert("updated".into(), row.updated_at.0.into());
            }
            let said = self.claims(row);
            for claim in &asked.claims {
                match claim.as_str() {
                    "subordinate_statement" => {
                        let jwt = self.fetch(row.entity_id.as_str(), now).await?;
                        entry.insert(claim.clone(), (&*jwt).into());
                    }
                    "trust_marks" => {
                        let mut held = Vec::new();
                        for mark in marks
                            .iter()
                            .filter(|mark| mark.subject == row.entity_id && mark.is_active(now))
                        {
                            let kind = &mark.trust_mark_type;
                            let jwt = self.trust_mark(kind, mark.subject.as_str(), now).await?;
                            held.push(json!({"trust_mark_type": kind, "trust_mark": &*jwt}));
                        }
                        entry.insert(claim.clone(), held.into());
                    }
                    other => {
                        if let Some(value) = said.get(other) {
                            entry.insert(claim.clone(), value.clone());
                        }
                    }
                }
            }
            entries.push(Value::Object(entry));
        }
        let mut answer = json!({"immediate_subordinate_entities": entries});
        if let Some(next) = next {
            answer["next"] = next;
        }
        Ok(answer)
    }

    /// Draft 01: everybody below whose chain was found to be good. Nobody is looked for on a caller's behalf.
    pub async fn collection(
        &self,
        asked: &Collected,
        now: UnixTime,
    ) -> Result<Value, AuthorityError> {
        const SAID: [&str; 3] = ["entity_types", "ui_infos", "trust_marks"];
        let (start, size) = (asked.page.start()?, asked.page.size(MOST_COLLECTED)?);
        if asked
            .entity_claims
            .iter()
            .any(|claim| claim != "entity_id" && !SAID.contains(&claim.as_str()))
        {
            let text = "entity_claims names what is not told here";
            return Err(Error::new(ErrorCode::UnsupportedClaim, text).into());
        }
        self.follow_own_keys();
        let known = self.resolver.anchors();
        let own = self.settings.id.as_str();
        let wanted = asked
            .trust_anchor
            .as_deref()
            .filter(|wanted| *wanted != own);
        let anchor = match wanted {
            Some(wanted) => known.ids().find(|id| id.as_str() == wanted),
            None => known.ids().next(),
        };
        let anchor = anchor.ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidTrustAnchor,
                "the trust anchor is not known here",
            )
        })?;
        let mut conn = self.store.read().await?;
        let mut ids = list(&mut conn, &ListFilter::default(), now).await?;
        ids.extend(subtree::members(&mut conn, MOST_MEMBERS).await?);
        drop(conn);
        ids.sort();
        ids.dedup();
        let mut entities = Vec::new();
        let mut next = None;
        for id in ids
            .iter()
            .filter(|id| start.as_ref().is_none_or(|start| *id >= start))
        {
            let Some(chain) = self.resolver.remembered_to(id, anchor, now).await else {
                continue;
            };
            if !asked.fits(&chain) {
                continue;
            }
            let tell = |claim: &str| {
                asked.entity_claims.is_empty() || asked.entity_claims.iter().any(|c| c == claim)
            };
            let marks = if tell("trust_marks") || !asked.trust_mark_types.is_empty() {
                trust_mark::remembered(&self.resolver, &chain, now).await
            } else {
                Vec::new()
            };
            let has = |kind: &String| marks.iter().any(|mark| mark.trust_mark_type == *kind);
            if !asked.trust_mark_types.iter().all(has) {
                continue;
            }
            if entities.len() == size {
                next = Some(pointer(id));
                break;
            }
            let mut entity = json!({"entity_id": id});
            if tell("entity_types") {
                entity["entity_types"] = chain.metadata().keys().cloned().collect();
            }
            if tell("ui_infos") {
                entity["ui_infos"] = asked.ui_infos(&chain);
            }
            if tell("trust_marks") && !marks.is_empty() {
                let shown = marks.iter().map(|mark| {
                    json!({"trust_mark_type": mark.trust_mark_type, "trust_mark": &*mark.jwt})
                });
                entity["trust_marks"] = shown.collect();
            }
            entities.push(entity);
        }
        let mut answer = json!({"entities": entities, "last_updated": now.0});
        if let Some(next) = next {
            answer["next"] = next;
        }
        Ok(answer)
    }
}

impl Collected {
    fn fits(&self, chain: &TrustChain) -> bool {
        let types = &self.entity_types;
        let typed =
            types.is_empty() || types.iter().any(|kind| chain.metadata().contains_key(kind));
        let Some(query) = &self.query else {
            return typed;
        };
        let query = query.to_lowercase();
        let named = |text: &str| text.to_lowercase().contains(&query);
        let names = chain.metadata().values().filter_map(Value::as_object);
        let mut texts = names
            .flatten()
            .filter(|(name, _)| is_ui(name))
            .filter_map(|(_, value)| value.as_str());
        typed && (named(chain.subject().as_str()) || texts.any(named))
    }

    /// Per entity type, what an interface shows of it.
    fn ui_infos(&self, chain: &TrustChain) -> Value {
        let wanted = |name: &str| {
            let base = name.split('#').next().unwrap_or_default();
            is_ui(name)
                && (self.ui_claims.is_empty() || self.ui_claims.iter().any(|claim| claim == base))
        };
        let shared = chain
            .metadata()
            .get(FEDERATION_ENTITY)
            .and_then(Value::as_object);
        let mut infos = BTreeMap::new();
        for (kind, members) in chain.metadata() {
            let mut info = Map::new();
            // §5.2.2: what the entity says of itself as a whole, unless the type says otherwise.
            let own = members.as_object().into_iter().flatten();
            for (name, value) in shared.into_iter().flatten().chain(own) {
                if wanted(name) {
                    info.insert(name.clone(), value.clone());
                }
            }
            if let (None, Some(name)) = (info.get("display_name"), first_name(members))
                && wanted("display_name")
            {
                info.insert("display_name".into(), name.clone());
            }
            infos.insert(kind.clone(), Value::Object(info));
        }
        json!(infos)
    }
}

fn first_name(members: &Value) -> Option<&Value> {
    ["client_name", "organization_name"]
        .iter()
        .find_map(|name| members.get(*name))
}

/// §5.2.2, and the name that relying parties have had all along.
fn is_ui(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "display_name",
        "client_name",
        "organization_name",
        "description",
        "keywords",
        "logo_uri",
        "policy_uri",
        "information_uri",
    ];
    NAMES.contains(&name.split('#').next().unwrap_or_default())
}
