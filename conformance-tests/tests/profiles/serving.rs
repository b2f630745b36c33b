//! How it is served. Requirements 2.9, 5.4, 6.4, 13.1, 13.2 and 13.5: methods, types, caches, origins, headers, TLS.

use std::{net::SocketAddr, sync::Arc};

use reqwest::Method;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ProtocolVersion, RootCertStore,
    SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use serde_json::json;

use super::ground::{Ground, ground};
use super::party::{Client, Faults, refused};

/// 13.2: a wrong method is said to be wrong, never led elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn endpoints_take_their_methods_alone() {
    let ground = ground().await;
    let program = ground.program();
    let mut faults = Faults::default();
    for (name, wrong) in [
        (
            "token_endpoint",
            &[Method::GET, Method::PUT, Method::DELETE][..],
        ),
        (
            "pushed_authorization_request_endpoint",
            &[Method::GET, Method::PUT],
        ),
        ("revocation_endpoint", &[Method::GET, Method::PUT]),
        ("introspection_endpoint", &[Method::GET, Method::PUT]),
        ("device_authorization_endpoint", &[Method::GET, Method::PUT]),
        ("registration_endpoint", &[Method::GET, Method::PUT]),
        ("userinfo_endpoint", &[Method::PUT, Method::DELETE]),
        ("jwks_uri", &[Method::POST]),
        ("authorization_endpoint", &[Method::PUT, Method::DELETE]),
        ("end_session_endpoint", &[Method::PUT]),
    ] {
        for method in wrong {
            let request = program.request(method.clone(), ground.endpoint(name));
            let answer = program.send(request).await;
            faults.same((name, method), &answer.status.as_u16(), &405);
            faults.same((name, method), &answer.header("allow").is_empty(), &false);
        }
    }
    faults.none();
}

/// 13.5: who may read from another origin.
#[tokio::test(flavor = "multi_thread")]
async fn origins_may_read_what_they_need() {
    let ground = ground().await;
    let program = ground.program();
    let issuer = ground.issuer();
    let mut faults = Faults::default();
    let origin = "https://spa.hefu.test";
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/openid-federation",
        "/jwks",
    ] {
        let request = program.request(Method::GET, &format!("{issuer}{path}"));
        let answer = program.send(request.header("origin", origin)).await;
        faults.same(path, &answer.status.as_u16(), &200);
        faults.same(path, &answer.header("access-control-allow-origin"), &"*");
        faults.same(
            path,
            &answer.header("cache-control").contains("no-store"),
            &false,
        );
        faults.same(path, &answer.header("x-content-type-options"), &"nosniff");
    }
    for (name, method) in [
        ("token_endpoint", "POST"),
        ("revocation_endpoint", "POST"),
        ("userinfo_endpoint", "GET"),
        ("userinfo_endpoint", "POST"),
    ] {
        let url = ground.endpoint(name);
        let asked = program
            .request(Method::OPTIONS, url)
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization, dpop");
        let answer = program.send(asked).await;
        faults.same((name, "preflight"), &answer.status.is_success(), &true);
        faults.same(name, &answer.header("access-control-allow-origin"), &"*");
        for (header, part) in [
            ("access-control-allow-methods", method),
            ("access-control-allow-headers", "authorization"),
            ("access-control-allow-headers", "dpop"),
        ] {
            let value = answer.header(header).to_owned();
            faults.same((name, header, &value), &value.contains(part), &true);
        }
        let method: Method = method.parse().expect("a method");
        let answer = program
            .send(
                program
                    .request(method, url)
                    .header("origin", origin)
                    .bearer_auth("x"),
            )
            .await;
        faults.same(name, &answer.header("access-control-allow-origin"), &"*");
        faults.same(
            name,
            &answer.header("access-control-allow-credentials"),
            &"",
        );
        let exposed = answer.header("access-control-expose-headers").to_owned();
        faults.same(name, &exposed.contains("dpop-nonce"), &true);
    }
    // Where people are, nobody reads from elsewhere.
    for name in [
        "authorization_endpoint",
        "end_session_endpoint",
        "check_session_iframe",
    ] {
        let request = program.request(Method::GET, ground.endpoint(name));
        let answer = program.send(request.header("origin", origin)).await;
        faults.same(name, &answer.header("access-control-allow-origin"), &"");
    }
    faults.none();
}

/// 13.5 and 6.4: nothing of the protocol is kept, and everything has a date.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_protocol_are_not_kept() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let mut faults = Faults::default();
    for name in [
        "token_endpoint",
        "pushed_authorization_request_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "device_authorization_endpoint",
    ] {
        let answer = client.post(ground, name, &[("a", "b"), ("a", "c")]).await;
        faults.same(
            name,
            &refused(&answer),
            &(400, "invalid_request".to_owned()),
        );
        faults.same(name, &answer.header("date").is_empty(), &false);
        let program = ground.program();
        let wrong_type = program
            .request(Method::POST, ground.endpoint(name))
            .basic_auth(&client.id, Some(&client.secret))
            .json(&json!({}));
        let answer = program.send(wrong_type).await;
        faults.same(
            name,
            &refused(&answer),
            &(400, "invalid_request".to_owned()),
        );
    }
    let first = ground.citizen.get(&client.url(ground, &[])).await;
    faults.same("redirect", &first.header("cache-control"), &"no-store");
    faults.same("redirect", &first.header("date").is_empty(), &false);
    let page = ground
        .program()
        .get(ground.endpoint("authorization_endpoint"))
        .await;
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        faults.same(name, &page.header(name), &value);
    }
    let csp = page.header("content-security-policy");
    faults.same(csp, &csp.contains("frame-ancestors 'none'"), &true);
    faults.same(
        csp,
        &(csp.contains("unsafe-inline") || csp.contains("unsafe-eval")),
        &false,
    );
    faults.none();
}

/// What is too long is refused; whoever goes on writing finds the door closed.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_an_end() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let much = "x".repeat(300 * 1024);
    let program = ground.program();
    for name in [
        "token_endpoint",
        "pushed_authorization_request_endpoint",
        "introspection_endpoint",
    ] {
        let request = program.request(Method::POST, ground.endpoint(name));
        let request = client.proven(ground, request, &[("token", &much)]);
        if let Ok(answer) = request.send().await {
            assert_eq!(answer.status(), 413, "{name}");
        }
        let answer = client.post(ground, name, &[("token", &much[..1024])]).await;
        assert!(answer.status.as_u16() < 413, "{name}: {}", answer.body);
    }
}

static BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];
static OLDER: &[&SupportedProtocolVersion] = &[&TLS12];

#[derive(Debug)]
struct Handshake {
    version: ProtocolVersion,
    suite: CipherSuite,
    alpn: Option<Vec<u8>>,
}

/// A handshake by these versions and suites, for this name.
async fn handshake(
    ground: &'static Ground,
    name: &'static str,
    versions: &'static [&'static SupportedProtocolVersion],
    suites: &'static [CipherSuite],
    alpn: &'static [u8],
) -> Result<Handshake, String> {
    tokio::task::spawn_blocking(move || {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(ground.lab.ca()).map_err(|e| e.to_string())?;
        roots.add(ca).map_err(|e| e.to_string())?;
        let mut provider: CryptoProvider = aws_lc_rs::default_provider();
        if !suites.is_empty() {
            provider
                .cipher_suites
                .retain(|suite| suites.contains(&suite.suite()));
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !alpn.is_empty() {
            config.alpn_protocols = vec![alpn.to_vec()];
        }
        let name = ServerName::try_from(name).map_err(|e| e.to_string())?;
        let mut client =
            ClientConnection::new(Arc::new(config), name).map_err(|e| e.to_string())?;
        let port = ground
            .issuer()
            .rsplit(':')
            .next()
            .and_then(|p| p.parse().ok());
        let address: SocketAddr = ([127, 0, 0, 1], port.expect("a port")).into();
        let mut socket = std::net::TcpStream::connect(address).map_err(|e| e.to_string())?;
        while client.is_handshaking() {
            client.complete_io(&mut socket).map_err(|e| e.to_string())?;
        }
        Ok(Handshake {
            version: client.protocol_version().ok_or("no version")?,
            suite: client.negotiated_cipher_suite().ok_or("no suite")?.suite(),
            alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        })
    })
    .await
    .expect("it ends")
}

/// 13.1 and 13.2.
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_of_today() {
    let ground = ground().await;
    let best = handshake(ground, "localhost", BOTH, &[], b"h2")
        .await
        .expect("TLS");
    assert_eq!(best.version, ProtocolVersion::TLSv1_3);
    assert_eq!(best.alpn.as_deref(), Some(&b"h2"[..]));
    let plain = handshake(ground, "localhost", BOTH, &[], b"http/1.1")
        .await
        .expect("TLS");
    assert_eq!(plain.alpn.as_deref(), Some(&b"http/1.1"[..]));
    let older = handshake(ground, "localhost", OLDER, &[], b"")
        .await
        .expect("TLS 1.2");
    assert_eq!(older.version, ProtocolVersion::TLSv1_2);
    let name = format!("{:?}", older.suite);
    assert!(
        name.contains("ECDHE") && (name.contains("GCM") || name.contains("CHACHA20")),
        "{name}"
    );
    for suite in [
        &[CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256][..],
        &[CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384],
        &[CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256],
    ] {
        let shaken = handshake(ground, "localhost", OLDER, suite, b"")
            .await
            .expect("TLS 1.2");
        assert_eq!(shaken.suite, suite[0]);
    }
    // Its certificate is of another kind: nothing in common, and said so.
    let rsa: &[CipherSuite] = &[CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
    let refused = handshake(ground, "localhost", OLDER, rsa, b"").await;
    let refused = refused.expect_err("no suite in common");
    assert!(refused.contains("HandshakeFailure"), "{refused}");
    // An unknown name is shown the default certificate, which is not for it; by an address there is no name at all.
    for name in ["unknown.hefu.test", "127.0.0.1"] {
        let error = handshake(ground, name, BOTH, &[], b"")
            .await
            .expect_err("another name");
        assert!(
            error.contains("certificate not valid for name") || error.contains("NotValidForName"),
            "{name}: {error}"
        );
    }
}

/// A request for another host is for nobody here.
#[tokio::test(flavor = "multi_thread")]
async fn another_host_is_misdirected() {
    let ground = ground().await;
    let program = ground.program();
    let request = program
        .request(
            Method::GET,
            &format!("{}/.well-known/openid-configuration", ground.issuer()),
        )
        .header("host", "other.hefu.test");
    let answer = program.send(request).await;
    assert_eq!(answer.status, 421);
}
