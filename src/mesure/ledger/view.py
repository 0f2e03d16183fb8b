"""What pages read: frozen results of the derived view. Facts come from the table, impacts are computed when asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from mesure.quantity import Quantity, Status
    from mesure.record import Environment, Outcome

__all__ = [
    "CallRow",
    "GroupTotal",
    "ModelRow",
    "Overview",
    "PowerPoint",
    "Reconciled",
    "ReportRow",
    "Unseen",
    "Window",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Totals of the events started in `[since, until)`; quantities are None when there is no event."""

    since: datetime
    until: datetime
    calls: int
    events: int
    energy_wh: Quantity | None
    gwp_gco2eq: Quantity | None
    tokens: int
    coverage: float | None  # share of tokens priced by a known model; None without tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One (provider, model) of the month."""

    provider: str | None
    model: str | None
    known: bool
    calls: int
    energy_wh: Quantity
    gwp_gco2eq: Quantity | None  # None where no sourced factor exists for the place


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One event, as shown in the list of last calls."""

    id: str
    started_at: datetime
    team: str | None
    use_case: str | None
    provider: str | None
    model: str | None
    known: bool
    route: str | None
    input_tokens: int | None
    cached_input_tokens: int | None
    output_tokens: int | None
    energy_wh: Quantity
    gwp_gco2eq: Quantity | None  # None where no sourced factor exists for the place
    status: Outcome
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPoint:
    """Mean power over the minute that starts at `at`, in watts."""

    at: datetime
    low_w: float
    mid_w: float
    high_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTotal:
    """Totals of one group of `View.totals`: `key` holds the values of the columns asked for, in their order."""

    key: tuple[str | None, ...]
    calls: int
    events: int
    energy_wh: Quantity
    gwp_gco2eq: Quantity | None  # None where no sourced factor exists for the place
    tokens: int
    coverage: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """What was reported (or declared) of calls and was not seen, as far as totals hold it."""

    calls: int
    tokens: int
    energy_wh: Quantity
    gwp_gco2eq: Quantity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """Reports of one provider and model that begin in a window, beside the calls seen in their periods."""

    provider: str | None
    model: str | None  # None: the report names none
    declared: bool
    reported_calls: int
    seen_calls: int
    reported_tokens: int
    seen_tokens: int
    unseen: Unseen | None
    beyond_calls: int  # seen, and in no report: nothing is taken away for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """Calls of a window beside what is reported of them."""

    since: datetime
    until: datetime
    several: int  # calls that several sources saw, each counted once
    unseen: Unseen | None  # by providers
    declared: Unseen | None
    beyond_calls: int
    rows: tuple[ReportRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything the `Now` page shows."""

    now: datetime
    month: Window
    previous: Window  # up to the same point of the previous month; 0 calls when there is none
    today: Window
    power_w: Quantity  # mean over the last 60 s
    calls_per_minute: float
    power_series: tuple[PowerPoint, ...]  # last hour, one per minute
    models: tuple[ModelRow, ...]  # this month, largest first
    last_calls: tuple[CallRow, ...]  # 20, newest first
    statuses: dict[Status, int]  # calls of the month per status of their energy
    method_version: str
    catalogue_version: str
    ledger_version: int
    reconciled: Reconciled | None = None  # of the month
