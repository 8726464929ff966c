"""The service under test, as the programs here call it by hand: what is not the client's under test to do."""

import base64
import json
import os

import requests

URL = os.environ["PUBLIC_URL"]
ADMIN = os.environ["ADMIN_USERNAME"], os.environ["ADMIN_PASSWORD"]
# Of all users but the admin. It is the document's example: so those of `DELETE /api/v1/me` and its like succeed.
PASSWORD = "tidal-lantern-mosaic-42"

http = requests.Session()


def get(path: str, access_token: str | None = None) -> requests.Response:
    headers = {"authorization": f"Bearer {access_token}"} if access_token else {}
    return http.get(URL + path, headers=headers, timeout=10)


def post(path: str, body: dict[str, str]) -> dict:
    response = http.post(URL + path, json=body, timeout=10)
    response.raise_for_status()
    return response.json()


def register(username: str) -> dict:
    return post("/api/v1/register", {"username": username, "password": PASSWORD})


def login(username: str, password: str = PASSWORD) -> dict:
    return post("/api/v1/login", {"username": username, "password": password})


def public_keys() -> list[dict]:
    return get("/.well-known/jwks.json").json()["keys"]


def parts(token: str) -> tuple[dict, dict, bytes]:
    """Header, claims and signature; nothing is verified."""
    header, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
    return json.loads(header), json.loads(claims), signature
