"""A file of rows: what it is, its columns, and its rows one by one with their line numbers.

CSV and JSON lines are read as they are; documents (JSON, Parquet, metrics scraped into a file) as one JSON line per
record, which then is the line that counts: its number, its part in the digest of the content.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, cast, get_args

from mesure.errors import ImportRefused, MesureError
from mesure.meter.imports.exports import AS_TABLE, Export, named_export, recognised
from mesure.meter.imports.json_documents import is_document, records_of
from mesure.meter.imports.mapping import propose
from mesure.meter.imports.parquet import MAGIC, parquet_records
from mesure.meter.imports.scrapes import is_scrapes, scrape_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["ENCODINGS", "ContentDigest", "Encoding", "Form", "RawRow", "TableFile"]

Form = Literal["csv", "jsonl", "json", "parquet", "metrics"]

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
#: Bytes that tell what a file is.
_BEGINNING = 1 << 16
#: Bytes between two calls of `progress`.
_STEP = 1 << 18


class RawRow(NamedTuple):
    """One row as found: its cells by column, or why it has none."""

    line: int
    cells: dict[str, Any]
    error: MesureError | None = None
    part: int = 0  # which of the rows that one line holds


class _Content:
    """A file being read, compressed or not, that tells how far it is in the file on disk."""

    def __init__(self, content: BinaryIO, raw: BinaryIO, progress: Callable[[int], None] | None) -> None:
        self._content, self._raw, self._progress = content, raw, progress
        self._told = 0

    def read(self, size: int) -> bytes:
        return self._said(self._content.read(size))

    def readline(self, size: int) -> bytes:
        return self._said(self._content.readline(size))

    def _said(self, found: bytes) -> bytes:
        if self._progress is not None and (at := self._raw.tell()) >= self._told + _STEP:
            self._told = at
            self._progress(at)
        return found


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
    format: Form
    delimiter: str
    encoding: Encoding
    columns: tuple[str, ...]
    size: int  # bytes on disk
    sample: tuple[RawRow, ...] = field(repr=False)  # the first rows, for a preview
    export: Export | None = None  # whose export it is, when it is a known one

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        delimiter: str | None = None,
        encoding: Encoding = "utf-8",
        export: str | None = None,
    ) -> TableFile:
        """Format, delimiter and columns of the file; `export` names whose it is, found from its columns if left out.

        Raises `ImportRefused` when it cannot be read as a table, or an export of no such name is known.
        """
        path = Path(path)
        if not path.is_file():
            raise ImportRefused("This is not a file that can be read", value=str(path), action="Check the path.")
        form, mark = _form(path, delimiter, encoding)
        bare = cls(
            path=path, format=form, delimiter=mark, encoding=encoding, columns=(), size=path.stat().st_size, sample=()
        )
        found = bare._whose(export)
        bare = replace(bare, export=found)
        sample = tuple(islice(bare.rows(), _ROWS_FOR_COLUMNS))
        names = list(dict.fromkeys(name for row in sample for name in row.cells))
        if form == "csv" and not found:
            names = _header(next(_lines(bare, None)).removeprefix(_BOM), mark)
        if found:
            names = list(dict.fromkeys((*found.fields, *names)))
        return replace(bare, columns=tuple(names), sample=sample)

    def rows(
        self, *, progress: Callable[[int], None] | None = None, digest: ContentDigest | None = None
    ) -> Iterator[RawRow]:
        """Rows in order; `progress` gets bytes read so far, `digest` every line up to the end of the row."""
        rows = self._raw_rows(_lines(self, progress, digest), flat=self.export is None)
        return rows if self.export is None else _exported(rows, self.export)

    def fingerprint(self) -> str:
        """Digest of the content: the same table is the same, compressed or not, whatever its encoding and line ends."""
        digest = ContentDigest()
        for _ in _lines(self, None, digest):
            pass
        return digest.hexdigest()

    @property
    def proposal(self) -> Mapping[str, str]:
        """field -> column, known for certain."""
        if self.export is None:
            return propose(self.columns)
        return {name: name for name in self.export.fields if name not in self.export.asked_for}

    def shown(self, name: str, column: str) -> str:
        """Where a field comes from, in the words of the file."""
        own = self.export is not None and column == name and column in self.export.fields
        return self.export.fields[name] if self.export is not None and own else column

    def _raw_rows(self, lines: Iterator[bytes], *, flat: bool) -> Iterator[RawRow]:
        return _csv_rows(lines, self.delimiter) if self.format == "csv" else _json_rows(lines, flat=flat)

    def _whose(self, name: str | None) -> Export | None:
        if name == AS_TABLE:
            return None
        if name is not None:
            return named_export(name)
        rows = islice(self._raw_rows(_lines(self, None), flat=False), _ROWS_FOR_COLUMNS)
        return recognised([row.cells for row in rows if row.error is None], str(self.path))


def _form(path: Path, delimiter: str | None, encoding: Encoding) -> tuple[Form, str]:
    """What kind of file it is, and what separates the cells of a CSV."""
    with _opened(path) as content:
        beginning = content.read(_BEGINNING)
    if beginning.startswith(MAGIC):
        return "parquet", ""
    if beginning.startswith(_UTF16):
        raise ImportRefused("The file is in UTF-16", value=str(path), action="Save it as UTF-8.")
    if is_document(beginning):
        return "json", ""
    if is_scrapes(beginning):
        return "metrics", ""
    first = next(_text_lines(path, encoding, None), b"").removeprefix(_BOM)
    if not first.strip():
        raise ImportRefused(
            "The file is empty, or its first line is", value=str(path), action="Start it with a header line."
        )
    if first.lstrip().startswith(b"{"):
        return "jsonl", ""
    return "csv", delimiter or max(_DELIMITERS, key=lambda candidate: first.count(candidate.encode()))


@contextmanager
def _opened(path: Path, progress: Callable[[int], None] | None = None) -> Iterator[BinaryIO]:
    """The content, whether or not it is compressed; `progress` gets what was read when it is closed."""
    try:
        with path.open("rb") as raw:
            compressed = raw.peek(2)[:2] == _GZIP
            yield _Content(cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if compressed else raw, raw, progress)  # type: ignore[misc]
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


def _lines(
    file: TableFile, progress: Callable[[int], None] | None, digest: ContentDigest | None = None
) -> Iterator[bytes]:
    """Lines as UTF-8, their ends kept; of a document, its records."""
    for line in _as_lines(file, progress):
        if digest is not None:
            digest.update(line)
        yield line


def _as_lines(file: TableFile, progress: Callable[[int], None] | None) -> Iterator[bytes]:
    if file.format == "parquet":
        yield from map(_json_line, parquet_records(file.path, progress))
    elif file.format == "metrics":
        yield from map(_json_line, scrape_records(_text_lines(file.path, file.encoding, progress)))
    elif file.format == "json":
        with _opened(file.path, progress) as content:
            yield from map(_json_line, records_of(content, str(file.path)))
    else:
        yield from _text_lines(file.path, file.encoding, progress)


def _json_line(record: Any) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _text_lines(path: Path, encoding: Encoding, progress: Callable[[int], None] | None) -> Iterator[bytes]:
    with _opened(path, progress) as content:
        number = 0
        while raw_line := content.readline(LONGEST_LINE + 1):
            number += 1
            _check_line(raw_line, number, path)
            yield _utf8(raw_line, encoding, number, path)


def _exported(rows: Iterable[RawRow], export: Export) -> Iterator[RawRow]:
    """What an export's rows say, under the names of fields; its own columns beside them, for `--map`."""
    reader, line = export.start(), 0
    for row in rows:
        line = row.line
        if row.error is not None:
            yield row
            continue
        own = dict(_flat(row.cells))
        try:
            for part, facts in enumerate(reader.read(row.cells)):
                yield RawRow(line, own | facts, None, part)
        except MesureError as error:
            yield RawRow(line, {}, error)
    for part, facts in enumerate(reader.end()):
        yield RawRow(line, facts, None, part)


def _check_line(line: bytes, number: int, path: Path) -> None:
    if len(line) > LONGEST_LINE:
        raise ImportRefused(
            f"Line {number} is longer than {LONGEST_LINE} bytes",
            value=str(path),
            action="Export one call per line, without texts.",
        )
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
        code="encoding",
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


def _json_rows(lines: Iterator[bytes], *, flat: bool = True) -> Iterator[RawRow]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_no_constant)  # a byte-order mark is no part of it
        except (ValueError, RecursionError):
            yield RawRow(number, {}, _unreadable("The row cannot be read: it is not JSON"))
            continue
        if isinstance(row, dict):
            yield RawRow(number, dict(_flat(row)) if flat else row)
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
