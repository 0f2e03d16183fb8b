"""A file of rows: what it is, its columns, and its rows one by one with their line numbers."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, cast

from mesure.errors import ImportRefused, MesureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RawRow", "TableFile"]

#: Longest line taken: what holds memory constant whatever the file.
LONGEST_LINE = 1 << 20
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t|"
#: Rows of a JSON-lines file that are read to learn its columns.
_ROWS_FOR_COLUMNS = 100
_DEEPEST = 5


class RawRow(NamedTuple):
    """One row as found: its cells by column, or why it has none."""

    line: int
    cells: dict[str, Any]
    error: MesureError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file that can be read: `TableFile.open` looks at its beginning."""

    path: Path
    format: Literal["csv", "jsonl"]
    delimiter: str
    columns: tuple[str, ...]
    size: int  # bytes on disk
    sample: tuple[RawRow, ...] = field(repr=False)  # the first rows, for a preview

    @classmethod
    def open(cls, path: str | Path, *, delimiter: str | None = None) -> TableFile:
        """Format, delimiter and columns of the file. Raises `ImportRefused` when it cannot be read as a table."""
        path = Path(path)
        if not path.is_file():
            raise ImportRefused("This is not a file that can be read", value=str(path), action="Check the path.")
        first = next(_lines(path, None), b"").removeprefix(_BOM)
        if not first.strip():
            raise ImportRefused(
                "The file is empty, or its first line is", value=str(path), action="Start it with a header line."
            )
        kind: Literal["csv", "jsonl"] = "jsonl" if first.lstrip().startswith((b"{", b"[")) else "csv"
        mark = delimiter or max(_DELIMITERS, key=lambda candidate: first.count(candidate.encode()))
        bare = cls(path=path, format=kind, delimiter=mark, columns=(), size=path.stat().st_size, sample=())
        rows = []
        for row in bare.rows():
            rows.append(row)
            if len(rows) == _ROWS_FOR_COLUMNS:
                break
        columns = _header(first, mark) if kind == "csv" else list(dict.fromkeys(name for r in rows for name in r.cells))
        return cls(path=path, format=kind, delimiter=mark, columns=tuple(columns), size=bare.size, sample=tuple(rows))

    def rows(self, *, progress: Callable[[int], None] | None = None, digest: Any = None) -> Iterator[RawRow]:
        """Rows in order; `progress` gets bytes read so far, `digest` (a hashlib object) every uncompressed byte."""
        lines = _lines(self.path, progress, digest)
        return _csv_rows(lines, self.delimiter) if self.format == "csv" else _json_rows(lines)

    def fingerprint(self) -> str:
        """SHA-256 of the uncompressed content: the same table is the same, compressed or not."""
        digest = sha256()
        for _ in _lines(self.path, None, digest):
            pass
        return digest.hexdigest()


def _lines(path: Path, progress: Callable[[int], None] | None, digest: Any = None) -> Iterator[bytes]:
    try:
        with path.open("rb") as raw:
            compressed = raw.peek(2)[:2] == _GZIP
            content = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if compressed else raw
            number = 0
            while line := content.readline(LONGEST_LINE + 1):
                number += 1
                _check_line(line, number, path)
                if digest is not None:
                    digest.update(line)
                yield line
                if progress is not None and number % 500 == 0:
                    progress(raw.tell())
            if progress is not None:
                progress(raw.tell())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ImportRefused(
            f"The compressed file is damaged: {error}", value=str(path), action="Fetch or export it again."
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


def _text(line: bytes) -> str:
    """UTF-8; bytes that are not stay recognisable, and the row that holds them is refused."""
    return line.decode("utf-8", errors="surrogateescape")


def _header(first: bytes, delimiter: str) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([_text(first)], delimiter=delimiter), [])]
    except csv.Error as error:
        raise ImportRefused(
            f"The header line cannot be read: {error}", action="Save the file again as CSV, or name its --delimiter."
        ) from None
    names = [name or f"column {index}" for index, name in enumerate(names, 1)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ImportRefused("Two columns have the same name", value=twice, action="Rename one in the header line.")
    return names


def _csv_rows(lines: Iterator[bytes], delimiter: str) -> Iterator[RawRow]:
    names = _header(next(lines).removeprefix(_BOM), delimiter)
    reader = csv.reader((_text(line) for line in lines), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 2  # the header is line 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RawRow(line, {}, _unreadable(f"The row cannot be read: {error}"))
            continue
        if not cells:
            continue
        if len(cells) != len(names):
            what = f"The row has {len(cells)} cells where the header has {len(names)}"
            yield RawRow(line, {}, ImportRefused(what, action="Quote cells that hold the delimiter."))
        elif any(not cell.isascii() and _broken(cell) for cell in cells):
            yield RawRow(line, {}, _unreadable("The row is not UTF-8 text"))
        else:
            yield RawRow(line, dict(zip(names, cells, strict=True)))


def _broken(cell: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in cell)


def _json_rows(lines: Iterator[bytes]) -> Iterator[RawRow]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.removeprefix(_BOM) if number == 1 else line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            yield RawRow(number, {}, _unreadable(f"The row cannot be read: {error}"))
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
