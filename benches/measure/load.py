"""What asks the servers: wrk for as much as goes, and our own for the rest. All of it on the core that is not theirs."""

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path

from . import machine
from .server import Server

_LUA = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 64
PASSWORD = "tidal-lantern-mosaic-42"


def _run(*command: object) -> dict:
    done = subprocess.run(machine.on(machine.LOAD_CORE, *command), capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(str(command[0])).name} failed: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def wrk(server: Server, path: str, seconds: int, *, token: str = "", tokens: Path | None = None, tolerant=False) -> dict:
    """As many requests as go, over 64 connections. `busy` is the share of the server's core that the server took:
    well below 1 means that wrk, or a neighbour, was what limited it."""
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    before = machine.cpu_seconds(server.pid)
    told = _run(
        "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", *header, "-s", _LUA,
        server.url(path), *([tokens] if tokens else []),
    )
    spent = machine.cpu_seconds(server.pid) - before
    if not tolerant and (told["refused"] or told["failed"]):
        raise RuntimeError(f"requests to {path} were not answered: {told}; the server said {server.log.read_text()[-500:]}")
    told["per_second"] = told["requests"] / told["seconds"]
    told["busy"] = spent / told["seconds"]
    told["per_cpu_second"] = told["requests"] / max(spent, 0.01)
    return told


class Load:
    """The program `load`, whose commands are in benches/src/bin/load."""

    def __init__(self, program: Path):
        self._program = program

    def seed(self, server: Server, prefix: str, users: int, *tokens: object) -> None:
        kinds = ["--access-tokens", "--refresh-tokens"]
        files = [word for pair in zip(kinds, tokens) for word in pair]
        _run(self._program, "seed", "--address", server.address, "--prefix", prefix, "--users", users,
             "--password", PASSWORD, *files)

    def rate(self, server: Server, path: str, token: str, seconds: float, per_second: int = 1000) -> dict:
        return _run(self._program, "rate", "--address", server.address, "--path", path, "--token", token,
                    "--per-second", per_second, "--connections", CONNECTIONS, "--seconds", seconds)

    def burst(self, server: Server, path: str, token: str, each: int) -> int:
        return _run(self._program, "burst", "--address", server.address, "--path", path, "--token", token,
                    "--each", each, "--connections", CONNECTIONS)["requests"]

    def refreshes(self, server: Server, tokens: Path, seconds: float) -> dict:
        return _run(self._program, "refreshes", "--address", server.address, "--tokens", tokens,
                    "--connections", CONNECTIONS, "--seconds", seconds)

    def _logins(self, server: Server, path: str, connections: int, seconds: float) -> list[str]:
        return machine.on(
            machine.LOAD_CORE, self._program, "logins", "--address", server.address, "--path", path,
            "--password", PASSWORD, "--connections", connections, "--seconds", seconds,
        )

    def logins(self, server: Server, path: str, connections: int, seconds: float) -> dict:
        done = subprocess.run(self._logins(server, path, connections, seconds), capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    @contextmanager
    def logins_meanwhile(self, server: Server, path: str, connections: int = CONNECTIONS):
        """Keeps so many logins in flight for the length of a `with`."""
        logins = subprocess.Popen(self._logins(server, path, connections, 3600), stdout=subprocess.DEVNULL)
        try:
            yield logins
            if logins.poll() is not None:
                raise RuntimeError("the logins ended too soon")
        finally:
            logins.kill()
            logins.wait()
