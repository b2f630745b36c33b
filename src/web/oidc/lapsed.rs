//! What a person is told when the platform's trust chain ran out and could not be renewed: an unreachable superior is nobody's fault
//! here, and is said as what it is. Never a redirect (OpenID Federation 1.0 §12.1.3).

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::federation::EntityId;
use crate::federation::registration;
use crate::oauth::ErrorCode;
use crate::web::error::{reference, retry_after};
use crate::web::page::page;
use crate::web::provider_house::ProviderHouse;
use crate::web::view::lapsed::Lapsed;

/// Seconds after which a failed search is made again.
const SOON: i64 = 60;

pub(super) fn page_of(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    client_id: &EntityId,
    lapsed: &registration::Lapsed,
) -> Response {
    let frame = provider.frame(headers, "/account", None);
    let reference = reference(&provider.house, headers);
    let platform = lapsed.display_name.as_ref().map_or_else(
        || client_id.host(),
        |name| name.best(&[frame.language.tag()]).to_owned(),
    );
    let ended = lapsed.at.to_rfc3339();
    tracing::warn!(reference, %client_id, %ended, "a login stopped: the trust chain of the platform ran out");
    let shown = Lapsed {
        description: format!(
            "the trust chain of {client_id} ended at {ended} and could not be renewed yet"
        ),
        frame,
        platform,
        at: lapsed.at,
        code: ErrorCode::TemporarilyUnavailable.as_str().to_owned(),
        reference,
    };
    retry_after(page(StatusCode::SERVICE_UNAVAILABLE, &shown), SOON)
}
