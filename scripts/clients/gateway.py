"""nginx with the configuration in gateway/, before an API that only notes what reaches it.

nginx runs as it is, but for the addresses and folders of that file: it has a port, and all of its files, to itself.
"""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import requests

import service
from checks import check, report
from nginx import nginx

CONFIGURATION = Path(__file__).resolve().parents[2] / "gateway/nginx.conf"


class Api(BaseHTTPRequestHandler):
    """Answers with what it got: the headers, their names in lower case, and how long the body was."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        got = {"headers": {name.lower(): value for name, value in self.headers.items()}, "length": len(body)}
        answer = json.dumps(got).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def gateway():
    """The address of a running nginx."""
    api = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    servers = {
        "server portcullis:8080;": f"server {urlsplit(service.URL).netloc};",
        "server api:8000;": f"server 127.0.0.1:{api.server_port};",
    }
    with nginx(CONFIGURATION, servers) as url:
        yield url


def told(answer: requests.Response) -> dict[str, str]:
    """What the API was told of who is calling. WSGI and its like take `_` for `-`."""
    headers = {name.replace("_", "-"): value for name, value in answer.json()["headers"].items()}
    return {name: value for name, value in headers.items() if name.startswith("x-auth-") and value}


def refusal(answer: requests.Response) -> tuple[int, str | None]:
    is_problem = answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"] if is_problem else None


user = service.register("gateway")
user_token = service.login(user["username"])["access_token"]
admin = service.login(*service.ADMIN)
as_user = {"authorization": f"Bearer {user_token}"}
as_admin = {"authorization": f"Bearer {admin['access_token']}"}
# What the API is told of either, where it is told the truth. This user has no address, and no role.
the_user = {"x-auth-user-id": user["id"], "x-auth-username": "gateway"}
the_admin = {
    "x-auth-user-id": admin["user"]["id"],
    "x-auth-username": "admin",
    "x-auth-email": "admin@example.com",
    "x-auth-roles": "admin",
}

with gateway() as url:

    def get(path: str, headers: dict | None = None) -> requests.Response:
        return requests.get(url + path, headers=headers, timeout=10)

    answer = get("/orders")
    check("without a token: 401", refusal(answer) == (401, "missing_token"), answer.text)
    challenge = answer.headers.get("www-authenticate", "")
    check("and it says what is wanted", challenge.startswith("Bearer realm="), challenge)
    answer = get("/orders", {"authorization": "Bearer nonsense"})
    check("with a bad token: 401", refusal(answer) == (401, "invalid_token"), answer.text)
    answer = get("/orders", the_admin)
    check("with only the headers of an admin: 401", answer.status_code == 401, answer.text)

    answer = get("/orders?page=2", as_user)
    check("a user gets in", answer.status_code == 200, answer.text)
    check("and the API knows who it is", told(answer) == the_user, told(answer))
    check("but not the token", "authorization" not in answer.json()["headers"], answer.text)
    answer = get("/orders", as_admin)
    check("of an admin, it knows the address and the role", told(answer) == the_admin, told(answer))

    answer = get("/orders", as_user | the_admin)
    check("what a user says of itself is not believed", told(answer) == the_user, told(answer))
    answer = get("/orders", as_user | {name.replace("-", "_"): value for name, value in the_admin.items()})
    check("nor with other hyphens", told(answer) == the_user, told(answer))

    answer = requests.post(url + "/orders", data=b"x" * 500_000, headers=as_user, timeout=10)
    check("a body arrives whole", answer.status_code == 200 and answer.json()["length"] == 500_000, answer.text)

    for path in ("/admin", "/admin/", "/admin/users"):
        answer = get(path, as_user | the_admin)
        check(f"{path} without the role: 403", refusal(answer) == (403, "forbidden"), answer.text)
        answer = get(path, as_admin)
        check(f"{path} with it", answer.status_code == 200 and told(answer) == the_admin, answer.text)
        check(f"{path} without a token: 401", get(path).status_code == 401)

    for path in ("/_auth/user", "/_auth/admin"):
        check(f"{path} is not for clients", get(path, as_admin).status_code == 404)
    check("the service is reached through the gateway", get("/api/v1/me", as_user).json().get("id") == user["id"])

    answer = requests.post(url + "/api/v1/logout", headers=as_user, timeout=10)
    check("a logout succeeds", answer.status_code == 204, answer.text)
    answer = get("/orders", as_user)
    check("and holds at once", refusal(answer) == (401, "revoked_token"), answer.text)

report()
