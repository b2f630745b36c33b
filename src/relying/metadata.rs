//! What the portal says about itself in its entity configuration. The `federation` room signs and serves it; superiors may narrow it.

use serde_json::{Map, Value, json};

use crate::config::portal::RequestMode;
use crate::crypto::Purpose;
use crate::relying::Party;

/// Where the provider sends the browser back to.
pub const CALLBACK: &str = "/callback";
/// Where the provider sends the browser after a logout.
pub const SIGNED_OUT: &str = "/signed-out";
/// Where others send citizens to log in (OIDC Core 4).
pub const INITIATE_LOGIN: &str = "/initiate-login";
/// Where the provider tells us that a session ended.
pub const BACKCHANNEL_LOGOUT: &str = "/backchannel-logout";

/// What the browser loads in a frame when a session ended, where that is wanted.
pub const FRONTCHANNEL_LOGOUT: &str = "/frontchannel-logout";

/// The `openid_relying_party` metadata (OpenID Federation 1.0 §5.1.3, OIDC Registration §2, the logout specifications' §2.2 and §3.1).
/// `name` is what the portal calls itself; login pages show what its superior calls it.
pub fn openid_relying_party(party: &Party, name: &str) -> Map<String, Value> {
    let settings = &party.settings;
    let grants = if settings.offline_access {
        json!(["authorization_code", "refresh_token"])
    } else {
        json!(["authorization_code"])
    };
    let mut metadata = Map::new();
    let mut say = |name: &str, value: Value| metadata.insert(name.to_owned(), value);
    say(
        "client_registration_types",
        json!([settings.registration.as_str()]),
    );
    say("client_name", name.into());
    say("application_type", "web".into());
    say("redirect_uris", json!([party.url(CALLBACK)]));
    say("response_types", json!(["code"]));
    say("grant_types", grants);
    say("scope", settings.requested_scope().to_string().into());
    say("subject_type", "pairwise".into());
    say("token_endpoint_auth_method", "private_key_jwt".into());
    say(
        "token_endpoint_auth_signing_alg",
        settings.signing_alg.as_str().into(),
    );
    say(
        "request_object_signing_alg",
        settings.signing_alg.as_str().into(),
    );
    say(
        "id_token_signed_response_alg",
        settings.id_token_signed_response_alg.as_str().into(),
    );
    say(
        "require_pushed_authorization_requests",
        (settings.request == RequestMode::Pushed).into(),
    );
    say("post_logout_redirect_uris", json!([party.url(SIGNED_OUT)]));
    say("initiate_login_uri", party.url(INITIATE_LOGIN).into());
    say(
        "backchannel_logout_uri",
        party.url(BACKCHANNEL_LOGOUT).into(),
    );
    say("backchannel_logout_session_required", true.into());
    if settings.frontchannel_logout {
        say(
            "frontchannel_logout_uri",
            party.url(FRONTCHANNEL_LOGOUT).into(),
        );
        say("frontchannel_logout_session_required", true.into());
    }
    say("jwks", (*party.signer.published(Purpose::Client)).clone());
    metadata
}
