"""Prints a fresh ES256 key as JSON, in PEM: PRIVATE_KEY and PUBLIC_KEY."""

import json

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

key = generate_private_key(SECP256R1())
private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
print(json.dumps({"PRIVATE_KEY": private.decode(), "PUBLIC_KEY": public.decode()}))
