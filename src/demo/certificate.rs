//! `--tls`: a certificate authority of the demonstration's own, kept in its folder, and one certificate that lists
//! every name (browsers accept no wildcard below `localhost`).

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

use super::folder::write_whole;
use super::{crowd, plan};
use crate::config::node::Tls;

/// The certificate could not be made or written.
#[derive(Debug, thiserror::Error)]
#[error("the demo's certificate: {0}")]
pub struct CertificateError(String);

/// The file of the authority, and what the listener needs. Made at the first start, kept afterwards.
pub fn ensure(folder: &Path, large: bool) -> Result<(PathBuf, Tls), CertificateError> {
    let ca = folder.join("ca.pem");
    let tls = Tls {
        certificate: folder.join("tls.pem"),
        key: folder.join("tls-key.pem"),
    };
    // Written in this order, so that the authority's file says that the others are there.
    if !ca.exists() {
        let (ca_pem, certificate_pem, key_pem) =
            make(large).map_err(|e| CertificateError(e.to_string()))?;
        let write = |path: &Path, text: &str| {
            write_whole(path, text.as_bytes())
                .map_err(|e| CertificateError(format!("{}: {e}", path.display())))
        };
        write(&tls.key, &key_pem)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&tls.key, std::fs::Permissions::from_mode(0o600))
                .map_err(|e| CertificateError(e.to_string()))?;
        }
        write(&tls.certificate, &certificate_pem)?;
        write(&ca, &ca_pem)?;
    }
    Ok((ca, tls))
}

/// Where the files are.
pub fn paths(folder: &Path) -> (PathBuf, Tls) {
    let tls = Tls {
        certificate: folder.join("tls.pem"),
        key: folder.join("tls-key.pem"),
    };
    (folder.join("ca.pem"), tls)
}

/// The authority's key is forgotten once it has signed: nobody who reads the folder later can make further certificates.
fn make(large: bool) -> Result<(String, String, String), rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "hefu demo CA (this machine only)");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let names: Vec<String> = plan::all(large)
        .map(|p| format!("{}.localhost", p.host))
        .chain([
            "console.localhost".to_owned(),
            "localhost".to_owned(),
            format!("*.{}", crowd::HOST),
        ])
        .collect();
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name
        .push(DnType::CommonName, "hefu demo");
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &issuer)?;
    Ok((issuer.pem(), certificate.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_usable() {
        let folder = tempfile::tempdir().unwrap();
        let (ca, tls) = ensure(folder.path(), true).unwrap();
        let first = std::fs::read_to_string(&ca).unwrap();
        crate::server::tls::install_provider();
        crate::server::tls::load(&tls, crate::server::tls::Ask::Nothing).unwrap();
        ensure(folder.path(), true).unwrap();
        assert_eq!(std::fs::read_to_string(&ca).unwrap(), first);
    }
}
