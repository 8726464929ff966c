"""PyJWT, joserfc, Authlib's validator of RFC 9068 and the service itself verify the tokens of tokens.py.

verify.py FILE    what `tokens.py all` printed
"""

import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import jwt as pyjwt
from authlib.oauth2.rfc6750.errors import InvalidTokenError as AuthlibRefusal
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc import jwt as joserfc_jwt
from joserfc.errors import ExpiredTokenError, JoseError, SecurityWarning
from joserfc.jwk import KeySet, OctKey

import service
from checks import check, refused, report

ALGORITHM = os.environ["JWT_ALGORITHM"]
AUDIENCE = os.environ["JWT_AUDIENCE"]
SECRET = os.environ["JWT_SECRET"] if ALGORITHM == "HS256" else None
# A verifier that would take any: the public keys must be enough to tell it which one.
ALGORITHMS = ["ES256", "EdDSA", "RS256", "HS256"]
CLAIMS = ["iss", "aud", "exp", "iat", "sub", "jti", "client_id", "sid", "gen", "roles"]
# joserfc: EdDSA has got the newer name Ed25519.
warnings.simplefilter("ignore", SecurityWarning)

pyjwt_keys = pyjwt.PyJWKClient(service.URL + "/.well-known/jwks.json", timeout=10)


def with_pyjwt(token: str, issuer=service.URL, audience=AUDIENCE) -> tuple[dict, dict]:
    key = SECRET or pyjwt_keys.get_signing_key_from_jwt(token)
    options = {"require": CLAIMS}
    decoded = pyjwt.decode_complete(token, key, ALGORITHMS, options, issuer=issuer, audience=audience)
    return decoded["header"], decoded["payload"]


def joserfc_keys():
    return OctKey.import_key(SECRET) if SECRET else KeySet.import_key_set({"keys": service.public_keys()})


def with_joserfc(token: str, issuer=service.URL, audience=AUDIENCE) -> tuple[dict, dict]:
    decoded = joserfc_jwt.decode(token, joserfc_keys(), ALGORITHMS)
    # No role is an empty list, which joserfc would take for a claim left blank.
    required = {name: {"essential": True, "allow_blank": name == "roles"} for name in CLAIMS}
    required["iss"]["value"], required["aud"]["value"] = issuer, audience
    joserfc_jwt.JWTClaimsRegistry(**required).validate(decoded.claims)
    return decoded.header, decoded.claims


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return joserfc_keys()


class AuthlibExpired(Exception):
    pass


def with_authlib(token: str, issuer=service.URL, audience=AUDIENCE) -> tuple[dict, dict]:
    validator = Validator(issuer, audience)
    try:
        claims = validator.authenticate_token(token)
        validator.validate_token(claims, scopes=None, request=None)
    except AuthlibRefusal as refusal:
        # It has one error for all; the cause tells which.
        if isinstance(refusal.__cause__, ExpiredTokenError):
            raise AuthlibExpired from refusal
        raise
    return claims.header, dict(claims)


@dataclass
class Verifier:
    verify: Callable[..., tuple[dict, dict]]
    # What it raises for a bad token, and for an expired one.
    bad: type[Exception]
    expired: type[Exception]


verifiers = {
    "PyJWT": Verifier(with_pyjwt, pyjwt.InvalidTokenError, pyjwt.ExpiredSignatureError),
    "joserfc": Verifier(with_joserfc, JoseError, ExpiredTokenError),
}
# Authlib's validator allows what joserfc recommends, which EdDSA is not under that name.
if ALGORITHM != "EdDSA":
    verifiers["Authlib"] = Verifier(with_authlib, AuthlibRefusal, AuthlibExpired)

shown = json.loads(Path(sys.argv[1]).read_text())
expected = {"iss": service.URL, "aud": AUDIENCE, "client_id": "portcullis", "roles": ["admin"]}

for name, verifier in verifiers.items():
    header, claims = verifier.verify(shown["admin"])
    check(f"{name}: typ is at+jwt", header["typ"] == "at+jwt", header)
    check(f"{name}: alg is {ALGORITHM}", header["alg"] == ALGORITHM, header)
    check(f"{name}: the claims are what they must be", expected.items() <= claims.items(), claims)
    check(f"{name}: it lives for 15 minutes", claims["exp"] - claims["iat"] == 900, claims)
    if name != "Authlib":  # which refuses the empty list of a user without roles
        check(f"{name}: a user without roles", verifier.verify(shown["user"])[1]["roles"] == [])

    for other in {"issuer": "https://other.example"}, {"audience": service.URL}:
        refused(f"{name}: a token where {other} is wanted", verifier.bad, verifier.verify, shown["admin"], **other)
    refused(f"{name}: an expired token", verifier.expired, verifier.verify, shown["expired"])
    for what, token in shown["forged"].items():
        refused(f"{name}: {what}", verifier.bad, verifier.verify, token)


def answer(token: str) -> tuple[int, str | None]:
    response = service.get("/api/v1/me", token)
    return response.status_code, response.json().get("code")


check("the service takes the good one", answer(shown["admin"]) == (200, None), answer(shown["admin"]))
check("the service: an expired token", answer(shown["expired"]) == (401, "expired_token"), answer(shown["expired"]))
for what, token in shown["forged"].items():
    check(f"the service: {what} is refused", answer(token) == (401, "invalid_token"), answer(token))

if ALGORITHM == "HS256":
    check("nothing of the secret is published", service.public_keys() == [], service.public_keys())
else:
    private = {"d", "p", "q", "dp", "dq", "qi", "k"}
    check("the public keys are public only", not any(private & key.keys() for key in service.public_keys()))

report()
