"""What scripts/soak runs: the program on both databases, under a steady load, and a look at it every minute."""

import http.client
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PASSWORD = "tidal-lantern-mosaic-42"

# Accounts of each service; those that are there before the first minute, so that what is measured is not their coming.
ACCOUNTS = 200

# Threads that ask one service: more than can be waiting, as long as it answers within a second.
ASKERS = 16

# Of a hundred requests.
MIX = [("me", 70), ("refresh", 16), ("login", 7), ("logout", 4), ("password", 2), ("register", 1)]

# How much of a minute's requests must be answered in it.
ANSWERED = 0.95

# How much more memory the last minute may have than the second.
GROWTH = 1.05


class Service:
    """The program on one database, and what has been asked of it in the present minute."""

    def __init__(self, name: str, program: str, database: str, folder: Path):
        self.name, self.port, self.folder = name, free_port(), folder
        folder.mkdir()
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database, "PORT": str(self.port), "BCRYPT_COST": "4",
                       "RATE_LIMIT": "false", "RUST_LOG": "warn",
                       # Full within the first minute: what grows after that is not what it is meant to keep.
                       "SESSION_CACHE_SIZE": "100"}
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen([program], env=environment, cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        self.lock = threading.Lock()
        self.took: list[float] = []
        self.wrong: list[str] = []
        self.errors = 0
        self.memory: list[int] = []
        self.due: queue.SimpleQueue = queue.SimpleQueue()
        self.accounts: queue.SimpleQueue = queue.SimpleQueue()
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"soak: the program does not start: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def is_ready(self) -> bool:
        try:
            return Asker(self).ask("GET", "/health/ready")[0] == 200
        except OSError:
            return False

    def resident(self) -> int:
        """Memory, in KiB."""
        for line in Path(f"/proc/{self.process.pid}/status").open():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError("no VmRSS")

    def went_wrong(self, what: str) -> None:
        with self.lock:
            self.errors += 1
            if len(self.wrong) < 10:
                self.wrong.append(what)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(40) != 0:
            self.went_wrong("it did not end with 0")


class Asker:
    """A connection that is kept."""

    def __init__(self, service: Service):
        self.service = service
        self.line = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)

    def ask(self, method: str, path: str, body: dict | None = None, token: str | None = None) -> tuple[int, dict]:
        headers = {"content-type": "application/json"} if body else {}
        if token:
            headers["authorization"] = f"Bearer {token}"
        try:
            self.line.request(method, path, json.dumps(body) if body else None, headers)
            answer = self.line.getresponse()
            read = answer.read()
        except Exception:
            self.line.close()
            raise
        return answer.status, json.loads(read) if read else {}

    def expect(self, status: int, *request) -> dict:
        began = time.monotonic()
        try:
            told, answer = self.ask(*request)
        except Exception as error:
            told, answer = 0, repr(error)
        if told != status:
            self.service.went_wrong(f"{request[0]} {request[1]}: {told} {answer}")
            raise Unexpected
        with self.service.lock:
            self.service.took.append(time.monotonic() - began)
        return answer

    def login(self, account: dict) -> None:
        body = {"username": account["name"], "password": account["password"]}
        self.keep(account, self.expect(200, "POST", "/api/v1/login", body))

    def keep(self, account: dict, tokens: dict) -> None:
        account["access"], account["refresh"] = tokens["access_token"], tokens["refresh_token"]

    def register(self, name: str) -> dict:
        self.expect(201, "POST", "/api/v1/register", {"username": name, "password": PASSWORD})
        account = {"name": name, "password": PASSWORD}
        self.login(account)
        return account

    def do(self, what: str, account: dict) -> None:
        if what == "me":
            self.expect(200, "GET", "/api/v1/me", None, account["access"])
        elif what == "refresh":
            self.keep(account, self.expect(200, "POST", "/api/v1/refresh", {"refresh_token": account["refresh"]}))
        elif what == "login":
            self.login(account)
        elif what == "logout":
            self.expect(204, "POST", "/api/v1/logout", None, account["access"])
            self.login(account)
        elif what == "password":
            new = f"{PASSWORD}-{random.randrange(10 ** 6)}"
            body = {"current_password": account["password"], "new_password": new}
            self.expect(204, "PUT", "/api/v1/me/password", body, account["access"])
            account["password"] = new
        else:
            # In the place of one that is deleted: their number stays.
            self.expect(204, "DELETE", "/api/v1/me", {"password": account["password"]}, account["access"])
            account.update(self.register(account["name"]))


class Unexpected(Exception):
    pass


def work(service: Service) -> None:
    asker = Asker(service)
    while (what := service.due.get()) is not None:
        account = service.accounts.get()
        try:
            asker.do(what, account)
        except Unexpected:
            pass
        service.accounts.put(account)


def free_port() -> int:
    """One that nobody uses, nor is given without asking for it."""
    for port in random.sample(range(20000, 32000), 1000):
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    sys.exit("soak: no port is free")


def minute(services: list[Service], rate: int) -> None:
    """A minute at a fixed rate, whatever the answers take; memory is looked at every second."""
    kinds, weights = zip(*MIX)
    began, samples = time.monotonic(), {service.name: [] for service in services}
    for second in range(60):
        for tick in range(rate):
            due = began + second + tick / rate
            time.sleep(max(0.0, due - time.monotonic()))
            for service in services:
                service.due.put(random.choices(kinds, weights)[0])
        for service in services:
            samples[service.name].append(service.resident())
    for service in services:
        service.memory.append(sorted(samples[service.name])[30])


def show(number: int, service: Service, rate: int) -> None:
    with service.lock:
        took, service.took = sorted(service.took), []
        errors = service.errors
        if len(took) < ANSWERED * 60 * rate:
            service.wrong.append(f"minute {number}: {len(took)} answers to {60 * rate} requests")
    def at(part: float) -> float:
        return took[min(len(took) - 1, int(len(took) * part))] * 1000 if took else float("nan")
    print(f"{number:>6}  {service.name:<9} {len(took) / 60:>9.1f} {errors:>7} {at(0.5):>8.1f} {at(0.99):>8.1f} "
          f"{service.memory[-1] / 1024:>9.1f}", flush=True)


def main() -> None:
    program, minutes, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        services = [Service("SQLite", program, "sqlite://data/portcullis.db", Path(folder) / "sqlite"),
                    Service("Postgres", program, os.environ["TEST_DATABASE_URL"], Path(folder) / "postgres")]
        try:
            soak(services, minutes, rate)
        finally:
            for service in services:
                service.process.kill()
        wrong = [f"{service.name}: {what}" for service in services for what in service.wrong]
        for service in services:
            second, last = service.memory[1], service.memory[-1]
            print(f"{service.name}: {last / second - 1:+.1%} of memory since the second minute, {service.errors} errors")
            if last > second * GROWTH:
                wrong.append(f"{service.name}: its memory grows")
        print("\n".join(["FAILED", *wrong]) if wrong else "passed")
        sys.exit(1 if wrong else 0)


def soak(services: list[Service], minutes: int, rate: int) -> None:
    # Another run's accounts may be there.
    prefix = f"soak-{os.getpid()}-{random.randrange(10 ** 6)}"
    for service in services:
        asker = Asker(service)
        for number in range(ACCOUNTS):
            service.accounts.put(asker.register(f"{prefix}-{number}"))
        service.took.clear()
    askers = [threading.Thread(target=work, args=[service]) for service in services for _ in range(ASKERS)]
    for asker in askers:
        asker.start()
    print(f"{'minute':>6}  {'database':<9} {'answers/s':>9} {'errors':>7} {'p50 ms':>8} {'p99 ms':>8} {'RSS MiB':>9}")
    try:
        for number in range(1, minutes + 1):
            minute(services, rate)
            for service in services:
                show(number, service, rate)
    finally:
        for service in services:
            for _ in range(ASKERS):
                service.due.put(None)
        for asker in askers:
            asker.join()
    for service in services:
        service.stop()


main()
