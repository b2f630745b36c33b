//! Query parameters as §8 means them: unknown ones are ignored, a single-valued one that is repeated is an error.

use crate::federation::authority::listing::Page;
use crate::oauth::Error;

/// More parameters than any honest request has.
const MOST: usize = 100;

/// The parameters of a request, decoded, in their order.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query or a form.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text)
            .take(MOST + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        // PostgreSQL takes no NUL, and no parameter of ours has one.
        if pairs.len() > MOST || pairs.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Error::invalid_request("the parameters are not acceptable"));
        }
        Ok(Self(pairs))
    }

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

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Error> {
        let fault = || Error::invalid_request(format!("{name} is not a number"));
        self.single(name)?
            .map(|text| text.parse().map_err(|_| fault()))
            .transpose()
    }

    pub(super) fn page(&self) -> Result<Page, Error> {
        let limit = self.number("limit")?.map(usize::try_from).transpose();
        Ok(Page {
            from: self.single("from")?.map(str::to_owned),
            limit: limit.map_err(|_| Error::invalid_request("limit is negative"))?,
        })
    }
}
