"""What the catalogue knows under one name, whatever kind of thing it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mesure.apps.cli.tree import bounded
from mesure.catalogue.places import GRID_PARAMETERS
from mesure.i18n import mark

if TYPE_CHECKING:
    from datetime import date, datetime

    from mesure.apps.cli.voice import Voice
    from mesure.catalogue import Catalogue, Factor, Price, Region

__all__ = ["Entry", "entry_of", "show_entry"]

KINDS = {
    "factor": mark("factor"),
    "model": mark("model"),
    "zone": mark("grid zone"),
    "region": mark("cloud region"),
    "accelerator": mark("accelerator"),
    "processor": mark("processor"),
    "provider": mark("provider"),
}
STATUSES = {
    "published": mark("published"),
    "estimated": mark("estimated"),
    "assumed": mark("assumed"),
}
#: Facts in words; programs read the names on the left.
FACTS = {
    "place": mark("place"),
    "type": mark("type"),
    "country": mark("country"),
    "zone": mark("grid zone"),
    "egrid_subregion": mark("eGRID subregion"),
    "mapping": mark("how it is known"),
    "source": mark("source"),
    "source_url": mark("address"),
    "licence": mark("licence"),
    "maker": mark("maker"),
    "modality": mark("modality"),
    "inputs": mark("inputs"),
    "outputs": mark("outputs"),
    "weights": mark("weights"),
    "names": mark("names"),
    "places": mark("usual places"),
    "hour": mark("hour"),
    "yearly": mark("yearly, no hour"),
}
_VALUES = frozenset({mark("open"), mark("closed"), mark("country"), mark("state"), mark("region"), mark("world")})


@dataclass
class Entry:
    kind: str
    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    factors: list[tuple[str, Factor]] = field(default_factory=list)
    prices: list[Price] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            **self.facts,
            "factors": [{"parameter": parameter} | factor.to_json() for parameter, factor in self.factors],
            "prices": [price.to_json() for price in self.prices],
        }


def entry_of(name: str, provider: str | None, at: date | None, hour: datetime | None = None) -> Entry:
    """The entry a name designates, by exact rules; raises `UnknownName` with nearest names of models. A zone is shown
    at `hour`."""
    from mesure.catalogue import current

    catalogue = current()
    for look_up in (_factor, _zone, _region, _accelerator, _processor, _model, _provider):
        if found := look_up(catalogue, name, provider, at):
            return _at_hour(catalogue, found, hour) if hour and found.kind == "zone" else found
    catalogue.model(name, provider, at)  # raises, with nearest names
    raise AssertionError("a model that was not found was found")


def _parameter(factor: Factor) -> str:
    """Of an id `table.entity.parameter.year`, where the entity holds no dot."""
    return factor.id.removeprefix("user.").split(".")[2]


def _factor(catalogue: Catalogue, name: str, _: str | None, __: date | None) -> Entry | None:
    from mesure.impact.provenance import factor_named

    if name.count(".") < 2:
        return None
    found = factor_named(name, catalogue)
    return Entry("factor", name, {}, [("", found)]) if found else None


def _zone(catalogue: Catalogue, name: str, _: str | None, at: date | None) -> Entry | None:
    grid = catalogue.zone(name, at)
    if grid is None:
        return None
    facts = {"place": grid.name, "type": grid.type, "country": grid.country}
    factors = [*grid.factors.items(), *((_parameter(factor), factor) for factor in grid.mix)]
    return Entry("zone", grid.zone, {k: v for k, v in facts.items() if v}, factors)


def _at_hour(catalogue: Catalogue, entry: Entry, hour: datetime) -> Entry:
    """Its hourly intensities where the user has them; the others are named as yearly."""
    known = dict(entry.factors)
    for parameter in GRID_PARAMETERS:
        if parameter.startswith("intensity") and (found := catalogue.at_hour(entry.name, hour, parameter)):
            known[parameter] = found.factor
            if not found.hourly:
                entry.facts.setdefault("yearly", []).append(parameter)
    if "yearly" in entry.facts:
        entry.facts["yearly"] = ", ".join(entry.facts["yearly"])
    entry.facts["hour"] = f"{hour:%Y-%m-%dT%HZ}"
    entry.factors = list(known.items())
    return entry


def _region(catalogue: Catalogue, name: str, provider: str | None, at: date | None) -> Entry | None:
    cloud, _, region = (provider, "", name) if provider else name.partition(":")
    found = catalogue.region(cloud, region) if region else None
    if found is None:
        return None
    sites = [(p, catalogue.site(cloud, p, at, region)) for p in ("pue", "wue")]
    grid = catalogue.grid(found.zone, at)
    named = (*sites, (_parameter(grid) if grid else "", grid))
    factors = [(p, factor) for p, factor in named if factor is not None]
    return Entry("region", f"{found.provider}:{found.region}", _of_region(found), factors)


def _of_region(found: Region) -> dict[str, str]:
    facts = {
        "place": found.location,
        "zone": found.zone,
        "egrid_subregion": found.egrid_subregion,
        "mapping": found.mapping,
        "source": found.source,
        "source_url": found.source_url,
        "licence": found.licence,
    }
    return {name: value for name, value in facts.items() if value}


def _accelerator(catalogue: Catalogue, name: str, _: str | None, __: date | None) -> Entry | None:
    from dataclasses import fields

    from mesure.errors import UnknownName

    try:
        found = catalogue.accelerator(name)
    except UnknownName:
        return None
    values = [(item.name, getattr(found, item.name)) for item in fields(found) if item.name != "id"]
    return Entry("accelerator", found.id, {}, [(parameter, factor) for parameter, factor in values if factor])


def _processor(catalogue: Catalogue, name: str, _: str | None, __: date | None) -> Entry | None:
    found = catalogue.cpu(name)
    return Entry("processor", name, {}, [("tdp_w", found)]) if found else None


def _model(catalogue: Catalogue, name: str, provider: str | None, at: date | None) -> Entry | None:
    found = catalogue.find_model(name, provider, at)
    if found is None:
        return None
    names = [f"{scope}:{spelt}" if scope else spelt for scope, spelt in catalogue.model_names(found.id)]
    facts = {
        "maker": found.maker,
        "modality": found.modality,
        "inputs": ", ".join(found.inputs),
        "outputs": ", ".join(found.outputs),
        "weights": "open" if found.open_weights else "closed",
        "names": ", ".join(names),
    }
    factors = [(parameter, factor) for parameter, series in sorted(found.factors.items()) for factor in series]
    price = catalogue.price(provider or found.maker, name, at)
    return Entry("model", found.id, {k: v for k, v in facts.items() if v}, factors, [price] if price else [])


def _provider(catalogue: Catalogue, name: str, _: str | None, at: date | None) -> Entry | None:
    host = catalogue.host(name)
    sites = [(p, factor) for p in ("pue", "wue") if (factor := catalogue.site(name, p, at))]
    if host is None and not sites:
        return None
    places = dict(host.places) if host else {}
    hosted = [(_parameter(factor), factor) for factor in host.factors] if host else []
    return Entry("provider", name, {"places": places} if places else {}, [*sites, *hosted])


def show_entry(voice: Voice, entry: Entry) -> None:
    """The entry as text: facts, then each figure with interval, unit, year, status, source, licence and address."""
    voice.say(f"{entry.name} ({voice.t(KINDS[entry.kind])})")
    for name, value in entry.facts.items():
        voice.say(f"  {voice.t(FACTS[name]):<20} {_told(voice, value)}")
    for parameter, factor in entry.factors:
        voice.say()
        voice.say(f"  {parameter:<26} {bounded(voice, factor)} {factor.unit}, {factor.year}")
        voice.say(f"    {voice.t(STATUSES[factor.status])} · {factor.source} · {factor.licence}")
        voice.say(f"    {factor.source_url} · {factor.id}")
        if factor.note:
            voice.say(f"    {factor.note}")
    for price in entry.prices:
        voice.say()
        voice.say("  " + _price(voice, price))
        voice.say(f"    {price.source} ({price.basis}) · {price.licence}")
        voice.say(f"    {price.source_url}")


def _told(voice: Voice, value: Any) -> str:
    """A fact in words: places with their shares, a word that has one, or the fact as its source has it."""
    if isinstance(value, dict):
        return ", ".join(f"{zone} {voice.translator.percent(share, 2)}" for zone, share in value.items())
    return voice.t(value) if value in _VALUES else str(value)


def _price(voice: Voice, price: Price) -> str:
    def usd(value: float | None) -> str:
        return voice.t("unknown") if value is None else voice.translator.plain(value, 6)

    return voice.t(
        "Price ({provider}, {tier}) since {day}: {input} in, {output} out, {cached} cached, USD per million tokens",
        provider=price.provider,
        tier=price.tier,
        day=price.valid_from,
        input=usd(price.input_usd_per_mtok),
        output=usd(price.output_usd_per_mtok),
        cached=usd(price.cached_input_usd_per_mtok),
    )
