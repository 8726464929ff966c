"""Clients that call without a pause, each on a kept connection of its own, and note each answer that is not the right one."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

import requests

# Between two calls of a client: this machine has other things to do as well.
PAUSE = 0.005


class Load:
    def __init__(self, url: str, username: str, password: str):
        self.url = url
        self.login = {"username": username, "password": password}
        self.done = Counter()
        self.wrong = []
        self.over = threading.Event()

    def call(self, http: requests.Session, method: str, path: str, **arguments) -> dict:
        """The body of a 200; of anything else, nothing."""
        try:
            answer = http.request(method, self.url + path, timeout=20, **arguments)
            if answer.status_code == 200:
                self.done[path] += 1
                return answer.json()
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        except requests.RequestException as error:
            self.wrong.append(f"{method} {path}: {error!r}")
        return {}

    def me(self) -> None:
        http = requests.Session()
        http.headers["authorization"] = f"Bearer {self.tokens(http).get('access_token')}"
        while not self.over.wait(PAUSE):
            self.call(http, "GET", "/api/v1/me")

    def logins(self) -> None:
        http = requests.Session()
        while not self.over.wait(PAUSE):
            self.tokens(http)

    def refreshes(self) -> None:
        """A chain: each token is the successor of the one before."""
        http = requests.Session()
        tokens = self.tokens(http)
        while not self.over.wait(PAUSE):
            refreshed = self.call(http, "POST", "/api/v1/refresh", json={"refresh_token": tokens.get("refresh_token")})
            tokens = refreshed or self.tokens(http)

    def tokens(self, http: requests.Session) -> dict:
        return self.call(http, "POST", "/api/v1/login", json=self.login)

    @contextlib.contextmanager
    def running(self, each: int = 2) -> Iterator[None]:
        """While this lasts, so many of each kind call."""
        clients = [threading.Thread(target=kind) for kind in (self.me, self.logins, self.refreshes) * each]
        for client in clients:
            client.start()
        try:
            # It is only a test once they all do.
            while len(self.done) < 3 and not self.wrong:
                time.sleep(0.05)
            yield
        finally:
            self.over.set()
            for client in clients:
                client.join()
