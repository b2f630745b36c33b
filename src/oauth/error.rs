//! One error for the wire: a registered code and a sentence for the engineer at the other end.

use std::borrow::Cow;
use std::fmt;

/// The error codes hefu answers with, spelled as registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ErrorCode {
    // RFC 6749
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
    // OIDC Core 3.1.2.6 and OIDC Unmet Authentication Requirements 1.0
    InteractionRequired,
    LoginRequired,
    AccountSelectionRequired,
    ConsentRequired,
    InvalidRequestUri,
    InvalidRequestObject,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
    UnmetAuthenticationRequirements,
    // RFC 8628 §3.5
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
    // RFC 6750, 7591, 8707, 9396, 9449, 9470
    InvalidToken,
    InsufficientScope,
    InvalidRedirectUri,
    InvalidClientMetadata,
    UnapprovedSoftwareStatement,
    InvalidTarget,
    InvalidAuthorizationDetails,
    InvalidDpopProof,
    UseDpopNonce,
    InsufficientUserAuthentication,
    // OpenID Federation 1.0 §8.9
    InvalidIssuer,
    InvalidSubject,
    InvalidTrustAnchor,
    InvalidTrustChain,
    InvalidMetadata,
    NotFound,
    UnsupportedParameter,
    // OpenID Federation Extended Subordinate Listing 1.0, Entity Collection Endpoint 1.0
    PageNotFound,
    UnsupportedClaim,
}

impl ErrorCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InteractionRequired => "interaction_required",
            Self::LoginRequired => "login_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::ConsentRequired => "consent_required",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::UnapprovedSoftwareStatement => "unapproved_software_statement",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::InvalidIssuer => "invalid_issuer",
            Self::InvalidSubject => "invalid_subject",
            Self::InvalidTrustAnchor => "invalid_trust_anchor",
            Self::InvalidTrustChain => "invalid_trust_chain",
            Self::InvalidMetadata => "invalid_metadata",
            Self::NotFound => "not_found",
            Self::UnsupportedParameter => "unsupported_parameter",
            Self::PageNotFound => "page_not_found",
            Self::UnsupportedClaim => "unsupported_claim",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the other side is told. Never holds personal data, secrets or anything that only the log may hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {description}")]
pub struct Error {
    pub code: ErrorCode,
    /// One ASCII sentence a person can act on (RFC 6749 §4.1.2.1 limits the characters; `new` enforces it).
    pub description: Cow<'static, str>,
}

impl Error {
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        let description = description.into();
        // RFC 6749 §4.1.2.1: %x20-21 / %x23-5B / %x5D-7E.
        let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
        let description = if description.chars().all(allowed) {
            description
        } else {
            description
                .chars()
                .map(|c| if allowed(c) { c } else { '?' })
                .collect::<String>()
                .into()
        };
        Self { code, description }
    }

    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    pub fn invalid_client(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidClient, description)
    }

    pub fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_stay_within_the_allowed_characters() {
        assert_eq!(
            Error::invalid_request("a \"b\"\r\nc\\ 合").description,
            "a ?b???c? ?"
        );
        assert_eq!(
            Error::invalid_request("plain").to_string(),
            "invalid_request: plain"
        );
    }
}
