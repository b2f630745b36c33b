//! A stranger's entity statement, whole or only its payload: read without a panic, and never believed.
#![no_main]

use hefu::clock::UnixTime;
use hefu::federation::statement::{EntityStatement, Rules};
use hefu::federation::{EntityId, Schemes};
use hefu::jose::{JwkSet, jws};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let (rules, now) = (Rules::default(), UnixTime(1_772_414_130));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = EntityStatement::parse(text, &rules, now);
    }
    let provider = EntityId::parse("https://id.example", Schemes::HttpsOnly).unwrap();
    // Past the header, where most of the reading happens.
    let header = json!({"typ": "entity-statement+jwt", "alg": "EdDSA", "kid": "k"});
    let input = jws::signing_input(header.as_object().unwrap(), data);
    if let Ok(statement) = EntityStatement::parse(&format!("{input}.AAAA"), &rules, now) {
        assert!(statement.verify(&statement.jwks).is_err());
        assert!(statement.verify(&JwkSet::default()).is_err());
    }
    // The same as an explicit registration request, which alone may name its reader.
    let request = EntityStatement::parse_request(&format!("{input}.AAAA"), &provider, &rules, now);
    if let Ok(request) = request {
        assert!(request.verify(&request.jwks).is_err());
    }
});
