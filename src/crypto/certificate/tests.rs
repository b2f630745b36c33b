use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};

use super::*;

/// 2026-03-02.
const NOW: UnixTime = UnixTime(1_772_414_130);

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::new(vec![
        "rp.example".to_owned(),
        "192.0.2.7".to_owned(),
        "2001:db8::7".to_owned(),
    ])
    .unwrap();
    params
        .subject_alt_names
        .push(SanType::URI("https://rp.example/id".try_into().unwrap()));
    params
        .subject_alt_names
        .push(SanType::Rfc822Name("rp@rp.example".try_into().unwrap()));
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = &mut params.distinguished_name;
    name.push(DnType::CountryName, "CN");
    name.push(DnType::OrganizationName, "示范, 局");
    name.push(DnType::CommonName, "rp");
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn issue(params: &CertificateParams, by: &CertifiedIssuer<'static, KeyPair>) -> ClientCertificate {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    ClientCertificate::new(vec![certificate.der().to_vec()]).unwrap()
}

#[test]
fn authorities_vouch_for_what_they_issued_while_it_is_valid() {
    let (ours, other) = (authority("ours"), authority("other"));
    let authorities = Authorities::parse(ours.pem().as_bytes()).unwrap();
    let good = issue(&params(), &ours);
    assert!(authorities.vouch_for(&good, NOW));
    assert!(!authorities.vouch_for(&good, NOW.plus(366 * 86_400)));
    assert!(!authorities.vouch_for(&good, NOW.plus(-366 * 86_400)));
    assert!(!authorities.vouch_for(&issue(&params(), &other), NOW));
    let own = params().self_signed(&KeyPair::generate().unwrap()).unwrap();
    let own = ClientCertificate::new(vec![own.der().to_vec()]).unwrap();
    assert!(!authorities.vouch_for(&own, NOW));
    let mut for_servers = params();
    for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert!(!authorities.vouch_for(&issue(&for_servers, &ours), NOW));
    let odd = ClientCertificate::new(vec![b"no certificate".to_vec()]).unwrap();
    assert!(!authorities.vouch_for(&odd, NOW));
    for bad in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(Authorities::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert_eq!(ClientCertificate::new(Vec::new()), None);
}

#[test]
fn a_certificate_bears_the_name_that_was_registered() {
    let certificate = issue(&params(), &authority("ours"));
    for (member, value, fits) in [
        ("subject_dn", r"CN=rp,O=示范\, 局,C=CN", true),
        ("subject_dn", r"cn=rp, o=示范\2C 局, c=CN", true),
        ("subject_dn", r"C=CN,O=示范\, 局,CN=rp", false),
        ("subject_dn", "CN=rp", false),
        ("subject_dn", r"CN=RP,O=示范\, 局,C=CN", false),
        ("san_dns", "RP.example", true),
        ("san_dns", "other.example", false),
        ("san_uri", "https://rp.example/id", true),
        ("san_uri", "https://rp.example/ID", false),
        // Each kind of name is looked for among its own.
        ("san_uri", "rp.example", false),
        ("san_dns", "192.0.2.7", false),
        ("san_ip", "192.0.2.7", true),
        ("san_ip", "2001:DB8:0::7", true),
        ("san_ip", "192.0.2.8", false),
        ("san_email", "rp@rp.example", true),
        ("san_email", "other@rp.example", false),
    ] {
        let member = format!("tls_client_auth_{member}");
        assert!(CertificateName::MEMBERS.contains(&member.as_str()));
        let name = CertificateName::parse(&member, value).unwrap();
        assert_eq!(name.is_of(&certificate), fits, "{member} {value}");
    }
    for (member, value) in [
        ("tls_client_auth_san_ip", "rp.example"),
        ("tls_client_auth_subject_dn", "rp"),
        ("tls_client_auth_san_dns", ""),
        ("tls_client_auth_san", "x"),
    ] {
        assert_eq!(CertificateName::parse(member, value), None, "{member}");
    }
    let odd = ClientCertificate::new(vec![b"no certificate".to_vec()]).unwrap();
    assert!(!CertificateName::Dns("rp.example".to_owned()).is_of(&odd));
}
