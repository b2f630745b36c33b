// A member of federations by Nimbus' OAuth 2.0 SDK with OpenID Connect extensions. What it is asked and what it answers: ../README.md.

import com.nimbusds.jose.*;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.*;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jwt.*;
import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.auth.PrivateKeyJWT;
import com.nimbusds.oauth2.sdk.id.*;
import com.nimbusds.oauth2.sdk.pkce.*;
import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import com.nimbusds.openid.connect.sdk.*;
import com.nimbusds.openid.connect.sdk.federation.api.*;
import com.nimbusds.openid.connect.sdk.federation.entities.*;
import com.nimbusds.openid.connect.sdk.federation.policy.MetadataPolicy;
import com.nimbusds.openid.connect.sdk.federation.policy.language.PolicyViolationException;
import com.nimbusds.openid.connect.sdk.federation.trust.*;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import net.minidev.json.JSONObject;

import java.io.*;
import java.net.URI;
import java.util.*;
import java.util.stream.Collectors;

public class Federation {
    static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));

    final JSONObject asked;
    final EntityStatementRetriever web = new DefaultEntityStatementRetriever();

    public static void main(String[] none) throws Exception {
        JSONObject told = JSONObjectUtils.parse(IN.readLine());
        // Names below `localhost` are this machine (RFC 6761), which Java does not know.
        System.setProperty("jdk.net.hosts.file", (String) told.get("hosts"));
        Client.trust((String) told.get("ca"));
        for (String line = IN.readLine(); line != null; line = IN.readLine()) {
            Federation federation = new Federation(JSONObjectUtils.parse(line));
            try {
                federation.answer();
            } catch (ResolveException | BadJOSEException | PolicyViolationException refused) {
                Client.say(Map.of("refused", String.valueOf(refused.getMessage())));
            }
        }
    }

    Federation(JSONObject asked) {
        this.asked = asked;
    }

    void answer() throws Exception {
        switch (text("do")) {
            case "resolve" -> Client.say(Map.of("metadata", metadata(chain(text("subject")), text("type"))));
            case "read" -> Client.say(Map.of("metadata", read()));
            case "list" -> Client.say(Map.of("entities", EntityListingResponse
                .parse(new EntityListingRequest(URI.create(text("endpoint"))).toHTTPRequest().send())
                .toSuccessResponse().getEntityListing().stream().map(EntityID::getValue).toList()));
            case "configuration" -> Client.say(Map.of("statement", configuration()));
            case "statement" -> Client.say(Map.of("statement", statement()));
            case "login" -> login();
            default -> throw new IllegalArgumentException(text("do"));
        }
    }

    /**
     * From the subject up to the anchor. The library's own walk goes on only where a subordinate statement has
     * `authority_hints`, which no longer stand there (OpenID Federation 1.0 §3.1.2), so it is walked here by its retriever.
     * The library checks every signature and every time.
     */
    TrustChain chain(String subject) throws Exception {
        EntityStatement leaf = web.fetchEntityConfiguration(new EntityID(subject));
        List<EntityStatement> superiors = walk(leaf, new EntityID(text("anchor")), 8);
        if (superiors == null) {
            throw new ResolveException("no way from " + subject + " to " + text("anchor"));
        }
        TrustChain chain = new TrustChain(leaf, superiors);
        chain.verifySignatures(JWKSet.parse(object("anchor_jwks")));
        return chain;
    }

    /** The subordinate statements above this entity, up to the one by the anchor; nothing if no hint leads there. */
    List<EntityStatement> walk(EntityStatement from, EntityID anchor, int steps) throws Exception {
        List<EntityID> hints = from.getClaimsSet().getAuthorityHints();
        for (EntityID hint : hints == null || steps == 0 ? List.<EntityID>of() : hints) {
            EntityStatement superior = web.fetchEntityConfiguration(hint);
            List<EntityStatement> above = hint.equals(anchor) ? List.of() : walk(superior, anchor, steps - 1);
            if (above != null) {
                List<EntityStatement> all = new ArrayList<>();
                all.add(web.fetchEntityStatement(
                    superior.getClaimsSet().getFederationEntityMetadata().getFederationFetchEndpointURI(),
                    hint, from.getEntityID()));
                all.addAll(above);
                return all;
            }
        }
        return null;
    }

    /** The library combines and applies the policies; what the superior says about metadata goes before (OpenID Federation 1.0 §6.1.4.2). */
    static JSONObject metadata(TrustChain chain, String type) throws Exception {
        EntityType kind = new EntityType(type);
        JSONObject metadata = new JSONObject(chain.getLeafConfiguration().getClaimsSet().getMetadata(kind));
        JSONObject superior = chain.getSuperiorStatements().get(0).getClaimsSet().getMetadata(kind);
        if (superior != null) {
            metadata.putAll(superior);
        }
        // `scope` is a set of words to a policy (§6.1.3.1.8), one string to the library.
        metadata.computeIfPresent("scope", (name, words) -> List.of(words.toString().split(" ")));
        JSONObject resolved = chain.resolveCombinedMetadataPolicy(kind).apply(metadata);
        if (resolved.get("scope") instanceof List<?> words) {
            resolved.put("scope", words.stream().map(Object::toString).collect(Collectors.joining(" ")));
        }
        return resolved;
    }

    /** The answer of an anchor's resolve endpoint: its signature, and those of the chain in it. */
    JSONObject read() throws Exception {
        JWKSet keys = JWKSet.parse(object("anchor_jwks"));
        ResolveStatement answer = ResolveStatement.parse(text("answer"));
        answer.verifySignature(keys);
        answer.getClaimsSet().getTrustChain().verifySignatures(keys);
        return answer.getClaimsSet().getMetadata(new EntityType(text("type")));
    }

    String configuration() throws Exception {
        EntityStatementClaimsSet claims = claims(text("id"), text("id"), new JWKSet(key()));
        if (asked.get("hints") != null) {
            claims.setAuthorityHints(list("hints").stream().map(EntityID::new).toList());
        }
        for (String kind : object("metadata").keySet()) {
            claims.setMetadata(new EntityType(kind), JSONObjectUtils.getJSONObject(object("metadata"), kind));
        }
        return signed(claims);
    }

    String statement() throws Exception {
        EntityStatementClaimsSet claims = claims(text("id"), text("subject"), JWKSet.parse(object("jwks")));
        if (asked.get("policy") != null) {
            for (String kind : object("policy").keySet()) {
                claims.setMetadataPolicy(new EntityType(kind),
                    MetadataPolicy.parse(JSONObjectUtils.getJSONObject(object("policy"), kind)));
            }
        }
        return signed(claims);
    }

    static EntityStatementClaimsSet claims(String issuer, String subject, JWKSet keys) {
        Date now = new Date();
        return new EntityStatementClaimsSet(new EntityID(issuer), new EntityID(subject), now,
            new Date(now.getTime() + 3600_000), keys.toPublicJWKSet());
    }

    String signed(EntityStatementClaimsSet claims) throws Exception {
        return EntityStatement.sign(claims, key()).getSignedStatement().serialize();
    }

    /** Automatic registration: a request object by the relying party's own key, sent to a provider whose chain was checked first. */
    void login() throws Exception {
        JSONObject found = metadata(chain(text("provider")), "openid_provider");
        OIDCProviderMetadata provider = OIDCProviderMetadata.parse(found);
        ClientID id = new ClientID(text("id"));
        State state = new State();
        Nonce nonce = new Nonce();
        CodeVerifier verifier = new CodeVerifier();
        URI callback = URI.create(text("redirect_uri"));
        JWTClaimsSet parameters = new AuthenticationRequest.Builder(
                ResponseType.CODE, Scope.parse(text("scope")), id, callback)
            .state(state)
            .nonce(nonce)
            .codeChallenge(verifier, CodeChallengeMethod.S256)
            .build()
            .toJWTClaimsSet();
        JWSHeader.Builder header = new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(key().getKeyID())
            .type(new JOSEObjectType("oauth-authz-req+jwt"));
        if (asked.get("with_chain") != null) {
            header.customParam("trust_chain", chain(text("id")).toSerializedJWTs());
        }
        SignedJWT request = new SignedJWT(header.build(), new JWTClaimsSet.Builder(parameters)
            .issuer(id.getValue())
            .audience(provider.getIssuer().getValue())
            .jwtID(new JWTID().getValue())
            .expirationTime(new Date(System.currentTimeMillis() + 60_000))
            .build());
        request.sign(new ECDSASigner(key()));
        Client.say(Map.of("go", new AuthenticationRequest.Builder(request, id)
            .endpointURI(provider.getAuthorizationEndpointURI())
            .build()
            .toURI()
            .toString()));

        String back = IN.readLine();
        if (back.isEmpty()) {
            return; // nobody came back
        }
        AuthenticationResponse answer = AuthenticationResponseParser.parse(URI.create(back));
        Client.must(state.equals(answer.getState()), "the answer to another request");
        Client.must(provider.getIssuer().equals(answer.getIssuer()), "the answer of another provider (RFC 9207)");
        TokenRequest redeem = new TokenRequest.Builder(
            provider.getTokenEndpointURI(),
            new PrivateKeyJWT(id, URI.create(provider.getIssuer().getValue()),
                JWSAlgorithm.ES256, key().toPrivateKey(), key().getKeyID(), null),
            new AuthorizationCodeGrant(answer.toSuccessResponse().getAuthorizationCode(), callback, verifier)).build();
        TokenResponse redeemed = OIDCTokenResponseParser.parse(redeem.toHTTPRequest().send());
        Client.must(redeemed.indicatesSuccess(), "no tokens: " + redeemed.toHTTPResponse().getBody());
        OIDCTokens tokens = ((OIDCTokenResponse) redeemed.toSuccessResponse()).getOIDCTokens();
        JWKSet keys = JWKSet.load(provider.getJWKSetURI().toURL());
        JWTClaimsSet idToken = new IDTokenValidator(provider.getIssuer(), id, JWSAlgorithm.ES256, keys)
            .validate(tokens.getIDToken(), nonce)
            .toJWTClaimsSet();
        UserInfoResponse info = UserInfoResponse.parse(
            new UserInfoRequest(provider.getUserInfoEndpointURI(), tokens.getAccessToken()).toHTTPRequest().send());
        Client.must(info.indicatesSuccess(), "no UserInfo");
        Client.say(Map.of("id_token", idToken.toJSONObject(),
            "userinfo", info.toSuccessResponse().getUserInfo().toJSONObject()));
    }

    ECKey key() throws Exception {
        return ECKey.parse(object("key"));
    }

    String text(String name) {
        return (String) asked.get(name);
    }

    JSONObject object(String name) throws Exception {
        return JSONObjectUtils.getJSONObject(asked, name);
    }

    List<String> list(String name) throws Exception {
        return JSONObjectUtils.getStringList(asked, name);
    }
}
