// A member of federations by `@openid-federation/core`, which logs in by `openid-client`. What it is asked and what it answers: ../README.md.
import { createInterface } from 'node:readline'
import dns from 'node:dns'
import {
  createEntityConfiguration,
  createEntityStatement,
  resolveTrustChains,
} from '@openid-federation/core'
import * as oidc from 'openid-client'

// Names below `localhost` are this machine (RFC 6761), which Node.js leaves to the machine's resolver.
const { lookup } = dns
dns.lookup = (name, ...rest) => lookup(name.endsWith('.localhost') ? 'localhost' : name, ...rest)

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => (await lines.next()).value
const say = (value) => console.log(JSON.stringify(value))

const P256 = { name: 'ECDSA', namedCurve: 'P-256' }
const ES256 = { name: 'ECDSA', hash: 'SHA-256' }
const base64url = (text) => Buffer.from(text).toString('base64url')
const now = () => Math.floor(Date.now() / 1000)

// The library leaves cryptography to whoever uses it.
async function verifyJwtCallback({ jwt, jwk }) {
  const [header, payload, signature] = jwt.split('.')
  const { alg } = JSON.parse(Buffer.from(header, 'base64url'))
  if (alg !== 'ES256' || jwk.kty !== 'EC') return false
  const { kty, crv, x, y } = jwk
  const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, P256, false, ['verify'])
  return crypto.subtle.verify(ES256, key, Buffer.from(signature, 'base64url'), Buffer.from(`${header}.${payload}`))
}

const signing = (key) => crypto.subtle.importKey('jwk', { ...key, key_ops: undefined }, P256, false, ['sign'])
const signJwtCallback = (key) => async ({ toBeSigned }) =>
  new Uint8Array(await crypto.subtle.sign(ES256, await signing(key), toBeSigned))
const open = ({ d, ...rest }) => rest

async function chain(asked, entityId) {
  const chains = await resolveTrustChains({ entityId, trustAnchorEntityIds: [asked.anchor], verifyJwtCallback }).catch(
    (problem) => {
      throw new Refused(reason(problem))
    },
  )
  if (!chains.length) throw new Refused('no chain')
  const shortest = chains.reduce((a, b) => (b.chain.length < a.chain.length ? b : a))
  // The library believes whatever keys the anchor shows; those that were received out of band must be among them.
  const known = asked.anchor_jwks.keys.map((k) => k.x)
  const top = shortest.trustAnchorEntityConfiguration
  if (!top.jwks.keys.every((k) => known.includes(k.x))) throw new Refused('other keys of the anchor')
  return shortest
}

class Refused extends Error {}

// The library says what was wrong in the innermost cause.
const reason = (problem) => (problem.cause ? reason(problem.cause) : problem.message)

async function resolve(asked) {
  const found = await chain(asked, asked.subject)
  say({ metadata: found.resolvedLeafMetadata[asked.type] })
}

async function configuration({ id, key, hints, metadata }) {
  const statement = await createEntityConfiguration({
    header: { kid: key.kid, typ: 'entity-statement+jwt', alg: 'ES256' },
    claims: {
      iss: id,
      sub: id,
      iat: now(),
      exp: now() + 3600,
      jwks: { keys: [open(key)] },
      metadata,
      ...(hints && { authority_hints: hints }),
    },
    signJwtCallback: signJwtCallback(key),
  })
  say({ statement })
}

async function statement({ id, subject, key, jwks, policy }) {
  const statement = await createEntityStatement({
    header: { kid: key.kid, typ: 'entity-statement+jwt', alg: 'ES256' },
    jwk: open(key),
    claims: { iss: id, sub: subject, iat: now(), exp: now() + 3600, jwks, ...(policy && { metadata_policy: policy }) },
    signJwtCallback: signJwtCallback(key),
  })
  say({ statement })
}

// Automatic registration: a request object by the relying party's own key, sent to a provider whose chain was checked first.
async function login(asked) {
  const { id, key, redirect_uri, scope } = asked
  const found = (await chain(asked, asked.provider)).resolvedLeafMetadata.openid_provider
  const provider = JSON.parse(JSON.stringify(found)) // a plain copy: the library's own refuses to be cloned
  const own = { key: await signing(key), kid: key.kid }
  const metadata = { id_token_signed_response_alg: 'ES256' }
  const audience = { [oidc.modifyAssertion]: (header, claims) => void (claims.aud = provider.issuer) }
  const config = new oidc.Configuration(provider, id, metadata, oidc.PrivateKeyJwt(own, audience))
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const expectedState = oidc.randomState()
  const expectedNonce = oidc.randomNonce()
  const request = {
    redirect_uri,
    scope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  }
  const go = await oidc.buildAuthorizationUrlWithJAR(config, request, own)
  say({ go: go.href })

  const back = await read()
  if (!back) return // nobody came back
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
  const tokens = await oidc.authorizationCodeGrant(config, new URL(back), checks)
  const id_token = tokens.claims()
  say({ id_token, userinfo: await oidc.fetchUserInfo(config, tokens.access_token, id_token.sub) })
}

await read() // the certificate authority, which the environment tells
const acts = { resolve, configuration, statement, login }
for (let line = await read(); line; line = await read()) {
  const asked = JSON.parse(line)
  try {
    await acts[asked.do](asked)
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem
    say({ refused: problem.message })
  }
}
process.exit()
