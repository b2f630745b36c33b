//! What is refused, and where the refusal stands.

use super::*;

#[tokio::test]
async fn refusals_stand_where_the_answer_would() {
    let on = house().await;
    let off = TestHouse::new().await;
    let spa = "https://spa.example/cb";
    // (house, client, redirect URI, request, error, place)
    type Case<'a> = (
        &'a TestHouse,
        &'a str,
        &'a str,
        &'a [(&'a str, &'a str)],
        &'a str,
        &'a str,
    );
    let cases: &[Case<'_>] = &[
        // Off in this deployment: the default.
        (
            &off,
            "shop",
            SHOP_CB,
            &[("response_type", "id_token"), ("nonce", "n")],
            "unsupported_response_type",
            "fragment",
        ),
        (
            &off,
            "shop",
            SHOP_CB,
            &[("response_type", "code token")],
            "unsupported_response_type",
            "fragment",
        ),
        // Nobody needs it, so nobody can switch it on.
        (
            &on,
            "front",
            CB,
            &[("response_type", "token")],
            "unsupported_response_type",
            "fragment",
        ),
        // Not registered by this client.
        (
            &on,
            "spa",
            spa,
            &[("response_type", "id_token"), ("nonce", "n")],
            "unauthorized_client",
            "fragment",
        ),
        (
            &on,
            "spa",
            spa,
            &[
                ("response_type", "code id_token"),
                ("nonce", "n"),
                ("response_mode", "form_post"),
            ],
            "unauthorized_client",
            "form",
        ),
        // Unknown or missing: in the query, or in the form if one was asked for.
        (
            &on,
            "front",
            CB,
            &[("response_type", "code code")],
            "unsupported_response_type",
            "query",
        ),
        (
            &on,
            "front",
            CB,
            &[("response_type", "none")],
            "unsupported_response_type",
            "query",
        ),
        (
            &on,
            "front",
            CB,
            &[
                ("response_type", "vp_token"),
                ("response_mode", "form_post"),
            ],
            "unsupported_response_type",
            "form",
        ),
        (
            &on,
            "front",
            CB,
            &[("response_type", "")],
            "invalid_request",
            "query",
        ),
        (
            &on,
            "front",
            CB,
            &[("response_type", ""), ("response_mode", "form_post")],
            "invalid_request",
            "form",
        ),
        // Tokens do not travel in the query, and neither do errors about that.
        (
            &on,
            "front",
            CB,
            &[
                ("response_type", "id_token token"),
                ("nonce", "n"),
                ("response_mode", "query"),
            ],
            "invalid_request",
            "fragment",
        ),
        (
            &on,
            "front",
            CB,
            &[("response_type", "code token"), ("response_mode", "query")],
            "invalid_request",
            "fragment",
        ),
        (
            &on,
            "front",
            CB,
            &[
                ("response_type", "code id_token"),
                ("nonce", "n"),
                ("response_mode", "odd"),
            ],
            "invalid_request",
            "fragment",
        ),
        // An ID Token from here must carry a nonce.
        (
            &on,
            "front",
            CB,
            &[("response_type", "id_token")],
            "invalid_request",
            "fragment",
        ),
        (
            &on,
            "front",
            CB,
            &[("response_type", "token id_token")],
            "invalid_request",
            "fragment",
        ),
        (
            &on,
            "front",
            CB,
            &[("response_type", "code id_token")],
            "invalid_request",
            "fragment",
        ),
        (
            &on,
            "front",
            CB,
            &[("response_type", "code id_token token")],
            "invalid_request",
            "fragment",
        ),
        (
            &on,
            "front",
            CB,
            &[("response_type", "code token"), ("prompt", "none")],
            "login_required",
            "fragment",
        ),
        (
            &on,
            "front",
            CB,
            &[
                ("response_type", "id_token"),
                ("nonce", "n"),
                ("prompt", "none"),
                ("response_mode", "form_post"),
            ],
            "login_required",
            "form",
        ),
        (
            &on,
            "front",
            CB,
            &[
                ("response_type", "id_token"),
                ("nonce", "n"),
                ("scope", "profile"),
            ],
            "invalid_scope",
            "fragment",
        ),
        (
            &on,
            "front",
            CB,
            &[
                ("response_type", "code"),
                ("response_mode", "fragment"),
                ("prompt", "none"),
            ],
            "login_required",
            "fragment",
        ),
    ];
    for (house, client, uri, more, error, place) in cases {
        let answer = house.browser().ask_plain(client, uri, more).await;
        let told = match *place {
            "query" => {
                assert_eq!(answer.location().fragment(), None, "{more:?}");
                answer.told()
            }
            "form" => answer.told_in_form(),
            // A query that was registered stays.
            _ if uri.contains('?') => {
                let location = answer.location();
                assert_eq!(location.query(), Some("keep=1"), "{more:?}");
                url::form_urlencoded::parse(location.fragment().unwrap().as_bytes())
                    .into_owned()
                    .collect()
            }
            _ => answer.told_in_fragment(),
        };
        assert_eq!(told["error"], *error, "{more:?}");
        assert_eq!(
            (told["state"].as_str(), told["iss"].as_str()),
            ("a b&c", ISSUER),
            "{more:?}"
        );
    }
    assert_eq!(
        (on.count("grants").await, off.count("grants").await),
        (0, 0)
    );
}
