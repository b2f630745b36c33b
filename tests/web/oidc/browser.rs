//! A browser, and what it is answered.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use hefu::web::source::Source;
use serde_json::Value;
use url::Url;

use super::{TestHouse, encode};
use crate::support::federation::LEAF;

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// A browser with its cookies.
pub struct Browser<'h> {
    pub house: &'h TestHouse,
    pub cookies: BTreeMap<String, String>,
    pub source: IpAddr,
}

impl Browser<'_> {
    pub async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path)
            .extension(Source(self.source))
            .header(header::COOKIE, self.cookie())
            .body(Body::empty());
        self.keep(request.unwrap()).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = Request::post(path)
            .extension(Source(self.source))
            .header(header::COOKIE, self.cookie())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(encode(form)));
        self.keep(request.unwrap()).await
    }

    /// The leaf's request, signed.
    pub async fn ask(&mut self, jti: &str, changes: Value) -> Answer {
        let object = self.house.request_object(jti, changes);
        self.get(&format!(
            "/authorize?{}",
            encode(&[("client_id", LEAF), ("request", &object)])
        ))
        .await
    }

    /// A plain request of a registered client.
    pub async fn ask_plain(
        &mut self,
        client: &str,
        redirect_uri: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let mut form = vec![
            ("client_id", client),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "a b&c"),
        ];
        form.retain(|(name, _)| more.iter().all(|(n, _)| n != name));
        form.extend(more.iter().filter(|(_, v)| !v.is_empty()));
        self.get(&format!("/authorize?{}", encode(&form))).await
    }

    fn cookie(&self) -> String {
        self.cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    async fn keep(&mut self, request: Request<Body>) -> Answer {
        let answer = self.house.send(request).await;
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

impl Answer {
    pub fn location(&self) -> Url {
        let location = self
            .headers
            .get(header::LOCATION)
            .unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.body));
        assert_eq!(self.status, StatusCode::SEE_OTHER);
        Url::parse(location.to_str().unwrap()).unwrap()
    }

    /// What the relying party is told, in the query.
    pub fn told(&self) -> BTreeMap<String, String> {
        self.location().query_pairs().into_owned().collect()
    }

    /// The same, in the fragment; the query says nothing then.
    pub fn told_in_fragment(&self) -> BTreeMap<String, String> {
        let location = self.location();
        assert_eq!(location.query(), None, "{location}");
        let fragment = location.fragment().unwrap_or_default();
        url::form_urlencoded::parse(fragment.as_bytes())
            .into_owned()
            .collect()
    }

    /// The same, in the form that posts itself.
    pub fn told_in_form(&self) -> BTreeMap<String, String> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        let unescaped = |text: &str| text.replace("&#38;", "&").replace("&amp;", "&");
        self.body
            .split("<input type=\"hidden\" name=\"")
            .skip(1)
            .map(|input| {
                let (name, rest) = input.split_once("\" value=\"").expect("a value");
                let value = rest.split('"').next().unwrap_or_default();
                (name.to_owned(), unescaped(value))
            })
            .collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.body))
    }

    /// The text of the element with this id.
    pub fn element(&self, id: &str) -> String {
        let after = self
            .body
            .split(&format!("id=\"{id}\""))
            .nth(1)
            .unwrap_or_else(|| panic!("no #{id}: {} {}", self.status, self.body));
        let inner = after.split_once('>').unwrap().1;
        inner.split('<').next().unwrap().to_owned()
    }

    pub fn csrf(&self) -> String {
        let after = self
            .body
            .split("name=\"csrf_token\" value=\"")
            .nth(1)
            .expect("a form");
        after.split('"').next().unwrap().to_owned()
    }
}
