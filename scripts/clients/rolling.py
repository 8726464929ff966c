"""Two replicas behind nginx with the configuration in replicas/, restarted one after the other while clients call.

Arguments: the program. The settings come from the environment.
"""

import os
import sys
import tempfile
from pathlib import Path

import requests

from checks import check, report
from load import Load
from nginx import nginx
from replica import Replica

CONFIGURATION = Path(__file__).resolve().parents[2] / "replicas/nginx.conf"
ROUNDS = 3
# Here, and of how long nginx keeps an idle connection: as in docker-compose.yml the second is less.
DRAIN_DELAY, KEPT = os.environ.get("DRAIN_DELAY", "1s"), "500ms"
PASSWORD = "tidal-lantern-mosaic-42"

with tempfile.TemporaryDirectory(prefix="portcullis-rolling.") as folder:
    secret = "known to this run alone, and no secret"
    settings = {"DRAIN_DELAY": DRAIN_DELAY, "TRUSTED_PROXIES": "127.0.0.1", "SECRET_KEY": secret}
    replicas = [Replica(sys.argv[1], Path(folder), f"replica-{n}", **settings) for n in (1, 2)]
    # That a replica is away is nothing to tell.
    here = {"error_log stderr;": "error_log stderr crit;", "keepalive_timeout 5s;": f"keepalive_timeout {KEPT};"}
    for n, replica in enumerate(replicas, 1):
        here[f"server portcullis-{n}:8080 "] = f"server {replica.address} "
    try:
        for replica in replicas:
            replica.start()
        for replica in replicas:
            replica.wait_until_ready()
        with nginx(CONFIGURATION, here) as url:
            user = {"username": "rolling", "password": PASSWORD}
            answer = requests.post(f"{url}/api/v1/register", json=user, timeout=20)
            check("a user registers through nginx", answer.status_code == 201, answer.text)
            load = Load(url, **user)
            with load.running():
                for turn in range(1, ROUNDS + 1):
                    for n, replica in enumerate(replicas, 1):
                        before = sum(load.done.values())
                        code = replica.stop()
                        replica.start()
                        replica.wait_until_ready()
                        check(f"round {turn}: replica {n} ends with 0", code == 0, code)
                        asked = sum(load.done.values()) - before
                        check(f"and meanwhile {asked} requests are answered", asked > 0)
            done = dict(load.done)
            check(f"none of {sum(done.values())} requests failed", not load.wrong, load.wrong[:5])
        if load.wrong:
            print(*(replica.log.read_text() for replica in replicas), sep="\n")
        for n, replica in enumerate(replicas, 1):
            check(f"replica {n} ends with 0 at last", replica.stop() == 0)
            check("and has no error in its log", not replica.complaints(), replica.complaints()[:5])
    finally:
        for replica in replicas:
            replica.kill()

report()
