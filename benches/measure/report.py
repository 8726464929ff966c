"""The tables: in the terminal, and in docs/performance.md."""

from .parts.peers import Peer
from .rows import Row, number

_TABLE = ("what", "target", "measured", "in absolute figures", "met")
_PEERS = (
    "", "protected route, to bare hello", "kept under 64 logins", "p99, without and with logins", "memory, idle and after",
)


def cells(rows: list[Row]) -> list[tuple[str, ...]]:
    return [(row.what, row.target_text, row.measured_text, row.absolute, row.verdict) for row in rows]


def peer_cells(peers: list[Peer]) -> list[tuple[str, ...]]:
    return [
        (
            peer.name,
            f"{number(peer.to_hello)} ({peer.per_second:,.0f} a second)",
            f"{number(peer.kept)}" + (f", {peer.refused_under_logins:,} unanswered" if peer.refused_under_logins else ""),
            f"{peer.p99_ms:,.1f} ms, {peer.p99_under_logins_ms:,.1f} ms",
            f"{peer.memory_idle:.0f} MiB, {peer.memory_after:.0f} MiB",
        )
        for peer in peers
    ]


def text(rows: list[Row], peers: list[Peer]) -> str:
    """For the terminal."""
    tables = [_aligned(_TABLE, cells(rows))] if rows else []
    if peers:
        tables.append(_aligned(_PEERS, peer_cells(peers)))
    missed = sum(row.met is False for row in rows)
    judged = sum(row.met is not None for row in rows)
    if judged:
        tables.append(f"{judged - missed} of {judged} targets met." if missed else f"All {judged} targets met.")
    return "\n\n".join(tables).replace("`", "").replace("**", "")


def markdown(rows: list[Row]) -> str:
    return _markdown(_TABLE, cells(rows))


def peers_markdown(peers: list[Peer]) -> str:
    return _markdown(_PEERS, peer_cells(peers))


def _markdown(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ("---",) * len(head), *lines])


def _aligned(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    plain = [[cell.replace("`", "").replace("**", "") for cell in line] for line in [head, *lines]]
    widths = [max(len(cell) for cell in column) for column in zip(*plain)]
    show = lambda line: "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
    return "\n".join([show(plain[0]), "  ".join("-" * width for width in widths), *map(show, plain[1:])])
