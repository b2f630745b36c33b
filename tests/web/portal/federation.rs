//! The portal between its superiors: what it believes of the provider, and what the provider finds about it.

use hefu::federation::Registrar;
use hefu::oauth::Algorithm;
use hefu::relying::{Federated, Trust, metadata};
use serde_json::{Value, json};

use super::Portals;
use crate::support::federation::World;

const ANCHOR: &str = "https://anchor.example";
const PROVINCE: &str = "https://gd.example";
const OP: &str = "https://id.example";
const RP: &str = "https://portal.example";

/// anchor → provider, and anchor → province → portal.
fn world(portal: Value) -> std::sync::Arc<World> {
    let world = World::new();
    world.entity(
        ANCHOR,
        &[],
        json!({"federation_entity": {"organization_name": "国家平台"}}),
    );
    world.entity(PROVINCE, &[ANCHOR], json!({}));
    let provider = json!({
        "issuer": OP,
        "authorization_endpoint": format!("{OP}/authorize"),
        "token_endpoint": format!("{OP}/token"),
        "client_registration_types_supported": ["automatic"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
    });
    world.entity(OP, &[ANCHOR], json!({"openid_provider": provider}));
    world.entity(RP, &[PROVINCE], json!({"openid_relying_party": portal}));
    let named = |name: &str| json!({"federation_entity": {"organization_name": name, "organization_name#en": "x"}});
    world.vouch(ANCHOR, PROVINCE, json!({"metadata": named("广东省")}));
    world.vouch(
        ANCHOR,
        OP,
        json!({
            "metadata": named("国家账号"),
            "metadata_policy": {"openid_provider": {"id_token_signing_alg_values_supported": {"subset_of": ["ES256"]}}},
        }),
    );
    world.vouch(
        PROVINCE,
        RP,
        json!({"metadata": {"openid_relying_party": {"client_name": "粤省事"}}}),
    );
    world
}

#[tokio::test]
async fn what_superiors_say_of_the_provider_is_what_counts() {
    let world = world(json!({}));
    let trust = Federated::new(world.resolver_to(&[ANCHOR]));
    let vouched = trust.provider(OP, world.now()).await.unwrap();
    assert_eq!(
        vouched.metadata["id_token_signing_alg_values_supported"],
        json!(["ES256"])
    );
    let names: Vec<_> = vouched
        .chain
        .iter()
        .map(|hop| hop.name.as_deref())
        .collect();
    assert_eq!(names, [Some("国家账号"), Some("国家平台")]);
    let until = vouched.chain.iter().map(|hop| hop.vouched_until.is_some());
    assert_eq!(until.collect::<Vec<_>>(), [true, false]);

    let own = trust.own_chain(RP, world.now()).await.unwrap();
    let names: Vec<_> = own.chain.iter().map(|hop| hop.name.as_deref()).collect();
    assert_eq!(names, [Some("粤省事"), Some("广东省"), Some("国家平台")]);
    assert_eq!(own.statements.len(), 4);

    // A portal is no provider, a stranger neither, and another anchor is not ours.
    assert!(trust.provider(RP, world.now()).await.is_err());
    assert!(
        trust
            .provider("https://evil.example", world.now())
            .await
            .is_err()
    );
    assert!(trust.provider("not a URL", world.now()).await.is_err());
    let elsewhere = Federated::new(world.resolver_to(&["https://other.example"]));
    assert!(elsewhere.provider(OP, world.now()).await.is_err());
    assert!(elsewhere.own_chain(RP, world.now()).await.is_none());
}

#[tokio::test]
async fn what_the_portal_publishes_registers_it_by_itself() {
    let portals = Portals::with(|settings| {
        settings.id_token_signed_response_alg = Algorithm::EdDSA;
    })
    .await;
    let published = metadata::openid_relying_party(&portals.party, "粤省事");
    // Only the addresses of the test are not https.
    let text = Value::Object(published).to_string();
    let published: Value = serde_json::from_str(&text.replace(super::PORTAL, RP)).unwrap();
    let world = world(published);
    let registrar = Registrar::new(world.resolver_to(&[ANCHOR]));
    let id = registrar.entity_id(RP).unwrap();
    let client = registrar.client(&id, None, world.now()).await.unwrap();
    assert_eq!(client.redirect_uris, [format!("{RP}/callback")]);
    assert_eq!(
        client.post_logout_redirect_uris,
        [format!("{RP}/signed-out")]
    );
    let uri = client.backchannel_logout_uri.as_deref();
    assert_eq!(uri, Some("https://portal.example/backchannel-logout"));
    assert!(client.backchannel_logout_session_required);
    assert_eq!(client.id_token_signed_response_alg, Algorithm::EdDSA);
    assert_eq!(client.request_object_signing_alg, Some(Algorithm::ES256));
    assert_eq!(client.display_name.as_ref().unwrap().best(&[]), "粤省事");
    assert_eq!(client.keys.iter().count(), 2);
}
