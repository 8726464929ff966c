"""The accounts, the same for every peer: eight users with one password, and an ES256 key.

The environment gives PASSWORD, BCRYPT_COST, and PRIVATE_KEY and PUBLIC_KEY as PEM.
"""

import os

import bcrypt
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

# Read once: PyJWT would parse a PEM again for every token.
PRIVATE_KEY = load_pem_private_key(os.environ["PRIVATE_KEY"].encode(), None)
PUBLIC_KEY = load_pem_public_key(os.environ["PUBLIC_KEY"].encode())

HASHED = bcrypt.hashpw(os.environ["PASSWORD"].encode(), bcrypt.gensalt(int(os.environ["BCRYPT_COST"])))

# As long as what GET /api/v1/me answers.
USERS = {
    f"login{n}": {
        "id": f"019ab6b2-0000-7000-8000-00000000000{n}",
        "username": f"login{n}",
        "email": f"login{n}@example.com",
        "email_verified": False,
        "display_name": f"Ada Lovelace {n}",
        "roles": [],
        "disabled": False,
        "created_at": "2026-11-22T00:00:00.000000Z",
        "updated_at": "2026-11-22T00:00:00.000000Z",
        "last_login_at": "2026-11-22T00:00:00.000000Z",
    }
    for n in range(8)
}
