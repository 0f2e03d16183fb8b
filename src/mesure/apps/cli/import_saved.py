"""A reading of a table, written at the end of mesure.toml: what the file holds already is never rewritten."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from mesure.errors import ConfigError

if TYPE_CHECKING:
    from mesure.config import ImportSettings

__all__ = ["save"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def save(path: Path, name: str, reading: ImportSettings) -> bool:
    """Whether it was written: False when the same one was there. Raises `ConfigError` where another one has the name,
    or the file cannot be written."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "This cannot be the name of a reading", value=name, action="Use letters, digits, dash and underscore only."
        )
    before = _read(path)
    table = _table(name, reading)
    known = tomllib.loads(before).get("imports", {}).get(name)
    if known is not None:
        if known == tomllib.loads(table)["imports"][name]:
            return False
        raise ConfigError(
            "Another reading of this name is saved", value=name, action="Choose another name, or edit mesure.toml."
        )
    text = (before.rstrip("\n") + "\n\n" if before.strip() else "version = 1\n\n") + table
    _write(path, text)
    return True


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
        tomllib.loads(text)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ConfigError(
            "mesure.toml cannot be read", value=str(path), action="Correct the file, or check its rights."
        ) from error
    return text


def _table(name: str, reading: ImportSettings) -> str:
    """Only what differs from a default; texts of TOML are those of JSON."""
    lines = [f"[imports.{name}]"]
    plain = type(reading)()
    for setting in fields(reading):
        value = getattr(reading, setting.name)
        if value != getattr(plain, setting.name):
            lines.append(f"{setting.name} = {json.dumps(value, ensure_ascii=True)}")
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ConfigError(
            f"mesure.toml cannot be written: {error.strerror}", value=str(path), action="Check its rights."
        ) from None
