"""A million users against a thousand, on Postgres: the same service, the same requests, by turns."""

import json
import random
import subprocess
import sys
import time

import psycopg

from ..bench import ROOT, Bench, request
from ..load import PASSWORD
from ..rounds import interleave, median
from ..rows import Row
from ..server import Server

SIZES = {"thousand": 1_000, "million": 1_000_000}
TARGET = 1.5
JSON = {"content-type": "application/json"}

# Ids as the service makes them, each a millisecond after the one before; all have one user's password.
FILL = """
    insert into users (id, username, username_key, email, email_key, email_verified, display_name, password_hash,
                       password_version, disabled, created_at, updated_at)
    select cast(lpad(to_hex(1700000000000 + n), 12, '0') || '70008' || lpad(to_hex(n), 15, '0') as uuid),
           'user' || n, 'user' || n, 'user' || n || '@example.com', 'user' || n || '@example.com', true, null,
           (select password_hash from users where username_key = 'model'), 1, n %% 1000 = 0, now(), now()
    from generate_series(1, %s) as n
"""


class Side:
    """A service on a database with so many users, and an admin logged in."""

    def __init__(self, bench: Bench, database: str, users: int):
        self.users = users
        # A cheap hash, beside which the rest of a login is seen.
        settings = {"BCRYPT_COST": 4, "PASSWORD_CHECK_COMMON": "false", "REGISTRATION": "open"}
        admin = {"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": PASSWORD}
        self.server = bench.service(database, settings=settings | admin)
        self.post("/api/v1/register", {"username": "model", "password": PASSWORD})
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(FILL, [users])
            connection.execute("vacuum analyze")
        self.admin = self.login("root")
        self.refresh_token = self.post("/api/v1/login", {"username": "user1", "password": PASSWORD})["refresh_token"]

    def ask(self, method: str, path: str, body: dict | None, token: str | None) -> dict:
        headers = JSON | ({"authorization": f"Bearer {token}"} if token else {})
        status, _, answer = request(self.server, method, path, body and json.dumps(body), headers)
        if status not in (200, 201):
            raise RuntimeError(f"{method} {path} was answered {status}: {answer!r}")
        return json.loads(answer)

    def post(self, path: str, body: dict) -> dict:
        return self.ask("POST", path, body, None)

    def login(self, username: str) -> str:
        return self.post("/api/v1/login", {"username": username, "password": PASSWORD})["access_token"]

    def anyone(self) -> int:
        """The number of somebody who can log in: each thousandth is disabled."""
        return random.randint(0, self.users // 1000 - 1) * 1000 + random.randint(1, 999)

    # What is timed, once each

    def list(self) -> None:
        self.ask("GET", "/api/v1/admin/users?limit=50", None, self.admin)

    def list_disabled(self) -> None:
        self.ask("GET", "/api/v1/admin/users?limit=1&disabled=true", None, self.admin)

    def search(self) -> None:
        found = self.ask("GET", f"/api/v1/admin/users?query=user{self.anyone()}@", None, self.admin)
        if len(found["items"]) != 1:
            raise RuntimeError(f"a search found {len(found['items'])} users")

    def search_many(self) -> None:
        self.ask("GET", "/api/v1/admin/users?query=user&limit=50", None, self.admin)

    def log_in(self) -> None:
        self.login(f"user{self.anyone()}")

    def refresh(self) -> None:
        self.refresh_token = self.post("/api/v1/refresh", {"refresh_token": self.refresh_token})["refresh_token"]

    def me(self) -> None:
        """With a token that the service has not seen yet; the login is not timed."""
        self.ask("GET", "/api/v1/me", None, self.fresh)


def timed(what) -> float:
    start = time.perf_counter()
    what()
    return (time.perf_counter() - start) * 1000


def timed_me(side: Side) -> float:
    side.fresh = side.login(f"user{side.anyone()}")
    return timed(side.me)


REQUESTS = {
    "list users": lambda side: timed(side.list),
    "list the disabled": lambda side: timed(side.list_disabled),
    "search for one": lambda side: timed(side.search),
    "search for what all have": lambda side: timed(side.search_many),
    "login": lambda side: timed(side.log_in),
    "refresh": lambda side: timed(side.refresh),
    "me, first use of a token": timed_me,
}


def measure(bench: Bench) -> list[Row]:
    script = ROOT / "scripts/clients/fresh_database.py"

    def databases(*command: str) -> str:
        return subprocess.run([sys.executable, script, *command], check=True, capture_output=True, text=True).stdout.strip()

    made = {name: databases("create") for name in SIZES}
    sides = {}
    try:
        for name, users in SIZES.items():
            users = users // 10 if bench.quick else users
            bench.say(f"making {users:,} users")
            sides[name] = Side(bench, made[name], users)
        rows = []
        for what, once in REQUESTS.items():
            for side in sides.values():
                once(side)
            measured = interleave(
                20 if bench.quick else 200,
                thousand=lambda: once(sides["thousand"]),
                million=lambda: once(sides["million"]),
            )
            few, many = median(measured["thousand"]), median(measured["million"])
            absolute = f"{many:.2f} to {few:.2f} ms"
            rows.append(Row("scale", f"{what}, {sides['million'].users:,} users to {sides['thousand'].users:,}, Postgres",
                            many / few, absolute, "<=", TARGET))
        return rows
    finally:
        for side in sides.values():
            side.server.stop()
        for database in made.values():
            databases("drop", database)
