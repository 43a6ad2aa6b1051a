"""Drawings of what was measured, as SVG: panels side by side, each of some lines over a logarithmic axis."""

import dataclasses
import html
import math

WIDTH, HEIGHT = 300, 220  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 34, 40  # around its axes
COLOURS = ["#1f77b4", "#999999", "#d62728", "#2ca02c"]
STYLE = "text{font:12px sans-serif;fill:#333}.axis{stroke:#333;fill:none}.grid{stroke:#ddd}"


@dataclasses.dataclass
class Panel:
    title: str
    values: list  # along the axis
    lines: dict  # by name, a number for each of them


def text(x, y, what, anchor="middle"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(str(what))}</text>'


def round_up(number):
    """To 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(number))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= number)


def draw_panel(panel, left, top_value):
    def x(value):
        low, high = math.log(panel.values[0]), math.log(panel.values[-1])
        return left + LEFT + (WIDTH - LEFT - RIGHT) * (math.log(value) - low) / (high - low)

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top_value

    parts = [text(left + WIDTH / 2, TOP - 14, panel.title)]
    for i in range(5):
        at = top_value * i / 4
        parts.append(f'<path class="grid" d="M{x(panel.values[0]):.1f} {y(at):.1f}H{x(panel.values[-1]):.1f}"/>')
        parts.append(text(x(panel.values[0]) - 6, y(at) + 4, f"{at:g}", "end"))
    written = -math.inf
    for value in panel.values:
        if x(value) - written > 40:  # or the numbers would lie on each other
            written = x(value)
            parts.append(text(written, HEIGHT - BOTTOM + 18, f"{value:,}".replace(",", "\u202f")))
    parts.append(f'<path class="axis" d="M{x(panel.values[0]):.1f} {y(top_value):.1f}V{y(0):.1f}'
                 f'H{x(panel.values[-1]):.1f}"/>')
    for colour, numbers in zip(COLOURS, panel.lines.values()):
        points = [(x(value), y(number)) for value, number in zip(panel.values, numbers)]
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
    return "\n".join(parts)


def draw(title, panels):
    """One scale for all of them, from 0 on, so that flat is flat."""
    most = round_up(max(number for panel in panels for numbers in panel.lines.values() for number in numbers))
    width = WIDTH * len(panels)
    parts = [draw_panel(panel, number * WIDTH, most) for number, panel in enumerate(panels)]
    legend = [f'<rect x="{LEFT + 180 * i}" y="{HEIGHT + 2}" width="12" height="12" fill="{colour}"/>' +
              text(LEFT + 180 * i + 18, HEIGHT + 12, name, "start")
              for i, (colour, name) in enumerate(zip(COLOURS, panels[0].lines))]
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -20 {width} {HEIGHT + 40}" width="{width}">',
                      f"<title>{html.escape(title)}</title><style>{STYLE}</style>",
                      f'<rect y="-20" width="{width}" height="{HEIGHT + 40}" fill="white"/>',
                      text(width / 2, -4, title), *parts, *legend, "</svg>", ""])
