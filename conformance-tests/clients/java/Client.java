// A relying party by Nimbus' OAuth 2.0 SDK with OpenID Connect extensions. What it is told and what it answers: ../README.md.

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.auth.*;
import com.nimbusds.oauth2.sdk.id.*;
import com.nimbusds.oauth2.sdk.pkce.*;
import com.nimbusds.oauth2.sdk.token.*;
import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import com.nimbusds.openid.connect.sdk.*;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import net.minidev.json.JSONObject;

import javax.net.ssl.*;
import java.io.*;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.*;

public class Client {
    static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));

    final Map<String, Object> told;
    final ClientID id;
    final OIDCProviderMetadata provider;

    public static void main(String[] none) throws Exception {
        Map<String, Object> told = JSONObjectUtils.parse(IN.readLine());
        trust((String) told.get("ca"));
        try {
            new Client(told).visit();
        } catch (Refused refused) {
            say(Map.of("error", refused.getMessage()));
        }
    }

    Client(Map<String, Object> told) throws Exception {
        this.told = told;
        id = new ClientID(text("client_id"));
        provider = OIDCProviderMetadata.resolve(new Issuer(text("issuer")));
    }

    void visit() throws Exception {
        State state = new State();
        Nonce nonce = new Nonce();
        CodeVerifier verifier = new CodeVerifier();
        URI callback = URI.create(text("redirect_uri"));
        AuthenticationRequest request = new AuthenticationRequest.Builder(
                ResponseType.CODE, Scope.parse(text("scope")), id, callback)
            .endpointURI(provider.getAuthorizationEndpointURI())
            .state(state)
            .nonce(nonce)
            .prompt(new Prompt(Prompt.Type.CONSENT))
            .codeChallenge(verifier, CodeChallengeMethod.S256)
            .build();
        say(Map.of("go", request.toURI().toString()));

        AuthenticationResponse answer = AuthenticationResponseParser.parse(URI.create(IN.readLine()));
        must(state.equals(answer.getState()), "the answer to another request");
        must(provider.getIssuer().equals(answer.getIssuer()), "the answer of another provider (RFC 9207)");
        OIDCTokens tokens = tokens(new AuthorizationCodeGrant(
            answer.toSuccessResponse().getAuthorizationCode(), callback, verifier));
        JWKSet keys = JWKSet.load(provider.getJWKSetURI().toURL());
        JWTClaimsSet idToken = new IDTokenValidator(provider.getIssuer(), id, JWSAlgorithm.RS256, keys)
            .validate(tokens.getIDToken(), nonce)
            .toJWTClaimsSet();
        Map<String, Object> userinfo = userinfo(tokens.getAccessToken(), idToken.getSubject());
        OIDCTokens refreshed = tokens(new RefreshTokenGrant(tokens.getRefreshToken()));
        Map<String, Object> again = userinfo(refreshed.getAccessToken(), idToken.getSubject());
        LogoutRequest out = new LogoutRequest(provider.getEndSessionEndpointURI(), tokens.getIDToken(),
            URI.create(text("post_logout_redirect_uri")), null);
        say(Map.of(
            "id_token", idToken.toJSONObject(),
            "userinfo", userinfo,
            "userinfo_after_refresh", again,
            "token_type", tokens.getAccessToken().getType().getValue(),
            "rotated", !tokens.getRefreshToken().equals(refreshed.getRefreshToken()),
            "go", out.toURI().toString()));
    }

    OIDCTokens tokens(AuthorizationGrant grant) throws Exception {
        TokenRequest request = new TokenRequest.Builder(provider.getTokenEndpointURI(), authentication(), grant).build();
        TokenResponse response = OIDCTokenResponseParser.parse(request.toHTTPRequest().send());
        if (!response.indicatesSuccess()) {
            throw new Refused(response.toErrorResponse().getErrorObject().getCode());
        }
        return ((OIDCTokenResponse) response.toSuccessResponse()).getOIDCTokens();
    }

    ClientAuthentication authentication() throws Exception {
        if (told.get("key") == null) {
            return new ClientSecretBasic(id, new Secret(text("client_secret")));
        }
        ECKey key = ECKey.parse(JSONObjectUtils.getJSONObject(new JSONObject(told), "key"));
        return new PrivateKeyJWT(id, provider.getTokenEndpointURI(), JWSAlgorithm.ES256, key.toPrivateKey(),
            key.getKeyID(), null);
    }

    Map<String, Object> userinfo(AccessToken token, String subject) throws Exception {
        UserInfoRequest request = new UserInfoRequest(provider.getUserInfoEndpointURI(), token);
        UserInfoResponse response = UserInfoResponse.parse(request.toHTTPRequest().send());
        must(response.indicatesSuccess(), "no UserInfo");
        var info = response.toSuccessResponse().getUserInfo();
        must(info.getSubject().getValue().equals(subject), "UserInfo of another person (OIDC Core 5.3.2)");
        return info.toJSONObject();
    }

    String text(String name) {
        return (String) told.get(name);
    }

    /** Believes the certificate authority in this file, and no other. */
    static void trust(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream pem = new FileInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        SSLContext.setDefault(context);
    }

    static void say(Map<String, Object> value) {
        System.out.println(new JSONObject(value).toJSONString());
    }

    static void must(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    static class Refused extends Exception {
        Refused(String code) {
            super(code);
        }
    }
}
