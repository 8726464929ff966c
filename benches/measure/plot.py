"""The plot: each row against its target, and the peers beside each other. An SVG that suits light and dark pages."""

from html import escape
from math import log10

from .parts.peers import Peer
from .rows import Row, number

WIDTH, LEFT, BAR, LINE = 900, 24, 14, 44
# Ink, muted, rule, met, missed, ours; first on a light page, then on a dark one.
_STYLE = """
svg { font: 13px system-ui, sans-serif; }
.ink { fill: #1f2328; } .muted { fill: #59636e; } .rule { stroke: #8c959f; } .track { fill: #eaeef2; }
.met { fill: #1a7f5a; } .missed { fill: #c4432b; } .peer { fill: #8c959f; } .head { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .ink { fill: #e6edf3; } .muted { fill: #9198a1; } .rule { stroke: #6e7681; } .track { fill: #262c36; }
  .met { fill: #3fb98a; } .missed { fill: #f0714f; } .peer { fill: #6e7681; }
}
"""


def draw(rows: list[Row], peers: list[Peer]) -> str:
    judged = [row for row in rows if row.target]
    parts, y = [], 16
    if judged:
        drawn, y = _targets(judged, y)
        parts += drawn
    if peers:
        drawn, y = _peers(peers, y + 16)
        parts += drawn
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img" '
        f'aria-label="What was measured, against its targets">\n<style>{_STYLE}</style>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _bar(x: float, y: float, width: float, kind: str) -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{max(width, 2):.0f}" height="{BAR}" rx="3" class="{kind}"/>'


def _targets(rows: list[Row], y: int) -> tuple[list[str], int]:
    """How much of its target each row reaches: to the right of the line is better than asked for. Logarithmic, from a
    tenth to ten times."""
    full = WIDTH - 2 * LEFT
    place = lambda share: full * (log10(min(max(share, 0.1), 10)) + 1) / 2
    middle = LEFT + place(1)
    parts = [
        _text(LEFT, y, "Against the target", "ink head"),
        _text(middle, y, "target", "muted", "middle"),
        _text(LEFT + full, y, "10 times better", "muted", "end"),
    ]
    y += 12
    top = y
    for row in rows:
        share = row.measured / row.target if row.relation == ">=" else row.target / row.measured
        label = row.what.replace("`", "")
        parts += [
            _text(LEFT, y + 14, label, "ink"),
            _text(LEFT + full, y + 14, f"{row.measured_text}, {row.target_text}", "muted", "end"),
            _bar(LEFT, y + 20, full, "track"),
            _bar(LEFT, y + 20, place(share), "met" if row.met else "missed"),
            f'<line x1="{middle:.0f}" x2="{middle:.0f}" y1="{y + 18}" y2="{y + 36}" class="rule" stroke-width="2"/>',
        ]
        y += LINE
    return parts, max(y, top)


def _peers(peers: list[Peer], y: int) -> tuple[list[str], int]:
    """The protected route's throughput as a share of a bare route's: all of it, and what is left under logins."""
    full = WIDTH - 2 * LEFT
    # From a hundred thousandth of the bare route's throughput to all of it.
    place = lambda share: full * max(log10(max(share, 1e-5)) + 5, 0) / 5
    parts = [
        _text(LEFT, y + 4, "Protected route, to a bare route: alone, and below it with 64 logins in flight", "ink head"),
        _text(LEFT + full, y + 4, "logarithmic", "muted", "end"),
    ]
    y += 16
    for peer in peers:
        kind = "met" if peer.name == "Portcullis" else "peer"
        left = peer.to_hello * peer.kept
        parts += [
            _text(LEFT, y + 14, peer.name, "ink"),
            _text(LEFT + full, y + 14, f"{number(peer.to_hello)}, {number(left)} under logins", "muted", "end"),
            _bar(LEFT, y + 20, place(peer.to_hello), kind),
            _bar(LEFT, y + 37, place(left), kind),
        ]
        y += LINE + 18
    return parts, y
