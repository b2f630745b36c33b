//! `GET /` of an authority: who it is and for whom it vouches, for people. Programs read the entity configuration.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use url::Url;

use crate::brand::Brand;
use crate::federation::authority::{Face, faces};
use crate::store;
use crate::web::error::{Fault, error_page, reference};
use crate::web::house::House;
use crate::web::page::page;
use crate::web::preferences::Preferences;
use crate::web::view::authority::{AuthorityHome, Vouchee};
use crate::web::view::error::ErrorKind;
use crate::web::view::{Frame, Language, Place};

/// A page is read by people: the list for programs is complete.
const SHOWN: usize = 200;

/// What the page needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuthorityHouse {
    pub house: House,
    pub brand: Brand,
    pub is_anchor: bool,
    /// Entity identifiers of its superiors.
    pub superiors: Arc<[String]>,
    /// Whether one may ask to join by oneself (`joining`).
    pub joining: bool,
}

impl AuthorityHouse {
    pub(super) fn at(&self, headers: &HeaderMap, path: &str) -> Frame {
        let mut frame = self.frame(headers);
        frame.here = format!("{}{path}", frame.root);
        frame
    }

    pub fn frame(&self, headers: &HeaderMap) -> Frame {
        let preferences = Preferences::of(headers);
        let mut frame = Frame::new(Place::Authority, self.brand.clone());
        frame.language = preferences.language(None);
        frame.elder = preferences.elder();
        frame.root = Url::parse(&self.house.id)
            .map(|id| id.path().trim_end_matches('/').to_owned())
            .unwrap_or_default();
        frame.here = format!("{}/", frame.root);
        frame
    }

    async fn faces(&self) -> Result<Vec<Face>, store::Error> {
        let mut conn = self.house.store.read().await?;
        // One more than are shown, to know whether there are more.
        faces(&mut conn, i64::try_from(SHOWN + 1).unwrap_or(i64::MAX)).await
    }
}

pub fn routes(authority: AuthorityHouse) -> Router {
    Router::new().route("/", get(show)).with_state(authority)
}

async fn show(State(authority): State<AuthorityHouse>, headers: HeaderMap) -> Response {
    let frame = authority.frame(&headers);
    let mut faces = match authority.faces().await {
        Ok(faces) => faces,
        Err(error) => {
            let reference = reference(&authority.house, &headers);
            Fault::from(error).log(&reference);
            return error_page(frame, ErrorKind::Internal, &Fault::told(), reference, None);
        }
    };
    let more = faces.len() > SHOWN;
    faces.truncate(SHOWN);
    let languages: &[&str] = match frame.language {
        Language::Chinese => &["zh-CN", "zh"],
        Language::English => &["en"],
    };
    let shown = AuthorityHome {
        name: frame.brand_name(),
        entity_id: authority.house.id.to_string(),
        is_anchor: authority.is_anchor,
        superiors: authority.superiors.to_vec(),
        subordinates: faces
            .into_iter()
            .map(|face| Vouchee {
                name: face.name.map(|name| name.best(languages).to_owned()),
                entity_id: face.entity_id.to_string(),
                is_intermediate: face.is_intermediate,
            })
            .collect(),
        more,
        joining: authority.joining,
        frame,
    };
    page(StatusCode::OK, &shown)
}
