"""docs/catalogue.md: what the catalogue holds, from where, under which licence. Written by `build.py`."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from mesure.catalogue.hour_services import SERVICES
from mesure.catalogue.places import GRID_PARAMETERS
from mesure.catalogue.table import FACTOR_TABLES, MPL_TABLES, NAME_TABLES, PRICES

__all__ = ["ABOUT", "DOCUMENT", "document"]

DOCUMENT = Path(__file__).parents[1] / "docs" / "catalogue.md"
ABOUT = {
    "grids": "yearly intensity of electricity by zone: life-cycle, direct, direct + upstream, each under its own name",
    "grid_impacts": "water, minerals and primary energy per kWh, computed from mix and technologies",
    "mixes": "shares of generation by technology",
    "technologies": "water, minerals, primary energy and carbon per kWh of each technology",
    "accelerators": "sellers' figures: power, memory, bandwidth, dense rates, links",
    "cpus": "processors' thermal design power, by whole name",
    "models": "sizes and architecture: published, or one row per estimator",
    "models_mpl": "the same from an MPL-2.0 package: a file of its own, that may be deleted",
    "embodied": "published figures of manufacture, side by side",
    "embodied_mpl": "the same from an MPL-2.0 package: a file of its own, that may be deleted",
    "sites": "PUE and WUE by operator and region",
    "stack": "constants between accelerator and meter, and stated assumptions",
    "training": "figures that only training needs, and the bounds outside which an input is flagged",
    "hosts": "where each API runs by default, one set of shares per estimator",
    "equivalences": "everyday equivalents, physics first",
    "zones": "grid zones: name, kind, country",
    "regions": "cloud regions and their grid zone",
    "model_list": "models: maker, what they take in and give out",
    "model_names": "names that lead to a model, by provider where it matters",
    "model_aliases": "names that move, with the day from which they designated a model",
    "unsized_names": "names in providers' lists whose size nobody publishes: never counted as known",
    "accelerator_names": "names in common use of accelerators",
    "prices": "USD per million tokens, dated",
}
_ATTRIBUTION = """\
- Electricity: Ember (2026), processed by Our World in Data, CC BY 4.0. Generation mixes: Our World in Data
(Ember, Energy
  Institute), CC BY 4.0, read in CodeCarbon (MIT). US: EPA eGRID2023. Europe (direct): European Environment
  Agency, CC BY 4.0.
  Australia: DCCEEW NGA Factors 2025, CC BY 4.0. United Kingdom: Government conversion factors 2025, OGL v3.0.
  Canada: ECCC,
  Open Government Licence. China: MEE and NBS announcement 2025 No. 47. Nordic zones: CodeCarbon from ENTSO-E.
- Technologies of generation: Macknick et al. 2012 (water), IPCC AR5 (carbon): bare facts. Minerals and primary energy:
  estimates of the Mesure authors.
- Accelerators: pages of the sellers, read in Bekman, Machine Learning Engineering (facts only), nanochat, Lightning
  Fabric, whichllm (MIT, Apache-2.0), AWS Neuron and Google documentation. Networks: transformers, diffusers, LitGPT
  (Apache-2.0).
- Models and prices: models.dev (MIT), model-prices (MIT), genai-prices (MIT, Pydantic), LiteLLM (MIT),
Xinference, MTEB, LitGPT, NVIDIA aiconfigurator (Apache-2.0), EcoLogits (MPL-2.0, in files of its own).
- Regions and halls: Google region-carbon-info (Apache-2.0), cloud-regions-info (MIT), facts of the operators
read in the Green Software Foundation cloud region metadata.
"""
_USER_FILE = """\
## Your own figures

A file `catalogue.toml` (or `catalogue.csv`) in the data folder, or one named by `server.catalogue`, overrides
and extends
these tables under the same rules: a figure without source, unit, year or licence is refused, with its place.
The version
then reads `2026-11-22+user.<hash>`. `mesure catalogue check FILE` checks one; `mesure catalogue add FILE` puts
it in place.

```toml
[[factor]]                  # a private model
table = "models"
entity = "acme-support-7b"
parameter = "total_params_b"
value = 7.6
unit = "1e9 parameters"
year = 2026
source = "Acme, training log"
source_url = "internal: ML register 12"
licence = "internal"
status = "published"        # published, estimated or assumed

[[name]]                    # a fine-tune of a listed model
name = "ft:acme-support"
model = "llama-3.1-8b"
source = "Acme, ML register 13"
licence = "internal"

[[factor]]                  # your contract: market-based, beside the location-based figure, never instead
table = "grids"
entity = "FRA"
parameter = "intensity_market"
value = 12
unit = "gCO2e/kWh"
year = 2025
source = "Supplier's statement 2025"
source_url = "contract 4711"
licence = "internal"
status = "published"

[[factor]]                  # your host's PUE
table = "sites"
entity = "acme-hosting"
parameter = "pue"
value = 1.32
unit = "ratio"
year = 2025
source = "Acme hosting, yearly report"
source_url = "https://example.org/report"
licence = "internal"
status = "published"
```

A row replaces every packaged row of the same table, entity and parameter. `[[model]]` gives maker and modality
of a new model
(`text` without it), `[[price]]` a price. Accelerators: table `accelerators`, parameters `board_power_w` (W),
`memory_gb` (GB),
`memory_bandwidth_gb_s` (GB/s), `dense_bf16_tflops` (TFLOP/s). A CSV file holds factors only, with the same columns.

Market-based (`intensity_market`), residual (`intensity_residual`) and marginal (`intensity_marginal`) figures are not
shipped: licences forbid it. State yours as above, a zone and a year at a time; a contract may say 0, a residual mix may
not. They are shown beside the location-based figure (`mesure catalogue show FRA`), which keeps the name `intensity`. A
zone of your own (`entity = "ACME-SOLAR"`) is a zone like the others once it has an `intensity`.
"""


_HOURS = """\
## Hours of a zone

The package holds yearly figures. Hourly ones are fetched by you from open services that ask for no key, and kept in the
data folder (`hours/`, one CSV file a zone, quantity, source and year, with unit, scope, licence and day of the fetch at
its head):

```sh
mesure catalogue hours fetch --zone DEU --from 2026-01-01 --to 2026-03-31
mesure catalogue hours fetch --zone FRA --from 2026-01-01 --to 2026-03-31 --service rte
mesure catalogue hours import pjm.csv --zone US-VA --timezone America/New_York --source PJM --source-url URL --licence L
mesure catalogue hours list
mesure catalogue show FRA --at 2026-01-15T13:00+01:00
```

{services}

Forecasts are not taken. Hours are UTC, so that clock changes neither repeat nor skip one; a CSV file may hold times of
local clocks with `--timezone`. `Catalogue.at_hour(zone, time, parameter)` gives the hour, else the yearly figure with
`hourly = False`. Hours of one scope never stand for another: RTE's direct hours do not replace the yearly life-cycle
figure. Estimates of calls still rest on yearly figures.
"""


def _hours() -> str:
    lines = ["| service | zones | quantity, unit | licence | what it is |", "|---|---|---|---|---|"]
    for service in SERVICES.values():
        zones = ", ".join(service.zones) if len(service.zones) < 4 else f"{len(service.zones)} in Europe"
        quantity = f"`{service.parameter}`, {service.unit}"
        lines.append(f"| `{service.name}` | {zones} | {quantity} | {service.licence} | {service.note} |")
    return _HOURS.format(services="\n".join(lines))


def _rows(texts: dict[str, str], table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(texts[f"{table}.csv"].splitlines()))


def _plain(licence: str) -> str:
    return licence.replace("|", "/")


def _tables(texts: dict[str, str]) -> str:
    lines = ["| table | rows | what |", "|---|---|---|"]
    tables = (*FACTOR_TABLES, *NAME_TABLES, PRICES)
    lines += [f"| {table} | {len(_rows(texts, table))} | {ABOUT[table]} |" for table in tables]
    return "\n".join(lines)


def _counts(texts: dict[str, str]) -> str:
    sized = {row["entity"] for table in ("models", "models_mpl") for row in _rows(texts, table)}
    kinds = Counter(row["modality"] for row in _rows(texts, "model_list") if row["model"] in sized)
    grids = _rows(texts, "grids")
    life = {row["entity"] for row in grids if row["parameter"] == "intensity"}
    other = {row["entity"] for row in grids} - life
    computed = Counter(row["status"] for row in _rows(texts, "grid_impacts"))
    clouds = Counter(row["provider"] for row in _rows(texts, "regions"))
    prices = _rows(texts, PRICES)
    lines = (
        f"- Models with a size: {sum(kinds.values())} ({', '.join(f'{n} {k}' for k, n in kinds.most_common())}).",
        (
            f"- Grid zones: {len(life | other)}; {len(life)} with a life-cycle intensity, "
            f"{len(other)} with direct ones only (flagged)."
        ),
        (
            f"- Water, minerals and primary energy: {computed['estimated'] // 3} zones from their own mix, "
            f"{computed['assumed'] // 3} from that of their country or of the world (flagged, wide)."
        ),
        f"- Cloud regions: {sum(clouds.values())} ({', '.join(f'{c} {n}' for c, n in clouds.most_common())}).",
        f"- Prices: {len(prices)} steps of {len({(r['provider'], r['model']) for r in prices})} models.",
    )
    return "\n".join(lines)


def _sources(texts: dict[str, str]) -> str:
    lines = ["| table | licence | rows | sources |", "|---|---|---|---|"]
    for table in (*FACTOR_TABLES, *NAME_TABLES, PRICES):
        by_licence: dict[str, list[str]] = {}
        for row in _rows(texts, table):
            by_licence.setdefault(_plain(row["licence"]), []).append(_source(row["source"]))
        for licence, sources in sorted(by_licence.items(), key=lambda item: -len(item[1])):
            named = Counter(sources).most_common(4)
            more = len(set(sources)) - len(named)
            text = " · ".join(name for name, _ in named) + (f" · {more} more" if more > 0 else "")
            lines.append(f"| {table} | {licence} | {len(sources)} | {text} |")
    return "\n".join(lines)


def _source(text: str) -> str:
    """A source without what differs from row to row."""
    if text.startswith(("http", "configuration of")) or re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        return "makers' repositories"
    return text.replace("|", "/").split(": seller figure")[0][:90]


def document(texts: dict[str, str]) -> str:
    """The whole page, in Markdown."""
    grid = "\n".join(f"- `{parameter}`: {what}" for parameter, what in GRID_PARAMETERS.items())
    mpl = " and ".join(f"`{table}.csv`" for table in MPL_TABLES)
    return f"""\
# Catalogue

<!-- Generated by catalogue-src/build.py: do not edit. -->

Every number names its source, address, unit, year, licence and status: `published`, `estimated` (an estimator's, or
computed) or `assumed` (an assumption or an expert's estimate of the Mesure authors, with its date and a wide interval).
A number that lacks one of them, a figure from memory, a zero that stands for unknown, another unit or an unknown
quantity is refused by the build, by loading and for your own file alike.
`mesure catalogue show NAME` opens any entry; `mesure catalogue check` reads everything.

{_counts(texts)}

{_tables(texts)}

## Quantities of a grid zone

{grid}

Different quantities are never ranked together. Factors are of generation in the zone: imports and losses of
the grid are left out.
Water, minerals and primary energy are sums over technologies with wide ranges: what a reservoir evaporates,
what panels hold and how nuclear and geothermal heat is counted are questions of method, not noise.

{_USER_FILE}
{_hours()}
## Attribution

{_ATTRIBUTION}
{mpl} are under the Mozilla Public License 2.0 (https://mozilla.org/MPL/2.0/); Mesure works without them. Left
out because their
terms bind or forbid: Electricity Maps (ODbL), republished averages under CC BY-SA, residual mixes of AIB and
Green-e, factors of ADEME Base IMPACTS, ADEME Impact CO2, footprints of Boavizta (ODbL, AGPL), TechPowerUp.

## Sources and licences, by table

{_sources(texts)}
"""
