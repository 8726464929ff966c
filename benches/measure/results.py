"""What a run found, as JSON."""

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from . import machine
from .parts.peers import Peer
from .rows import Row


def save(path: Path, rows: list[Row], peers: list[Peer], *, complete: bool, quick: bool, minutes: float) -> None:
    told = {
        "machine": machine.describe(),
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        # Whether every part ran, and at full length; only such a run goes into the documentation.
        "complete": complete,
        "quick": quick,
        "minutes": round(minutes, 1),
        "rows": [asdict(row) | {"met": row.met} for row in rows],
        "peers": [asdict(peer) for peer in peers],
    }
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def read(path: Path) -> tuple[dict, list[Row], list[Peer]]:
    told = json.loads(path.read_text())
    rows = [Row(**{name: value for name, value in row.items() if name != "met"}) for row in told["rows"]]
    return told, rows, [Peer(**peer) for peer in told["peers"]]
