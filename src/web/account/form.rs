//! A posted form, read strictly: each field once, text only, bounded by the router's body limit.

use axum::http::{HeaderMap, header};

/// The fields of a form.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// `None` when the body is no form.
    pub fn parse(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return None;
        }
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(body)
            .into_owned()
            .take(64)
            .collect();
        Some(Self(fields))
    }

    /// The only value of `name`; `None` when it is missing or was sent twice.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(found, _)| found == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// The same, empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Fields hold passwords and codes.
        f.write_str("Form")
    }
}
