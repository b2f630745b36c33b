//! Loopback redirect URIs of native apps (RFC 8252 §7.3): the app takes whatever port is free, so the port is not compared. Only the
//! two addresses are loopback for sure; `localhost` is a name that a machine may resolve otherwise (§8.3), and is compared as it is.

/// Whether both are http addresses of the same loopback host, with the same path and query, on whatever ports.
pub(super) fn differ_by_port(known: &str, sent: &str) -> bool {
    let (known, sent) = (without_port(known), without_port(sent));
    known.is_some() && known == sent
}

/// Host and what follows the port. Read from the text itself: nothing is made equal that a URL parser would make equal.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]"]
        .into_iter()
        .find(|host| rest.starts_with(host))?;
    let rest = &rest[host.len()..];
    let path = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let port: u16 = rest[..end].parse().ok()?;
            if port == 0 {
                return None;
            }
            &rest[end..]
        }
    };
    // A longer host name, or a user name with a host behind it, is none.
    (path.is_empty() || path.starts_with(['/', '?'])).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        for (known, sent, fits) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", true),
            (
                "http://127.0.0.1:1/cb?x=1",
                "http://127.0.0.1:2/cb?x=1",
                true,
            ),
            ("http://127.0.0.1:8080/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]/cb", "http://[::1]:49152/cb", true),
            ("http://127.0.0.1", "http://127.0.0.1:9", true),
            ("http://127.0.0.1/cb", "http://[::1]:49152/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/CB", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb/", false),
            (
                "http://127.0.0.1/cb",
                "http://127.0.0.1:49152/cb?x=1",
                false,
            ),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb#x", false),
            ("http://127.0.0.1/cb", "https://127.0.0.1:49152/cb", false),
            ("http://127.0.0.1/cb", "HTTP://127.0.0.1:49152/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.2:49152/cb", false),
            ("http://127.0.0.1/cb", "http://127.1:49152/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:+80/cb", false),
            (
                "http://127.0.0.1/cb",
                "http://127.0.0.1:80@evil.example/cb",
                false,
            ),
            (
                "http://127.0.0.1/cb",
                "http://127.0.0.1.evil.example/cb",
                false,
            ),
            ("http://127.0.0.1/cb", "http://u@127.0.0.1:80/cb", false),
            ("http://localhost/cb", "http://localhost:49152/cb", false),
            ("https://127.0.0.1/cb", "https://127.0.0.1:49152/cb", false),
            ("https://rp.example/cb", "https://rp.example:8443/cb", false),
        ] {
            assert_eq!(differ_by_port(known, sent), fits, "{known} {sent}");
        }
    }
}
