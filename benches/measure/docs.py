"""Puts a whole run's figures into docs/performance.md, between its markers, and its plot beside it."""

import re
from pathlib import Path

from . import plot, report, results

DOCS = Path(__file__).parents[2] / "docs"


def write(results_path: Path) -> None:
    if not results_path.exists():
        raise SystemExit("bench: there is nothing to write yet; run scripts/bench first")
    told, rows, peers = results.read(results_path)
    if not told["complete"] or told["quick"]:
        raise SystemExit("bench: the last run was not a whole one; run scripts/bench without arguments first")
    page = DOCS / "performance.md"
    text = page.read_text()
    for marker, content in {
        "machine": f"Measured on: {told['machine']}; {told['at'][:10]}; {told['minutes']:.0f} minutes.",
        "table": report.markdown(rows),
        "plot": "![Each row against its target, and the peers beside each other](performance.svg)",
        "peers": report.peers_markdown(peers),
    }.items():
        between = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.S)
        if not between.search(text):
            raise SystemExit(f"bench: {page} has no place for {marker}")
        text = between.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)
    page.write_text(text)
    (DOCS / "performance.svg").write_text(plot.draw(rows, peers))
