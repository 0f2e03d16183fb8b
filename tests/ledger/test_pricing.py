"""From an event to what served it: against the public estimate, and against the arithmetic of the laws."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event

import mesure
from mesure.config import DeploymentSettings
from mesure.impact import Deployment, impacts_of_facts, resolve
from mesure.ledger.pricing import ASSUMED, KEY_COLUMNS, Key, Pricer, key_from, key_of
from mesure.quantity import Status

_PRICER = Pricer({})
_METER = {"energy_sensor": "rapl", "energy_status": "measured", "energy_scope": "server"}


def _same(found, expected):
    assert found == pytest.approx(tuple(expected), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"]),
    read=st.integers(0, 100_000),
    cached=st.floats(0, 1),
    written=st.integers(0, 20_000),
    calls=st.integers(1, 50),
    zone=st.sampled_from(["FRA", "USA", "DEU"]),
)
def test_a_priced_call_is_the_public_estimate(model, read, cached, written, calls, zone):
    held = int(read * cached)
    event = make_event(
        0 if model.startswith("gpt") else 1,
        model_requested=model,
        input_tokens=read,
        cached_input_tokens=held,
        output_tokens=written,
        host_zone=zone,
    )
    at = event.started_at.date()
    resolved = resolve(model, provider=event.provider, zone=zone, at=at)
    expected = impacts_of_facts(resolved, input_tokens=read, cached_input_tokens=held, output_tokens=written)
    if read < 2_000 and 50 <= written < 2_000:  # one estimate is made at its own lengths: alike near typical ones
        alone = mesure.estimate(model, input_tokens=read, cached_tokens=held, output_tokens=written, zone=zone, at=at)
        assert alone.energy_wh.mid == pytest.approx(expected.energy_wh.mid, rel=0.6)
    cell, sums = _PRICER.price(event)
    assert (sums.events, sums.calls, sums.tokens) == (1, 1, read + written)
    _same((sums.energy_low, sums.energy_mid, sums.energy_high), expected.energy_wh[:3])
    _same((sums.gwp_low, sums.gwp_mid, sums.gwp_high), expected.gwp_gco2eq[:3])
    # Many alike, told as one aggregate, are as many times one
    many = {"calls_count": calls, "input_tokens": read * calls, "cached_input_tokens": held * calls}
    _, told = _PRICER.price(replace(event, output_tokens=written * calls, **many))
    assert (told.events, told.calls, told.tokens) == (1, calls, sums.tokens * calls)
    assert told.energy_mid == pytest.approx(sums.energy_mid * calls, rel=1e-9)
    assert told.gwp_high == pytest.approx(sums.gwp_high * calls, rel=1e-9)
    assert cell.served[1:3] == (expected.model, True)
    assert set(cell.sources) == set(expected.energy_wh.sources)
    assert set(cell.gwp_sources) == set(expected.gwp_gco2eq.sources)


@pytest.mark.parametrize(
    ("answered", "requested", "model", "known"),
    [
        ("gpt-4o", None, "gpt-4o", True),
        (None, "gpt-4o", "gpt-4o", True),
        ("gpt-4o-2024-11-20", "gpt-4o-mini", "gpt-4o", True),  # what answered, not what was asked for
        ("my-alias", "gpt-4o", "gpt-4o", True),  # an alias of the server says nothing: what was asked for does
        ("my-alias", "another-alias", "my-alias", False),
        ("my-alias", None, "my-alias", False),
        (None, None, "", False),
    ],
)
def test_which_model_an_event_counts_for(answered, requested, model, known):
    event = make_event(0, model_answered=answered, model_requested=requested, host_zone="FRA")
    cell, _ = _PRICER.price(event)
    assert (cell.served.model, cell.served.known) == (model, known)
    assert _PRICER.impacts(event).known is known
    assert (cell.status is Status.DEFAULT) is not known


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 1e9), st.floats(0, 1), st.floats(1, 10))
def test_a_reading_replaces_the_model_s_energy_and_nothing_else(joules, below, above):
    given_j = {"energy_j": joules, "energy_low_j": joules * below, "energy_high_j": joules * above}
    cell, sums = _PRICER.price(make_event(0, host_zone="FRA", **given_j, **_METER))
    assert cell.status is Status.MEASURED
    assert cell.gwp_status is not Status.MEASURED  # the grid's factor is no measurement
    _, twice = _PRICER.price(make_event(0, host_zone="FRA", **(given_j | {"energy_j": joules}), **_METER))
    assert twice.gwp_mid == pytest.approx(sums.gwp_mid)
    one_wh = {"energy_j": 3600.0, "energy_low_j": 3600.0, "energy_high_j": 3600.0}
    _, unit = _PRICER.price(make_event(0, host_zone="FRA", **one_wh, **_METER))
    assert sums.gwp_mid == pytest.approx(unit.gwp_mid * joules / 3600)
    # The meter of a server sees neither cooling nor losses of its building: at least what it read, in proportion
    assert sums.energy_mid == pytest.approx(unit.energy_mid * joules / 3600)
    assert 1.0 <= unit.energy_mid < 3.0
    assert sums.energy_low <= sums.energy_mid <= sums.energy_high
    assert sums.energy_low == pytest.approx(unit.energy_low * joules * below / 3600, rel=1e-9, abs=1e-12)


def test_a_place_without_factor_has_energy_and_no_carbon():
    cell, sums = _PRICER.price(make_event(0, host_zone="XXX"))
    assert sums.energy_mid > 0
    assert (sums.gwp_events, sums.gwp_mid) == (0, 0.0)
    assert cell.gwp_sources == ()


@pytest.mark.parametrize(
    ("fields", "basis"),
    [
        ({}, ""),
        ({"input_tokens": None}, ASSUMED),
        ({"output_tokens": None}, ASSUMED),
        ({"input_tokens": None, "output_tokens": None}, ASSUMED),
        ({"output_tokens": 0}, ""),
        ({"energy_j": 5.0, **_METER}, "measured/server/rapl"),
        ({"energy_j": 5.0, "energy_status": "modelled", "energy_scope": "process"}, "modelled/process/"),
        ({"energy_j": 5.0}, "//"),
        ({"input_tokens": None, "energy_j": 5.0, **_METER}, "measured/server/rapl"),
    ],
)
def test_cells_keep_apart_how_energy_was_obtained(fields, basis):
    event = make_event(0, host_zone="FRA", **fields)
    cell, _ = _PRICER.price(event)
    assert cell is _PRICER.cell(key_of(event), basis)
    assert cell.status is _PRICER.impacts(event).energy_wh.status
    assert cell is _PRICER.price(make_event(4, host_zone="FRA", **fields))[0]  # other amounts, same cell


def test_a_stated_deployment_is_that_of_the_public_estimate():
    stated = DeploymentSettings(gpu="h100-sxm", n_gpus=2, precision="fp8", batch=8, framework="vllm")
    event = make_event(3, provider="own", model_requested="llama-3.1-8b", deployment="hall", host_zone="FRA", turn=None)
    found = Pricer({"hall": stated}).impacts(event)
    expected = mesure.estimate(
        "llama-3.1-8b",
        input_tokens=event.input_tokens,
        output_tokens=event.output_tokens,
        zone="FRA",
        at=event.started_at.date(),
        deployment=Deployment(gpu="h100-sxm", n_gpus=2, precision="fp8", batch=8, framework="vllm"),
    )
    _same(found.energy_wh[:3], expected.energy_wh[:3])
    narrow = found.energy_wh.high / found.energy_wh.low
    unstated = Pricer({}).impacts(event).energy_wh
    assert narrow < unstated.high / unstated.low


def test_zeros_and_empty_texts_of_a_deployment_are_unknown_not_zero():
    event = make_event(0, model_requested="llama-3.1-8b", provider="own", deployment="hall", host_zone="FRA")
    assert Pricer({"hall": DeploymentSettings()}).impacts(event).energy_wh[:3] == pytest.approx(
        Pricer({}).impacts(event).energy_wh[:3]
    )


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), "2026-11"),
        (datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2026-11"),
        (datetime(2026, 11, 30, 23, 30, tzinfo=timezone(-timedelta(hours=5))), "2026-12"),
        (datetime(2027, 1, 1, tzinfo=UTC), "2027-01"),
    ],
)
def test_a_key_has_the_month_of_utc(at, month):
    assert key_of(make_event(0, started_at=at)).month == month


def test_a_key_has_no_none():
    bare = make_event(0, provider=None, model_requested=None)
    assert key_of(bare) == Key("", "", "", "", "", "", "", "2026-11")


def test_a_row_has_the_key_of_its_event():
    """The engines read `KEY_COLUMNS`; what they make of them is what the event alone gives."""
    bare = {"provider": None, "model_requested": None}
    for facts in ({}, bare, {"operation": "image"}, {"operation": "chat", "host_zone": "FRA"}, {"operation": "speech"}):
        event = make_event(0, **facts)
        row = {**event.to_json(), "month": "2026-11"}
        assert key_from([row.get(column) for column in KEY_COLUMNS]) == key_of(event)


def test_names_without_number_are_forgotten_and_priced_alike_again(monkeypatch):
    monkeypatch.setattr("mesure.ledger.pricing._MOST_KEYS", 10)
    pricer = Pricer({})
    events = [make_event(n, model_requested=f"name-{n}", provider="own") for n in range(35)]
    first = [pricer.price(event)[1] for event in events]
    assert len(pricer._resolved) <= 10
    assert len(pricer._cells) <= 11
    assert [pricer.price(event)[1] for event in events] == first


def test_a_region_is_priced_as_the_place_it_is():
    by_region = make_event(0, provider="azure", host_region="northeurope", host_zone=None)
    cell, sums = _PRICER.price(by_region)
    expected = resolve(
        by_region.model_requested, provider="azure", region="northeurope", at=by_region.started_at.date()
    )
    assert cell.served.zone == expected.zone == "IRL"
    assert any(source.startswith("grids.IRL.") for source in cell.gwp_sources)
    assert not any(source.startswith("hosts.") for source in cell.gwp_sources)
    elsewhere, _ = _PRICER.price(replace(by_region, host_region="mars-north-1"))
    assert elsewhere.served.zone == ""
    zoned, other = _PRICER.price(replace(by_region, host_region=None, host_zone="IRL"))
    assert zoned.served == cell.served  # errors of one place move together, however it was told
    assert other.energy_mid == pytest.approx(sums.energy_mid, rel=0.2)


def test_a_name_that_moves_is_priced_as_of_its_month():
    facts = {"provider": "deepseek", "model_requested": "deepseek-chat", "model_answered": None}
    served = {
        year: _PRICER.price(make_event(0, **facts, started_at=datetime(year, month, 20, tzinfo=UTC)))[0].served.model
        for year, month in ((2025, 3), (2026, 6))
    }
    assert served == {2025: "deepseek-v3", 2026: "deepseek-v4-flash"}


@pytest.mark.parametrize("operation", ["image", "video", "speech", "transcription"])
def test_an_unlisted_model_is_priced_as_what_it_makes(operation):
    unlisted = {"model_requested": "acme-of-tomorrow", "model_answered": None, "input_tokens": None}
    made = make_event(0, **unlisted, output_tokens=None, operation=operation)
    impacts = _PRICER.impacts(made)
    assert impacts.coefficients.modality != "text"
    assert not impacts.known
    cell, sums = _PRICER.price(made)
    assert sums.energy_mid == impacts.energy_wh.mid > 0.0
    assert cell.status is Status.DEFAULT
    assert set(cell.sources) == set(impacts.energy_wh.sources)
    text = make_event(0, **unlisted, output_tokens=5, operation="chat")
    assert key_of(text).makes == ""
    assert key_of(made).makes == operation
    assert _PRICER.coefficients(key_of(text)).modality == "text"
    assert _PRICER.coefficients(key_of(text)) is not _PRICER.coefficients(key_of(made))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model_answered": "gpt-4o-2024-11-20", "model_requested": "gpt-4o"},
        {"model_requested": "nobody-knows-it", "model_answered": None},
        {"input_tokens": None, "output_tokens": None},
        {"host_zone": None, "host_region": "eu-west-3", "deployment": None},
        {"operation": "image", "images_count": 2, "image_width": 1024, "image_height": 1024},
        {"http_status": 400, "input_tokens": None},
        {"energy_j": 3600.0, "energy_low_j": 3000.0, "energy_high_j": 4000.0, **_METER},
        {"energy_j": 3600.0, **_METER, "energy_status": "modelled", "energy_scope": "process"},
    ],
)
def test_an_event_by_its_fields_is_priced_as_the_event_is(fields):
    event = make_event(0, **fields)
    expected, found = _PRICER.impacts(event), _PRICER.impacts_of_fields(event.to_json())
    assert found.coefficients is expected.coefficients
    assert (found.energy_wh, found.gwp_gco2eq, found.status) == (
        expected.energy_wh,
        expected.gwp_gco2eq,
        expected.status,
    )
    given_nulls = _PRICER.impacts_of_fields({name: getattr(event, name) for name in event.__slots__})
    assert given_nulls.energy_wh == expected.energy_wh
