"""Training curves as an SVG: one panel for each figure, one line for each variant. No plotting library needed.

Its text has the page's colour; the lines' colours are seen on light paper and on dark, and their dashes without colour.
"""

import math
from collections.abc import Mapping, Sequence

from hmr.report.tables import ordered, variant_title

Log = Sequence[Mapping[str, float]]
COLOURS = ("#3b82c4", "#d9553f", "#2f9e5f", "#b07a1f", "#9a6dd0", "#808890")
DASHES = ("", "6 2", "2 2", "8 2 2 2", "4 4", "1 3")
WIDTH, HEIGHT, GAP = 260, 150, 46
COLUMNS = 3


def curves_svg(logs: Mapping[str, Log]) -> str:
    """Figures over steps on logarithmic axes of their own. `logs`: variant to rows of its training.csv and others'."""
    variants = ordered(logs)
    terms = [*dict.fromkeys(name for v in variants for row in logs[v] for name in row if name != "step")]
    terms.sort(key=lambda name: name != "total")
    rows = -(-len(terms) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP + 16
    lines_of = {v: _line(k) for k, v in enumerate(variants)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" role="img" '
        'aria-label="Loss terms over training steps, logarithmic axes" fill="currentColor">'
    ]
    for k, variant in enumerate(variants):
        x = GAP + k * (width - GAP) / max(1, len(variants))
        parts.append(f'<path d="M{x:.0f} 12h30" {lines_of[variant]} stroke-width="3"/>')
        parts.append(text(x + 36, 16, variant_title(variant), size=11))
    for k, term in enumerate(terms):
        left, top = GAP + k % COLUMNS * (WIDTH + GAP), GAP + k // COLUMNS * (HEIGHT + GAP)
        lines = {v: [(row["step"], row[term]) for row in logs[v] if term in row] for v in variants}
        parts += _panel(term, {v: points for v, points in lines.items() if points}, lines_of, left, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    title: str, lines: dict[str, list[tuple[float, float]]], lines_of: dict[str, str], left: float, top: float
) -> list[str]:
    positive = [value for points in lines.values() for _, value in points if value > 0]
    low, high = (min(positive), max(positive)) if positive else (0.1, 1.0)
    high = high if high > low * 1.01 else low * 1.5
    last = max((step for points in lines.values() for step, _ in points), default=1) or 1

    def place(step: float, value: float) -> str:
        up = math.log(max(value, low) / low) / math.log(high / low)
        return f"{left + WIDTH * step / last:.1f},{top + HEIGHT * (1 - up):.1f}"

    parts = [f'<path d="M{left} {top}h{WIDTH}v{HEIGHT}h-{WIDTH}z" fill="none" stroke="currentColor" opacity="0.4"/>']
    parts += [text(left, top - 5, title.replace("_", " "), size=12)]
    parts += [text(left - 4, top + 9, f"{high:.2g}", anchor="end"), text(left - 4, top + HEIGHT, f"{low:.2g}", "end")]
    parts += [text(left, top + HEIGHT + 12, "0"), text(left + WIDTH, top + HEIGHT + 12, f"{last:g} steps", "end")]
    for variant, points in lines.items():
        path = " ".join(place(step, value) for step, value in points)
        parts.append(f'<polyline points="{path}" fill="none" {lines_of[variant]} stroke-width="1.3"/>')
    return parts


def text(x: float, y: float, words: str, anchor: str = "start", size: int = 9) -> str:
    """Text at a place."""
    safe = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}">{safe}</text>'


def _line(k: int) -> str:
    return f'stroke="{COLOURS[k % len(COLOURS)]}" stroke-dasharray="{DASHES[k % len(DASHES)] or "none"}"'
