"""The goals of the estimator, what was measured against them, and whether they were reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["goals_table"]

_HEAD = (
    "| view | goal: median / P90 | left out | measured | reached? | 90 % interval: covers, width |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def _said(score: Any, median: float, p90: float) -> str:
    reached = score.median <= median, score.p90 <= p90
    if all(reached):
        return "**reached**"
    if not any(reached):
        return "missed, both"
    return "missed: " + ("median" if reached[1] else "P90")


def goals_table(
    views: Mapping[str, Any], text: Mapping[str, Any], api: Mapping[str, Any], media: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """(Markdown, figures by name)."""
    host, moe, one, load = text["self-host (batch > 1)"], text["self-host, mixtures"], text["batch 1"], api
    serving = load["load of 32 and more"]
    asked: list[tuple[str, float, float, str, str, Any]] = []
    for key in ("family", "base"):
        for told, suffix in ((" (all stated)", ", stated"), (" (machines alone)", "")):
            asked.append((f"self-host{told}", 1.15, 1.6, key, f"text, {key}{suffix}", host))
            asked.append((f"self-host, mixtures{told}", 1.25, 1.9, key, f"text, {key}{suffix}", moe))
        asked.append(("batch 1, local", 1.12, 1.4, key, f"text, {key}", one))
        for told, suffix in (("", ""), (", year known", ", year"), (", year and input known", ", stated")):
            asked.append(
                (f"API, serving-like (load of 32 and more){told}", 1.40, 3.0, key, f"api, {key}{suffix}", serving)
            )
    for key in ("family", "model"):
        for told, suffix in (("", ""), (", size alone", ", sizes")):
            asked.append((f"image, settings known{told}", 1.18, 1.45, key, f"media, {key}{suffix}", media["images"]))
            asked.append((f"image, API{told}", 1.4, 2.5, key, f"media api, {key}{suffix}", media["images"]))
            asked.append((f"video, settings known{told}", 1.2, 1.5, key, f"media, {key}{suffix}", media["videos"]))
    lines, found = [_HEAD], {}
    for name, median, p90, key, view, mask in asked:
        score = views[view].score(mask)
        lines.append(
            f"| {name} | {median:.2f} / {p90:.2f} | {key} | {score.median:.3f} / {score.p90:.2f} | "
            f"{_said(score, median, p90)} | {100.0 * score.cover:.0f} %, x{score.width:.1f} |"
        )
        found[f"{name}; {key} left out"] = score.json() | {"reached": _said(score, median, p90).startswith("**")}
    return "## Goals\n\n" + "\n".join(lines), found
