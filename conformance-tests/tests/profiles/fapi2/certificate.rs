//! Certificates (RFC 8705).

use super::*;

/// PEM of a certificate that nobody vouches for and its key, and the certificate in DER.
fn self_signed(key: &KeyPair) -> (String, Vec<u8>) {
    let params = CertificateParams::new(vec!["rp.hefu.test".to_owned()]).expect("a name");
    let certificate = params.self_signed(key).expect("a certificate");
    let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
    (pem, certificate.der().to_vec())
}

fn showing(ground: &Ground, identity: Option<&str>) -> Visitor {
    let ca = std::fs::read_to_string(ground.lab.ca()).expect("the authority");
    Visitor::showing(&ca, std::net::Ipv4Addr::LOCALHOST.into(), identity)
}

/// 2.6 and 5.1, RFC 8705: a certificate of the client's own, and one that the laboratory's authority vouches for.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_proves_and_binds() {
    let ground = ground().await;
    assert_eq!(
        ground.metadata["tls_client_certificate_bound_access_tokens"],
        true
    );
    let aliases = &ground.metadata["mtls_endpoint_aliases"];
    let alias = |name: &str| text(aliases, name);
    let own = Key::new();
    let (identity, der) = self_signed(&own.pair);
    let (foreign, _) = self_signed(&KeyPair::generate().expect("a key"));
    let mut jwk = own.public();
    jwk["x5c"] = json!([STANDARD.encode(&der)]);
    let by_key = Client::fapi(
        ground,
        json!({"token_endpoint_auth_method": "self_signed_tls_client_auth", "token_endpoint_auth_signing_alg": null,
            "jwks": {"keys": [jwk]}, "tls_client_certificate_bound_access_tokens": true}),
    )
    .await;
    let ca = std::fs::read_to_string(ground.lab.ca()).expect("the authority");
    let ca_key = std::fs::read_to_string(ground.lab.own("ca-key.pem")).expect("its key");
    let ca_key = KeyPair::from_pem(&ca_key).expect("a key");
    let issuing = Issuer::from_ca_cert_pem(&ca, ca_key).expect("an authority");
    let vouched = |name: &str| {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .expect("a name")
            .signed_by(&key, &issuing)
            .expect("a certificate");
        (
            format!("{}{}", certificate.pem(), key.serialize_pem()),
            certificate.der().to_vec(),
        )
    };
    let (by_authority, of_authority) = vouched("rp.hefu.test");
    let (other_name, _) = vouched("other.hefu.test");
    let by_name = Client::fapi(
        ground,
        json!({"token_endpoint_auth_method": "tls_client_auth", "token_endpoint_auth_signing_alg": null, "jwks": null,
            "tls_client_auth_san_dns": "rp.hefu.test", "tls_client_certificate_bound_access_tokens": true}),
    )
    .await;
    let par = alias("pushed_authorization_request_endpoint");
    for (client, identity, der, wrong) in [
        (&by_key, &identity, &der, [&foreign, &by_authority]),
        (
            &by_name,
            &by_authority,
            &of_authority,
            [&foreign, &other_name],
        ),
    ] {
        let post = async |url: &str, identity: Option<&str>, form: Parameters<'_>| {
            let mut form = form.to_vec();
            form.push(("client_id", &client.id));
            showing(ground, identity).post(url, &form).await
        };
        let request = client.request(&PKCE);
        let request: Vec<_> = request.iter().map(|(n, v)| (&**n, &**v)).collect();
        let request = &request[1..]; // client_id comes with `post`
        let unknown = (401, "invalid_client".to_owned());
        for wrong in [None, Some(&**wrong[0]), Some(&**wrong[1])] {
            assert_eq!(refused(&post(&par, wrong, request).await), unknown);
        }
        let ordinary = ground.endpoint("pushed_authorization_request_endpoint");
        assert_eq!(
            refused(&post(ordinary, Some(identity), request).await),
            unknown
        );
        let pushed = post(&par, Some(identity), request).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let uri = text(&pushed.json(), "request_uri");
        let code = arrive(ground, &ground.citizen, &client.id, &uri)
            .await
            .code();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        let answer = post(&alias("token_endpoint"), Some(identity), &form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let tokens = answer.json();
        assert_eq!(tokens["token_type"], "Bearer");
        let access = text(&tokens, "access_token");
        assert_eq!(peek(&access).claims["cnf"], json!({"x5t#S256": hash(der)}));
        let see = async |url: &str, identity: Option<&str>| {
            let program = showing(ground, identity);
            program
                .send(program.request(Method::GET, url).bearer_auth(&access))
                .await
        };
        let here = alias("userinfo_endpoint");
        assert_eq!(see(&here, Some(identity)).await.status, 200);
        for (url, identity) in [
            (&*here, None),
            (&here, Some(&**wrong[0])),
            (ground.endpoint("userinfo_endpoint"), Some(&**identity)),
        ] {
            assert_eq!(
                refused(&see(url, identity).await),
                (401, "invalid_token".to_owned())
            );
        }
    }
}
