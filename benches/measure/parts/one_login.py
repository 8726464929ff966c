"""One login alone, against one hash by the `bcrypt` crate's own function: by turns, one and one."""

import subprocess
import time

from .. import machine
from ..bench import COST, Bench
from ..rounds import interleave, median, ratios
from ..rows import Row


def measure(bench: Bench) -> list[Row]:
    command = machine.on(machine.SERVER_CORE, bench.programs / "hashes", "--cost", COST, "each")
    with (
        bench.service(bench.sqlite) as service,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hashes,
    ):

        def login() -> float:
            start = time.perf_counter()
            bench.token(service)
            return (time.perf_counter() - start) * 1000

        def one_hash() -> float:
            print(file=hashes.stdin, flush=True)
            return float(hashes.stdout.readline())

        login(), one_hash()
        measured = interleave(bench.rounds(15), login=login, hash=one_hash)
        hashes.stdin.close()
    rounds = ratios(measured["login"], measured["hash"])
    what = f"one login alone, to the time of one hash by the `bcrypt` crate, cost {COST}"
    absolute = f"{median(measured['login']):.0f} to {median(measured['hash']):.0f} ms"
    return [Row("one-login", what, median(rounds), absolute, "<=", 1.05, rounds=rounds)]
