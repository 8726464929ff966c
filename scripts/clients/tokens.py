"""Makes the tokens that verifiers are shown.

tokens.py login          prints an access token of the admin's
tokens.py all EXPIRED    prints, as JSON, good ones, what an attacker would make of one, and EXPIRED once that it is
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import uuid

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key

import service

ALGORITHM = os.environ["JWT_ALGORITHM"]
STRANGERS_KEY = {
    "ES256": lambda: ECKey.generate_key("P-256"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
    "RS256": lambda: RSAKey.generate_key(2048),
    "HS256": lambda: OctKey.generate_key(256),
}


def token(header: dict, claims: dict, signature=lambda message: b"") -> str:
    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    message = ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{message}.{encoded(signature(message.encode()))}"


def forgeries(good: str) -> dict[str, str]:
    header, claims, signature = service.parts(good)
    payload = json.dumps(claims)
    stranger = jws.serialize_compact(header, payload, STRANGERS_KEY[ALGORITHM](), algorithms=[ALGORITHM])
    forged = {
        "a changed claim": token(header, claims | {"sub": str(uuid.uuid4())}, lambda _: signature),
        "a later exp": token(header, claims | {"exp": claims["exp"] + 3600}, lambda _: signature),
        "a flipped bit in the signature": token(header, claims, lambda _: bytes([signature[0] ^ 1]) + signature[1:]),
        "no signature": token(header, claims),
        "alg none": token(header | {"alg": "none"}, claims),
        "alg none under the old signature": token(header | {"alg": "none"}, claims, lambda _: signature),
        "a stranger's signature": stranger,
    }
    # A verifier that believes the token's `alg` would use the public key, which is no secret, as the secret of an HMAC.
    for key in service.public_keys():
        if key["kid"] == header["kid"]:
            public = import_key(key)
            for form, secret in {"PEM": public.as_pem(private=False), "DER": public.as_der(private=False)}.items():
                forged[f"HS256 under the public key as {form}"] = token(
                    header | {"alg": "HS256"}, claims, lambda message: hmac.digest(secret, message, hashlib.sha256)
                )
    return forged


def wait_for_the_end(expired: str) -> None:
    # Some libraries still take a token in the second that `exp` names.
    time.sleep(max(0.0, service.parts(expired)[1]["exp"] + 1 - time.time()))


match sys.argv[1:]:
    case ["login"]:
        print(service.login(*service.ADMIN)["access_token"])
    case ["all", expired]:
        good = service.login(*service.ADMIN)["access_token"]
        user = service.register("no-roles")["username"]
        made = {
            "admin": good,
            "user": service.login(user)["access_token"],
            "forged": forgeries(good),
            "expired": expired,
        }
        wait_for_the_end(expired)
        print(json.dumps(made, indent=2))
    case _:
        sys.exit(__doc__)
