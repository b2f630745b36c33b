//! What discovery says of the building blocks that a deployment switches on (RFC 8414 §2, RFC 8628 §4, RFC 9396 §10,
//! RFC 9701 §7, RFC 9728 §4). What is off is not mentioned.

use serde_json::{Map, Value, json};

use crate::client::ISSUED;
use crate::oauth::{ContentEncryption, KeyManagement};
use crate::provider::device;
use crate::provider::request::TOKEN_EXCHANGE;
use crate::web::provider_house::ProviderHouse;

/// Adds to the provider's `metadata`.
pub(super) fn add(provider: &ProviderHouse, metadata: &mut Map<String, Value>) {
    let settings = &provider.settings;
    let url = |path: &str| Value::from(provider.house.url(path));
    // Authenticated as at the token endpoint.
    let methods = metadata["token_endpoint_auth_methods_supported"].clone();
    let algorithms = metadata["token_endpoint_auth_signing_alg_values_supported"].clone();
    let mut say = |name: &str, value: Value| metadata.insert(name.to_owned(), value);
    if settings.revocation {
        say("revocation_endpoint", url("/revoke"));
        say(
            "revocation_endpoint_auth_methods_supported",
            methods.clone(),
        );
        say(
            "revocation_endpoint_auth_signing_alg_values_supported",
            algorithms.clone(),
        );
    }
    if settings.introspection {
        let mut confidential = methods;
        if let Some(methods) = confidential.as_array_mut() {
            methods.retain(|method| method != "none");
        }
        let issued: Vec<&str> = ISSUED.iter().map(|a| a.as_str()).collect();
        say("introspection_endpoint", url("/introspect"));
        say(
            "introspection_endpoint_auth_methods_supported",
            confidential,
        );
        say(
            "introspection_endpoint_auth_signing_alg_values_supported",
            algorithms,
        );
        say("introspection_signing_alg_values_supported", json!(issued));
        // RFC 9701 §7.
        say(
            "introspection_encryption_alg_values_supported",
            json!(KeyManagement::ALL),
        );
        say(
            "introspection_encryption_enc_values_supported",
            json!(ContentEncryption::ALL),
        );
    }
    if settings.device_grant {
        say(
            "device_authorization_endpoint",
            url("/device_authorization"),
        );
    }
    if !settings.authorization_details.is_empty() {
        let types: Vec<&str> = settings
            .authorization_details
            .iter()
            .map(|t| t.kind.as_str())
            .collect();
        say("authorization_details_types_supported", json!(types));
    }
    let mut resources = vec![&*provider.house.id];
    resources.extend(settings.resources.iter().map(|r| r.uri.as_str()));
    say("protected_resources", json!(resources));
    let grants = [
        (settings.device_grant, device::GRANT_TYPE),
        (!settings.exchanges.is_empty(), TOKEN_EXCHANGE),
    ];
    more(
        metadata,
        "grant_types_supported",
        grants.iter().filter(|(on, _)| *on).map(|(_, name)| *name),
    );
    more(
        metadata,
        "scopes_supported",
        settings
            .resources
            .iter()
            .flat_map(|r| r.scopes.iter().map(|s| s.name.as_str())),
    );
}

/// Lengthens a list.
fn more<'a>(metadata: &mut Map<String, Value>, name: &str, values: impl Iterator<Item = &'a str>) {
    if let Some(list) = metadata.get_mut(name).and_then(Value::as_array_mut) {
        list.extend(values.map(Value::from));
    }
}
