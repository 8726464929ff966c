"""Flask and PyJWT, with the users in memory.

    gunicorn --worker-class gthread flask_app:app
"""

import time

import bcrypt
import jwt
from flask import Flask, abort, jsonify, request

from account import HASHED, PRIVATE_KEY, PUBLIC_KEY, USERS

app = Flask(__name__)


def current_user() -> dict:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, PUBLIC_KEY, algorithms=["ES256"], audience="bench", issuer="bench")
    except jwt.InvalidTokenError:
        abort(401)
    user = USERS.get(claims["sub"])
    if scheme != "Bearer" or user is None:
        abort(401)
    return user


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.post("/login")
def login():
    given = request.get_json()
    right = bcrypt.checkpw(given["password"].encode(), HASHED)
    if not right or given["username"] not in USERS:
        abort(401)
    claims = {"sub": given["username"], "aud": "bench", "iss": "bench", "exp": int(time.time()) + 3600}
    return jsonify(access_token=jwt.encode(claims, PRIVATE_KEY, algorithm="ES256"))


@app.get("/me")
def me():
    return jsonify(current_user())
