"""A file of rows: what it is, its columns, and its rows one by one with their line numbers."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, cast, get_args

from mesure.errors import ImportRefused, MesureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ENCODINGS", "ContentDigest", "Encoding", "RawRow", "TableFile"]

Encoding = Literal["utf-8", "windows-1252"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

#: Longest line taken: what holds memory constant whatever the file.
LONGEST_LINE = 1 << 20
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
#: How workbooks begin: zip archives (.xlsx, .ods), and the older .xls.
_WORKBOOK = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_DELIMITERS = ",;\t|"
#: Rows of a JSON-lines file that are read to learn its columns.
_ROWS_FOR_COLUMNS = 100
_DEEPEST = 5


class RawRow(NamedTuple):
    """One row as found: its cells by column, or why it has none."""

    line: int
    cells: dict[str, Any]
    error: MesureError | None = None


class ContentDigest:
    """SHA-256 of lines as they are fed. Line ends, a byte-order mark and trailing blank lines do not change it."""

    def __init__(self) -> None:
        self._digest = sha256()
        self._blank = 0  # lines that count once another follows
        self._begun = False

    def update(self, line: bytes) -> None:
        text = line.rstrip(b"\r\n")
        if not self._begun:
            text, self._begun = text.removeprefix(_BOM), True
        if not text.strip():
            self._blank += 1
            return
        self._digest.update(b"\n" * self._blank + text + b"\n")
        self._blank = 0

    def hexdigest(self) -> str:
        """Of what was fed so far."""
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file that can be read: `TableFile.open` looks at its beginning."""

    path: Path
    format: Literal["csv", "jsonl"]
    delimiter: str
    encoding: Encoding
    columns: tuple[str, ...]
    size: int  # bytes on disk
    sample: tuple[RawRow, ...] = field(repr=False)  # the first rows, for a preview

    @classmethod
    def open(cls, path: str | Path, *, delimiter: str | None = None, encoding: Encoding = "utf-8") -> TableFile:
        """Format, delimiter and columns of the file. Raises `ImportRefused` when it cannot be read as a table."""
        path = Path(path)
        if not path.is_file():
            raise ImportRefused("This is not a file that can be read", value=str(path), action="Check the path.")
        first = next(_lines(path, encoding, None), b"").removeprefix(_BOM)
        if not first.strip():
            raise ImportRefused(
                "The file is empty, or its first line is", value=str(path), action="Start it with a header line."
            )
        kind: Literal["csv", "jsonl"] = "jsonl" if first.lstrip().startswith((b"{", b"[")) else "csv"
        if kind == "jsonl" and (first.lstrip().startswith(b"[") or first.strip() == b"{"):
            action = "Write one JSON object per line, without a list around them."
            raise ImportRefused("The file is JSON, but not JSON lines", value=str(path), action=action)
        mark = delimiter or max(_DELIMITERS, key=lambda candidate: first.count(candidate.encode()))
        size = path.stat().st_size
        bare = cls(path=path, format=kind, delimiter=mark, encoding=encoding, columns=(), size=size, sample=())
        rows = tuple(islice(bare.rows(), _ROWS_FOR_COLUMNS))
        columns = _header(first, mark) if kind == "csv" else list(dict.fromkeys(name for r in rows for name in r.cells))
        return replace(bare, columns=tuple(columns), sample=rows)

    def rows(
        self, *, progress: Callable[[int], None] | None = None, digest: ContentDigest | None = None
    ) -> Iterator[RawRow]:
        """Rows in order; `progress` gets bytes read so far, `digest` every line up to the end of the row."""
        lines = _lines(self.path, self.encoding, progress, digest)
        return _csv_rows(lines, self.delimiter) if self.format == "csv" else _json_rows(lines)

    def fingerprint(self) -> str:
        """Digest of the content: the same table is the same, compressed or not, whatever its encoding and line ends."""
        digest = ContentDigest()
        for _ in _lines(self.path, self.encoding, None, digest):
            pass
        return digest.hexdigest()


def _lines(
    path: Path, encoding: Encoding, progress: Callable[[int], None] | None, digest: ContentDigest | None = None
) -> Iterator[bytes]:
    """Lines as UTF-8, their ends kept."""
    try:
        with path.open("rb") as raw:
            compressed = raw.peek(2)[:2] == _GZIP
            content = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if compressed else raw
            number = 0
            while raw_line := content.readline(LONGEST_LINE + 1):
                number += 1
                _check_line(raw_line, number, path)
                line = _utf8(raw_line, encoding, number, path)
                if digest is not None:
                    digest.update(line)
                yield line
                if progress is not None and number % 500 == 0:
                    progress(raw.tell())
            if progress is not None:
                progress(raw.tell())
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ImportRefused(
            "The compressed file is damaged or cut", value=str(path), action="Fetch or export it again."
        ) from None
    except OSError as error:
        raise ImportRefused(
            f"The file cannot be read: {error.strerror}", value=str(path), action="Check its permissions."
        ) from None


def _check_line(line: bytes, number: int, path: Path) -> None:
    if len(line) > LONGEST_LINE:
        raise ImportRefused(
            f"Line {number} is longer than {LONGEST_LINE} bytes",
            value=str(path),
            action="Export one call per line, without texts.",
        )
    if number == 1 and line.startswith(_UTF16):
        raise ImportRefused("The file is in UTF-16", value=str(path), action="Save it as UTF-8.")
    if number == 1 and line.startswith(_WORKBOOK):
        raise ImportRefused(
            "This is a workbook or an archive, not a table of text",
            value=str(path),
            action="Export the sheet as CSV UTF-8.",
        )
    if b"\0" in line:
        raise ImportRefused(
            f"Line {number} holds bytes that no text has", value=str(path), action="Export the table as CSV UTF-8."
        )


def _utf8(line: bytes, encoding: Encoding, number: int, path: Path) -> bytes:
    """The line in UTF-8. Raises `ImportRefused` for a line that is not in the encoding said."""
    if line.isascii():
        return line
    try:
        return line.decode(encoding).encode()
    except UnicodeDecodeError:
        pass
    other: Encoding = "windows-1252" if encoding == "utf-8" else "utf-8"
    raise ImportRefused(
        f"Line {number} is not text in {encoding}",
        value=str(path),
        action=f"Say --encoding {other} if the file is in it, or save it as CSV UTF-8.",
    )


def _header(first: bytes, delimiter: str) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([first.decode()], delimiter=delimiter), [])]
    except csv.Error:
        raise ImportRefused(
            "The header line cannot be read", action="Save the file again as CSV, or name its --delimiter."
        ) from None
    names = [name or f"column {index}" for index, name in enumerate(names, 1)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ImportRefused("Two columns have the same name", value=twice, action="Rename one in the header line.")
    return names


def _csv_rows(lines: Iterator[bytes], delimiter: str) -> Iterator[RawRow]:
    names = _header(next(lines).removeprefix(_BOM), delimiter)
    reader = csv.reader((line.decode() for line in lines), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 2  # the header is line 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield RawRow(line, {}, _unreadable("The row cannot be read: its quotes are not those of a CSV"))
            continue
        if not cells or (len(cells) == 1 and not cells[0].strip()):  # a blank line
            continue
        if len(cells) != len(names):
            what = f"The row has {len(cells)} cells where the header has {len(names)}"
            yield RawRow(line, {}, ImportRefused(what, action="Quote cells that hold the delimiter."))
        else:
            yield RawRow(line, dict(zip(names, cells, strict=True)))


def _json_rows(lines: Iterator[bytes]) -> Iterator[RawRow]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_no_constant)  # a byte-order mark is no part of it
        except (ValueError, RecursionError):
            yield RawRow(number, {}, _unreadable("The row cannot be read: it is not JSON"))
            continue
        if isinstance(row, dict):
            yield RawRow(number, dict(_flat(row)))
        else:
            yield RawRow(number, {}, _unreadable("The row is not a JSON object"))


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _flat(row: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """{"usage": {"prompt_tokens": 3}} -> usage.prompt_tokens. Lists hold texts of calls: they are left aside."""
    for name, value in row.items():
        if isinstance(value, dict):
            if depth < _DEEPEST:
                yield from _flat(value, f"{prefix}{name}.", depth + 1)
        elif not isinstance(value, list):
            yield prefix + name, value


def _unreadable(what: str) -> ImportRefused:
    return ImportRefused(what, action="Correct the line, or leave it out.")
