"""How far the estimator is from measurements it has not seen, beside EcoLogits on the same rows.

make bench-accuracy          # prints tables, writes docs/accuracy.md, ends with one line of JSON
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from ecologits_rows import version as peer_version
from ecologits_rows import wh_of
from fit_estimator import BANDS
from goals import goals_table
from leave_out import Estimates, Knowledge, LeftOut
from mesure import METHOD_VERSION

Array = Any
HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "accuracy.md"
_SERVING_LOAD = 29.0  # a nominal load of 32 is reached as 29 to 32
_HEAD = (
    "| rows | n | median | P90 | bias | 90 % interval covers | families resampled, 5-95 % | width |\n|" + " --- |" * 8
)


class Score:
    """Factor error and interval of some rows."""

    def __init__(self, found: Estimates, truth: Array, mask: Array, family: Array) -> None:
        error = (found.mid - truth)[mask]
        inside = ((truth >= found.low) & (truth <= found.high))[mask]
        self.n = int(mask.sum())
        self.median, self.p90 = (math.exp(np.quantile(np.abs(error), share)) for share in (0.5, 0.9))
        self.bias = float(np.median(error))
        self.cover = float(inside.mean())
        self.width = math.exp(np.median((found.high - found.low)[mask]))
        draw, names = np.random.default_rng(0), family[mask]
        members = [inside[names == name] for name in np.unique(names)]
        drawn = [
            np.concatenate([members[i] for i in draw.integers(0, len(members), len(members))]).mean()
            for _ in range(400)
        ]
        self.resampled = tuple(float(np.quantile(drawn, share)) for share in (0.05, 0.95))

    def line(self, name: str) -> str:
        low, high = (f"{100.0 * share:.0f}" for share in self.resampled)
        return (
            f"| {name} | {self.n} | x{self.median:.3f} | x{self.p90:.2f} | {self.bias:+.2f} | "
            f"{100.0 * self.cover:.0f} % | {low}-{high} % | x{self.width:.1f} |"
        )

    def json(self) -> dict[str, float]:
        names = ("n", "median", "p90", "cover", "width")
        return {name: round(float(getattr(self, name)), 4) for name in names}


class View:
    """Rows scored together, with the peer's error where it has one."""

    def __init__(self, left: LeftOut, known: Knowledge, key: str | None) -> None:
        self.data, self.key, self.known = left.data, key, known
        self.found = left.estimates(key, known)

    def score(self, mask: Array | None = None) -> Score:
        mask = self.whole if mask is None else mask & self.data.consistent
        return Score(self.found, self.data.log_wh, mask, self.data.key("base"))

    @property
    def whole(self) -> Array:
        return self.data.consistent

    def table(self, groups: Mapping[str, Array]) -> str:
        lines = [
            self.score(mask).line(name) for name, mask in groups.items() if (mask & self.data.consistent).sum() > 1
        ]
        return "\n".join((_HEAD, *lines))


def text_groups(data: Any) -> dict[str, Array]:
    """Masks by batch band, architecture, hardware, modality and source."""
    batch, moe = data.batch, data.mixture
    out = {"all": batch > 0, "self-host (batch > 1)": batch > 1, "batch 1": batch <= 1}
    out |= {"self-host, dense": (batch > 1) & ~moe, "self-host, mixtures": (batch > 1) & moe}
    names = {"1": "1", "2": "2 to 32", "33": "33 to 128", "129": "more"}
    for name, low, high in BANDS:
        band = (batch > low) & (batch <= high)
        out |= {f"dense, batch {names[name]}": band & ~moe, f"mixtures, batch {names[name]}": band & moe}
    for column in ("gpu", "modality", "source"):
        out |= {f"{column} {value}": data.key(column) == value for value in np.unique(data.key(column))}
    return out


def serving(data: Any) -> Array:
    """Rows of serving engines, which is what an API runs."""
    return np.isin(data.key("source"), ["ml.energy-v2", "ml.energy-v3"])


def api_groups(data: Any) -> dict[str, Array]:
    served, batch = serving(data), data.batch
    return {
        "load of 32 and more": served & (batch >= _SERVING_LOAD),
        "load of 64 and more": served & (batch >= 58),
        "load of 32 to 512": served & (batch >= _SERVING_LOAD) & (batch <= 513),
        "dense, 32 and more": served & ~data.mixture & (batch >= _SERVING_LOAD),
        "mixtures, 32 and more": served & data.mixture & (batch >= _SERVING_LOAD),
        "load of 16 to 31": served & (batch >= 14) & (batch < _SERVING_LOAD),
        "load of 8 to 15 (not an API's)": served & (batch < 14),
    }


def media_groups(data: Any) -> dict[str, Array]:
    modality = data.key("modality")
    out = {"images": modality == "image-gen", "videos": modality == "video-gen"}
    for column in ("family", "gpu"):
        for value in np.unique(data.key(column)):
            out |= {f"{name}, {value}": out[name] & (data.key(column) == value) for name in ("images", "videos")}
    return out


def peer_table(view: View, groups: Mapping[str, Array]) -> tuple[str, dict[str, float]]:
    """EcoLogits beside the estimator on the same rows, same scope."""
    data = view.data
    theirs = np.array([math.log(wh_of(row)) for row in data.rows])
    lines, found = ["| rows | n | EcoLogits median / P90 | Mesure median / P90 |\n| --- | --- | --- | --- |"], {}
    for name, mask in groups.items():
        mask = mask & data.consistent
        error = np.abs(theirs - data.log_wh)[mask]
        median, p90 = (math.exp(np.quantile(error, share)) for share in (0.5, 0.9))
        ours = view.score(mask)
        lines.append(f"| {name} | {mask.sum()} | x{median:.2f} / x{p90:.1f} | x{ours.median:.2f} / x{ours.p90:.2f} |")
        found[f"{name}_median"], found[f"{name}_p90"] = round(median, 3), round(p90, 3)
    return "\n".join(lines), found


def measured_views() -> tuple[dict[str, View], LeftOut, LeftOut]:
    text, media = LeftOut("text"), LeftOut("media")
    stated, nothing = Knowledge(prompt=True, year=True), Knowledge()
    api = Knowledge(api=True)
    views = {"text, as shipped": View(text, nothing, None), "media, as shipped": View(media, nothing, None)}
    for key in ("family", "base"):
        views |= {
            f"text, {key}, stated": View(text, stated, key),
            f"text, {key}, year": View(text, Knowledge(year=True), key),
            f"text, {key}": View(text, nothing, key),
            f"text, {key}, sizes": View(text, Knowledge(sizes_only=True), key),
            f"api, {key}": View(text, api, key),
            f"api, {key}, year": View(text, Knowledge(api=True, year=True), key),
            f"api, {key}, stated": View(text, Knowledge(api=True, year=True, prompt=True), key),
        }
    for key in ("task", "gpu", "source"):
        views[f"text, {key}, stated"] = View(text, stated, key)
    for key in ("family", "model"):
        views |= {
            f"media, {key}": View(media, nothing, key),
            f"media, {key}, sizes": View(media, Knowledge(sizes_only=True), key),
            f"media api, {key}": View(media, api, key),
            f"media api, {key}, sizes": View(media, Knowledge(api=True, sizes_only=True), key),
        }
    return views, text, media


def _section(title: str, *parts: str) -> str:
    return "\n\n".join((f"## {title}", *parts))


def document(views: Mapping[str, View], goals: str, peers: str) -> str:
    """docs/accuracy.md: notes written by hand between measured tables."""
    text, media = views["text, family"].data, views["media, family"].data
    groups, alone = text_groups(text), media_groups(media)
    few = dict(list(groups.items())[:5])
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}"
    )
    head = (
        f"# Accuracy\n\nWritten by `make bench-accuracy` on {datetime.now(UTC):%Y-%m-%d}, method `{METHOD_VERSION}`, "
        f"EcoLogits {peer_version()}. Figures do not depend on the machine ({machine}).\n\n"
    )
    described = {
        "machines, input length and software year": "stated",
        "machines and software year": "year",
        "machines alone": "",
        "machines alone, model by its sizes": "sizes",
    }
    blocks = [head + (HERE / "accuracy_head.md").read_text(encoding="utf-8").strip(), goals, peers]
    for key, name in (("family", "a whole family left out"), ("base", "a base model left out")):
        for told, suffix in described.items():
            view = views[f"text, {key}" + (f", {suffix}" if suffix else "")]
            long = suffix in ("", "stated") and key == "family"
            blocks.append(f"### Text, {name}; known: {told}\n\n{view.table(groups if long else few)}")
        for told, suffix in {"nothing of the machines": "", "the software's year": "year"}.items():
            view = views[f"api, {key}" + (f", {suffix}" if suffix else "")]
            blocks.append(f"### API view, {name}; known: {told}\n\n{view.table(api_groups(text))}")
    blocks += [
        f"### Text, a whole {key} left out; known: all\n\n{views[f'text, {key}, stated'].table(few)}"
        for key in ("task", "gpu", "source")
    ]
    for key, name in (("family", "a whole family left out"), ("model", "a model left out")):
        shown = alone if key == "family" else dict(list(alone.items())[:2])
        blocks.append(f"### Images and videos, {name}; settings known\n\n{views[f'media, {key}'].table(shown)}")
        for told, suffix in {
            "settings known, model by its size alone": "media, {}, sizes",
            "API view": "media api, {}",
            "API view, model by its size alone": "media api, {}, sizes",
        }.items():
            view = views[suffix.format(key)]
            blocks.append(f"### Images and videos, {name}; {told}\n\n{view.table(dict(list(alone.items())[:2]))}")
    seen = _section(
        "Rows the shipped constants have seen",
        "Fit, not proof: these are the rows the constants were fitted on.",
        views["text, as shipped"].table(few),
        views["media, as shipped"].table(dict(list(alone.items())[:2])),
    )
    blocks += [seen, (HERE / "accuracy_tail.md").read_text(encoding="utf-8").strip()]
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    views, text, media = measured_views()
    goals, results = goals_table(views, text_groups(text.data), api_groups(text.data), media_groups(media.data))
    batch = text.data.batch
    compared = {
        "self-host (batch > 1)": batch > 1,
        "serving, load of 32 and more": api_groups(text.data)["load of 32 and more"],
        "batch 1": batch <= 1,
    }
    peers, theirs = peer_table(views["text, family"], compared)
    peers = "## Beside EcoLogits\n\n" + (HERE / "accuracy_peer.md").read_text(encoding="utf-8").strip() + "\n\n" + peers
    written = document(views, goals, peers)
    DOCUMENT.write_text(written, encoding="utf-8")
    sys.stdout.write(written + f"\nWrote {DOCUMENT}\n")
    line = {"bench": "accuracy", "method": METHOD_VERSION, "goals": results, "ecologits": theirs}
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
