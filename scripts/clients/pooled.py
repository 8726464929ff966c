"""The service by way of PgBouncer in transaction mode, which has fewer connections than the service's pools.

Arguments: the program, and a command that is run against a replica: in it, {url} stands for that one's address. The
settings come from the environment; DATABASE_URL is an empty database.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import requests

from checks import check, report
from load import Load
from pgbouncer import pgbouncer
from replica import Replica

CONNECTIONS = 4
REVOCATIONS = 20
PASSWORD = "tidal-lantern-mosaic-42"
# Within which a logout holds everywhere.
ALLOWED = 1.0

program, *command = sys.argv[1:]
direct = os.environ["DATABASE_URL"]


def held_within(here: Replica, there: Replica, username: str) -> float:
    """Logs in here, is known there, logs out here; how long after that the token was still taken there."""
    http = requests.Session()
    answer = http.post(f"{here.url}/api/v1/login", json={"username": username, "password": PASSWORD}, timeout=10)
    answer.raise_for_status()
    headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
    for _ in range(2):
        http.get(f"{there.url}/api/v1/me", headers=headers, timeout=10).raise_for_status()
    http.post(f"{here.url}/api/v1/logout", headers=headers, timeout=10).raise_for_status()
    made = time.monotonic()
    while True:
        # By when it was asked: what came in time is right, however long its answer takes.
        asked = time.monotonic() - made
        if http.get(f"{there.url}/api/v1/me", headers=headers, timeout=10).status_code == 401:
            return asked
        if asked > 10 * ALLOWED:
            return asked


with tempfile.TemporaryDirectory(prefix="portcullis-pooled.") as folder, pgbouncer(direct, CONNECTIONS) as lent:
    os.environ |= {"SECRET_KEY": "known to this run alone, and no secret", "DRAIN_DELAY": "0s"}
    os.environ["DATABASE_URL"] = lent

    def run(*arguments: str, url: str = lent, said: str = "") -> subprocess.CompletedProcess:
        environment = os.environ | {"DATABASE_URL": url}
        done = [program, *arguments]
        return subprocess.run(done, cwd=folder, env=environment, input=said, capture_output=True, text=True, timeout=60)

    for arguments in (["serve", "--port=0"], ["migrate"]):
        done = run(*arguments)
        refused = done.returncode == 1 and "portcullis migrate" in done.stderr and "pgbouncer=true" in done.stderr
        check(f"{arguments[0]} makes no migrations through it, and says what does", refused, done.stderr)
    done = run("migrate", url=lent.removesuffix("?pgbouncer=true"))
    told = done.returncode == 1 and "add ?pgbouncer=true to DATABASE_URL" in done.stderr
    check("without pgbouncer=true it says what to add", told, done.stderr)
    done = run("migrate", url=direct)
    check("migrate makes them without it", done.returncode == 0, done.stderr)
    done = run("user", "create", "--username=admin", "--email=admin@example.com", "--role=admin", said=PASSWORD)
    check("an admin is made through it", done.returncode == 0, done.stderr)

    replicas = [Replica(program, Path(folder), f"replica-{n}") for n in (1, 2)]
    try:
        for replica in replicas:
            replica.environment["PUBLIC_URL"] = replicas[0].url
            replica.start()
        for replica in replicas:
            replica.wait_until_ready()

        command = [word.replace("{url}", replicas[0].url).replace("{password}", PASSWORD) for word in command]
        check(f"{command[0].rpartition('/')[2]} passes", subprocess.run(command).returncode == 0)

        users = ["busy", *(f"leaves-{n}" for n in range(REVOCATIONS))]
        for user in users:
            body = {"username": user, "password": PASSWORD}
            requests.post(f"{replicas[0].url}/api/v1/register", json=body, timeout=10).raise_for_status()
        loads = [Load(replica.url, "busy", PASSWORD) for replica in replicas]
        with loads[0].running(), loads[1].running():
            # More at once than there are connections.
            at_once = [
                threading.Thread(target=Load(replicas[n % 2].url, "busy", PASSWORD).tokens, args=[requests.Session()])
                for n in range(6 * CONNECTIONS)
            ]
            for one in at_once:
                one.start()
            for one in at_once:
                one.join()
            slowest = max(held_within(replicas[n % 2], replicas[1 - n % 2], f"leaves-{n}") for n in range(REVOCATIONS))
            check(f"of {REVOCATIONS} logouts under load, each holds on the other replica in time", slowest <= ALLOWED, slowest)
        for load in loads:
            check(f"none of {sum(load.done.values())} requests failed", not load.wrong, load.wrong[:5])

        with psycopg.connect(direct) as database:
            settings = "select count(*) from pg_stat_activity where application_name = 'portcullis' and datname = current_database()"
            (used,) = database.execute(settings).fetchone()
            check(f"no more than {CONNECTIONS} connections are used", 0 < used <= CONNECTIONS, used)
        for replica in replicas:
            check("a replica ends with 0", replica.stop() == 0)
            check("and has no error in its log", not replica.complaints(), replica.complaints()[:5])
    finally:
        for replica in replicas:
            replica.kill()

report()
