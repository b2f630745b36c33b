//! Which addresses the node may speak to. Private, loopback and special ranges are refused unless the operator lists
//! them; names below `localhost` are mapped to loopback only in the demonstration, and only to its own port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::{Host, Url};

/// Why a destination was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("only https is spoken to other parties")]
    Scheme,
    #[error("the address has no host, or names a user")]
    Form,
    #[error("{0} is not a public address; list its range in outbound.allow if it is meant")]
    Address(IpAddr),
    #[error("the name {0} has no address that may be spoken to")]
    Name(String),
}

/// The rules of the way out.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Private ranges that the operator allows.
    pub allow: Vec<IpNet>,
    /// The demonstration's own port: plain http and `*.localhost` are admitted there and nowhere else.
    pub demo_port: Option<u16>,
}

impl Guard {
    /// Checks what can be seen in the URL itself. Literal addresses never reach the resolver, so they are judged here.
    pub fn check_url(&self, url: &Url) -> Result<(), Refusal> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Form);
        }
        let host = url.host().ok_or(Refusal::Form)?;
        if self.is_demo(url) {
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err(Refusal::Scheme);
        }
        match host {
            Host::Ipv4(ip) => self.check_address(ip.into()),
            Host::Ipv6(ip) => self.check_address(ip.into()),
            Host::Domain(name) if is_localhost(name) => Err(Refusal::Name(name.to_owned())),
            Host::Domain(_) => Ok(()),
        }
    }

    /// The loopback address for a name of the demonstration.
    pub fn loopback_name(&self, host: &str) -> Option<IpAddr> {
        (self.demo_port.is_some() && is_localhost(host)).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Keeps the addresses that may be spoken to; one bad address does not spoil the others.
    pub fn check_addresses(
        &self,
        host: &str,
        addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Refusal> {
        if self.loopback_name(host).is_some() {
            return Ok(addresses);
        }
        let mut refused = Refusal::Name(host.to_owned());
        let mut kept = Vec::new();
        for address in addresses {
            match self.check_address(address.ip()) {
                Ok(()) => kept.push(address),
                Err(refusal) => refused = refusal,
            }
        }
        if kept.is_empty() {
            Err(refused)
        } else {
            Ok(kept)
        }
    }

    fn check_address(&self, ip: IpAddr) -> Result<(), Refusal> {
        let ip = ip.to_canonical();
        if self.allow.iter().any(|net| net.contains(&ip)) || is_public(ip) {
            Ok(())
        } else {
            Err(Refusal::Address(ip))
        }
    }

    fn is_demo(&self, url: &Url) -> bool {
        self.demo_port.is_some_and(|port| {
            url.port_or_known_default() == Some(port)
                && matches!(url.host(), Some(Host::Domain(name)) if is_localhost(name))
                && matches!(url.scheme(), "http" | "https")
        })
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// IANA special-purpose registry, IPv4.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))) // benchmarking
}

/// Global unicast only, and of that neither documentation nor anything that carries an IPv4 address inside.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let global = s[0] & 0xe000 == 0x2000;
    let documentation = (s[0] == 0x2001 && s[1] == 0x0db8) || s[0] == 0x3fff;
    let special = (s[0] == 0x2001 && s[1] < 0x0200) || s[0] == 0x2002; // Teredo, ORCHID, benchmarking, 6to4
    global && !documentation && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &Guard, url: &str) -> Result<(), Refusal> {
        guard.check_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn literal_addresses_in_every_disguise() {
        let guard = Guard::default();
        for url in [
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://10.0.0.1/",
            "https://172.16.9.9/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://192.0.2.1/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[2001:db8::1]/",
            "https://[2002:7f00:1::]/",
            "https://localhost/",
            "https://id.localhost/",
            "https://id.LOCALHOST./",
        ] {
            assert!(check(&guard, url).is_err(), "{url}");
        }
        for url in [
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
            "https://id.example.cn/x?y",
        ] {
            assert_eq!(check(&guard, url), Ok(()), "{url}");
        }
        assert_eq!(check(&guard, "http://id.example.cn/"), Err(Refusal::Scheme));
        assert_eq!(
            check(&guard, "https://u:p@id.example.cn/"),
            Err(Refusal::Form)
        );
    }

    #[test]
    fn the_demonstration_is_reached_on_its_own_port_only() {
        let guard = Guard {
            allow: Vec::new(),
            demo_port: Some(8080),
        };
        assert_eq!(check(&guard, "http://id.localhost:8080/x"), Ok(()));
        assert_eq!(check(&guard, "https://gd.localhost:8080/x"), Ok(()));
        assert_eq!(
            check(&guard, "http://id.localhost:8081/x"),
            Err(Refusal::Scheme)
        );
        assert!(check(&guard, "https://id.localhost:8081/x").is_err());
        assert!(check(&guard, "http://127.0.0.1:8080/x").is_err());
        assert!(check(&guard, "http://notlocalhost:8080/x").is_err());
    }

    #[test]
    fn listed_ranges_and_resolved_addresses() {
        let guard = Guard {
            allow: vec!["10.1.0.0/16".parse().unwrap()],
            demo_port: None,
        };
        assert_eq!(check(&guard, "https://10.1.2.3/"), Ok(()));
        assert!(check(&guard, "https://10.2.2.3/").is_err());
        let of = |ips: &[&str]| {
            ips.iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), 443))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            guard
                .check_addresses("a.cn", of(&["10.9.9.9", "1.1.1.1"]))
                .unwrap(),
            of(&["1.1.1.1"])
        );
        assert_eq!(
            guard.check_addresses("a.cn", of(&["127.0.0.1"])),
            Err(Refusal::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)))
        );
        assert_eq!(
            guard.check_addresses("a.cn", Vec::new()),
            Err(Refusal::Name("a.cn".into()))
        );
        assert_eq!(guard.loopback_name("id.localhost"), None);
    }
}
