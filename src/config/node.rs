//! `[node]`: what the process itself needs: where it listens, whom it may speak to, where its key-encryption key is.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

/// Settings of the process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Where the entities are served.
    pub listen: Vec<SocketAddr>,
    /// Where clients are asked for their certificates (RFC 8705): for the `mtls.url` of providers. Needs `tls`, whose certificate
    /// must be good for that name too.
    #[serde(default)]
    pub mtls_listen: Vec<SocketAddr>,
    /// Health, readiness and metrics; never reachable from outside.
    #[serde(default)]
    pub private_listen: Option<SocketAddr>,
    /// Operators' consoles of the node's entities, on the private listener.
    #[serde(default)]
    pub console: Option<Console>,
    /// Certificate chain and key. Without it, a TLS-terminating proxy must stand in front and be listed in `proxies`.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Seconds for which browsers keep to https (`Strict-Transport-Security`); 0: they are not told. Unsaid: a year where the node
    /// itself speaks TLS. A proxy that does can say it, or this can.
    #[serde(default)]
    pub hsts_seconds: Option<u32>,
    /// Proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub proxies: Vec<IpNet>,
    #[serde(default)]
    pub outbound: Outbound,
    pub kek: KekSource,
    #[serde(default)]
    pub log: Log,
    /// Unique among the nodes that share a database; leases are held under it. Default: made anew at each start.
    #[serde(default)]
    pub name: Option<String>,
    /// Set by the demonstration only; a file cannot.
    #[serde(skip)]
    pub demo: Option<Demo>,
}

impl Node {
    /// What browsers are told of https, if anything. Not in the demonstration: it lives on names that other programs use without TLS.
    pub fn hsts(&self) -> Option<u32> {
        const YEAR: u32 = 31_536_000;
        let usual = if self.tls.is_some() && self.demo.is_none() {
            YEAR
        } else {
            0
        };
        Some(self.hsts_seconds.unwrap_or(usual)).filter(|seconds| *seconds > 0)
    }
}

/// Where operators' browsers find the consoles: below `<origin>/console/<name of the entity>`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Scheme, host and port, as browsers see them. Passkeys belong to its host. Whatever speaks TLS in front of the private listener
    /// must be reached under this name.
    pub origin: String,
}

/// What only the demonstration may do.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    pub port: u16,
    /// Cookies without `Secure`, identifiers with `http`.
    pub plain_http: bool,
}

/// Files of the node's certificate; read again when they change.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Whom the node may speak to beyond public addresses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Private ranges that other entities live in.
    pub allow: Vec<IpNet>,
    /// PEM files of further trust roots.
    pub trust_roots: Vec<PathBuf>,
}

/// Where the key-encryption key is: 32 bytes in base64url.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum KekSource {
    File(PathBuf),
    /// Name of an environment variable.
    Env(String),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Log {
    Text,
    #[default]
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_kept_to_where_the_node_speaks_it() {
        let read = |more: &str| -> Node {
            toml::from_str(&format!("listen = []\nkek = {{ file = \"k\" }}\n{more}")).unwrap()
        };
        let tls = "tls = { certificate = \"c\", key = \"k\" }";
        for (more, told) in [
            ("", None),
            (tls, Some(31_536_000)),
            ("hsts_seconds = 60", Some(60)),
            (&format!("{tls}\nhsts_seconds = 60"), Some(60)),
            (&format!("{tls}\nhsts_seconds = 0"), None),
        ] {
            assert_eq!(read(more).hsts(), told, "{more}");
        }
        let demo = Node {
            demo: Some(Demo {
                port: 1,
                plain_http: false,
            }),
            ..read(tls)
        };
        assert_eq!(demo.hsts(), None);
    }
}
