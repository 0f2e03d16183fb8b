"""Figures that answers carry: response headers of JSON answers, comments in live streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from mesure.apps.gateway.headers import Pairs
    from mesure.impact import Impacts
    from mesure.quantity import Quantity

__all__ = ["figure_headers", "live_comment"]


def figure_headers(impacts: Impacts) -> Pairs:
    """`x-mesure-*` headers of a JSON answer. What has no sourced figure has no header."""
    headers: Pairs = []
    for name, quantity in ((b"energy-wh", impacts.energy_wh), (b"gco2eq", impacts.gwp_gco2eq)):
        if quantity is not None:
            headers += (
                (b"x-mesure-" + name, b"%.4g" % quantity.mid),
                (b"x-mesure-" + name + b"-low", b"%.4g" % quantity.low),
                (b"x-mesure-" + name + b"-high", b"%.4g" % quantity.high),
            )
    if impacts.energy_wh is not None:
        headers.append((b"x-mesure-status", impacts.energy_wh.status.value.encode()))
    headers += (
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
