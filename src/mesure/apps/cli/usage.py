"""The use of a model described on the command line: shared by `estimate` and `explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.options import day
from mesure.errors import InvalidValue, UnknownName
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.impact import Impacts

__all__ = ["estimated", "usage_options"]

#: More in one call is a slip of the keyboard.
_MOST = 10**9
_WHOLE = click.IntRange(min=0, max=_MOST)

_OPTIONS = (
    click.option("--input", "input_tokens", type=_WHOLE, metavar="N", help=mark("Input tokens, cached ones included.")),
    click.option(
        "--output", "output_tokens", type=_WHOLE, metavar="N", help=mark("Output tokens, reasoning included.")
    ),
    click.option(
        "--cached", "cached_tokens", type=_WHOLE, metavar="N", help=mark("Of the input, tokens read from a cache.")
    ),
    click.option(
        "--reasoning", "reasoning_tokens", type=_WHOLE, metavar="N", help=mark("Of the output, reasoning tokens.")
    ),
    click.option("--images", type=_WHOLE, metavar="N", help=mark("Images made.")),
    click.option("--width", type=_WHOLE, metavar="PIXELS", help=mark("Width of the images or frames.")),
    click.option("--height", type=_WHOLE, metavar="PIXELS", help=mark("Height of the images or frames.")),
    click.option("--steps", type=_WHOLE, metavar="N", help=mark("Denoising steps.")),
    click.option("--frames", type=_WHOLE, metavar="N", help=mark("Video frames made.")),
    click.option(
        "--audio-seconds",
        type=click.FloatRange(min=0, max=_MOST),
        metavar="S",
        help=mark("Seconds of audio heard or made."),
    ),
    click.option("--zone", metavar="ZONE", help=mark("Grid zone of the servers: FRA, USA, DE...")),
    click.option("--at", metavar="DATE", help=mark("Date of the use, as 2026-11-22; today when left out.")),
    click.option("--gpu", metavar="ID", help=mark("Accelerator that serves the model, when you know it.")),
    click.option("--n-gpus", type=click.IntRange(min=1), metavar="N", help=mark("Accelerators that serve one copy.")),
    click.option("--precision", metavar="NAME", help=mark("Format of the weights: bf16, fp8, int4...")),
    click.option("--batch", type=click.FloatRange(min=0, min_open=True), metavar="N", help=mark("Requests in flight.")),
    click.option("--framework", metavar="NAME", help=mark("Serving software.")),
)
_DEPLOYMENT = ("gpu", "n_gpus", "precision", "batch", "framework")


def usage_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Every option that describes a use; left out means unknown, never zero."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return function


def estimated(model: str, options: dict[str, Any]) -> Impacts:
    """`mesure.estimate` with the options that were given."""
    from mesure.impact import Deployment, estimate
    from mesure.meter.imports import zone_named

    if not model.strip():
        raise InvalidValue("The model has no name", action="Give a model's name.", code="usage")
    given = {name: value for name, value in options.items() if value is not None}
    stated = {name: given.pop(name) for name in _DEPLOYMENT if name in given}
    if "at" in given:
        given["at"] = day(given["at"])
    if "zone" in given:
        given["zone"] = zone_named(given["zone"])
    if "gpu" in stated:
        _check_accelerator(stated["gpu"])
    return estimate(model, deployment=Deployment(**stated) if stated else None, **given)


def _check_accelerator(name: str) -> None:
    from mesure.catalogue import current

    try:
        current().accelerator(name)
    except UnknownName as error:
        listed = ", ".join(current().accelerators())
        raise UnknownName(error.what, value=name, nearest=error.nearest, action=f"Use one of: {listed}.") from None
