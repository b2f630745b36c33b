//! The one name by which a client of a public key infrastructure is known (RFC 8705 §2.1.2): what a registration holds,
//! and whether a certificate bears it.

use std::net::IpAddr;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::ClientCertificate;
use super::distinguished::DistinguishedName;

/// What the certificate must say of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateName {
    Subject(DistinguishedName),
    Dns(String),
    Uri(String),
    Ip(IpAddr),
    Email(String),
}

impl CertificateName {
    /// The members of registration metadata.
    pub const MEMBERS: [&'static str; 5] = [
        "tls_client_auth_subject_dn",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_uri",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_email",
    ];

    /// Reads the value of one member; `None`: it has not the form that the member's name promises.
    pub fn parse(member: &str, value: &str) -> Option<Self> {
        if value.is_empty() || value.len() > 2048 {
            return None;
        }
        Some(match member {
            "tls_client_auth_subject_dn" => Self::Subject(DistinguishedName::parse(value)?),
            "tls_client_auth_san_dns" => Self::Dns(value.to_ascii_lowercase()),
            "tls_client_auth_san_uri" => Self::Uri(value.to_owned()),
            "tls_client_auth_san_ip" => Self::Ip(value.parse().ok()?),
            "tls_client_auth_san_email" => Self::Email(value.to_owned()),
            _ => return None,
        })
    }

    /// Whether the certificate says this. Whether it may be believed is asked of `Authorities`.
    pub fn is_of(&self, certificate: &ClientCertificate) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate.der()) else {
            return false;
        };
        if let Self::Subject(expected) = self {
            return DistinguishedName::of(certificate.subject()).as_ref() == Some(expected);
        }
        let Ok(Some(alternatives)) = certificate.subject_alternative_name() else {
            return false;
        };
        alternatives
            .value
            .general_names
            .iter()
            .any(|name| match (self, name) {
                (Self::Dns(expected), GeneralName::DNSName(name)) => {
                    name.eq_ignore_ascii_case(expected)
                }
                (Self::Uri(expected), GeneralName::URI(name))
                | (Self::Email(expected), GeneralName::RFC822Name(name)) => name == expected,
                // RFC 8705 §2.1.2: compared in binary form.
                (Self::Ip(IpAddr::V4(expected)), GeneralName::IPAddress(bytes)) => {
                    *bytes == expected.octets()
                }
                (Self::Ip(IpAddr::V6(expected)), GeneralName::IPAddress(bytes)) => {
                    *bytes == expected.octets()
                }
                _ => false,
            })
    }
}
