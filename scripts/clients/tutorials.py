"""The clients of four tutorials, as docs/tutorials.md has them: each line is what somebody wrote who followed one."""

import datetime
import re

import requests

import service
from checks import check, report

server = service.URL
EMAIL, PASSWORD = "user@email.com", "password"


def session(**headers: str) -> requests.Session:
    client = requests.Session()
    client.headers.update(headers)
    return client


def log_out(token: str) -> None:
    service.http.post(server + "/api/v1/logout", headers={"authorization": f"Bearer {token}"}, timeout=10).raise_for_status()


def told(response: requests.Response) -> tuple[int, object]:
    return response.status_code, response.json()


user = service.post("/api/v1/register", {"email": EMAIL, "password": PASSWORD})

# aiohttp and PyJWT
wrong = requests.post(f"{server}/login", data={"email": EMAIL, "password": "other"}, timeout=10)
check("aiohttp: a wrong password", told(wrong) == (400, {"message": "Wrong credentials"}), wrong.text)
token = requests.post(f"{server}/login", data={"email": EMAIL, "password": PASSWORD}, timeout=10).json()["token"]
who = requests.get(f"{server}/get-user", headers={"authorization": token}, timeout=10)
expected = {"user": f"User id={user['id']}: <{EMAIL}, is_admin=False>"}
check("aiohttp: the user", told(who) == (200, expected), who.text)
nobody = requests.get(f"{server}/get-user", timeout=10)
check("aiohttp: no token", told(nobody) == (401, {"message": "Auth required"}), nobody.text)
log_out(token)
gone = requests.get(f"{server}/get-user", headers={"authorization": token}, timeout=10)
check("aiohttp: a token after the logout", told(gone) == (400, {"message": "Token is invalid"}), gone.text)

# Flask, part 5
ada = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
made = requests.post(f"{server}/api/v1/signup", json=ada, timeout=10)
check("Flask, part 5: sign up", made.status_code == 200 and set(made.json()) == {"msg"}, made.text)
again = requests.post(f"{server}/api/v1/signup", json=ada, timeout=10)
check("Flask, part 5: again", again.status_code == 409 and set(again.json()) == {"err"}, again.text)
empty = requests.post(f"{server}/api/v1/signup", json={**ada, "username": ""}, timeout=10)
check("Flask, part 5: an empty field", empty.status_code == 422 and set(empty.json()) == {"error"}, empty.text)
login = requests.post(f"{server}/api/v1/login", json={"username": "ada", "password": PASSWORD}, timeout=10).json()
check("Flask, part 5: one token by two names", login["token"] == login["access_token"])
page = requests.get(f"{server}/need_login", headers={"Authorization": login["token"]}, timeout=10)
check("Flask, part 5: the page", page.status_code == 200 and page.text != "", page.text)
page = requests.get(f"{server}/need_login", timeout=10)
check("Flask, part 5: no token", page.status_code == 400 and set(page.json()) == {"err"}, page.text)
page = requests.get(f"{server}/need_login", headers={"Authorization": "x"}, timeout=10)
check("Flask, part 5: a bad token", page.status_code == 401 and set(page.json()) == {"err"}, page.text)

# Flask and PyJWT
wrong = requests.post(f"{server}/loginEndpoint", data={"username": "ada", "password": "other"}, timeout=10)
check("Flask: a wrong password", wrong.status_code == 401 and wrong.json()["error"] == "1", wrong.text)
login = requests.post(f"{server}/loginEndpoint", data={"username": "ada", "password": PASSWORD}, timeout=10).json()
check("Flask: logged in", (login["error"], login["message"]) == ("0", "Successful"), login)
until = datetime.datetime.strptime(login["Elapse_time"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=datetime.timezone.utc)
expires = service.parts(login["token"])[1]["exp"]
check("Flask: Elapse_time is when the token expires", until.timestamp() == expires, (login["Elapse_time"], expires))
client = session(TOKEN=login["token"])
verified = client.post(f"{server}/anEndpoint", timeout=10)
check("Flask: verified", told(verified) == (200, {"error": "0", "message": "You Are verified"}), verified.text)
nobody = requests.post(f"{server}/anEndpoint", timeout=10)
check("Flask: no token", told(nobody) == (401, {"error": "2", "message": "Token required"}), nobody.text)
garbage = requests.post(f"{server}/anEndpoint", headers={"TOKEN": "x"}, timeout=10)
check("Flask: a bad token", told(garbage) == (401, {"error": "1", "message": "Invalid Token"}), garbage.text)

# FastAPI and Postgres
bob = {"username": "bob", "email": "bob@example.com", "password": PASSWORD}
made = requests.post(f"{server}/users/register", json=bob, timeout=10)
check("FastAPI: registered", made.status_code == 201, made.text)
check("FastAPI: as a user", re.fullmatch("[0-9a-f-]{36}", made.json()["user_id"]) is not None, made.text)
again = requests.post(f"{server}/users/register", json=bob, timeout=10)
expected = {"message": "User already exists", "user_id": made.json()["user_id"]}
check("FastAPI: again", told(again) == (200, expected), again.text)
stranger = requests.post(f"{server}/users/register", json={**bob, "password": "guessed"}, timeout=10)
check("FastAPI: by a stranger", stranger.status_code == 409 and "user_id" not in stranger.json(), stranger.text)
token = requests.post(f"{server}/token", json={"username": "bob", "password": PASSWORD}, timeout=10).json()["token"]
client = session(Authorization=token)
for number, n in ((2, 10), (-3, 3), (3, 400), (2, -2), (2.5, 2)):
    root = client.get(f"{server}/root", params={"number": number, "n": n}, timeout=10)
    check(f"FastAPI: {number} ** {n}", told(root) == (200, {"root": number**n}), root.text)
for number, n in ((0, -1), (10, 4300), (-8, 0.5)):
    root = client.get(f"{server}/root", params={"number": number, "n": n}, timeout=10)
    check(f"FastAPI: {number} ** {n} is refused", root.status_code == 422, root.text)
root = client.get(f"{server}/root", params={"number": 10, "n": 4299}, timeout=10)
check("FastAPI: a number of 4300 digits is read by Python", root.json() == {"root": 10**4299})
garbage = requests.get(f"{server}/root", params={"number": 1, "n": 1}, headers={"Authorization": "x"}, timeout=10)
check("FastAPI: a bad token", told(garbage) == (401, {"message": "Token is not valid"}), garbage.text)

report()
