"""Replicas of the service, as processes of their own on the database of DATABASE_URL."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from nginx import free_port


class Replica:
    def __init__(self, program: str, folder: Path, name: str, **settings: str):
        """With what this program's environment sets, and these settings."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.address = f"127.0.0.1:{self.port}"
        self.command = [program, "serve"]
        self.log = folder / f"{name}.log"
        self.environment = os.environ | settings | {"PORT": str(self.port)}
        self.process = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.log.parent, env=self.environment, stdout=log, stderr=log
            )

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            sys.exit(f"a replica ended with {self.process.returncode}; its log:\n{self.log.read_text()}")
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def wait_until_ready(self) -> None:
        end = time.monotonic() + 30
        while not self.is_ready():
            if time.monotonic() > end:
                sys.exit(f"a replica is not ready after 30 seconds; its log:\n{self.log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def complaints(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if "panicked" in line or "ERROR" in line]
