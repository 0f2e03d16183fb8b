"""Metering of one call without a server: what every answer books, however its bytes are cut."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import settings as how
from hypothesis import strategies as st
from served_gateway import ListSink

from mesure.apps.gateway.figures import figure_headers, live_comment
from mesure.apps.gateway.headers import read_request
from mesure.apps.gateway.metering import CallMetering, Metering
from mesure.apps.gateway.providers import Providers
from mesure.config import ProviderSettings, ServerSettings, Settings
from mesure.impact import estimate, impacts_of, impacts_of_facts, resolve
from mesure.ledger.pricing import Pricer
from mesure.quantity import Quantity
from mesure.record import UsageEvent, new_id

if TYPE_CHECKING:
    from pathlib import Path

    from mesure.apps.gateway.headers import Pairs
    from mesure.record import Outcome


class _Answer:
    """What a provider answered, as far as metering looks at it."""

    def __init__(self, status: int = 200, media_type: str = "application/json", coding: str = "") -> None:
        self.status, self.media_type, self.coding = status, media_type, coding


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("metering")


def _call(
    folder: Path,
    request: dict[str, Any],
    headers: Pairs | None = None,
    path: str = "/v1/chat/completions",
    **given: Any,
) -> tuple[CallMetering, ListSink, bytes]:
    """A call whose request has been sent; its sink; the body that went to the provider."""
    provider = ProviderSettings(base_url="https://p.example/v1", default=True, provider="openai", zone="FRA", **given)
    settings = Settings(server=ServerSettings(data=str(folder)), providers={"p": provider})
    sink = ListSink()
    metering = CallMetering(Metering(settings, sink, {}), Providers(settings).route("POST", path, ""))
    body = json.dumps(request).encode()
    sent = metering.sent(read_request(headers or [], b""), body)
    assert sent is not None
    return metering, sink, sent


_ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "secret text"}]}
_USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
_DONE = {"id": "chatcmpl-0123456789abcdef", "model": "gpt-4o-2024-11-20", "choices": [{"finish_reason": "stop"}]}


#: A refusal whose provider counted what it had read.
_REFUSED = {"error": {"code": "content_filter"}, "usage": {"prompt_tokens": 9, "completion_tokens": 0}}


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (200, _DONE | {"usage": _USAGE}, {"status": "ok", "input_tokens": 12, "output_tokens": 5, "http_status": 200}),
        (200, _DONE, {"status": "ok", "input_tokens": None, "output_tokens": None, "tokens_reported": None}),
        (200, {}, {"status": "ok", "response_id": None, "model_answered": None}),
        (200, [1, 2], {"status": "ok", "input_tokens": None}),
        (400, {"error": {"code": "bad_thing", "message": "secret"}}, {"status": "error", "error_type": "bad_thing"}),
        (400, {"error": "secret"}, {"error_type": "unknown", "input_tokens": None, "output_tokens": None}),
        (401, {}, {"status": "error", "input_tokens": None, "tokens_reported": None}),
        (429, {"error": {"type": "rate_limit"}}, {"error_type": "rate_limit", "input_tokens": None}),
        (
            400,
            _REFUSED,
            {"error_type": "content_filter", "input_tokens": 9, "output_tokens": 0, "tokens_reported": True},
        ),
        (408, {}, {"status": "error", "input_tokens": None}),
        (499, {}, {"status": "error", "input_tokens": None}),
        (500, {"error": {"code": "secret words with spaces"}}, {"error_type": "unknown", "input_tokens": None}),
        (503, {}, {"status": "error", "http_status": 503, "input_tokens": None}),
    ],
)
def test_what_a_whole_answer_books(folder: Path, status: int, answer: Any, expected: dict[str, Any]) -> None:
    metering, sink, _ = _call(folder, _ASKED)
    headers = metering.held(_Answer(status), json.dumps(answer).encode())  # type: ignore[arg-type]
    event = sink.take()
    assert {name: getattr(event, name) for name in expected} == expected
    assert "secret" not in repr(event)
    assert dict(headers or [])[b"x-mesure-event-id"] == event.id.encode()
    assert (b"x-mesure-energy-wh" in dict(headers or [])) is (status == 200)
    metering.finish("cancelled")  # a call is booked once, whatever follows
    assert len(sink.events) == 1


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10**30, "completion_tokens": 3}, (None, 3)),
        ({"prompt_tokens": 2**63, "completion_tokens": 2**60}, (None, None)),
        ({"prompt_tokens": 1e300, "completion_tokens": 4.0}, (None, 4)),
        ({"prompt_tokens": -3, "completion_tokens": 1.5}, (None, None)),
        ({"prompt_tokens": True, "completion_tokens": "7"}, (None, None)),
    ],
)
def test_absurd_counts_are_unknown_and_the_call_is_recorded(
    folder: Path, tmp_path: Path, usage: dict[str, Any], expected: tuple[int | None, int | None]
) -> None:
    """An event that cannot be written is a call lost: a number no call can have must not do that."""
    from mesure.ledger import Spool

    metering, sink, _ = _call(folder, _ASKED)
    metering.held(_Answer(), json.dumps(_DONE | {"usage": usage}).encode())  # type: ignore[arg-type]
    event = sink.take()
    assert (event.input_tokens, event.output_tokens) == expected
    spool = Spool(tmp_path)
    assert spool.record(event)
    spool.close()


# Streams


def _delta(text: str, **more: Any) -> dict[str, Any]:
    return {"id": _DONE["id"], "model": _DONE["model"], "choices": [{"delta": {"content": text}, **more}]}


_EVENTS = [
    _delta("Bon"),
    _delta('jour "usage" {'),
    _delta(" é\n\n"),
    _delta("", finish_reason="stop"),
    {"id": _DONE["id"], "model": _DONE["model"], "choices": [], "usage": _USAGE},
]


def _stream(events: list[dict[str, Any]] = _EVENTS, end: str = "\n\n") -> bytes:
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}{end}" for event in events]
    return "".join([*lines, f"data: [DONE]{end}"]).encode()


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted({place % len(data) for place in places}), len(data)]
    return [data[low:high] for low, high in itertools.pairwise(bounds)]


@how(max_examples=60, deadline=None)
@example(places=[514], end="\r\n\r\n", asked_by_client=False)  # between the \r and the \n that close an event
@given(
    places=st.lists(st.integers(0, 10_000), max_size=25),
    end=st.sampled_from(["\n\n", "\r\n\r\n"]),
    asked_by_client=st.booleans(),
)
def test_a_stream_cut_anywhere_books_the_same(
    folder_of_streams: Path, places: list[int], end: str, asked_by_client: bool
) -> None:
    request = _ASKED | {"stream": True}
    if asked_by_client:
        request |= {"stream_options": {"include_usage": True}}
    metering, sink, sent = _call(folder_of_streams, request)
    assert json.loads(sent)["stream_options"] == {"include_usage": True}
    metering.streams(_Answer(media_type="text/event-stream"))  # type: ignore[arg-type]
    data = _stream(end=end)
    got = b"".join([metering.passed(piece) for piece in _cut(data, places)]) + metering.ended()
    metering.finish(metering.stream_outcome())
    event = sink.take()
    assert (event.input_tokens, event.output_tokens, event.status) == (12, 5, "ok")
    assert (event.finish_reason, event.stream, event.response_id) == ("stop", True, _DONE["id"])
    assert event.first_output_ms is not None
    # The client gets its bytes: all of them, but for the usage that it did not ask for
    assert got == (data if asked_by_client else _stream(_EVENTS[:-1], end))


@pytest.fixture(scope="module")
def folder_of_streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("streams")


@pytest.mark.parametrize(
    ("events", "done", "outcome"),
    [
        (_EVENTS, True, "ok"),
        (_EVENTS, False, "ok"),  # a finish reason and usage were seen: some servers send no [DONE]
        (_EVENTS[:2], False, "truncated"),
        (_EVENTS[:2], True, "ok"),
        ([{"error": {"code": "overloaded"}}], True, "error"),
        ([], False, "truncated"),
    ],
)
def test_how_a_stream_ended(folder: Path, events: list[dict[str, Any]], done: bool, outcome: str) -> None:
    metering, sink, _ = _call(folder, _ASKED | {"stream": True})
    metering.streams(_Answer(media_type="text/event-stream"))  # type: ignore[arg-type]
    data = _stream(events)
    metering.passed(data if done else data.removesuffix(b"data: [DONE]\n\n"))
    metering.ended()
    metering.finish(metering.stream_outcome())
    assert sink.take().status == outcome


@pytest.mark.parametrize(
    ("path", "ai_call"),
    [
        ("/v1/chat/completions", True),
        ("/v1/completions", True),
        ("/v1/embeddings", True),
        ("/v1/responses", True),
        ("/v1/models", False),
        ("/v1/files", False),
        ("/v1/chat/completions/", True),
        ("/v1/somewhere/chat/completions", True),
    ],
)
def test_which_paths_are_calls_whatever_they_answer(folder: Path, path: str, ai_call: bool) -> None:
    metering, sink, _ = _call(folder, {"model": "gpt-4o"}, path=path)
    metering.held(_Answer(200), b'{"data": []}')  # type: ignore[arg-type]
    assert bool(sink.events) is ai_call


@pytest.mark.parametrize(
    ("given", "coding", "path", "changed"),
    [
        ({"stream": True}, b"", "/v1/chat/completions", True),
        ({"stream": True, "stream_options": None}, b"", "/v1/chat/completions", True),
        ({"stream": True, "stream_options": {"include_usage": False}}, b"", "/v1/chat/completions", True),
        ({"stream": True, "stream_options": {"include_usage": True}}, b"", "/v1/chat/completions", False),
        ({"stream": True, "stream_options": "odd"}, b"", "/v1/chat/completions", False),
        ({"stream": False}, b"", "/v1/chat/completions", False),
        ({}, b"", "/v1/chat/completions", False),
        ({"stream": "true"}, b"", "/v1/chat/completions", False),
        ({"stream": True}, b"gzip", "/v1/chat/completions", False),
        ({"stream": True}, b"", "/v1/responses", False),
        ({"stream": True}, b"", "/v1/completions", False),
    ],
)
def test_when_usage_is_asked_for(folder: Path, given: dict[str, Any], coding: bytes, path: str, changed: bool) -> None:
    headers = [(b"content-encoding", coding)] if coding else []
    _, _, sent = _call(folder, _ASKED | given, headers, path)
    assert (sent != json.dumps(_ASKED | given).encode()) is changed
    if changed:
        asked = json.loads(sent)
        assert asked.pop("stream_options")["include_usage"] is True
        assert asked == {k: v for k, v in (_ASKED | given).items() if k != "stream_options"}


def test_a_provider_that_does_not_know_the_option_is_not_asked(folder: Path) -> None:
    _, _, sent = _call(folder, _ASKED | {"stream": True}, include_usage=False)
    assert json.loads(sent) == _ASKED | {"stream": True}


# Figures

_EVENT = UsageEvent(
    id=new_id(),
    started_at=datetime(2026, 11, 22, tzinfo=UTC),
    provider="openai",
    model_requested="gpt-4o",
    host_zone="FRA",
    input_tokens=1000,
    output_tokens=400,
)


@pytest.mark.parametrize("outcome", ["cancelled", "truncated", "ok"])
@pytest.mark.parametrize("pieces", [0, 3])
def test_a_stream_that_was_cut_counts_what_came(folder: Path, pieces: int, outcome: Outcome) -> None:
    metering, sink, _ = _call(folder, _ASKED | {"stream": True})
    metering.streams(_Answer(media_type="text/event-stream"))  # type: ignore[arg-type]
    for number in range(pieces):
        metering.passed(b'data: {"choices":[{"delta":{"content":"%d "}}]}\n\n' % number)
    metering.finish(outcome)
    event = sink.take()
    seen = pieces and outcome != "ok"
    assert (event.output_tokens, event.tokens_reported) == ((pieces, False) if seen else (None, None))
    assert event.input_tokens is None


def test_headers_are_the_estimate_that_pages_show() -> None:
    impacts = Pricer({}).impacts(_EVENT)
    headers = dict(figure_headers(impacts))
    day = _EVENT.started_at.date()
    coefficients = resolve("gpt-4o", provider="openai", zone="FRA", at=day)
    expected = impacts_of_facts(coefficients, input_tokens=1000, output_tokens=400)
    alone = estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA", at=day)  # at its own lengths
    assert alone.energy_wh.mid == pytest.approx(expected.energy_wh.mid, rel=0.1)
    for name, quantity in ((b"energy-wh", expected.energy_wh), (b"gco2eq", expected.gwp_gco2eq)):
        assert quantity is not None
        told = [float(headers[b"x-mesure-" + name + end]) for end in (b"-low", b"", b"-high")]
        assert told == pytest.approx(quantity[:3], rel=6e-4)
        assert told == sorted(told)
    assert headers[b"x-mesure-status"] == expected.energy_wh.status.encode()
    assert headers[b"x-mesure-model-known"] == b"true"
    assert headers[b"x-mesure-method"] == expected.method_version.encode()
    assert headers[b"x-mesure-catalogue"] == expected.catalogue_version.encode()


def test_an_unknown_place_has_no_carbon_header() -> None:
    headers = dict(figure_headers(Pricer({}).impacts(replace(_EVENT, host_zone="XXX"))))
    assert b"x-mesure-energy-wh" in headers
    assert not [name for name in headers if b"gco2eq" in name]


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("model", ["gpt-4o", "nobody-knows-it"])
def test_a_live_comment_is_one_line_that_readers_skip(final: bool, model: str) -> None:
    impacts = impacts_of(_EVENT, resolve(model, provider="openai", zone="FRA"))
    comment = live_comment(impacts, 400, final=final)
    assert comment.startswith(b": energy {")
    assert comment.count(b"\n") == 1
    figure = json.loads(comment.removeprefix(b": energy "))
    assert set(figure) == {"energy_wh", "gwp_gco2eq", "status", "output_tokens", "model_known", "final"}
    assert (figure["final"], figure["output_tokens"], figure["model_known"]) == (final, 400, model == "gpt-4o")
    assert figure["energy_wh"] == dict(zip(("low", "mid", "high"), impacts.energy_wh[:3], strict=True))


def test_figures_of_a_reading_say_measured() -> None:
    event = replace(_EVENT, energy_j=3600.0, energy_low_j=3600.0, energy_high_j=3600.0, energy_status="measured")
    headers = dict(figure_headers(Pricer({}).impacts(event)))
    assert headers[b"x-mesure-status"] == b"measured"
    assert float(headers[b"x-mesure-energy-wh"]) >= 1.0


def test_failures_are_counted_by_step_and_never_raised(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metering, sink, _ = _call(folder, _ASKED)

    def broken(*_: object, **__: object) -> Quantity:
        raise RuntimeError("secret")

    monkeypatch.setattr("mesure.meter.wires.openai.answer_facts", broken)
    assert metering.held(_Answer(), b"{}") is None  # type: ignore[arg-type]
    assert metering.shared.failures == Counter({"held": 1})
    metering.finish("ok")
    assert sink.take().status == "ok"
