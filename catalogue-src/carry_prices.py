"""Dated prices: the collected history, then the current list of the pinned genai-prices package where it is
installed."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

from tables import Row, rows_of

__all__ = ["COLUMNS", "history", "listed_now"]

COLUMNS = (
    "provider", "model", "tier", "valid_from", "input", "output", "cache_read", "cache_write", "unit", "year", "basis",
    "source", "source_url", "licence",
)  # fmt: skip
_NUMBERS = ("input", "output", "cache_read", "cache_write")
#: Seller in the package -> as the other lists name it. Resellers and gateways are left out.
_SELLERS = {
    "anthropic": "anthropic", "aws": "amazon-bedrock", "azure": "azure", "cerebras": "cerebras", "cohere": "cohere",
    "deepseek": "deepseek", "fireworks": "fireworks-ai", "google": "google", "groq": "groq", "meta": "meta",
    "minimax": "minimax", "mistral": "mistral", "moonshotai": "moonshotai", "novita": "novita-ai", "openai": "openai",
    "ovhcloud": "ovhcloud", "perplexity": "perplexity", "together": "togetherai", "voyageai": "voyageai",
    "x-ai": "xai", "zai": "zai", "zhipuai": "zhipuai",
}  # fmt: skip
#: Which of two steps of one day is kept.
_BASES = ("documented", "first observed", "models.dev commit")


def history(folder: Path) -> list[Row]:
    """Steps of the collected history, once a day and only where a figure changes."""
    rows = sorted(
        rows_of(folder, "prices_history"), key=lambda r: (_series(r), r["valid_from"], _BASES.index(r["basis"]))
    )
    out: list[Row] = []
    for row in rows:
        priced = {
            "provider": row["provider"].casefold(),
            "model": row["model_id"].casefold(),
            "tier": row["tier"],
            "valid_from": row["valid_from"],
            **{name: row[f"{name}_usd_mtok"] for name in _NUMBERS},
            "unit": "USD/Mtoken",
            "year": row["valid_from"][:4],
            "basis": row["basis"],
            "source": row["origin"],
            "source_url": row["source"],
            "licence": row["licence"],
        }
        last = out[-1] if out else {}
        if not _is_priced(priced):
            continue
        priced["cache_read"] = _read_from_cache(priced["cache_read"])
        same = all(last.get(c) == priced[c] for c in ("provider", "model", "tier"))
        if same and (last["valid_from"] == priced["valid_from"] or all(last[n] == priced[n] for n in _NUMBERS)):
            continue
        out.append(priced)
    return out


def _is_priced(row: Row) -> bool:
    """Whether a row states a price. Lists write 0 for a price nobody entered as for a free model: only the seller's own
    page says that a model is free."""
    paid = any(float(row[name] or 0.0) for name in _NUMBERS)
    return paid or (bool(row["input"] or row["output"]) and row["basis"] in ("documented", "first observed"))


def _read_from_cache(text: str) -> str:
    """A cache read for nothing is a dash on the seller's page: not offered."""
    return text if float(text or 0.0) else ""


def _series(row: Row) -> tuple[str, str, str]:
    return row["provider"].casefold(), row["model_id"].casefold(), row["tier"]


def listed_now(held: list[Row], version: str) -> list[Row]:
    """Prices of the installed genai-prices for models the history lacks. Tiers by length take their base price."""
    from genai_prices.data import providers  # type: ignore[import-not-found]

    known = {(row["provider"], row["model"]) for row in held}
    today = date.today()  # noqa: DTZ011  (the day a list is read)
    out = []
    for provider in providers:
        seller = _SELLERS.get(provider.id)
        for model in provider.models if seller else ():
            name = model.id.casefold()
            if (seller, name) in known or not re.fullmatch(r"[\w.:/@-]+", name):
                continue
            prices = model.prices if isinstance(model.prices, list) else [model]
            for step in prices:
                start = getattr(getattr(step, "constraint", None), "start_date", None)
                row = _listed(seller or "", name, step.prices, start, today, version)
                if row and not (getattr(step, "constraint", None) is not None and start is None):
                    out.append(row)
    return list({(r["provider"], r["model"], r["valid_from"]): r for r in out}.values())


def _listed(seller: str, name: str, prices: Any, start: date | None, today: date, version: str) -> Row | None:
    figures = {
        "input": prices.input_mtok,
        "output": prices.output_mtok,
        "cache_read": prices.cache_read_mtok,
        "cache_write": prices.cache_write_mtok,
    }
    plain = {n: str(getattr(v, "base", v)) if v is not None else "" for n, v in figures.items()}
    if not _is_priced({**plain, "basis": "list read"}):
        return None
    plain["cache_read"] = _read_from_cache(plain["cache_read"])
    first = start or today
    return {
        "provider": seller, "model": name, "tier": "standard", "valid_from": first.isoformat(), **plain,
        "unit": "USD/Mtoken", "year": str(first.year), "basis": "documented" if start else "list read",
        "source": f"genai-prices {version}", "source_url": "https://github.com/pydantic/genai-prices", "licence": "MIT",
    }  # fmt: skip
