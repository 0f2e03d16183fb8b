"""Rewrite `factors.snapshot` after a reviewed change of data: `python tests/catalogue/snapshot.py`."""

from pathlib import Path

from mesure.catalogue import current

if __name__ == "__main__":
    lines = [f"{f.id} = {f.value:g} [{f.low:g}, {f.high:g}] {f.unit}" for f in current().factors()]
    Path(__file__).with_name("factors.snapshot").write_text("\n".join(lines) + "\n", encoding="utf-8")
