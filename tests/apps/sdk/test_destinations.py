"""Where events go: what arrives is what was sent, and what cannot arrive is counted."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otlp_messages import Shelf, new_intake

from mesure.apps.sdk.destinations import Folder, Remote, as_span, destination_of
from mesure.apps.sdk.flow import Flow
from mesure.ledger.lines import decode
from mesure.record import UsageEvent, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOW = datetime.now(UTC).replace(microsecond=123_000) - timedelta(hours=1)


def event(**fields: Any) -> UsageEvent:
    known = {"id": new_id(), "started_at": _NOW, "trace_id": "a" * 32, "span_id": "b" * 16, "source": "hook"}
    return UsageEvent(**{**known, **fields})


class Other(ThreadingHTTPServer):
    """A Mesure elsewhere: its intake, and the answers it gives before that."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.shelf = Shelf()
        self.intake = new_intake(self.shelf)
        self.before: list[int] = []
        self.keys: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Other

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.keys.append(self.headers["x-mesure-key"])
        status = self.server.before.pop(0) if self.server.before else 200
        answer: dict[str, Any] = {}
        if status == 200 and self.path == "/otlp/v1/traces":
            rejected = self.server.intake.take("traces", body, as_json=True).rejected
            answer = {"partialSuccess": {"rejectedSpans": str(rejected)}} if rejected else {}
        self.send_response(status)
        self.send_header("retry-after", "7")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal of tests."""


@pytest.fixture
def other() -> Iterator[Other]:
    with Other() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_arrives_is_what_was_sent(other: Other) -> None:
    sent = [
        event(
            provider="openai",
            model_requested="gpt-4o",
            response_id="chatcmpl-1",
            input_tokens=120,
            output_tokens=40,
            tokens_reported=True,
            team="north",
            user="someone@example.org",
            duration_ms=1500.0,
        ),
        event(
            span_id="c" * 16,
            operation="classification",
            model_requested="topics",
            input_items=32,
            energy_j=1.25,
            energy_low_j=1.0,
            energy_high_j=2.0,
            energy_sensor="cpu-time",
            energy_status="modelled",
            energy_scope="server",
            status="error",
            error_type="ValueError",
            labels={"shop": "Lille"},
            ended_at=_NOW + timedelta(seconds=2),
            duration_ms=2000.0,
        ),
    ]
    assert Remote(other.url).send(sent) == 2
    for before, after in zip(sent, other.shelf.events, strict=True):
        differing = {name for name, value in before.to_json().items() if getattr(after, name) != value}
        assert differing <= {"id", "user"}
    assert other.shelf.events[0].user == f"u-{len('someone@example.org')}", "its pseudonym is made where it arrives"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "input_tokens": st.integers(0, 10**6),
            "energy_j": st.floats(0, 1e6),
            "images_count": st.integers(0, 50),
            "audio_seconds": st.floats(0, 1e5),
            "status": st.sampled_from(["ok", "error", "cancelled", "truncated"]),
            "environment": st.sampled_from(["production", "test", "experiment"]),
            "operation": st.sampled_from(["chat", "embeddings", "training", "other"]),
            "stream": st.booleans(),
            "use_case": st.text("abé ", min_size=1, max_size=20).filter(str.strip).map(str.strip),
        },
    )
)
def test_any_event_survives_its_form_on_the_wire(fields: dict[str, Any]) -> None:
    before = event(**fields)
    shelf = Shelf()
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [as_span(before)]}]}]}
    new_intake(shelf).take("traces", json.dumps(body).encode(), as_json=True)
    (after,) = shelf.events
    assert {name: getattr(after, name) for name in fields} == fields
    assert (after.source, after.started_at) == ("hook", before.started_at)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_refusals_that_pass_are_tried_again_after_the_time_they_say(other: Other, status: int) -> None:
    waited: list[float] = []
    other.before = [status, status]
    remote = Remote(other.url, "mesure-k", wait=waited.append)
    assert remote.send([event()]) == 1
    assert (waited, other.keys) == ([7.0, 7.0], ["mesure-k"] * 3)


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_refusals_that_do_not_pass_are_not(other: Other, status: int) -> None:
    other.before = [status]
    assert Remote(other.url, wait=pytest.fail).send([event()]) == 0


def test_what_the_other_rejects_is_not_acknowledged(other: Other) -> None:
    old = event(started_at=datetime(2001, 1, 1, tzinfo=UTC), span_id="d" * 16)
    assert Remote(other.url).send([event(), old]) == 1


def test_nobody_there_is_no_error() -> None:
    waited: list[float] = []
    assert Remote("http://127.0.0.1:9", wait=waited.append).send([event()]) == 0
    assert waited == [1.0, 2.0, 4.0, 8.0]


def test_a_folder_is_a_spool_and_people_are_pseudonyms_in_it(tmp_path: Path) -> None:
    folder = destination_of(tmp_path)
    assert isinstance(folder, Folder)
    assert folder.send([event(), event(span_id="e" * 16)]) == 2
    assert folder.pseudonym("someone").startswith("u-")
    folder.close()
    (file,) = (tmp_path / "spool").glob("*.spool")
    assert [decode(line).source for line in file.read_bytes().splitlines()] == ["hook", "hook"]
    assert isinstance(destination_of("https://mesure.example"), Remote)


def test_the_flow_counts_what_was_made_sent_and_lost(tmp_path: Path) -> None:
    class Picky(Folder):
        def send(self, events: Any) -> int:
            if len(events) > 2:
                raise OSError("the disk is gone")
            return min(len(events), 1)

    flow = Flow(lambda: Picky(tmp_path), {})
    flow.work([event(), event(span_id="f" * 16)])
    assert (flow.taken, flow.sent, flow.refused) == (2, 1, 1)
    flow.work([event() for _ in range(3)])
    assert (flow.taken, flow.sent, flow.refused) == (5, 1, 4)
    flow.after_fork()
    assert (flow.taken, flow.sent, flow.refused) == (0, 0, 0)
    flow.close()
