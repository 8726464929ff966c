"""A server under measurement: started on its core, asked until it is ready, and stopped."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import machine


# Under callgrind, a start takes some seconds.
_PATIENCE = 60


class Server:
    """Runs for the length of a `with`."""

    def __init__(self, command: list, *, env: dict, cwd: Path, port: int, ready: str,
                 cores: tuple[int, ...] = (machine.SERVER_CORE,), keep_log: bool = True):
        self.port, self.address, self.ready = port, f"127.0.0.1:{port}", ready
        self.log = cwd / f"server-{port}.log" if keep_log else Path(os.devnull)
        started = time.perf_counter()
        with self.log.open("wb") as log:
            # A session of its own, so that a server of several processes can be ended as one.
            self.process = subprocess.Popen(
                machine.on(",".join(map(str, cores)), *command),
                env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        try:
            self._await(started + _PATIENCE)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        self.start_ms = (time.perf_counter() - started) * 1000

    def _await(self, deadline: float) -> None:
        while get_status(self.port, self.ready) != 200:
            if self.process.poll() is not None or time.perf_counter() > deadline:
                raise RuntimeError(f"a server did not start; it said: {self.log.read_text()[-2000:]}")
            time.sleep(0.0005)

    @property
    def pid(self) -> int:
        return self.process.pid

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def get_status(port: int, path: str) -> int | None:
    """The status of one GET; None while nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return int(connection.recv(4096).split(b" ", 2)[1])
    except (OSError, IndexError, ValueError):
        return None


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
