"""What a user would pick instead, in the same run: each protects one route, and logs in with bcrypt at the same cost.

All are asked the same way, ours too, beside a bare actix route: as fast as it goes, then with 64 logins in flight.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..bench import COST, ROOT, Bench
from ..load import PASSWORD, wrk
from ..machine import memory_mib
from ..rounds import interleave, median, ratios
from ..server import Server, free_port

FOLDER = ROOT / "benches/peers"


@dataclass
class Peer:
    """A row of the peers' table. Times in milliseconds, memory in MiB."""

    name: str
    to_hello: float
    per_second: float
    kept: float
    p99_ms: float
    p99_under_logins_ms: float
    refused_under_logins: int
    memory_idle: float
    memory_after: float


def measure(bench: Bench) -> list[Peer]:
    peers = []
    with bench.service(bench.sqlite) as service:
        length = bench.body_length(service, "/api/v1/me", bench.token(service))
        with bench.bare(length, middleware=False) as hello:
            peers.append(one(bench, "Portcullis", hello, service, "/api/v1/login", "/api/v1/me"))
    with bench.bare(length, middleware=False) as hello:
        for name, command in commands(bench).items():
            port = free_port()
            command = [str(word).replace("{port}", str(port)) for word in command]
            with Server(command, env=environment(bench, port), cwd=bench.work, port=port, ready="/health") as server:
                peers.append(one(bench, name, hello, server, "/login", "/me"))
    return peers


def commands(bench: Bench) -> dict[str, list]:
    """As each one's own guide has it for one core."""
    programs, node = Path(sys.executable).parent, bench.out / "peers/node/fastify_app.js"
    found = {
        "FastAPI + PyJWT (uvicorn)": [
            programs / "uvicorn", "--app-dir", FOLDER, "--port", "{port}", "--log-level", "warning", "--no-access-log", "fastapi_app:app",
        ],
        # 2 × cores + 1 workers; with threads, since without them gunicorn keeps no connections.
        "Flask + PyJWT (gunicorn)": [
            programs / "gunicorn", "--chdir", FOLDER, "--bind", "127.0.0.1:{port}", "--workers", "3",
            "--worker-class", "gthread", "--threads", "8", "--log-level", "warning", "flask_app:app",
        ],
        "Fastify + @fastify/jwt, its cache on": ["node", node],
    }
    if not node.exists():
        bench.say("peers: without Fastify, for which there is no node")
        del found["Fastify + @fastify/jwt, its cache on"]
    return found


def environment(bench: Bench, port: int) -> dict[str, str]:
    keys = subprocess.run([sys.executable, FOLDER / "make_keys.py"], capture_output=True, text=True, check=True)
    return {
        "PATH": os.environ["PATH"], "HOME": str(bench.work), "NODE_ENV": "production", "PYTHONDONTWRITEBYTECODE": "1",
        "PORT": str(port), "PASSWORD": PASSWORD, "BCRYPT_COST": str(COST), **json.loads(keys.stdout),
    }


def one(bench: Bench, name: str, hello: Server, server: Server, login: str, route: str) -> Peer:
    bench.say(f"peers: {name}")
    time.sleep(0.5)
    idle = memory_mib(server.pid)
    token = bench.token(server, login)
    wrk(server, route, 1, token=token)
    p99 = []

    def protected() -> float:
        told = wrk(server, route, bench.seconds(3), token=token)
        p99.append(told["p99_ms"])
        return told["per_second"]

    measured = interleave(
        bench.rounds(3),
        hello=lambda: wrk(hello, "/bare", bench.seconds(2), token=token)["per_second"],
        protected=protected,
    )
    with bench.load.logins_meanwhile(server, login):
        time.sleep(1)
        meanwhile = wrk(server, route, bench.seconds(8), token=token, tolerant=True)
    after = memory_mib(server.pid)
    # With its logins still queued it would not end by itself for a while.
    server.stop(signal.SIGKILL)
    return Peer(
        name=name,
        to_hello=median(ratios(measured["protected"], measured["hello"])),
        per_second=median(measured["protected"]),
        kept=meanwhile["per_second"] / median(measured["protected"]),
        p99_ms=median(p99),
        p99_under_logins_ms=meanwhile["p99_ms"],
        refused_under_logins=meanwhile["refused"] + meanwhile["failed"],
        memory_idle=idle,
        memory_after=after,
    )
