// A relying party by `openid-client`. What it is told and what it answers: ../README.md.
import { createInterface } from 'node:readline'
import * as oidc from 'openid-client'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => (await lines.next()).value
const say = (value) => console.log(JSON.stringify(value))

const told = JSON.parse(await read())
const { issuer, client_id, client_secret, key, redirect_uri, post_logout_redirect_uri, scope } = told

async function authentication() {
  if (!key) return oidc.ClientSecretBasic(client_secret)
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const imported = await crypto.subtle.importKey('jwk', key, algorithm, false, ['sign'])
  return oidc.PrivateKeyJwt({ key: imported, kid: key.kid })
}

async function visit() {
  // FAPI 2.0 §5.4.1 leaves no RS256, which is what the library expects otherwise.
  const metadata = told.fapi ? { id_token_signed_response_alg: 'PS256' } : undefined
  const config = await oidc.discovery(new URL(issuer), client_id, metadata, await authentication())
  // RFC 9449, when asked: one key for the pushed request, the tokens and UserInfo.
  const bound = told.dpop ? { DPoP: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256')) } : undefined

  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const expectedState = oidc.randomState()
  const expectedNonce = oidc.randomNonce()
  const request = {
    redirect_uri,
    scope,
    prompt: 'consent',
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  }
  const go = told.par
    ? await oidc.buildAuthorizationUrlWithPAR(config, request, bound)
    : oidc.buildAuthorizationUrl(config, request)
  say({ go: go.href })

  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
  const tokens = await oidc.authorizationCodeGrant(config, new URL(await read()), checks, undefined, bound)
  const id_token = tokens.claims()
  const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, id_token.sub, bound)
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, bound)
  const again = await oidc.fetchUserInfo(config, refreshed.access_token, id_token.sub, bound)
  const out = oidc.buildEndSessionUrl(config, { post_logout_redirect_uri, id_token_hint: tokens.id_token })
  say({
    id_token,
    userinfo,
    userinfo_after_refresh: again,
    token_type: tokens.token_type,
    rotated: refreshed.refresh_token !== undefined && refreshed.refresh_token !== tokens.refresh_token,
    go: out.href,
  })
}

try {
  await visit()
} catch (problem) {
  // With a WWW-Authenticate header the library stops at that; the error code is in the body then.
  const code = problem.error ?? (await problem.response?.json())?.error
  if (!code) throw problem
  say({ error: code })
}
process.exit()
