//! Code for tokens, tokens for claims: token request with `private_key_jwt`, ID Token and UserInfo verified by the `openidconnect` crate.
//! What the crate leaves to its user is checked here: the issuer as a string, `azp`, `at_hash`, the level, the token type.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AsyncHttpClient, AuthType, AuthorizationCode,
    ClaimsVerificationError, Client, ClientId, EmptyExtraTokenFields, EndpointNotSet, HttpRequest,
    HttpResponse, IdToken, IdTokenClaims, IdTokenFields, IdTokenVerifier, IssuerUrl, JsonWebKeySet,
    Nonce, OAuth2TokenResponse, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, SubjectIdentifier,
    TokenResponse, TokenUrl, UserInfoClaims, UserInfoError, UserInfoUrl,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::{Duration, UNIX_EPOCH};

use crate::clock::UnixTime;
use crate::crypto::{BoxFuture, Secret, constant_time_eq};
use crate::oauth::Algorithm;
use crate::outbound::{Limits, Outbound, OutboundError};
use crate::random::Rng;
use crate::relying::metadata::CALLBACK;
use crate::relying::pending::Secrets;
use crate::relying::trust::Attempt;
use crate::relying::{JWT_BEARER, LoginError, Party, Provider};

/// What was proven about the citizen, and the tokens that are kept.
#[derive(Debug)]
pub struct Verified {
    pub iss: String,
    pub sub: String,
    /// The provider's name of its session, by which back-channel logout finds ours.
    pub sid: Option<String>,
    /// Everything that was told: UserInfo, and what the ID Token says about the login.
    pub claims: Map<String, Value>,
    /// Kept to prove at logout whom we mean (`id_token_hint`).
    pub id_token: Secret<String>,
    pub refresh_token: Option<Secret<String>>,
}

/// Claims beyond those that the crate has fields for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct More {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl AdditionalClaims for More {}

type Fields = IdTokenFields<
    More,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type OurIdToken =
    IdToken<More, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Claims = IdTokenClaims<More, CoreGenderClaim>;
type OurClient = Client<
    More,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
>;

/// The crate's requests go out like all others. A type, not a closure: the compiler cannot see that a closure's future is `Send`.
struct WayOut<'o>(&'o Outbound);

impl<'c> AsyncHttpClient<'c> for WayOut<'_> {
    type Error = OutboundError;
    type Future = BoxFuture<'c, Result<HttpResponse, OutboundError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move { self.0.send(request, &Limits::default()).await })
    }
}

/// Seconds by which clocks may differ.
const LEEWAY: i64 = 60;
/// Seconds after which an ID Token was issued too long ago to be the answer to our code.
const OLDEST: i64 = 600;

/// Redeems `code` and verifies all that comes of it.
pub async fn redeem(
    party: &Party,
    provider: &Provider,
    code: &Secret<String>,
    secrets: &Secrets,
    rng: &mut Rng,
    now: UnixTime,
) -> Result<Verified, LoginError> {
    let unusable = |e: url::ParseError| LoginError::Untrusted(e.to_string());
    let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(unusable)?;
    let redirect = RedirectUrl::new(party.url(CALLBACK)).map_err(unusable)?;
    let client = OurClient::new(
        ClientId::new(party.id.to_string()),
        issuer.clone(),
        JsonWebKeySet::new(Vec::new()), // keys are handed to the verifier below, where they can be renewed
    )
    .set_auth_type(AuthType::RequestBody)
    .set_token_uri(TokenUrl::from_url(provider.token_endpoint.clone()))
    .set_user_info_url(UserInfoUrl::from_url(provider.userinfo_endpoint.clone()))
    .set_redirect_uri(redirect);
    let http = WayOut(&party.outbound);

    let assertion = party.client_assertion(provider, rng, now).await?;
    let tokens: Tokens = client
        .exchange_code(AuthorizationCode::new(code.reveal().clone()))
        .set_pkce_verifier(PkceCodeVerifier::new(secrets.verifier.clone()))
        .add_extra_param("client_assertion_type", JWT_BEARER)
        .add_extra_param("client_assertion", assertion)
        .request_async(&http)
        .await
        .map_err(token_error)?;
    if *tokens.token_type() != CoreTokenType::Bearer {
        return Err(invalid("the access token is not a bearer token"));
    }
    let id_token = tokens
        .id_token()
        .ok_or_else(|| invalid("the token response has no ID Token"))?;
    let claims = verify(party, provider, &issuer, id_token, &tokens, secrets, now).await?;

    // The crate panics on a token that cannot stand in a header; RFC 6750 §2.1 says what can.
    if !tokens
        .access_token()
        .secret()
        .bytes()
        .all(|b| b.is_ascii_graphic())
    {
        return Err(invalid(
            "the access token has characters that none may have",
        ));
    }
    let subject = SubjectIdentifier::new(claims.subject().to_string());
    // OIDC Core §5.3.2: the crate refuses an answer about another `sub`.
    let told: UserInfoClaims<More, CoreGenderClaim> = client
        .user_info(tokens.access_token().clone(), Some(subject))
        .request_async(&http)
        .await
        .map_err(userinfo_error)?;
    Ok(Verified {
        iss: provider.issuer.clone(),
        sub: claims.subject().to_string(),
        sid: claims.additional_claims().sid.clone(),
        claims: merge(&claims, &told)?,
        id_token: id_token.to_string().into(),
        refresh_token: tokens
            .refresh_token()
            .filter(|_| party.settings.offline_access)
            .map(|token| token.secret().clone().into()),
    })
}

/// OIDC Core §3.1.3.7 and §3.1.3.8, with the algorithm of our own metadata and the keys that the chain or the provider publishes.
async fn verify(
    party: &Party,
    provider: &Provider,
    issuer: &IssuerUrl,
    id_token: &OurIdToken,
    tokens: &Tokens,
    secrets: &Secrets,
    now: UnixTime,
) -> Result<Claims, LoginError> {
    let nonce = Nonce::new(secrets.nonce.clone());
    let client_id = ClientId::new(party.id.to_string());
    let alg = library_algorithm(party.settings.id_token_signed_response_alg);
    party
        .with_keys(provider, now, |jwks| {
            let keys: CoreJsonWebKeySet = Deserialize::deserialize(jwks)
                .map_err(|e| invalid(&format!("the provider's key set: {e}")))?;
            let verifier =
                IdTokenVerifier::new_public_client(client_id.clone(), issuer.clone(), keys)
                    .set_allowed_algs([alg.clone()])
                    .set_time_fn(move || (UNIX_EPOCH + seconds(now.0)).into())
                    .set_issue_time_verifier_fn(move |issued| {
                        let age = now.0 - issued.timestamp();
                        if (-LEEWAY..=OLDEST).contains(&age) {
                            Ok(())
                        } else {
                            Err(format!("issued {age} s ago"))
                        }
                    })
                    .set_auth_context_verifier_fn(|acr| {
                        let acr = acr.map(|acr| acr.as_str());
                        if reaches(acr, &party.settings.acr_values) {
                            Ok(())
                        } else {
                            Err("below what was asked for".to_owned())
                        }
                    });
            let claims = match id_token.claims(&verifier, &nonce) {
                Ok(claims) => claims,
                Err(ClaimsVerificationError::SignatureVerification(
                    SignatureVerificationError::NoMatchingKey,
                )) => return Ok(Attempt::NoSuchKey),
                Err(ClaimsVerificationError::InvalidAuthContext(_)) => {
                    return Err(LoginError::LevelNotReached);
                }
                Err(e) => return Err(invalid(&format!("ID Token: {e}"))),
            };
            // The crate compares issuers as URLs, which forgives a slash; OIDC Core §3.1.3.7 (2) says exactly.
            if claims.issuer().as_str() != provider.issuer {
                return Err(invalid("ID Token: another issuer"));
            }
            // OIDC Core §3.1.3.7 (5).
            if claims
                .authorized_party()
                .is_some_and(|azp| *azp != client_id)
            {
                return Err(invalid("ID Token: issued to another party (azp)"));
            }
            // OIDC Core §3.1.3.8.
            if let Some(expected) = claims.access_token_hash() {
                let key = id_token
                    .signing_key(&verifier)
                    .map_err(|e| invalid(&format!("ID Token: {e}")))?;
                let found = AccessTokenHash::from_token(tokens.access_token(), &alg, key)
                    .map_err(|e| invalid(&format!("ID Token: {e}")))?;
                if !constant_time_eq(found.as_bytes(), expected.as_bytes()) {
                    return Err(invalid("ID Token: at_hash is of another access token"));
                }
            }
            Ok(Attempt::Done(claims.clone()))
        })
        .await
}

/// Whether `acr` is one of the values asked for, or of the same scale and higher: hefu's values end in `L1` … `L4`.
fn reaches(acr: Option<&str>, asked: &str) -> bool {
    let level = |value: &str| -> Option<(String, u8)> {
        let (scale, level) = value.rsplit_once('L')?;
        Some((scale.to_owned(), level.parse().ok()?))
    };
    let mut asked = asked
        .split(' ')
        .filter(|value| !value.is_empty())
        .peekable();
    if asked.peek().is_none() {
        return true;
    }
    let Some(acr) = acr else { return false };
    let reached = level(acr);
    asked.any(|value| {
        value == acr
            || matches!((level(value), &reached), (Some((scale, least)), Some((ours, level))) if scale == *ours && *level >= least)
    })
}

/// Members of an ID Token that say something about the token, not about the citizen.
const PROTOCOL: [&str; 11] = [
    "iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "azp", "sid",
];

/// One map of all that was told. Where both speak, the ID Token is believed: it is signed.
fn merge(
    id_token: &Claims,
    told: &UserInfoClaims<More, CoreGenderClaim>,
) -> Result<Map<String, Value>, LoginError> {
    let object = |value: Result<Value, serde_json::Error>| match value {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(invalid("claims are not an object")),
    };
    let mut all = object(serde_json::to_value(told))?;
    all.extend(object(serde_json::to_value(id_token))?);
    all.retain(|name, value| !PROTOCOL.contains(&name.as_str()) && !value.is_null());
    Ok(all)
}

fn token_error(
    error: RequestTokenError<OutboundError, StandardErrorResponse<CoreErrorResponseType>>,
) -> LoginError {
    match error {
        RequestTokenError::ServerResponse(answer) => LoginError::Refused {
            code: answer.error().to_string(),
            description: answer.error_description().cloned(),
        },
        RequestTokenError::Request(e) => LoginError::Unreachable(e.to_string()),
        RequestTokenError::Parse(e, _) => invalid(&format!("token response: {e}")),
        RequestTokenError::Other(e) => invalid(&format!("token response: {e}")),
    }
}

fn userinfo_error(error: UserInfoError<OutboundError>) -> LoginError {
    match error {
        UserInfoError::Request(e) => LoginError::Unreachable(e.to_string()),
        UserInfoError::Response(status, _, what) => {
            invalid(&format!("UserInfo answers {}: {what}", status.as_u16()))
        }
        // Not the crate's text: it names both subjects.
        UserInfoError::ClaimsVerification(ClaimsVerificationError::InvalidSubject(_)) => {
            invalid("UserInfo speaks of another sub")
        }
        UserInfoError::ClaimsVerification(e) => invalid(&format!("UserInfo: {e}")),
        _ => invalid("UserInfo is not understood"),
    }
}

fn invalid(what: &str) -> LoginError {
    LoginError::Invalid(what.to_owned())
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}

fn library_algorithm(alg: Algorithm) -> CoreJwsSigningAlgorithm {
    match alg {
        Algorithm::RS256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        Algorithm::RS384 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
        Algorithm::RS512 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
        Algorithm::PS256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        Algorithm::PS384 => CoreJwsSigningAlgorithm::RsaSsaPssSha384,
        Algorithm::PS512 => CoreJwsSigningAlgorithm::RsaSsaPssSha512,
        Algorithm::ES256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::ES384 => CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        // The crate knows the name and refuses the signature.
        Algorithm::ES512 => CoreJwsSigningAlgorithm::EcdsaP521Sha512,
        Algorithm::EdDSA => CoreJwsSigningAlgorithm::EdDsa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_reached_by_itself_or_by_more_on_the_same_scale() {
        let cases = [
            (None, "", true),
            (Some("x/L1"), "", true),
            (Some("x/L2"), "x/L2", true),
            (Some("x/L3"), "x/L2", true),
            (Some("x/L1"), "x/L2", false),
            (Some("y/L3"), "x/L2", false),
            (None, "x/L2", false),
            (Some("gold"), "silver gold", true),
            (Some("x/L1"), "x/L3 x/L1", true),
            (Some("x/L99999"), "x/L2", false),
        ];
        for (acr, asked, expected) in cases {
            assert_eq!(reaches(acr, asked), expected, "{acr:?} for {asked:?}");
        }
    }
}
