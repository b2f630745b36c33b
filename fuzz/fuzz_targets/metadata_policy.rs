//! Two policies and metadata of strangers: read, merged and applied without a panic.
#![no_main]

use hefu::federation::policy::MetadataPolicy;
use hefu::federation::policy::case::Answer;
use hefu::jose::json;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    // `hefu federation policy` reads lines of strangers too.
    let _ = Answer::of(data).to_json();
    let Ok(Value::Array(parts)) = json::parse(data) else {
        return;
    };
    let [superior, subordinate, Value::Object(metadata)] = parts.as_slice() else {
        return;
    };
    let (Ok(superior), Ok(subordinate)) = (MetadataPolicy::parse(superior), MetadataPolicy::parse(subordinate)) else {
        return;
    };
    if let Ok(merged) = superior.merge(subordinate) {
        let mut metadata = metadata.clone();
        if merged.apply(&mut metadata).is_ok() {
            let once = metadata.clone();
            merged.apply(&mut metadata).expect("what complies goes on complying");
            assert_eq!(once, metadata);
        }
    }
});
