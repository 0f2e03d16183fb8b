"""A half dial with its needle: a value now, the interval around it, on a scale from zero."""

from __future__ import annotations

import math

from htpy import Element, svg

from mesure.apps.web.charts.scale import Scale, at

__all__ = ["dial", "needle_angle"]

_CENTRE, _RADIUS = (100.0, 100.0), 88.0
#: Degrees from the upright needle, at both ends of the scale.
_REACH = 84.0
_TICKS = 8

path = Element("path")
group = Element("g")
circle = Element("circle")


def needle_angle(value: float, top: float) -> float:
    """Degrees to turn the upright needle, to a tenth: -84 at zero, 84 at `top` and above."""
    return round(Scale(top, -_REACH, _REACH)(value), 1)


def dial(low: float, mid: float, high: float, *, top: float, needle_id: str | None = None) -> Element:
    """The value is printed beside it, so it is hidden from screen readers. Turn `needle_id` to move it live."""
    return svg(viewBox="0 0 200 112", aria_hidden="true", focusable="false", class_="dial")[
        path(class_="track", d=_arc(-_REACH, _REACH)),
        path(class_="span", d=_arc(needle_angle(low, top), needle_angle(high, top))) if high > low else None,
        path(class_="ticks", d="".join(_tick(-_REACH + 2 * _REACH * i / _TICKS) for i in range(_TICKS + 1))),
        group(id=needle_id, class_="needle", transform=f"rotate({at(needle_angle(mid, top))})")[
            path(d="M97.6 100 99.3 22h1.4L102.4 100z")
        ],
        circle(class_="hub", cx=at(_CENTRE[0]), cy=at(_CENTRE[1]), r="6"),
    ]


def _point(degrees: float, radius: float) -> str:
    turn = math.radians(degrees)
    return f"{at(_CENTRE[0] + radius * math.sin(turn))} {at(_CENTRE[1] - radius * math.cos(turn))}"


def _arc(first: float, last: float) -> str:
    radius = at(_RADIUS)
    return f"M{_point(first, _RADIUS)}A{radius} {radius} 0 0 1 {_point(last, _RADIUS)}"


def _tick(degrees: float) -> str:
    return f"M{_point(degrees, _RADIUS - 12)}L{_point(degrees, _RADIUS - 8)}"
