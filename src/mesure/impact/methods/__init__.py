"""Methods side by side: ours, equations others publish, constants per query; under any edition of the catalogue."""

from mesure.impact.methods.compare import Comparison, MethodRow, compare_methods, compare_traffic
from mesure.impact.methods.editions import under
from mesure.impact.methods.method import Method, MethodEstimate
from mesure.impact.methods.registry import estimate_with, method, methods
from mesure.impact.methods.subject import Amounts, Call, Traffic, amounts_of, call_of, traffic_of

__all__ = [
    "Amounts",
    "Call",
    "Comparison",
    "Method",
    "MethodEstimate",
    "MethodRow",
    "Traffic",
    "amounts_of",
    "call_of",
    "compare_methods",
    "compare_traffic",
    "estimate_with",
    "method",
    "methods",
    "traffic_of",
    "under",
]
