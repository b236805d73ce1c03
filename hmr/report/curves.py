"""Training curves as an SVG: one panel for each loss term, one line for each variant. No plotting library needed."""

import math
from collections.abc import Mapping, Sequence

from hmr.report.tables import ordered, variant_title

Log = Sequence[Mapping[str, float]]
COLOURS = ("#1f5fa8", "#c8442f", "#2e8b57", "#a0722a", "#7a4fa3", "#4d4d4d")
WIDTH, HEIGHT, GAP = 260, 150, 46
COLUMNS = 3


def curves_svg(logs: Mapping[str, Log]) -> str:
    """Loss terms over steps on logarithmic axes of their own. `logs`: variant to rows of its training.csv."""
    variants = ordered(logs)
    terms = [*dict.fromkeys(name for v in variants for row in logs[v] for name in row if name != "step")]
    terms.sort(key=lambda name: name != "total")
    rows = -(-len(terms) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP + 16
    colours = {v: COLOURS[k % len(COLOURS)] for k, v in enumerate(variants)}
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for k, variant in enumerate(variants):
        x = GAP + k * (width - GAP) / max(1, len(variants))
        parts.append(f'<rect x="{x:.0f}" y="10" width="14" height="4" fill="{colours[variant]}"/>')
        parts.append(_text(x + 20, 16, variant_title(variant), size=11))
    for k, term in enumerate(terms):
        left, top = GAP + k % COLUMNS * (WIDTH + GAP), GAP + k // COLUMNS * (HEIGHT + GAP)
        lines = {v: [(row["step"], row[term]) for row in logs[v] if term in row] for v in variants}
        parts += _panel(term, {v: points for v, points in lines.items() if points}, colours, left, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    title: str, lines: dict[str, list[tuple[float, float]]], colours: dict[str, str], left: float, top: float
) -> list[str]:
    positive = [value for points in lines.values() for _, value in points if value > 0]
    low, high = (min(positive), max(positive)) if positive else (0.1, 1.0)
    high = high if high > low * 1.01 else low * 1.5
    last = max((step for points in lines.values() for step, _ in points), default=1) or 1

    def place(step: float, value: float) -> str:
        up = math.log(max(value, low) / low) / math.log(high / low)
        return f"{left + WIDTH * step / last:.1f},{top + HEIGHT * (1 - up):.1f}"

    parts = [f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>']
    parts += [_text(left, top - 5, title.replace("_", " "), size=12)]
    parts += [_text(left - 4, top + 9, f"{high:.2g}", anchor="end"), _text(left - 4, top + HEIGHT, f"{low:.2g}", "end")]
    parts += [_text(left, top + HEIGHT + 12, "0"), _text(left + WIDTH, top + HEIGHT + 12, f"{last:g} steps", "end")]
    for variant, points in lines.items():
        path = " ".join(place(step, value) for step, value in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colours[variant]}" stroke-width="1.3"/>')
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 9) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" fill="#333">{safe}</text>'
