//! A visitor without a browser: cookies, no scripts, redirects followed one by one so that each can be looked at.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use reqwest::{
    Method, StatusCode,
    cookie::Jar,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, LOCATION},
    redirect,
};
use url::Url;

/// Whoever has this value has the visitor's cookies.
#[derive(Clone)]
pub struct Visitor {
    http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Visitor {
    pub fn new() -> Self {
        Self::build(
            reqwest::Client::builder(),
            Arc::default(),
            Ipv4Addr::LOCALHOST.into(),
        )
    }

    /// Believes this certificate authority, and opens a connection of its own for every request: behind a balancer, each may
    /// be answered by another node.
    pub fn trusting(ca_pem: &str) -> Self {
        Self::at(ca_pem, Ipv4Addr::LOCALHOST.into(), Arc::default())
    }

    /// The same, but the names of this machine lead to `address`: one of several nodes. Cookies are kept in `jar`, so that a
    /// visitor of each node can be one person.
    pub fn at(ca_pem: &str, address: IpAddr, jar: Arc<Jar>) -> Self {
        let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes()).expect("a certificate");
        Self::build(
            reqwest::Client::builder()
                .tls_certs_only([ca])
                .http1_only()
                .pool_max_idle_per_host(0),
            jar,
            address,
        )
    }

    /// A program without cookies that shows `identity` (PEM of certificate and key) to servers that ask for one.
    pub fn showing(ca_pem: &str, address: IpAddr, identity: Option<&str>) -> Self {
        let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes()).expect("a certificate");
        let mut builder = reqwest::Client::builder().tls_certs_only([ca]);
        if let Some(pem) = identity {
            let identity = reqwest::Identity::from_pem(pem.as_bytes());
            builder = builder.identity(identity.expect("a certificate and its key"));
        }
        Self::build(builder, Arc::default(), address)
    }

    fn build(builder: reqwest::ClientBuilder, jar: Arc<Jar>, address: IpAddr) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = builder
            .cookie_provider(jar)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(ThisMachine(address)))
            .timeout(std::time::Duration::from_mins(1))
            .build()
            .expect("an HTTP client");
        Self { http }
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(self.http.get(url)).await
    }

    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> Answer {
        self.send(self.http.post(url).form(form)).await
    }

    /// For what the two above cannot say.
    pub fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.expect("an answer");
        Answer {
            url: answer.url().clone(),
            status: answer.status(),
            headers: answer.headers().clone(),
            body: answer.text().await.expect("a readable body"),
        }
    }

    /// Follows redirects by GET until a page, or until one leads to an address that `stop` wants to see first.
    pub async fn follow(&self, mut answer: Answer, stop: impl Fn(&Url) -> bool) -> Answer {
        for _ in 0..20 {
            let Some(next) = answer.location() else {
                return answer;
            };
            if stop(&next) {
                return answer;
            }
            answer = self.get(next.as_str()).await;
        }
        panic!("redirected for ever, last to {}", answer.url);
    }

    /// Fills in the form with this id, as a browser without script would, and presses its (named) button.
    pub async fn submit(&self, page: &Answer, form_id: &str, fill: &[(&str, &str)]) -> Answer {
        let form = page.form(form_id);
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for (name, value) in &form.hidden {
            if !fill.iter().any(|(n, _)| n == name) {
                fields.push((name, value));
            }
        }
        fields.extend_from_slice(fill);
        let origin = page.url.origin().ascii_serialization();
        self.send(
            self.http
                .post(form.action.clone())
                .header("origin", origin)
                .header("referer", page.url.as_str())
                .form(&fields),
        )
        .await
    }
}

impl Default for Visitor {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// Where it redirects to, made absolute.
    pub fn location(&self) -> Option<Url> {
        let to = self
            .headers
            .get(LOCATION)?
            .to_str()
            .expect("a readable Location");
        Some(self.url.join(to).expect("a valid Location"))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|e| panic!("{}: not JSON ({e}): {}", self.url, self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |v| v.to_str().expect("a readable header"))
    }

    pub fn has(&self, id: &str) -> bool {
        self.body.contains(&format!("id=\"{id}\""))
    }

    /// The text of the element with this id, tags removed.
    pub fn text(&self, id: &str) -> String {
        let (name, _, inner) = self.element(id);
        let mut depth = 1;
        let mut text = String::new();
        let mut rest = inner;
        while let Some(open) = rest.find('<') {
            text.push_str(&rest[..open]);
            rest = &rest[open..];
            let end = rest.find('>').expect("a closed tag");
            if rest[1..].starts_with(&format!("/{name}")) {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            } else if rest[1..].starts_with(name)
                && !rest[1 + name.len()..].starts_with(char::is_alphanumeric)
            {
                depth += 1;
            }
            rest = &rest[end + 1..];
        }
        unescape(
            text.split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .as_str(),
        )
    }

    pub fn attribute(&self, id: &str, name: &str) -> Option<String> {
        attribute(self.element(id).1, name)
    }

    /// The hidden fields of the form with this id.
    pub fn hidden(&self, id: &str) -> Vec<(String, String)> {
        self.form(id).hidden
    }

    fn form(&self, id: &str) -> Form {
        let (_, tag, inner) = self.element(id);
        let inner = &inner[..inner.find("</form").expect("a closed form")];
        let action = attribute(tag, "action").filter(|a| !a.is_empty());
        let action = action.map_or_else(
            || self.url.clone(),
            |a| self.url.join(&a).expect("a valid action"),
        );
        let mut hidden = Vec::new();
        for input in inner.split("<input").skip(1) {
            let tag = &input[..input.find('>').expect("a closed tag")];
            if attribute(tag, "type").as_deref() == Some("hidden")
                && let Some(name) = attribute(tag, "name")
            {
                hidden.push((name, attribute(tag, "value").unwrap_or_default()));
            }
        }
        Form { action, hidden }
    }

    /// Name, attributes and everything after the opening tag of the element with this id.
    fn element(&self, id: &str) -> (&str, &str, &str) {
        let at = self.body.find(&format!("id=\"{id}\"")).unwrap_or_else(|| {
            panic!(
                "{} ({}) has no element `{id}`:\n{}",
                self.url, self.status, self.body
            )
        });
        let start = self.body[..at].rfind('<').expect("a tag") + 1;
        let end = at + self.body[at..].find('>').expect("a closed tag");
        let tag = &self.body[start..end];
        let name = tag.split(char::is_whitespace).next().expect("a name");
        (name, tag, &self.body[end + 1..])
    }
}

struct Form {
    action: Url,
    hidden: Vec<(String, String)>,
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let length = tag[start..].find('"')?;
    Some(unescape(&tag[start..start + length]))
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find(';') else { break };
        let entity = &rest[1..end];
        let known = match entity {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => entity.strip_prefix('#').and_then(|n| {
                let code = n
                    .strip_prefix(['x', 'X'])
                    .map_or_else(|| n.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
                code.and_then(char::from_u32)
            }),
        };
        if let Some(c) = known {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// `*.localhost` is this machine (RFC 6761 §6.3): browsers know it, resolvers often do not. So is `*.test` here, which is nobody's
/// (§6.2). Nothing else is looked up.
struct ThisMachine(IpAddr);

impl Resolve for ThisMachine {
    fn resolve(&self, name: Name) -> Resolving {
        let known = name.as_str() == "localhost"
            || [".localhost", ".test"]
                .iter()
                .any(|end| name.as_str().ends_with(end));
        let (name, address) = (name.as_str().to_owned(), self.0);
        Box::pin(async move {
            if !known {
                return Err(format!("a stranger's test asks only this machine, not {name}").into());
            }
            let here: Addrs = Box::new(std::iter::once(SocketAddr::new(address, 0)));
            Ok(here)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Answer {
        Answer {
            url: "http://a.localhost:1/x/y".parse().expect("a URL"),
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn reads_a_page_as_a_person_would() {
        let page = page(
            "<main><form method=\"post\" id=\"f\" action=\"z?a=1&amp;b=2\"><input type=\"hidden\" name=\"t\" value=\"&quot;&#x41;\">\
             <input name=\"seen\"></form><p id=\"p\" data-level=\"rn2\">one <b>two</b> &lt;3</p><form id=\"g\"></form></main>",
        );
        let form = page.form("f");
        assert_eq!(form.action.as_str(), "http://a.localhost:1/x/z?a=1&b=2");
        assert_eq!(form.hidden, [("t".to_owned(), "\"A".to_owned())]);
        assert_eq!(page.form("g").action, page.url);
        assert_eq!(page.text("p"), "one two <3");
        assert_eq!(page.attribute("p", "data-level").as_deref(), Some("rn2"));
        assert!(page.has("p") && !page.has("q"));
    }
}
