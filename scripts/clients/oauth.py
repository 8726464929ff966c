"""Authlib's OAuth client against the standard endpoints, which it knows from the service's metadata alone."""

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

import service
from checks import check, refused, report

metadata = service.get("/.well-known/oauth-authorization-server").json()
check("the issuer is the service", metadata["issuer"] == service.URL, metadata)
also = service.get("/.well-known/openid-configuration").json()
check("both places have the same metadata", also == metadata, also)


def client(**options) -> OAuth2Session:
    return OAuth2Session("authlib", token_endpoint=metadata["token_endpoint"], default_timeout=10, **options)


admin = client(token_endpoint_auth_method="none")
admin.fetch_token(username=service.ADMIN[0], password=service.ADMIN[1])


def introspect(token: str, caller: OAuth2Session = admin):
    return caller.introspect_token(metadata["introspection_endpoint"], token=token, auth=caller.token_auth)


def revoke(caller: OAuth2Session, token: str, **hint):
    return caller.revoke_token(metadata["revocation_endpoint"], token=token, **hint)


user = service.register("authlib")
# There are no registered clients: one may say who it is in any of these ways, and any secret will do.
for method in ("none", "client_secret_basic", "client_secret_post"):
    oauth = client(
        client_secret=None if method == "none" else "any secret",
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    first = oauth.fetch_token(username=user["username"], password=service.PASSWORD)
    check(f"{method}: a bearer token", first["token_type"] == "Bearer", first)
    check(f"{method}: for 15 minutes", first["expires_in"] == 900, first)
    check(f"{method}: the token is the user's", oauth.get(service.URL + "/api/v1/me").json()["id"] == user["id"])

    claims = introspect(first["access_token"]).json()
    expected = {"active": True, "iss": service.URL, "sub": user["id"], "client_id": "authlib"}
    check(f"{method}: introspection tells of it", expected.items() <= claims.items(), claims)
    answer = introspect(first["access_token"], oauth)
    check(f"{method}: but no user without the role", answer.status_code == 403, answer.text)

    second = oauth.refresh_token()
    check(f"{method}: a refresh gives another access token", second["access_token"] != first["access_token"])
    check(f"{method}: and another refresh token", second["refresh_token"] != first["refresh_token"])
    check(f"{method}: which is the user's, too", oauth.get(service.URL + "/api/v1/me").json()["id"] == user["id"])

    answer = revoke(oauth, second["refresh_token"], token_type_hint="refresh_token")
    check(f"{method}: a revocation succeeds", answer.status_code == 200, answer.text)
    answer = oauth.get(service.URL + "/api/v1/me")
    check(f"{method}: a revoked session is over", answer.json().get("code") == "revoked_token", answer.text)
    for what, token in {"first": first, "second": second}.items():
        claims = introspect(token["access_token"]).json()
        check(f"{method}: its {what} access token is not active", claims == {"active": False}, claims)
    refused(f"{method}: a refresh after it", OAuthError, oauth.refresh_token)

    answer = revoke(oauth, "unknown")
    check(f"{method}: revoking an unknown token is no error", answer.status_code == 200, answer.text)


def error(**request) -> str | None:
    try:
        client(token_endpoint_auth_method="none").fetch_token(**request)
    except OAuthError as refusal:
        return refusal.error
    return None


for expected, request in {
    "invalid_grant": {"username": user["username"], "password": "not the password"},
    "unsupported_grant_type": {"grant_type": "client_credentials"},
    "invalid_request": {"grant_type": "password", "username": user["username"]},
}.items():
    check(f"the error {expected}", error(**request) == expected, error(**request))

report()
