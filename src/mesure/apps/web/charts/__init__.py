"""Small SVG charts: pure functions from numbers to elements, coloured by the page's style sheet through classes.

A chart stretches with its column (lines keep their width), holds no text that would stretch with it, and never carries
information alone: the page prints the same numbers beside it or in a table behind it.
"""

from mesure.apps.web.charts.bars import whisker_bar
from mesure.apps.web.charts.dial import dial, needle_angle
from mesure.apps.web.charts.line import band_line, sparkline
from mesure.apps.web.charts.scale import Scale, nice_top

__all__ = ["Scale", "band_line", "dial", "needle_angle", "nice_top", "sparkline", "whisker_bar"]
