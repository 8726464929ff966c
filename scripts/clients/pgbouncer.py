"""A real PgBouncer in transaction mode, with its own defaults, before the server of a database's URL."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from nginx import free_port


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@contextlib.contextmanager
def pgbouncer(database_url: str, connections: int) -> Iterator[str]:
    """The URL by way of it. It has so many connections to the server."""
    there = urlsplit(database_url)
    user, password = unquote(there.username or ""), unquote(there.password or "")
    # Debian's name for it, and that of others.
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    with tempfile.TemporaryDirectory(prefix="portcullis-pgbouncer.") as folder:
        port = free_port()
        users = Path(folder, "users.txt")
        users.touch(mode=0o600)
        users.write_text(f"{quoted(user)} {quoted(password)}\n")
        file = Path(folder, "pgbouncer.ini")
        file.write_text(f"""
[databases]
* = host={there.hostname} port={there.port or 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = {"scram-sha-256" if password else "trust"}
auth_file = {users}
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
log_connections = 0
log_disconnections = 0
log_pooler_errors = 1
""")
        as_other = []
        if os.geteuid() == 0:
            # It refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            for path in (folder, users, file):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            as_other = ["setpriv", "--reuid", "nobody", "--regid", str(nobody.pw_gid), "--clear-groups", "--"]
        process = subprocess.Popen([*as_other, program, "-q", str(file)])
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                if process.poll() is not None:
                    sys.exit(f"PgBouncer ended with {process.returncode}; what it said is above")
                time.sleep(0.05)
            login, _, _ = there.netloc.rpartition("@")
            here = there._replace(netloc=f"{login}@127.0.0.1:{port}", query="pgbouncer=true")
            yield urlunsplit(here)
        finally:
            process.terminate()
            process.wait(10)
