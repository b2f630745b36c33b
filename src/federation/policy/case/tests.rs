use super::*;

/// What a line is answered with; `Err` is the error's name.
fn answer(line: &str) -> Result<(Value, Value), &'static str> {
    match Answer::of(line.as_bytes()) {
        Answer::Resolved { merged, resolved } => Ok((merged, resolved)),
        Answer::Refused { error, description } => {
            assert!(!description.is_empty(), "{line}");
            Err(error.as_str())
        }
    }
}

#[test]
fn lines_and_their_answers() {
    let cases: Vec<(&str, Result<(Value, Value), &str>)> = vec![
        (r#"{"metadata":{}}"#, Ok((json!({}), json!({})))),
        (
            r#"{"superior":{},"subordinate":{},"metadata":{"a":[1]},"n":7}"#,
            Ok((json!({}), json!({"a": [1]}))),
        ),
        (
            r#"{"superior":{"a":{"subset_of":["x","y"],"essential":false}},"subordinate":{"a":{"essential":true}},"metadata":{"a":["y","z"]}}"#,
            Ok((
                json!({"a": {"subset_of": ["x", "y"], "essential": true}}),
                json!({"a": ["y"]}),
            )),
        ),
        (
            r#"{"superior":{"logo_uri":{"value":null}},"subordinate":{"logo_uri":{"essential":false}},"metadata":{"logo_uri":"x"}}"#,
            Ok((
                json!({"logo_uri": {"value": null, "essential": false}}),
                json!({}),
            )),
        ),
        // A value that a superior removed and a subordinate sets.
        (
            r#"{"superior":{"a":{"value":null}},"subordinate":{"a":{"value":"x"}},"metadata":{}}"#,
            Err("invalid_policy"),
        ),
        (
            r#"{"superior":{"a":{"value":null}},"subordinate":{"a":{"essential":true}},"metadata":{}}"#,
            Err("invalid_policy"),
        ),
        (
            r#"{"superior":{"a":{"one_of":["x"]}},"subordinate":{"a":{"one_of":["y"]}},"metadata":{}}"#,
            Err("invalid_policy"),
        ),
        (
            r#"{"superior":{"a":{"one_of":["x"]}},"metadata":{"a":"y"}}"#,
            Err("invalid_metadata"),
        ),
        (
            r#"{"subordinate":{"a":{"essential":true}},"metadata":{}}"#,
            Err("invalid_metadata"),
        ),
        // The metadata's type is one that the operator does not support.
        (
            r#"{"superior":{"a":{"add":["x"]}},"metadata":{"a":"y"}}"#,
            Err("invalid_metadata"),
        ),
        (
            r#"{"superior":{"a":{"subset_of":["x"]}},"metadata":{"a":["x",true]}}"#,
            Err("invalid_metadata"),
        ),
        // Not understood, not critical: ignored, and gone.
        (
            r#"{"superior":{"a":{"except":["x"],"regexp":1}},"metadata":{"a":"x"}}"#,
            Ok((json!({"a": {}}), json!({"a": "x"}))),
        ),
        (
            r#"{"superior":{"a":{"one_of":[1,2.0]}},"subordinate":{"a":{"one_of":[1.0,2,3]}},"metadata":{"a":2}}"#,
            Ok((json!({"a": {"one_of": [1, 2.0]}}), json!({"a": 2}))),
        ),
        (
            r#"{"superior":{"a":{"value":true}},"subordinate":{"a":{"value":true}},"metadata":{"a":false}}"#,
            Ok((json!({"a": {"value": true}}), json!({"a": true}))),
        ),
        (
            r#"{"superior":{"a":{"default":{"k":[1]}}},"subordinate":{"a":{"default":{"k":[1]}}},"metadata":{}}"#,
            Ok((
                json!({"a": {"default": {"k": [1]}}}),
                json!({"a": {"k": [1]}}),
            )),
        ),
        // scope keeps the form in which it was given.
        (
            r#"{"superior":{"scope":{"subset_of":["openid","phone"]}},"subordinate":{"scope":{"default":"openid"}},"metadata":{"scope":"phone x openid"}}"#,
            Ok((
                json!({"scope": {"subset_of": ["openid", "phone"], "default": "openid"}}),
                json!({"scope": "phone openid"}),
            )),
        ),
        (
            r#"{"superior":{"scope":{"value":"a b"}},"subordinate":{"scope":{"value":["b","a"]}},"metadata":{}}"#,
            Ok((
                json!({"scope": {"value": ["a", "b"]}}),
                json!({"scope": "a b"}),
            )),
        ),
        // Repeated members belong to whoever wrote them.
        (
            r#"{"superior":{"a":{"add":["x"],"add":["y"]}},"metadata":{}}"#,
            Err("invalid_policy"),
        ),
        (
            r#"{"subordinate":{"a":{},"a":{}},"metadata":{}}"#,
            Err("invalid_policy"),
        ),
        (
            r#"{"subordinate":{},"metadata":{"a":1,"a":1}}"#,
            Err("invalid_metadata"),
        ),
        (r#"{"metadata":{},"metadata":{}}"#, Err("invalid_request")),
        // Shapes.
        (r#"{"superior":[],"metadata":{}}"#, Err("invalid_policy")),
        (r#"{"superior":null,"metadata":{}}"#, Err("invalid_policy")),
        (
            r#"{"superior":{"a":1},"metadata":{}}"#,
            Err("invalid_policy"),
        ),
        (r#"{"metadata":[]}"#, Err("invalid_metadata")),
        (r#"{"metadata":{"a":null}}"#, Err("invalid_metadata")),
        (r#"{"superior":{}}"#, Err("invalid_request")),
        ("[]", Err("invalid_request")),
        ("", Err("invalid_request")),
        ("{", Err("invalid_request")),
        (r#"{"metadata":{}} x"#, Err("invalid_request")),
        (r#"{"superior":{"a":{"add":["x"]}"#, Err("invalid_request")),
    ];
    for (line, expected) in cases {
        assert_eq!(answer(line), expected, "{line}");
    }
    assert_eq!(
        Answer::of(b"{\"metadata\":{\"a\":\"\xff\"}}").to_json()["error"],
        "invalid_request"
    );
    let refused = Answer::of(br#"{"superior":{"a":{"value":["x"],"add":["y"]}},"metadata":{}}"#);
    assert_eq!(
        refused.to_json(),
        json!({"error": "invalid_policy", "description": "superior: a (add) contradicts value"})
    );
}
