"""A line chart as a small SVG, by hand: one pixel width of text, no library, the same bytes from the same figures."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 34, 40
COLOURS = ("#1b6ca8", "#c44536", "#4d7c3f", "#8a5a9e", "#b8860b")

Points = Sequence[tuple[float, float]]


def line_chart(title: str, x_label: str, lines: Mapping[str, Points]) -> str:
    """Draw lines over one axis from zero, each named at its end."""
    x_max = max(x for points in lines.values() for x, _ in points)
    y_max = _round_up(max(y for points in lines.values() for _, y in points))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for step in range(5):
        value = y_max * step / 4
        y = _y(value, y_max)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for x in sorted({x for points in lines.values() for x, _ in points}):
        parts.append(f'<text x="{_x(x, x_max):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:,.0f}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
    )
    for (name, points), colour, y in zip(lines.items(), COLOURS, _label_places(lines, y_max), strict=False):
        path = " ".join(f"{_x(x, x_max):.1f},{_y(value, y_max):.1f}" for x, value in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.1f}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _x(value: float, largest: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * value / largest


def _y(value: float, largest: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / largest


def _label_places(lines: Mapping[str, Points], y_max: float) -> list[float]:
    """Put each name at the end of its line, and apart from the others."""
    ends = {name: _y(points[-1][1], y_max) for name, points in lines.items()}
    places: dict[str, float] = {}
    lowest = TOP - 16.0
    for name in sorted(ends, key=lambda name: ends[name]):
        lowest = places[name] = max(ends[name], lowest + 16)
    return [places[name] for name in lines]


def _round_up(value: float) -> float:
    """Give the next of 1, 2, 4, 5 or 8 times a power of ten."""
    power = 10.0 ** (len(f"{int(value)}") - 1)
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)
