"""What answering times tell a stranger: failed logins of three kinds, and links asked for with a known and an unknown address."""

import json
import time

from ..bench import Bench, request
from ..load import PASSWORD
from ..rounds import interleave, median
from ..rows import Row
from ..server import Server

TRIES = 200
JSON = {"content-type": "application/json"}


def timed(server: Server, path: str, body: dict, expected: int) -> float:
    start = time.perf_counter()
    status, _, answer = request(server, "POST", path, json.dumps(body), JSON)
    taken = (time.perf_counter() - start) * 1000
    if status != expected:
        raise RuntimeError(f"{path} was answered {status}: {answer!r}")
    return taken


def measure(bench: Bench) -> list[Row]:
    rows = []
    # A cheaper hash: what differs beside it is then the larger part.
    settings = {"BCRYPT_COST": 10}
    for kind, name in {"disk": "SQLite", "postgres": "Postgres"}.items():
        with bench.service(bench.database(kind), settings=settings) as server:
            for who in ("known", "disabled"):
                account = {"username": f"silent-{who}", "email": f"silent-{who}@example.com", "password": PASSWORD}
                timed(server, "/api/v1/register", account, 201)
            bench.disable(kind, "silent-disabled")

            def login(user: str) -> float:
                return timed(server, "/api/v1/login", {"username": user, "password": "wrong-lantern-42"}, 401)

            def forgot(user: str) -> float:
                return timed(server, "/api/v1/password/forgot", {"email": f"{user}@example.com"}, 202)

            tries = TRIES // 10 if bench.quick else TRIES
            logins = interleave(
                tries,
                known=lambda: login("silent-known"),
                unknown=lambda: login("silent-nobody"),
                disabled=lambda: login("silent-disabled"),
            )
            asked = interleave(
                tries, known=lambda: forgot("silent-known"), unknown=lambda: forgot("silent-nobody")
            )
        for what, measured in {
            "failed logins: wrong password, unknown name, disabled account": logins,
            "links asked for: known address, unknown address": asked,
        }.items():
            medians = {side: median(times) for side, times in measured.items()}
            absolute = ", ".join(f"{value:.2f}" for value in medians.values()) + " ms"
            apart = max(medians.values()) / min(medians.values())
            rows.append(
                Row("silence", f"{what}; medians of {tries}, the slowest to the fastest, {name}", apart, absolute, "<=", 1.10)
            )
    return rows
