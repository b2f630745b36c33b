"""A relying party by Authlib. What it is told and what it answers: ../README.md."""

import json
import sys
from urllib.parse import parse_qs, urlsplit

from authlib.integrations.base_client import FrameworkIntegration, OAuthError
from authlib.integrations.base_client.sync_app import BaseApp, OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey


class Site(OAuth2Mixin, OpenIDMixin, BaseApp):
    """What Authlib's clients for web frameworks are made of, without a web framework."""

    client_cls = OAuth2Session


class Forgetful(FrameworkIntegration):
    """A framework would keep the new tokens here; this program has them in its hands."""

    def update_token(self, token, refresh_token=None, access_token=None):
        pass


def read():
    return sys.stdin.readline().strip()


def say(value):
    print(json.dumps(value), flush=True)


def site(told):
    method, secret, more = "client_secret_basic", told.get("client_secret"), {}
    if told.get("key"):
        key = told["key"]
        method, secret = "private_key_jwt", ECKey.import_key(key)
        signing = PrivateKeyJWT(alg="ES256", headers={"kid": key["kid"]})
        more = {"client_auth_methods": [signing]}
    return Site(
        Forgetful("lab"),
        client_id=told["client_id"],
        client_secret=secret,
        server_metadata_url=told["issuer"] + "/.well-known/openid-configuration",
        client_kwargs={
            "scope": told["scope"],
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": method,
            "default_timeout": 60,
        },
        **more,
    )


def visit(told):
    client = site(told)
    begun = client.create_authorization_url(told["redirect_uri"], prompt="consent")
    say({"go": begun["url"]})

    answer = {name: values[0] for name, values in parse_qs(urlsplit(read()).query).items()}
    metadata = client.load_server_metadata()
    assert answer["state"] == begun["state"], "the answer to another request"
    assert answer["iss"] == metadata["issuer"] == told["issuer"], "the answer of another provider (RFC 9207)"
    token = client.fetch_access_token(
        told["redirect_uri"], code=answer["code"], code_verifier=begun["code_verifier"]
    )
    id_token = client.parse_id_token(token, begun["nonce"])
    userinfo = client.userinfo(token=token)
    with client._get_oauth_client(**metadata) as session:
        refreshed = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    again = client.userinfo(token=refreshed)
    out = client.create_logout_url(told["post_logout_redirect_uri"], id_token_hint=token["id_token"])
    say(
        {
            "id_token": id_token,
            "userinfo": userinfo,
            "userinfo_after_refresh": again,
            "token_type": token["token_type"],
            "rotated": refreshed["refresh_token"] != token["refresh_token"],
            "go": out["url"],
        }
    )


try:
    visit(json.loads(read()))
except OAuthError as problem:
    say({"error": problem.error})
