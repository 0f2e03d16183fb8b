"""The use of a model described on the command line: shared by `estimate` and `explain`."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from mesure.errors import InvalidValue
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.impact import Impacts

__all__ = ["estimated", "usage_options"]

_WHOLE = click.IntRange(min=0)

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
        "--audio-seconds", type=click.FloatRange(min=0), metavar="S", help=mark("Seconds of audio heard or made.")
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

    given = {name: value for name, value in options.items() if value is not None}
    stated = {name: given.pop(name) for name in _DEPLOYMENT if name in given}
    if "at" in given:
        given["at"] = _date(given["at"])
    return estimate(model, deployment=Deployment(**stated) if stated else None, **given)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        action = "Write it as 2026-11-22."
        raise InvalidValue("This is not a date", value=text, action=action, code="usage") from None
