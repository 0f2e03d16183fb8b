"""Small SVG charts: pure functions from numbers to elements, coloured by the page's style sheet through classes.

A chart stretches with its column (lines keep their width), holds no text that would stretch with it, and never carries
information alone: the page prints the same numbers beside it or in a table behind it. Unknown is a gap, never 0.
Series differ by colour and by pattern; a chart has few elements, whatever the number of its values.
"""

from mesure.apps.web.charts.bars import whisker_bar
from mesure.apps.web.charts.dial import dial, needle_angle
from mesure.apps.web.charts.dots import dot_row, dot_scale
from mesure.apps.web.charts.frame import SERIES, legend, patterns, plot, time_axis, value_axis
from mesure.apps.web.charts.gauge import budget_gauge
from mesure.apps.web.charts.line import band_line, lines, sparkline
from mesure.apps.web.charts.scale import LogScale, Scale, decades, nice_top, scale_of
from mesure.apps.web.charts.stacked import Bar, bars_top, is_cut, stacked_bars

__all__ = [
    "SERIES",
    "Bar",
    "LogScale",
    "Scale",
    "band_line",
    "bars_top",
    "budget_gauge",
    "decades",
    "dial",
    "dot_row",
    "dot_scale",
    "is_cut",
    "legend",
    "lines",
    "needle_angle",
    "nice_top",
    "patterns",
    "plot",
    "scale_of",
    "sparkline",
    "stacked_bars",
    "time_axis",
    "value_axis",
    "whisker_bar",
]
