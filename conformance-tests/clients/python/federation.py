"""A member of federations by pygrindvakt. What it is asked and what it answers: ../README.md."""

import json
import socket
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

from pygrindvakt import GrindvaktError, federation, jwt, keys, metadata, pkce, rp, util

resolver = socket.getaddrinfo


def this_machine(host, *rest, **more):
    """Names below `localhost` are this machine (RFC 6761), which many a resolver does not know."""
    return resolver("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more)


socket.getaddrinfo = this_machine


class Web:
    """What the library asks with: its own client believes only the authorities of the operating system."""

    def __init__(self, ca):
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca))
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), tls)

    def get(self, url, headers=None):
        return self.send(urllib.request.Request(url, headers=dict(headers or [])))

    def post_form(self, url, form, headers):
        body = urllib.parse.urlencode(form).encode()
        return self.send(urllib.request.Request(url, body, dict(headers)))

    def send(self, request):
        try:
            answer = self.opener.open(request)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            return answer.status, answer.read(), answer.headers["content-type"], list(answer.headers.items())


def read():
    return sys.stdin.readline().strip()


def say(value):
    print(json.dumps(value), flush=True)


def resolved(web, asked, subject):
    return federation.resolve_via_trust_anchors(web, subject, {asked["anchor"]: asked["anchor_jwks"]})


def resolve(web, asked):
    say({"metadata": resolved(web, asked, asked["subject"]).metadata[asked["type"]]})


def configuration(web, asked):
    key = keys.signing_key_from_jwk(asked["key"])
    say({"statement": federation.build_entity_configuration(
        key, asked["id"], key.to_public_jwks(), asked.get("hints", []), asked["metadata"], None, 3600)})


def login(web, asked):
    """Automatic registration: a request object by the relying party's own key, to a provider whose chain was checked first."""
    found = resolved(web, asked, asked["provider"]).metadata["openid_provider"]
    provider = rp.ProviderInfo.from_metadata(metadata.ProviderMetadata.from_dict(found))
    key = keys.signing_key_from_jwk(asked["key"])
    client = rp.RpClient(asked["id"], asked["redirect_uri"], scope=asked["scope"], auth_method="private_key_jwt",
                         signing_key=key)
    go, state, nonce, verifier = rp.begin(provider, client, request_object_key=key)
    say({"go": go})

    back = read()
    if not back:
        return  # nobody came back
    answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))
    if answer["state"] != state or answer["iss"] != provider.issuer:
        raise SystemExit("the answer to another request, or of another provider (RFC 9207)")
    tokens = rp.exchange_code(web, provider, client, answer["code"], verifier)
    jwks = rp.fetch_jwks(web, provider.jwks_uri, provider.issuer)
    id_token = rp.verify_id_token(jwks, tokens.id_token, provider.issuer, asked["id"], nonce, ["ES256"])
    userinfo = rp.fetch_userinfo(web, provider.userinfo_endpoint, tokens.access_token, id_token["sub"],
                                 provider.issuer, method="GET")
    say({"id_token": id_token, "userinfo": userinfo})


web = Web(json.loads(read())["ca"])
acts = {"resolve": resolve, "configuration": configuration, "login": login}
while line := read():
    asked = json.loads(line)
    try:
        acts[asked["do"]](web, asked)
    except GrindvaktError as refused:
        say({"refused": str(refused)})
