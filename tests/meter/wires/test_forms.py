"""Forms: short texts are read, files are passed over, and nothing they hold is taken for a field."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mesure.meter.wires.bodies import request_object
from mesure.meter.wires.forms import form_fields

_TYPE = 'multipart/form-data; boundary="b0undary"'


def _form(*parts: tuple[str, bytes, str | None]) -> bytes:
    """(name, value, file name)."""
    out = b""
    for name, value, file in parts:
        named = f'; filename="{file}"' if file else ""
        out += f'--b0undary\r\ncontent-disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + value + b"\r\n"
    return out + b"--b0undary--\r\n"


def test_texts_are_read_and_files_are_not() -> None:
    body = _form(("model", b"whisper-1", None), ("file", b"\x00\r\n\r\n--b0und\r\n" * 9000, "a.wav"), ("n", b"2", None))
    assert form_fields(body, _TYPE) == {"model": "whisper-1", "n": "2"}
    assert form_fields(body, "multipart/form-data; charset=x; boundary=b0undary") == {"model": "whisper-1", "n": "2"}


def test_what_is_no_form() -> None:
    for kind in ("", "application/json", "multipart/form-data", "multipart/mixed; boundary=x", "text/plain"):
        assert form_fields(_form(("model", b"m", None)), kind) is None


def test_long_fields_and_many_parts_are_left_aside() -> None:
    assert form_fields(_form(("prompt", b"x" * 5000, None), ("model", b"m", None)), _TYPE) == {"model": "m"}
    many = _form(*((f"f{number}", b"1", None) for number in range(500)))
    assert len(form_fields(many, _TYPE) or {}) == 100


def test_broken_forms_give_what_is_whole() -> None:
    body = _form(("model", b"m", None), ("size", b"1024x1024", None))
    for end in range(len(body)):
        found = form_fields(body[:end], _TYPE) or {}
        assert found.items() <= {"model": "m", "size": "1024x1024"}.items()


def test_a_request_is_its_json_or_its_form() -> None:
    assert request_object(b'{"model":"m"}', b"", "application/json") == {"model": "m"}
    assert request_object(_form(("model", b"m", None)), b"", _TYPE) == {"model": "m"}
    assert request_object(b"", b"", "") is None
    assert request_object(b"[1]", b"", "application/json") is None


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n-"), max_size=30)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), _TEXT, max_size=5), st.binary(max_size=200))
def test_any_form_is_read_back(fields: dict[str, str], file: bytes) -> None:
    file = file.replace(b"--b0undary", b"")
    parts = [(name, value.encode(), None) for name, value in fields.items()]
    assert form_fields(_form(("upload", file, "f"), *parts), _TYPE) == fields


@given(st.binary(max_size=120), st.text(max_size=40))
def test_any_bytes_are_read_without_harm(body: bytes, kind: str) -> None:
    form_fields(body, kind)
    form_fields(body, _TYPE)
