"""Who schemathesis is when it calls a protected operation.

A fresh user for every single call: an account that a call deletes, a session that it ends or a password that it changes
is then missed by no other. Where a role is needed, the admin.
"""

import itertools

import schemathesis

from service import ADMIN, login, parts, register

# What the document has as examples. They name nothing; what they stand for takes their place.
EXAMPLE_ID = "019a96b3-0400-7000-8000-000000000001"
EXAMPLE_REFRESH_TOKEN = "pc_rt_AZqlrMEAcACAAAAAAAAAAAAAAAEv3k0Q2mZ7xw"

numbers = itertools.count(1)


def fresh_user() -> dict:
    return login(register(f"st-{next(numbers)}")["username"])


class Identity:
    admin: dict | None = None

    def get(self, case, context):
        if not context.operation.path.startswith(("/api/v1/admin/", "/api/v1/revocations", "/oauth/introspect")):
            return fresh_user()
        if Identity.admin is None:
            Identity.admin = login(*ADMIN)
        return Identity.admin

    def set(self, case, tokens, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        if case.path_parameters and case.path_parameters.get("id") == EXAMPLE_ID:
            case.path_parameters["id"] = self.own_id(tokens, context.operation.path)

    @staticmethod
    def own_id(tokens, path):
        if path == "/api/v1/me/sessions/{id}":
            return parts(tokens["access_token"])[1]["sid"]
        # Not the admin's: whose password changes, or who is disabled, is out, and so is who has a quota of nothing.
        return fresh_user()["user"]["id"] if path.startswith("/api/v1/admin/") else tokens["user"]["id"]


def admins_id() -> str | None:
    return Identity.admin and Identity.admin["user"]["id"]


@schemathesis.hook
def before_call(context, case, kwargs):
    # Held for no longer than this run can wait.
    if case.query and str(case.query.get("wait", "")).isdecimal() and 1 < int(case.query["wait"]) <= 300:
        case.query["wait"] = 1
    # A quota of nothing would end it for the admin, whose id it finds in lists.
    if case.operation.path.endswith("/quota") and case.path_parameters.get("id") == admins_id():
        case.path_parameters["id"] = fresh_user()["user"]["id"]
    if isinstance(case.body, dict) and case.body.get("refresh_token") == EXAMPLE_REFRESH_TOKEN:
        case.body["refresh_token"] = fresh_user()["refresh_token"]


def is_protected(context) -> bool:
    return bool(context.operation.definition.raw.get("security"))


schemathesis.auth(refresh_interval=None).apply_to(is_protected)(Identity)
