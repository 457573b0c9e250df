"""Spectra before and after, drawn as SVG; colours are those of the page's style sheet."""

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from sr_keras.report.sharpness import Sharpness

Floats = npt.NDArray[np.float64]
WIDTH, HEIGHT = 340, 220
# Of the area that lines are drawn in.
LEFT, RIGHT, TOP, BOTTOM = 44, 332, 12, 176
# Decibels below the strongest power that are shown, and between two lines of the grid.
DEEPEST, STEP = 80, 20
# Points of a line: more cannot be told apart.
POINTS = 96
# Intervals between two marks of the frequency axis, in cycles per mm; one is taken that leaves six marks at most.
INTERVALS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def spectrum_chart(title: str, before: Sharpness, after: Sharpness) -> str:
    """Return the power along one axis of a scan and of its result, as an SVG element.

    Args:
        title: the axis, in words.
        before: of the scan.
        after: of the result.
    """
    reference = max((float(each.power.max()) for each in (before, after) if each.power.size), default=0.0)
    nyquist, end = 0.5 / before.spacing, 0.5 / min(before.spacing, after.spacing)
    x = _across(nyquist, end)
    label = escape(
        f"Power along {title} in dB against cycles per mm. The scan ends at {nyquist:.2g}, the result at "
        f"{0.5 / after.spacing:.2g} cycles per mm."
    )
    return "\n".join(
        [
            f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" aria-label="{label}">',
            *_grid(end),
            f'<line class="nyquist" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{BOTTOM}"/>',
            *(_line(each, name, end, reference) for each, name in ((before, "before"), (after, "after"))),
            f'<text x="{(LEFT + RIGHT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">cycles per mm</text>',
            f'<text x="{LEFT - 38}" y="{TOP + 4}">dB</text>',
            "</svg>",
        ]
    )


def _across(frequency: float, end: float) -> float:
    return LEFT + (RIGHT - LEFT) * frequency / end


def _down(level: float) -> float:
    return TOP + (BOTTOM - TOP) * float(np.clip(-level / DEEPEST, 0.0, 1.0))


def _grid(end: float) -> list[str]:
    interval = next((each for each in INTERVALS if end / each <= 6), INTERVALS[-1])
    marks = [index * interval for index in range(int(end / interval + 1e-6) + 1)]
    lines = []
    for level in range(0, -DEEPEST - 1, -STEP):
        y = _down(level)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{level}</text>')
    lines += [
        f'<text x="{_across(mark, end):.1f}" y="{BOTTOM + 16}" text-anchor="middle">{mark:g}</text>' for mark in marks
    ]
    return lines


def _line(sharpness: Sharpness, name: str, end: float, reference: float) -> str:
    if not sharpness.power.size or reference <= 0:
        return ""
    # The mean of a line was taken away, so that there is nothing at zero.
    frequencies, power = _binned(sharpness.frequencies[1:], sharpness.power[1:])
    levels = 10 * np.log10(np.maximum(power, 1e-30 * reference) / reference)
    points = " ".join(
        f"{_across(frequency, end):.1f},{_down(level):.1f}"
        for frequency, level in zip(frequencies, levels, strict=True)
    )
    return f'<polyline class="{name}" points="{points}"/>'


def _binned(frequencies: Floats, power: Floats) -> tuple[Sequence[float], Floats]:
    """Return means of neighbouring points, few enough to draw."""
    count = min(POINTS, len(power))
    groups = np.array_split(np.arange(len(power)), count)
    return [float(frequencies[each].mean()) for each in groups], np.array([power[each].mean() for each in groups])
