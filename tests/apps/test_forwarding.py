"""Stored, then forwarded: whatever the other side does, nothing acknowledged is lost and all of it arrives."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from mesure.apps.events_door import EVENTS_PATH
from mesure.apps.forwarding import Forwarder
from mesure.ledger import Spool
from mesure.record import UsageEvent, new_id
from waiting import eventually


class Remote:
    """Another Mesure: what it took, and how it behaves next."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.next: list[str] = []  # "ok" when empty: away, refuse, full, lost (taken, answer lost), odd
        self.url = ""

    def serve(self) -> ThreadingHTTPServer:
        remote = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                assert self.path == EVENTS_PATH
                body = self.rfile.read(int(self.headers["content-length"]))
                remote.keys.append(self.headers.get("authorization"))
                turn = remote.next.pop(0) if remote.next else "ok"
                if turn == "away":
                    self.close_connection = True
                    return
                if turn in ("ok", "lost"):
                    remote.taken += [json.loads(line) for line in body.splitlines()]
                if turn == "lost":
                    self.close_connection = True
                    return
                status = {"refuse": 401, "full": 503}.get(turn, 200)
                answer = b"<html>" if turn == "odd" else json.dumps({"booked": body.count(b"\n") + 1, "rejected": 0})
                content = answer if isinstance(answer, bytes) else answer.encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        return server


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    remote = Remote()
    server = remote.serve()
    yield remote
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def anew(remote: Remote) -> None:
    remote.taken.clear()
    remote.keys.clear()
    remote.next.clear()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def event() -> UsageEvent:
    return UsageEvent(id=new_id(), started_at=datetime.now(UTC), source="sensor", calls_count=0, energy_j=1.0)


def recorded(spool: Spool, count: int) -> list[str]:
    events = [event() for _ in range(count)]
    assert all(map(spool.record, events))
    return [one.id for one in events]


def ids(remote: Remote) -> list[str]:
    return [one["id"] for one in remote.taken]


def test_what_is_written_is_sent_with_the_key_and_removed(remote: Remote, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "outbox")
    forwarder = Forwarder(tmp_path / "outbox", remote.url, "mesure-key")
    written = recorded(spool, 3)
    assert forwarder.step()
    assert ids(remote) == written
    assert remote.keys == ["Bearer mesure-key"]
    assert forwarder.state._replace(waiting_bytes=0) == (3, 0, 0, None)
    assert forwarder.step()
    assert len(remote.taken) == 3  # once
    spool.close()
    forwarder.step()
    assert list((tmp_path / "outbox").glob("*.spool")) == []
    forwarder.close()


@pytest.mark.parametrize("turn", ["away", "refuse", "full", "lost", "odd"])
def test_a_remote_that_does_not_take_it_gets_it_later(remote: Remote, tmp_path: Path, turn: str) -> None:
    clock = Clock()
    spool = Spool(tmp_path)
    forwarder = Forwarder(tmp_path, remote.url, clock=clock)
    written = recorded(spool, 5)
    remote.next = [turn]
    assert not forwarder.step()
    assert forwarder.state.last_error
    assert forwarder.state.waiting_bytes > 0
    assert not forwarder.step()  # not before a pause
    clock.now += 2.0
    assert forwarder.step()
    assert set(ids(remote)) == set(written)
    assert forwarder.state.last_error is None
    spool.close()
    forwarder.close()


def test_pauses_grow_to_a_minute_and_begin_anew(remote: Remote, tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path)
    forwarder = Forwarder(tmp_path, remote.url, clock=clock)
    recorded(spool, 1)
    remote.next = ["full"] * 8
    pauses = []
    while remote.next:
        before = len(remote.next)
        forwarder.step()
        if len(remote.next) < before:
            pauses.append(clock.now)
        clock.now += 0.5
    gaps = [later - sooner for sooner, later in itertools.pairwise(pauses)]
    assert gaps == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    spool.close()
    forwarder.close()


def test_an_agent_that_starts_again_goes_on_where_it_was(remote: Remote, tmp_path: Path) -> None:
    first = Spool(tmp_path)
    forwarder = Forwarder(tmp_path, remote.url)
    sent = recorded(first, 4)
    forwarder.step()
    later = recorded(first, 4)
    first.close()
    forwarder.close()  # killed: nothing more was sent
    second = Spool(tmp_path)
    after = recorded(second, 2)
    again = Forwarder(tmp_path, remote.url)
    again.step()
    assert sorted(ids(remote)) == sorted([*sent, *later, *after])
    again.step()
    assert len(list(tmp_path.glob("*.spool"))) == 1  # the first one's is done with
    second.close()
    again.close()


def test_a_position_that_was_lost_sends_again_what_the_other_side_knows(remote: Remote, tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    forwarder = Forwarder(tmp_path, remote.url)
    written = recorded(spool, 3)
    forwarder.step()
    forwarder.close()
    (tmp_path / "forwarded.json").write_text("{")
    again = Forwarder(tmp_path, remote.url)
    again.step()
    assert ids(remote) == written + written  # the same events, of the same identity
    spool.close()
    again.close()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.lists(st.sampled_from(["ok", "away", "refuse", "full", "lost", "odd"]), max_size=4),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_all_of_it_arrives(
    remote: Remote, tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, list[str], bool, bool]]
) -> None:
    """Law: events acknowledged = events taken by the other side, once each by identity, through any faults and
    restarts of either half."""
    folder, clock = tmp_path_factory.mktemp("outbox"), Clock()
    remote.taken.clear()
    spool, forwarder, written = Spool(folder), Forwarder(folder, remote.url, clock=clock), []
    for count, faults, new_writer, new_sender in turns:
        written += recorded(spool, count)
        remote.next = faults.copy()
        clock.now += 100.0
        forwarder.step()
        if new_writer:
            spool.close()
            spool = Spool(folder)
        if new_sender:
            forwarder.close()
            forwarder = Forwarder(folder, remote.url, clock=clock)
    spool.close()
    remote.next = []
    clock.now += 100.0
    assert forwarder.step()
    assert forwarder.step()
    assert set(ids(remote)) == set(written)
    assert list(folder.glob("*.spool")) == []
    forwarder.close()


def test_the_thread_sends_until_told_to_stop(remote: Remote, tmp_path: Path) -> None:
    spool, stop = Spool(tmp_path), threading.Event()
    forwarder = Forwarder(tmp_path, remote.url)
    thread = threading.Thread(target=forwarder.run, args=(stop,))
    thread.start()
    first = recorded(spool, 1)
    eventually(lambda: ids(remote) == first)
    last = recorded(spool, 1)
    spool.close()
    stop.set()
    thread.join(10.0)
    assert not thread.is_alive()
    assert ids(remote) == first + last
    forwarder.close()
