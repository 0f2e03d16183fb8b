"""The door for events of other Mesures: what it takes, what it refuses, and that 200 means written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from served_gateway import ListSink
from starlette.testclient import TestClient

from mesure.apps.events_door import EVENTS_PATH, EventsDoor
from mesure.config import GatewaySettings, ServerSettings, Settings
from mesure.meter.pseudonyms import Pseudonyms
from mesure.record import UsageEvent, identity_of, new_id

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Full(ListSink):
    """A disk that takes so many events."""

    def __init__(self, room: int = 1_000_000) -> None:
        super().__init__()
        self.room = room

    def record(self, event: UsageEvent) -> bool:
        return len(self.events) < self.room and super().record(event)


def event(**facts: Any) -> UsageEvent:
    given = {
        "source": "sensor",
        "provider": "vllm",
        "deployment": "chat",
        "energy_j": 12.5,
        "energy_status": "measured",
    }
    return UsageEvent(id=new_id(), started_at=NOW, **{**given, **facts})  # type: ignore[arg-type]


def line(one: UsageEvent) -> bytes:
    return orjson.dumps(one.to_json())


@pytest.fixture
def sink() -> Full:
    return Full()


@pytest.fixture
def door(sink: Full, tmp_path: Path) -> TestClient:
    return TestClient(EventsDoor(Settings(), sink, Pseudonyms(tmp_path)), base_url="http://127.0.0.1:8420")


def test_events_are_written_as_they_were(door: TestClient, sink: Full) -> None:
    sent = [event(), event(calls_count=0, task="idle", origin="sensor:h:chat:idle:1")]
    answer = door.post(EVENTS_PATH, content=b"\n".join(map(line, sent)) + b"\n\n")
    assert (answer.status_code, answer.json()) == (200, {"booked": 2, "rejected": 0, "why": ""})
    assert sink.events == sent
    assert [identity_of(one) for one in sink.events] == [identity_of(one) for one in sent]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{", ""),
        (b"[1]", ""),
        (b"{}", "id and started_at"),
        (line(event(source="gateway")), "not taken from elsewhere"),
        (line(event(source="demo")), "not taken from elsewhere"),
        (line(event(energy_j=-1.0)), "energy_j"),
        (line(event()).replace(b'"sensor"', b'"nobody"'), "source"),
    ],
)
def test_a_line_that_is_no_event_is_named_and_the_others_stand(
    door: TestClient, sink: Full, bad: bytes, why: str
) -> None:
    answer = door.post(EVENTS_PATH, content=b"\n".join([line(event()), bad, line(event())])).json()
    assert (answer["booked"], answer["rejected"]) == (2, 1)
    assert why in answer["why"]
    assert len(sink.events) == 2


def test_what_cannot_be_written_is_asked_for_again(door: TestClient, sink: Full) -> None:
    sink.room = 1
    answer = door.post(EVENTS_PATH, content=line(event()) + b"\n" + line(event()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_written")
    assert answer.headers["retry-after"]


def test_what_others_set_of_the_ledgers_own_is_left_aside(door: TestClient, sink: Full) -> None:
    door.post(EVENTS_PATH, content=line(event(ingested_at=NOW, sightings="[]")))
    (kept,) = sink.events
    assert (kept.ingested_at, kept.sightings) == (None, None)


def test_people_become_pseudonyms(door: TestClient, sink: Full) -> None:
    door.post(EVENTS_PATH, content=line(event(source="hook", user="marie.martin@example.org")))
    (kept,) = sink.events
    assert kept.user
    assert "marie" not in kept.user


def test_who_may_send(door: TestClient, sink: Full) -> None:
    assert door.get(EVENTS_PATH).status_code == 405
    assert door.post(EVENTS_PATH, content=b"", headers={"host": "evil.example"}).status_code == 403
    assert door.post(EVENTS_PATH, content=b"", headers={"origin": "https://evil.example"}).status_code == 403
    assert door.post(EVENTS_PATH, content=b"", headers={"origin": "http://localhost:8420"}).status_code == 200
    assert door.post(EVENTS_PATH, content=b" " * 8_000_001).status_code == 413
    assert sink.events == []


def test_a_key_is_asked_for_where_calls_need_one(sink: Full, tmp_path: Path) -> None:
    given = Settings(gateway=GatewaySettings(keys="required"), server=ServerSettings(data=str(tmp_path)))
    client = TestClient(EventsDoor(given, sink, Pseudonyms(tmp_path)), base_url="http://127.0.0.1")
    assert client.post(EVENTS_PATH, content=line(event())).status_code == 401
    assert sink.events == []


@given(st.lists(st.binary(max_size=300), max_size=6))
@examples(max_examples=60, deadline=None)
def test_no_bytes_break_it(lines: list[bytes]) -> None:
    sink = Full()
    app = EventsDoor(Settings(), sink, lambda user: "x")
    taken = app._take(b"\n".join([*lines, line(event())]), {})
    assert taken.booked == len(sink.events) >= 1


@given(
    st.dictionaries(
        st.sampled_from([*(UsageEvent.__slots__), "extra"]),
        st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | st.lists(st.integers()),
        max_size=8,
    )
)
@examples(max_examples=100, deadline=None)
def test_no_fields_break_it(fields: dict[str, Any]) -> None:
    sink = Full()
    told = json.dumps({**json.loads(line(event())), **fields}).encode()
    taken = EventsDoor(Settings(), sink, lambda user: "x")._take(told, {})
    assert taken.booked + taken.rejected == 1
    for kept in sink.events:
        assert kept == replace(kept).checked()
