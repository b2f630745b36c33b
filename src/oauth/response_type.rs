//! `response_type`: what the authorization endpoint answers with (OAuth 2.0 Multiple Response Type Encoding Practices §3, §5).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of `code`, `id_token` and `token`; never empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResponseType {
    pub code: bool,
    pub id_token: bool,
    pub token: bool,
}

impl ResponseType {
    pub const CODE: Self = Self {
        code: true,
        id_token: false,
        token: false,
    };

    /// An ID Token and nothing else: the only place that the claims of scopes can go to (OIDC Core 5.4).
    pub const ID_TOKEN: Self = Self {
        code: false,
        id_token: true,
        token: false,
    };

    /// Words in any order, each once; `None` for anything else, `none` included.
    pub fn parse(text: &str) -> Option<Self> {
        let mut found = Self {
            code: false,
            id_token: false,
            token: false,
        };
        for word in text.split(' ') {
            let place = match word {
                "code" => &mut found.code,
                "id_token" => &mut found.id_token,
                "token" => &mut found.token,
                _ => return None,
            };
            if std::mem::replace(place, true) {
                return None;
            }
        }
        Some(found)
    }

    /// Whether a token travels through the browser: then the answer goes into the fragment, never the query (§5).
    pub const fn is_front(self) -> bool {
        self.id_token || self.token
    }
}

/// `code`: what everybody asks for who says nothing else.
impl Default for ResponseType {
    fn default() -> Self {
        Self::CODE
    }
}

impl fmt::Display for ResponseType {
    /// As the discovery document lists it: `code id_token token`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.code, "code"),
            (self.id_token, "id_token"),
            (self.token, "token"),
        ];
        let mut glue = "";
        for (_, word) in words.iter().filter(|(present, _)| *present) {
            write!(f, "{glue}{word}")?;
            glue = " ";
        }
        Ok(())
    }
}

impl From<ResponseType> for String {
    fn from(response_type: ResponseType) -> Self {
        response_type.to_string()
    }
}

/// Not a response type that hefu knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("response_type is made of code, id_token and token, each at most once")]
pub struct UnknownResponseType;

impl TryFrom<String> for ResponseType {
    type Error = UnknownResponseType;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or(UnknownResponseType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_order() {
        for (text, canonical, front) in [
            ("code", Some("code"), false),
            ("id_token", Some("id_token"), true),
            ("token id_token", Some("id_token token"), true),
            ("token", Some("token"), true),
            ("token code", Some("code token"), true),
            ("id_token token code", Some("code id_token token"), true),
            ("", None, false),
            ("none", None, false),
            ("code code", None, false),
            ("code  token", None, false),
            ("Code", None, false),
        ] {
            let read = ResponseType::parse(text);
            assert_eq!(read.map(|r| r.to_string()).as_deref(), canonical, "{text}");
            assert_eq!(read.is_some_and(ResponseType::is_front), front, "{text}");
        }
    }
}
