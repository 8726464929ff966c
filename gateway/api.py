"""A small API with no auth code of its own: it greets whom the gateway names in the request's headers."""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections

    def do_GET(self):
        user = self.headers["x-auth-user-id"]
        if user is None:
            return self.answer(500, {"error": "There is no x-auth-user-id: call this API through its gateway."})
        email = self.headers["x-auth-email"]
        if email is not None:
            email = email.encode("latin-1").decode()  # it may have letters of any script, as UTF-8
        greeting = f"Hello, {self.headers['x-auth-username'] or email}!"
        roles = [role for role in (self.headers["x-auth-roles"] or "").split(",") if role]
        self.answer(200, {"greeting": greeting, "user_id": user, "email": email, "roles": roles})

    def answer(self, status, value):
        body = json.dumps(value, ensure_ascii=False).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


# A container's first process ignores this signal unless it says otherwise.
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
ThreadingHTTPServer(("", 8000), Api).serve_forever()
