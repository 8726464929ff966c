"""A real nginx on a port of its own, with a configuration of this project in which addresses and folders are replaced."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def nginx(configuration: Path, replaced: dict[str, str]) -> Iterator[str]:
    """The address of a running nginx. All that it writes, it writes to a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="portcullis-nginx.") as folder:
        # Where root starts nginx, its workers are another user's.
        os.chmod(folder, 0o711)
        port = free_port()
        everywhere = {
            "listen 8000;": f"listen 127.0.0.1:{port};",
            "/tmp/": f"{folder}/",
            "access_log /dev/stdout;": "access_log off;",
        }
        text = configuration.read_text()
        for written, here in (everywhere | replaced).items():
            if written not in text:
                sys.exit(f"{configuration} has no {written!r} any more: tell {sys.argv[0]} what {here!r} takes the place of")
            text = text.replace(written, here)
        file = Path(folder, "nginx.conf")
        file.write_text(text)
        process = subprocess.Popen(["nginx", "-e", "stderr", "-p", folder, "-c", str(file), "-g", "daemon off;"])
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                if process.poll() is not None:
                    break
                time.sleep(0.05)
            if process.poll() is not None:
                sys.exit(f"nginx ended with {process.returncode}; what it said is above")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)
