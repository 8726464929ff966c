"""FastAPI and PyJWT, as its tutorial has it, with what it leaves slow taken out: the users are in memory, and what
hashes is not on the event loop.

    uvicorn fastapi_app:app
"""

import time
from typing import Annotated

import bcrypt
import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel

from account import HASHED, PRIVATE_KEY, PUBLIC_KEY, USERS

app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="login")


class Login(BaseModel):
    username: str
    password: str


async def current_user(token: Annotated[str, Depends(bearer)]) -> dict:
    try:
        claims = jwt.decode(token, PUBLIC_KEY, algorithms=["ES256"], audience="bench", issuer="bench")
    except jwt.InvalidTokenError:
        raise HTTPException(401)
    user = USERS.get(claims["sub"])
    if user is None:
        raise HTTPException(401)
    return user


@app.get("/health")
async def health() -> dict:
    return {"status": "ok"}


@app.post("/login")
def login(login: Login) -> dict:
    right = bcrypt.checkpw(login.password.encode(), HASHED)
    if not right or login.username not in USERS:
        raise HTTPException(401)
    claims = {"sub": login.username, "aud": "bench", "iss": "bench", "exp": int(time.time()) + 3600}
    return {"access_token": jwt.encode(claims, PRIVATE_KEY, algorithm="ES256")}


@app.get("/me")
async def me(user: Annotated[dict, Depends(current_user)]) -> dict:
    return user
