"""The content store: kept only as asked, sealed, found again by who and when, and gone without a trace."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mesure.config import ContentSettings
from mesure.content import FILE, Call, Content, Kept, Sought
from mesure.content import store as store_module
from mesure.content.cipher import KEY_FILE, KEY_VARIABLE, Cipher
from mesure.errors import ConfigError, StateError
from mesure.record import ALLOWED
from waiting import eventually

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
JEAN, ANNE = "u-" + "1" * 24, "u-" + "2" * 24
KEPT = {"suivi": ContentSettings(days=30), "retours": ContentSettings(days=7)}


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return Content(tmp_path, KEPT, environ={})


def record(number: int, **fields: Any) -> Kept:
    given: dict[str, Any] = {
        "event_id": f"event-{number:04}", "started_at": NOON, "use_case": "suivi", "model": "gpt-4o",
        "messages": [{"role": "user", "content": f"Où est le colis {number} de Mme Öst ?"}],
        "answer": f"Le colis {number} arrive.", "contact_id": f"contact-{number}", "user": JEAN,
    }  # fmt: skip
    return Kept(**(given | fields))


def call(
    number: int = 1, *, fields: dict[str, Any] | None = None, answer: str = "Il arrive.", asked: str = "Où ?"
) -> Call:
    facts = {"id": f"event-{number}", "started_at": NOON, "use_case": "suivi", "model_requested": "m", "user": JEAN}
    body = b'{"choices": [{"message": {"content": "%s"}}]}' % answer.encode()
    return Call(facts | (fields or {}), {"messages": [{"role": "user", "content": asked}]}, body)


def every_byte(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def sealed_in(folder: Path) -> dict[str, bytes]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / FILE)) as connection:
        return dict(connection.execute("SELECT id, sealed FROM content"))


def test_what_is_written_is_read_again(content: Content) -> None:
    written = [record(n, started_at=NOON + timedelta(seconds=n)) for n in range(3)]
    content.write(written)
    assert list(content.records()) == written


def test_no_file_says_a_word_of_it(content: Content, tmp_path: Path) -> None:
    content.write([record(7)])
    held = every_byte(tmp_path)
    for text in ("colis", "Öst", "contact-7", JEAN, "arrive", "gpt-4o"):
        assert text.encode() not in held
    assert b"suivi" in held  # the name of the use case alone is in the clear


def test_its_columns_are_those_allowed(content: Content, tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    content.write([record(1)])
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(content)")}
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert columns == {entry.name for entry in ALLOWED["content"]}
    assert tables == ["content"]


def test_its_files_are_the_owners_alone(content: Content, tmp_path: Path) -> None:
    content.write([record(1)])
    files = {path.name: (stat.S_IMODE(path.stat().st_mode), path.stat().st_size) for path in tmp_path.iterdir()}
    assert {mode for mode, _ in files.values()} == {0o600}
    assert {name for name, (_, size) in files.items() if size} == {FILE, KEY_FILE}


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        (Sought(), [0, 1, 2, 3]),
        (Sought(use_case="suivi"), [0, 1, 2]),
        (Sought(user=ANNE), [1]),
        (Sought(contact="contact-2"), [2]),
        (Sought(since=NOON + timedelta(days=1)), [1, 2, 3]),
        (Sought(before=NOON + timedelta(days=2)), [0, 1]),
        (Sought(use_case="suivi", since=NOON + timedelta(days=1), before=NOON + timedelta(days=2)), [1]),
        (Sought(user=ANNE, contact="contact-2"), []),
        (Sought(user=""), []),
        (Sought(contact="' OR 1=1 --"), []),
    ],
)
def test_it_is_found_and_erased_by_who_and_when(content: Content, sought: Sought, found: list[int]) -> None:
    records = [
        record(
            n,
            started_at=NOON + timedelta(days=n),
            user=ANNE if n == 1 else JEAN,
            use_case="retours" if n == 3 else "suivi",
        )
        for n in range(4)
    ]
    content.write(records)
    assert [kept.event_id for kept in content.records(sought)] == [f"event-{n:04}" for n in found]
    assert content.count(sought) == len(found)
    assert content.erase(sought) == len(found)
    assert [kept.event_id for kept in content.records()] == [f"event-{n:04}" for n in range(4) if n not in found]


def test_what_is_erased_leaves_no_byte_in_any_file(content: Content, tmp_path: Path) -> None:
    content.write([record(n, user=ANNE if n % 10 == 3 else JEAN) for n in range(200)])
    content.write([record(999, user=ANNE, answer="long " * 20_000 + str(list(range(3000))))])
    before = sealed_in(tmp_path)
    gone = [kept.event_id for kept in content.records(Sought(user=ANNE))]
    assert len(gone) == 21
    assert all(before[name] in every_byte(tmp_path) for name in gone[:20])  # in pages of their own, as they were sealed
    assert content.erase(Sought(user=ANNE)) == 21
    held = every_byte(tmp_path)
    for name in gone:
        for start in range(0, len(before[name]) - 16, 16):
            assert before[name][start : start + 16] not in held, name
        assert name.encode() not in held
    assert len(list(content.records())) == 180


def test_days_are_those_of_the_use_case_and_one_no_longer_named_goes_whole(tmp_path: Path, content: Content) -> None:
    content.write([record(n, started_at=NOON - timedelta(days=n), use_case="retours") for n in (1, 6, 8, 40)])
    content.write([record(n, started_at=NOON - timedelta(days=n)) for n in (10, 20, 31)])
    assert content.retain(NOON) == 3
    assert [kept.event_id for kept in content.records()] == ["event-0020", "event-0010", "event-0006", "event-0001"]
    assert content.oldest() == NOON - timedelta(days=20)
    fewer = Content(tmp_path, {"retours": KEPT["retours"]}, environ={})
    assert fewer.retain(NOON) == 2
    assert {kept.use_case for kept in fewer.records()} == {"retours"}
    assert Content(tmp_path, {}, environ={}).retain(NOON) == 2
    assert content.count() == 0
    assert content.oldest() is None


def test_nothing_is_made_where_nothing_was_kept(content: Content, tmp_path: Path) -> None:
    assert (content.count(), content.retain(), content.erase(Sought()), content.oldest()) == (0, 0, 0, None)
    assert list(content.records()) == []
    assert not (tmp_path / FILE).exists()


# Beside the calls


def test_a_call_is_kept_with_what_distillation_needs(content: Content) -> None:
    facts = {"contact_id": "c1", "model_answered": "m-2026", "team": "care", "input_tokens": 3}
    assert content.keep(call(fields=facts))
    content.close()
    [kept] = content.records()
    assert kept == Kept(
        event_id="event-1", started_at=NOON, use_case="suivi", model="m-2026", contact_id="c1", user=JEAN,
        messages=[{"role": "user", "content": "Où ?"}], answer="Il arrive.",
    )  # fmt: skip


def test_only_named_use_cases_are_worth_anything(content: Content) -> None:
    assert content.keeps("suivi") == 256_000
    assert [content.keeps(name) for name in ("Suivi", "suivi ", "other", "", None)] == [0] * 5


@pytest.mark.parametrize("left", [{"answer": ""}, {"asked": ""}, {"answer": "x" * 256_001}])
def test_what_holds_no_text_or_too_much_is_left_out_and_counted(content: Content, left: dict[str, str]) -> None:
    content.keep(call(1, **left))  # type: ignore[arg-type]
    content.keep(call(2))
    content.close()
    assert (content.written, content.left_out, content.failed) == (1, 1, 0)


def test_a_store_that_fails_is_counted_and_raises_nothing(
    content: Content, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).mkdir()
    content.keep(call(1, asked="secret words"))
    content.close()
    assert (content.written, content.failed) == (0, 1)
    assert "StateError" in caplog.text
    assert "secret" not in caplog.text
    with pytest.raises(StateError) as refused:
        content.write([record(1)])
    assert refused.value.code == "content_unusable"


def test_too_many_waiting_are_refused_at_once(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr(Content, "write", lambda *_: held.wait(30))
    answers = [content.keep(call(n)) for n in range(store_module._MOST_WAITING + store_module._AT_ONCE + 5)]
    assert answers.count(False) >= 1
    assert content.failed == answers.count(False)
    held.set()
    content.close()


def test_several_processes_write_one_store(content: Content, tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store import KEPT, Content, record
content = Content(Path(sys.argv[1]), KEPT, environ={})
for n in range(20):
    content.write([record(n, event_id=f"{sys.argv[3]}-{n}")])
"""
    here = str(Path(__file__).parent)
    paths = {"PYTHONPATH": ":".join([str(Path(__file__).parents[1]), *sys.path])}
    running = [subprocess.Popen([sys.executable, "-c", program, tmp_path, here, str(n)], env=paths) for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert content.count() == 60


# The key


def test_the_key_may_stand_in_the_environment_and_makes_no_file(tmp_path: Path) -> None:
    content = Content(tmp_path, KEPT, environ={KEY_VARIABLE: "ab" * 32})
    content.write([record(1)])
    assert not (tmp_path / KEY_FILE).exists()
    assert [kept.answer for kept in content.records()] == ["Le colis 1 arrive."]


def test_without_its_key_nothing_can_be_read_again(content: Content, tmp_path: Path) -> None:
    content.write([record(1)])
    (tmp_path / KEY_FILE).unlink()
    other = Content(tmp_path, KEPT, environ={})
    assert other.count() == 1
    assert other.count(Sought(user=JEAN)) == 0
    with pytest.raises(ConfigError) as refused:
        list(other.records())
    assert refused.value.code == "content_sealed"
    assert other.erase(Sought()) == 1


def test_a_sealed_record_opens_under_its_own_name_only(tmp_path: Path) -> None:
    cipher = Cipher(tmp_path, {})
    sealed = cipher.seal(b"words", "a")
    assert cipher.open(sealed, "a") == b"words"
    assert sealed != cipher.seal(b"words", "a")
    for name, data in (("b", sealed), ("a", sealed[:-1] + bytes([sealed[-1] ^ 1])), ("a", b"")):
        with pytest.raises(ConfigError):
            cipher.open(data, name)


@pytest.mark.parametrize("key", ["", "ab", "zz" * 32, "ab" * 33])
def test_a_key_that_is_none_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Cipher(tmp_path, {KEY_VARIABLE: key})
    assert refused.value.value == KEY_VARIABLE
    (tmp_path / KEY_FILE).write_text(key)
    with pytest.raises(ConfigError, match="cannot be used"):
        Cipher(tmp_path, {})


def test_the_package_that_encrypts_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ConfigError) as refused:
        Content(tmp_path, KEPT)
    assert refused.value.code == "not_installed"
    assert "mesure[content]" in refused.value.action


def test_an_import_of_the_room_loads_no_cryptography() -> None:
    program = "import mesure.content, sys; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_erasing_while_calls_are_written(content: Content, tmp_path: Path) -> None:
    for n in range(30):
        content.keep(call(n))
    eventually(lambda: content.written > 0)
    other = Content(tmp_path, KEPT, environ={})
    other.erase(Sought(user=JEAN))
    content.close()
    other.erase(Sought(user=JEAN))
    assert other.count() == 0
