//! Query parameters as §8 means them: unknown ones are ignored, a single-valued one that is repeated is an error.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::answer::Refusal;
use crate::oauth::Error;

/// More parameters than any honest request has.
const MOST: usize = 100;

/// The parameters of a request, decoded, in their order.
pub(super) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .take(MOST + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        // PostgreSQL takes no NUL, and no parameter of ours has one.
        if pairs.len() > MOST || pairs.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Error::invalid_request("the query is not acceptable").into());
        }
        Ok(Self(pairs))
    }
}

impl Query {
    pub(super) fn single(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            return Err(Error::invalid_request(format!("{name} is repeated")));
        }
        Ok(first)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Error> {
        self.single(name)?
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Error::invalid_request(format!("{name} is missing")))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.single(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid_request(format!(
                "{name} is neither true nor false"
            ))),
        }
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn several(&self, name: &str) -> Vec<String> {
        self.all(name).map(str::to_owned).collect()
    }
}
