"""Machines that are measured: watts when the page was made, the idle share, and how well their sensor reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from htpy import Element, Node, h2, p, section, small, table, tbody, td, th, thead, tr

from mesure.apps.sentences import in_language
from mesure.apps.web.figures import UNKNOWN
from mesure.apps.words import SENSORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mesure.apps.web.reader import Reader

__all__ = ["machines", "sensor_words"]


def machines(told: Sequence[Mapping[str, Any]], reader: Reader) -> Element | None:
    """`told`: as `/api/sensors` says it. None where nothing is measured by this process."""
    if not told:
        return None
    t = reader.t
    heads = (t.t("Deployment"), t.t("Sensor"), t.t("Power now"), t.t("Idle"))
    return section[
        h2[t.t("Measured machines")],
        table(".calls", aria_label=t.t("Measured machines"))[
            thead[tr[[th(class_="n" if i > 1 else None, scope="col")[text] for i, text in enumerate(heads)]]],
            tbody[[_row(one, reader) for one in told]],
        ],
        p(".note")[t.t("Idle: share of the energy read since the start that no call explains; it is on no call.")],
    ]


def sensor_words(name: str, reader: Reader) -> str:
    """In words; a sensor of somebody else's by the name it gave itself."""
    kind, _, way = name.partition(":")
    return f"{reader.t.t(SENSORS[kind])}{f' ({way})' if way else ''}" if kind in SENSORS else name


def _row(one: Mapping[str, Any], reader: Reader) -> Element:
    t = reader.t
    if one["why_absent"]:
        return tr[th(scope="row")[one["name"]], td(colspan="3")[in_language(one["why_absent"], t)]]
    low, high = (t.number(100 * (one[f"error_{end}"] - 1)) for end in ("low", "high"))
    error = t.t("stated error {low} to +{high} %", low=low, high=high)
    return tr[
        th(scope="row")[", ".join(one["deployments"])],
        td[sensor_words(one["sensor"], reader), small(".f")[error]],
        td(".n")[UNKNOWN if one["watts"] is None else f"{t.number(one['watts'], 1)} W"],
        td(".n")[_idle(one["idle_share"], reader)],
    ]


def _idle(share: float | None, reader: Reader) -> Node:
    return UNKNOWN if share is None else reader.t.percent(share)
