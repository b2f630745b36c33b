//! A relying party of the stranger's: it registers itself, sends the citizen to the authorization endpoint, and redeems what comes back.

use std::collections::BTreeMap;

use conformance_tests::{
    lab::{self, CITIZEN, REDIRECT_URI},
    statement::{Statement, verify},
    visitor::{Answer, Visitor},
};
use reqwest::Method;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::ground::Ground;
use super::signing::{Key, jti};

pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub const STATE: &str = "af0ifjsldkj ?&=#+%/\"<>";
pub const NONCE: &str = "n-0S6_WzA2Mj";
/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A registered client.
pub struct Client {
    pub id: String,
    pub secret: String,
    /// All it was told when it registered.
    pub told: Value,
    pub key: Key,
}

/// Where an answer stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Query,
    Fragment,
    Form,
    /// A page of the provider's own that tells an error.
    Page,
    /// A page that asks the person something; its form's id is in `values["form"]`.
    Asks,
}

use Place::{Asks, Form, Fragment, Page, Query};

/// An authorization answer.
#[derive(Debug)]
pub struct Told {
    pub place: Place,
    pub values: BTreeMap<String, String>,
    pub answer: Answer,
}

pub type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Client {
    /// client_secret_basic, the code flow, refresh tokens.
    pub async fn open(ground: &Ground) -> Self {
        Self::with(ground, json!({})).await
    }

    /// The same, with these members in the place of those.
    pub async fn with(ground: &Ground, more: Value) -> Self {
        let key = Key::new();
        let mut metadata = json!({"client_name": "profiles", "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"]});
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        if metadata["jwks"] == "own" {
            metadata["jwks"] = json!({"keys": [key.public()]});
        }
        let answer = register(ground, &metadata).await;
        assert_eq!(answer.status, 201, "{metadata}: {}", answer.body);
        let told = answer.json();
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("client_id"),
            secret: text("client_secret"),
            key,
            told,
        }
    }

    /// For this response type, with the grants that it needs.
    pub async fn for_type(ground: &Ground, response_type: &str) -> Self {
        let mut grants = vec!["refresh_token"];
        if response_type.contains("code") {
            grants.push("authorization_code");
        }
        if response_type.contains("token") {
            grants.push("implicit");
        }
        let members = json!({"response_types": [response_type], "grant_types": grants});
        Self::with(ground, members).await
    }

    /// A client of FAPI 2.0: private_key_jwt, DPoP.
    pub async fn fapi(ground: &Ground, more: Value) -> Self {
        let mut metadata = json!({"hefu_profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256", "jwks": "own"});
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        Self::with(ground, metadata).await
    }

    /// One of the configuration file.
    pub fn configured(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            told: json!({"token_endpoint_auth_method": "client_secret_basic"}),
            key: Key::new(),
        }
    }

    pub fn lab_one() -> Self {
        Self::configured(lab::CLIENT.0, lab::CLIENT.1)
    }

    /// An authorization request: what everybody sends, overlaid with `more`; an empty value leaves a parameter out.
    pub fn request(&self, more: Parameters<'_>) -> Vec<(String, String)> {
        let usual = [
            ("client_id", &*self.id),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", STATE),
            ("nonce", NONCE),
        ];
        let kept = usual
            .iter()
            .filter(|(name, _)| !more.iter().any(|(n, _)| n == name));
        kept.chain(more.iter().filter(|(_, value)| !value.is_empty()))
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    pub fn url(&self, ground: &Ground, more: Parameters<'_>) -> String {
        let mut url: Url = ground
            .endpoint("authorization_endpoint")
            .parse()
            .expect("a URL");
        url.query_pairs_mut().extend_pairs(self.request(more));
        url.into()
    }

    /// Asks, and does what a citizen does who logs in and agrees, until an answer comes.
    pub async fn ask(&self, ground: &Ground, browser: &Visitor, more: Parameters<'_>) -> Told {
        let first = browser.get(&self.url(ground, more)).await;
        to_the_end(browser, first).await
    }

    /// Asks, and looks at what comes first: an answer, or a page that asks something.
    pub async fn begin(&self, ground: &Ground, browser: &Visitor, more: Parameters<'_>) -> Told {
        let first = browser.get(&self.url(ground, more)).await;
        to_the_first(browser, first).await
    }

    /// A new code of the citizen who is logged in.
    pub async fn code(&self, ground: &Ground, more: Parameters<'_>) -> String {
        self.ask(ground, &ground.citizen, more).await.code()
    }

    /// With what this client authenticates: in the form or the header, as it registered.
    pub fn proven(
        &self,
        ground: &Ground,
        request: reqwest::RequestBuilder,
        form: Parameters<'_>,
    ) -> reqwest::RequestBuilder {
        let mut form: Vec<(&str, &str)> = form.to_vec();
        let assertion = self.assertion(ground);
        match self.told["token_endpoint_auth_method"]
            .as_str()
            .unwrap_or_default()
        {
            "client_secret_basic" => {
                return request.basic_auth(&self.id, Some(&self.secret)).form(&form);
            }
            "client_secret_post" => {
                form.extend([("client_id", &*self.id), ("client_secret", &self.secret)]);
            }
            "private_key_jwt" => form.extend([
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", &assertion),
            ]),
            _ => form.push(("client_id", &self.id)),
        }
        request.form(&form)
    }

    pub fn assertion(&self, ground: &Ground) -> String {
        let now = conformance_tests::statement::now();
        let claims = json!({"iss": self.id, "sub": self.id, "aud": ground.issuer(), "jti": jti(),
            "iat": now, "exp": now + 60});
        self.key.sign("JWT", &claims)
    }

    /// Posts to an endpoint of the discovery document, with this client's proof.
    pub async fn post(&self, ground: &Ground, endpoint: &str, form: Parameters<'_>) -> Answer {
        let program = ground.program();
        let request = program.request(Method::POST, ground.endpoint(endpoint));
        program.send(self.proven(ground, request, form)).await
    }

    pub async fn redeem(&self, ground: &Ground, code: &str, more: Parameters<'_>) -> Answer {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
        ];
        form.retain(|(name, _)| !more.iter().any(|(n, _)| n == name));
        form.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        self.post(ground, "token_endpoint", &form).await
    }

    /// Tokens for a new login of the citizen with this scope.
    pub async fn tokens(&self, ground: &Ground, more: Parameters<'_>) -> Value {
        let code = self.code(ground, more).await;
        let answer = self.redeem(ground, &code, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Checked by signature and by OIDC Core 3.1.3.7.
    pub async fn id_token(&self, ground: &Ground, token: &str) -> Statement {
        let read = verify(token, &ground.jwks().await);
        let now = conformance_tests::statement::now();
        let claims = &read.claims;
        assert_eq!(claims["iss"], ground.issuer());
        assert_eq!(claims["aud"], *self.id, "one string");
        assert!(claims["sub"].is_string(), "{claims}");
        let time = |name: &str| {
            claims[name]
                .as_i64()
                .unwrap_or_else(|| panic!("{name}: {claims}"))
        };
        assert!(time("iat") <= now + 1 && time("exp") > now, "{claims}");
        read
    }
}

pub async fn register(ground: &Ground, metadata: &Value) -> Answer {
    let program = ground.program();
    let endpoint = ground.metadata["registration_endpoint"]
        .as_str()
        .expect("registration is on");
    let request = program.request(Method::POST, endpoint).json(metadata);
    program.send(request).await
}

/// Logs in and agrees wherever a page asks.
pub async fn to_the_end(browser: &Visitor, first: Answer) -> Told {
    let mut told = to_the_first(browser, first).await;
    for _ in 0..6 {
        if told.place != Asks {
            return told;
        }
        let page = &told.answer;
        let answer = match &*told.values["form"] {
            "login-form" => browser.submit(page, "login-form", &CITIZEN).await,
            "consent-form" => {
                let yes = [("decision", "allow")];
                browser.submit(page, "consent-form", &yes).await
            }
            other => panic!("{other}: {}", page.body),
        };
        told = to_the_first(browser, answer).await;
    }
    panic!("no end of pages: {told:?}");
}

/// Follows redirects until an answer to the party, or a page.
pub async fn to_the_first(browser: &Visitor, first: Answer) -> Told {
    let own = first.url.origin();
    let answer = browser.follow(first, |to| to.origin() != own).await;
    if let Some(to) = answer.location() {
        assert_eq!(answer.status, 303, "RFC 9700 4.12");
        let pairs = |text: Option<&str>| -> BTreeMap<String, String> {
            form_urlencoded::parse(text.unwrap_or_default().as_bytes())
                .into_owned()
                .collect()
        };
        let (place, values) = match to.fragment() {
            Some(fragment) => (Fragment, pairs(Some(fragment))),
            None => (Query, pairs(to.query())),
        };
        return Told {
            place,
            values,
            answer,
        };
    }
    let (place, values) = if answer.has("form-post") {
        (Form, answer.hidden("form-post").into_iter().collect())
    } else if answer.has("error-code") {
        let mut values = BTreeMap::from([("error".to_owned(), answer.text("error-code"))]);
        if answer.has("error-description") {
            let text = answer.text("error-description");
            values.insert("error_description".to_owned(), text);
        }
        (Page, values)
    } else {
        let forms = [
            "login-form",
            "consent-form",
            "step-up-reason",
            "phone-form",
            "device-form",
        ];
        let form = forms.into_iter().find(|id| answer.has(id));
        let form =
            form.unwrap_or_else(|| panic!("{} {}: {}", answer.status, answer.url, answer.body));
        (Asks, BTreeMap::from([("form".to_owned(), form.to_owned())]))
    };
    Told {
        place,
        values,
        answer,
    }
}

impl Told {
    pub fn get(&self, name: &str) -> &str {
        self.values
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The page that asks, by its form.
    pub fn asks(&self) -> &str {
        assert_eq!(self.place, Asks, "{self:?}");
        self.get("form")
    }

    pub fn code(&self) -> String {
        self.get("code").to_owned()
    }

    /// Where the error stands and which; with what every error must have.
    pub fn refusal(&self) -> (Place, &str) {
        let error = self.get("error");
        self.described();
        if self.place == Page {
            assert!(self.answer.status.is_client_error(), "{self:?}");
            return (Page, error);
        }
        // Requirements 3.5: these and nothing else.
        let known = [
            "error",
            "error_description",
            "error_uri",
            "state",
            "iss",
            "session_state",
        ];
        for name in self.values.keys() {
            assert!(known.contains(&&**name), "{name} in {self:?}");
        }
        (self.place, error)
    }

    fn described(&self) {
        described(self.get("error_description"));
    }
}

/// RFC 6749 4.1.2.1: printable ASCII without quotes and backslashes, and something said.
pub fn described(text: &str) {
    assert!(text.len() > 5, "nothing said: {text:?}");
    let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    assert!(text.chars().all(allowed), "{text:?}");
}

/// The refusal of an endpoint that answers in JSON: status and code; with what every one must have.
pub fn refused(answer: &Answer) -> (u16, String) {
    assert!(
        answer
            .header("content-type")
            .starts_with("application/json"),
        "{answer:?}"
    );
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    let told = answer.json();
    described(told["error_description"].as_str().unwrap_or_default());
    let error = told["error"].as_str().unwrap_or_else(|| panic!("{told}"));
    if answer.status == 401 {
        assert!(
            answer.headers.contains_key("www-authenticate"),
            "{answer:?}"
        );
    }
    (answer.status.as_u16(), error.to_owned())
}

/// Until the clock has left this second: tokens tell times in whole ones.
pub async fn second_after(second: i64) {
    while conformance_tests::statement::now() <= second {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

pub fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {value}"))
        .to_owned()
}

/// What did not come as it must; told all at once at the end of a table.
#[derive(Default)]
pub struct Faults(Vec<String>);

impl Faults {
    pub fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: impl std::fmt::Debug,
        got: &T,
        due: &T,
    ) {
        if got != due {
            self.0.push(format!("{what:?}: {got:?}, must be {due:?}"));
        }
    }

    pub fn none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}
