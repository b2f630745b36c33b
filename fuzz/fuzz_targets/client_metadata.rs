//! A stranger's client metadata, as a registration or a federation brings it: read without a panic, and every redirect URI that
//! is taken is one we may send people to.
#![no_main]

use hefu::client::{Client, Platform, Profile};
use hefu::id::ClientId;
use hefu::jose::json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(metadata) = json::parse_object(data) else {
        return;
    };
    for profile in [Profile::Oidc, Profile::Federation] {
        let id = ClientId("https://rp.example".to_owned());
        let platform = Platform::unvouched("rp.example");
        let parsed = Client::parse(id, profile, &metadata, Some([7; 32]), platform, false);
        let Ok(client) = parsed else {
            continue;
        };
        // RFC 7591 §2: only who is never answered by a redirect goes without.
        assert!(!client.redirect_uris.is_empty() || client.response_types.is_empty());
        for uri in &client.redirect_uris {
            assert!(!uri.contains('#'));
            assert!(!uri.trim().to_ascii_lowercase().starts_with("javascript:"));
        }
    }
});
