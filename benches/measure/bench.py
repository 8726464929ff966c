"""What the measurements share: the programs, a folder to work in, and a service with accounts in it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path

from . import machine
from .load import PASSWORD, Load
from .server import Server, free_port

ROOT = Path(__file__).parents[2]
COST = 12


class Bench:
    def __init__(self, programs: Path, out: Path, quick: bool):
        self.programs, self.out, self.quick = programs, out, quick
        self.load = Load(programs / "load")
        # Memory rather than a disk: how fast the disk is says nothing about the service, and hides what does.
        memory = Path("/dev/shm")
        self._folder = tempfile.TemporaryDirectory(
            prefix="portcullis-bench.", dir=memory if os.access(memory, os.W_OK) else out
        )
        self.work = Path(self._folder.name)
        self._disk = tempfile.TemporaryDirectory(prefix="disk.", dir=out)
        self._postgres = None

    def close(self) -> None:
        if self._postgres:
            self._fresh_database("drop", self._postgres)
        self._folder.cleanup()
        self._disk.cleanup()

    def say(self, text: str) -> None:
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def rounds(self, usual: int) -> int:
        return 1 if self.quick else usual

    def seconds(self, usual: int) -> int:
        return max(1, usual // 3) if self.quick else usual

    # Programs

    def env(self, **settings: object) -> dict[str, str]:
        """The service's settings: its defaults, but for those that a measurement needs. Never this shell's."""
        return {
            "PATH": os.environ["PATH"],
            "RUST_LOG": "warn",
            "SECRET_KEY": "for-this-measurement-alone-" * 2,
            # The limits are there to stop exactly what happens here.
            "RATE_LIMIT": "false",
            # A run outlasts the usual 15 minutes of a token on a slow machine.
            "ACCESS_TOKEN_TTL": "1d",
            "BCRYPT_COST": str(COST),
        } | {name: str(value) for name, value in settings.items()}

    def service(self, database: str, *, under: tuple = (), settings: dict | None = None, **how: object) -> Server:
        """`how` is what `Server` takes: which cores, say."""
        port = free_port()
        return Server(
            [*under, self.programs / "portcullis", "serve"],
            env=self.env(PORT=port, DATABASE_URL=database, **(settings or {})),
            cwd=self.work, port=port, ready="/health/ready", **how,
        )

    def bare(self, length: int, *, middleware: bool, under: tuple = ()) -> Server:
        port = free_port()
        command = [*under, self.programs / "bare", "--port", port, "--bytes", length]
        if middleware:
            command.append("--middleware")
        return Server(command, env=self.env(), cwd=self.work, port=port, ready="/bare")

    def program(self, name: str, *arguments: object) -> dict:
        """One of our programs, on the server's core: what the service is compared with."""
        command = machine.on(machine.SERVER_CORE, self.programs / name, *arguments)
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=self.work).stdout)

    # Databases with accounts in them

    @property
    def sessions(self) -> int:
        return 1_000 if self.quick else 10_000

    @cached_property
    def sqlite(self) -> str:
        """10,000 users, each with a session, and eight whose passwords have the usual cost."""
        database = f"sqlite://{self.work / 'bench.db'}"
        self.say(f"making {self.sessions:,} users with a session each")
        self._fill(database, self.sessions, "sqlite")
        return database

    @cached_property
    def postgres(self) -> str:
        self._postgres = self._fresh_database("create")
        self._fill(self._postgres, self.sessions // 10, "postgres")
        return self._postgres

    @cached_property
    def disk(self) -> str:
        """SQLite where it usually is."""
        database = f"sqlite://{self._disk.name}/bench.db"
        self._fill(database, self.sessions // 10, "disk")
        return database

    def database(self, kind: str) -> str:
        return {"sqlite": lambda: self.sqlite, "postgres": lambda: self.postgres, "disk": lambda: self.disk}[kind]()

    def access_tokens(self, kind: str = "sqlite") -> Path:
        self.database(kind)
        return self.work / f"{kind}.access"

    def refresh_tokens(self, kind: str) -> Path:
        self.database(kind)
        return self.work / f"{kind}.refresh"

    def _fill(self, database: str, users: int, name: str) -> None:
        # The cheapest hashes, on both cores: these passwords are not used again, and nothing is measured yet.
        cheap = {"BCRYPT_COST": 4, "PASSWORD_CHECK_COMMON": "false"}
        with self.service(database, settings=cheap, cores=(machine.SERVER_CORE, machine.LOAD_CORE)) as service:
            self.load.seed(service, "user", users, self.work / f"{name}.access", self.work / f"{name}.refresh")
        with self.service(database) as service:
            self.load.seed(service, "login", 8)

    def _fresh_database(self, *command: str) -> str:
        # Postgres is asked by psycopg, which the running Python has.
        script = ROOT / "scripts/clients/fresh_database.py"
        done = subprocess.run([sys.executable, script, *command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    # Single requests

    def token(self, server: Server, path: str = "/api/v1/login", user: str = "login0") -> str:
        body = json.dumps({"username": user, "password": PASSWORD})
        status, _, answer = request(server, "POST", path, body, {"content-type": "application/json"})
        if status != 200:
            raise RuntimeError(f"a login was answered {status}: {answer!r}")
        return json.loads(answer)["access_token"]

    def disable(self, kind: str, user: str) -> None:
        command = [self.programs / "portcullis", "user", "disable", user]
        environment = self.env(DATABASE_URL=self.database(kind))
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=self.work)

    def body_length(self, server: Server, path: str, token: str) -> int:
        return len(self._asked(server, path, token)[1])

    def headers(self, server: Server, path: str, token: str) -> list[tuple[str, str]]:
        return self._asked(server, path, token)[0]

    def _asked(self, server: Server, path: str, token: str) -> tuple[list[tuple[str, str]], bytes]:
        status, headers, answer = request(server, "GET", path, None, {"authorization": f"Bearer {token}"})
        if status != 200:
            raise RuntimeError(f"{path} was answered {status}: {answer!r}")
        return headers, answer

    def settle(self) -> None:
        """Lets what the last round left behind end: a batch of hashes, say."""
        time.sleep(0.5)


def request(
    server: Server, method: str, path: str, body: str | None, headers: dict
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()
