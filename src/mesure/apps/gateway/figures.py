"""Figures that answers carry: response headers of JSON answers, comments in live streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from mesure.quantity import Status

if TYPE_CHECKING:
    from mesure.apps.gateway.headers import Pairs
    from mesure.impact import Impacts
    from mesure.quantity import Quantity

__all__ = ["figure_headers", "live_comment"]


_FIGURES = tuple(
    ((name, name + b"-low", name + b"-high"), quantity)
    for name, quantity in ((b"x-mesure-energy-wh", "energy_wh"), (b"x-mesure-gco2eq", "gwp_gco2eq"))
)
_STATUSES = {status: status.value.encode() for status in Status}


def figure_headers(impacts: Impacts) -> Pairs:
    """`x-mesure-*` headers of a JSON answer. What has no sourced factor has no header."""
    headers: Pairs = []
    for (name, low_name, high_name), quantity in _FIGURES:
        found = impacts.quantity("", quantity)
        if found is not None:
            low, mid, high = found[:3]
            headers += ((name, b"%.4g" % mid), (low_name, b"%.4g" % low), (high_name, b"%.4g" % high))
    headers += (
        (b"x-mesure-status", _STATUSES[impacts.status]),
        (b"x-mesure-method", impacts.method_version.encode()),
        (b"x-mesure-catalogue", impacts.catalogue_version.encode()),
        (b"x-mesure-model-known", b"true" if impacts.known else b"false"),
    )
    return headers


def live_comment(impacts: Impacts, output_tokens: int | None, *, final: bool) -> bytes:
    """One line of a stream that its readers skip: `: energy {...}`."""
    figure = {
        "energy_wh": _interval(impacts.energy_wh),
        "gwp_gco2eq": _interval(impacts.gwp_gco2eq),
        "status": impacts.energy_wh.status.value if impacts.energy_wh is not None else None,
        "output_tokens": output_tokens,
        "model_known": impacts.known,
        "final": final,
    }
    return b": energy " + orjson.dumps(figure) + b"\n"


def _interval(quantity: Quantity | None) -> dict[str, float] | None:
    return None if quantity is None else {"low": quantity.low, "mid": quantity.mid, "high": quantity.high}
