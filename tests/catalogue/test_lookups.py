"""Every row of the tables is found again by the look-up that is made for it, on its day, and by nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.catalogue import Factor, current
from mesure.catalogue.hardware import Accelerator
from mesure.catalogue.places import GRID_PARAMETERS
from mesure.catalogue.spelling import date_suffix, folded, spellings
from mesure.catalogue.table import FACTOR_TABLES
from mesure.errors import CatalogueError, UnknownName

_DAY = timedelta(days=1)


def of_entities(table: str) -> dict[str, dict[str, list[str]]]:
    """Ids by entity and parameter, as a plain scan of the table gives them."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in current().rows(table):
        found[row["entity"]][row["parameter"]].append(row["id"])
    return found


def year(factor: Factor | None) -> int | None:
    return factor.year if factor else None


# Lines of an entity


@pytest.mark.parametrize("table", FACTOR_TABLES)
def test_an_entity_has_all_its_lines_and_nobody_else_s(table: str) -> None:
    """Also where the name of one begins with that of another: gpt-4 and gpt-4.1."""
    tables = current()._tables
    scanned = of_entities(table)
    assert tables.entities(table) == set(scanned)
    for entity, parameters in scanned.items():
        found = tables.factors_of(table, entity)
        assert {name: sorted(f.id for f in series) for name, series in found.items()} == {
            name: sorted(ids) for name, ids in parameters.items()
        }
        for series in found.values():
            assert [factor.year for factor in series] == sorted(factor.year for factor in series)
    for absent in ("", "a", "gpt", "gpt-4.", "FR", "WORL", "zzz", "*"):
        assert absent in scanned or tables.factors_of(table, absent) == {}


def test_a_factor_is_found_by_its_whole_id_only() -> None:
    for factor in current().factors()[::97]:
        assert current().factor(factor.id) == factor
        for wrong in (factor.id[:-1], f"{factor.id}0", f" {factor.id}", factor.id.upper() + "x"):
            with pytest.raises(UnknownName):
                current().factor(wrong)
    with pytest.raises(UnknownName) as unknown:
        current().factor("nothing.here")
    assert unknown.value.nearest == ()


def test_a_constant_the_method_needs_is_there_or_says_which_is_not() -> None:
    for table in ("stack", "training"):
        for entity, parameters in of_entities(table).items():
            for parameter in parameters:
                factor = current().constant(entity, parameter, table)
                assert factor.id.startswith(f"{table}.{entity}.{parameter}.")
                assert factor.low <= factor.value <= factor.high
    for missing in (("host", "nothing", "stack"), ("nothing", "share", "stack"), ("host", "share", "training")):
        with pytest.raises(CatalogueError) as lacking:
            current().constant(*missing)
        assert lacking.value.value == ".".join((missing[2], *missing[:2]))


# Dates


def test_a_zone_at_a_date_gives_the_latest_year_not_after_it_and_its_oldest_before() -> None:
    catalogue, tables, seen = current(), current()._tables, 0
    for zone in catalogue.zones():
        for parameter in GRID_PARAMETERS:
            found = tables.factors_of("grids", zone).get(parameter) or ()
            if not found:
                continue
            years = sorted({factor.year for factor in found})
            assert year(catalogue.grid_factor(zone, parameter)) == years[-1]
            for at, expected in (
                (date(1900, 1, 1), years[0]),
                (date(years[0], 1, 1), years[0]),
                (date(years[0], 1, 1) - _DAY, years[0]),
                (date(years[-1], 12, 31), years[-1]),
                (date(2100, 1, 1), years[-1]),
            ):
                assert year(catalogue.grid_factor(zone, parameter, at)) == expected
            for earlier, later in pairwise(years):
                assert year(catalogue.grid_factor(zone, parameter, date(later, 1, 1) - _DAY)) in range(earlier, later)
            seen += len(years)
    assert seen > 600


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["FRA", "US-CA", "WORLD", "CA-QC"]),
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.integers(0, 9_000),
)
def test_a_later_day_never_has_an_older_factor(zone: str, at: date, days: int) -> None:
    def years(day: date) -> list[int]:
        found = current().zone(zone.lower(), day)
        assert found is not None
        assert found.zone == zone
        return [factor.year for _, factor in sorted(found.factors.items())]

    assert all(a <= b for a, b in zip(years(at), years(min(at + days * _DAY, date(2099, 1, 1))), strict=True))


def test_every_zone_is_found_in_any_case_with_its_mix_largest_first() -> None:
    catalogue = current()
    for zone in catalogue.zones():
        found = catalogue.zone(zone.lower())
        assert found is not None
        assert (found.zone, found.name) == (zone, catalogue.zones()[zone])
        assert not found.country or found.country in catalogue.zones()
        shares = [share.value for share in found.mix]
        assert shares == sorted(shares, reverse=True)
        assert not shares or sum(shares) == pytest.approx(1.0, abs=0.02), zone
        assert catalogue.grid(zone) == catalogue.grid(zone.lower()) is not None
    for nowhere in ("", "XXX", "FR", "FRAN", "US-ZZ"):
        assert catalogue.zone(nowhere) is None
        assert catalogue.grid(nowhere) is None


# Names of models


def test_every_listed_name_of_a_provider_leads_to_its_model_however_it_is_written() -> None:
    catalogue = current()
    for row in catalogue.rows("model_names"):
        provider = row["provider"] or None
        found = catalogue.find_model(row["name"], provider)
        assert found is not None, row["name"]
        assert found.id == row["model"]
        assert catalogue.find_model(f"  {row['name'].upper()} ", provider and provider.upper()) == found


def test_no_name_has_two_meanings_for_one_provider() -> None:
    rows = current().rows("model_names")
    assert max(Counter((row["name"], row["provider"]) for row in rows).values()) == 1
    aliases = current().rows("model_aliases")
    assert max(Counter((row["name"], row["provider"], row["valid_from"]) for row in aliases).values()) == 1
    listed = current().rows("model_list")
    assert max(Counter(folded(row["model"]) for row in listed).values()) == 1
    for table, column in (("model_names", "name"), ("model_aliases", "name"), ("unsized_names", "name")):
        assert all(row[column] == folded(row[column]) for row in current().rows(table)), table


def test_a_name_that_moves_designates_what_it_did_on_each_day() -> None:
    catalogue = current()
    by_name: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in catalogue.rows("model_aliases"):
        by_name[row["name"], row["provider"]].append((row["valid_from"], row["model"]))
    assert len(by_name) >= 20
    for (name, provider), moves in by_name.items():
        moves.sort()
        for place, (since, model) in enumerate(moves):
            day = date.fromisoformat(since)
            last = date.fromisoformat(moves[place + 1][0]) - _DAY if place + 1 < len(moves) else date(2090, 1, 1)
            for at in (day, last):
                found = catalogue.find_model(name, provider, at)
                assert (found.id if found else "") in (model, ""), (name, at)
                assert model == "" or found is not None or model not in catalogue.models()
        today, future = (catalogue.find_model(name, provider, at) for at in (None, date(2090, 1, 1)))
        assert today == future


def test_a_name_of_unknown_size_is_never_taken_for_a_known_model() -> None:
    catalogue, moving = current(), {row["name"] for row in current().rows("model_aliases")}
    rows = catalogue.rows("unsized_names")
    assert len(rows) > 1000
    for row in rows:
        if row["name"] not in moving:
            assert catalogue.find_model(row["name"], row["provider"]) is None, row["name"]
        assert row["provider"] in catalogue.unsized(row["name"])


def test_what_a_provider_alone_calls_so_is_asked_with_the_provider_or_is_the_only_meaning() -> None:
    catalogue = current()
    meanings: dict[str, set[str]] = defaultdict(set)
    for row in catalogue.rows("model_names"):
        meanings[row["name"]].add(row["model"])
    single = [name for name, models in meanings.items() if len(models) == 1]
    assert len(single) > 1000
    for name in single[::7]:
        found = catalogue.find_model(name)
        assert found is not None
        assert {found.id} == meanings[name]
    for name, models in meanings.items():
        if len(models) > 1 and (found := catalogue.find_model(name)) is not None:
            everybody = [r["model"] for r in catalogue.rows("model_names") if (r["name"], r["provider"]) == (name, "")]
            assert found.id in {*everybody, name}, "nobody chooses between two meanings"


def test_names_of_a_model_lead_back_to_it() -> None:
    for model in ("llama-3.1-8b", "qwen3-8b"):
        names = current().model_names(model)
        assert len(names) >= 2
        assert len(set(names)) == len(names)
        for provider, name in names:
            found = current().find_model(name, provider or None)
            assert found is not None
            assert found.id == model
    assert current().model_names("nothing") == ()


def test_what_a_model_takes_and_makes_is_listed_word_by_word() -> None:
    found = current().model("gpt-4o")
    assert {"text", "image"} <= set(found.inputs)
    assert "text" in found.outputs
    words = {word for name in current().models()[::11] for word in (*current().model(name).inputs,)}
    assert words <= {"text", "image", "audio", "video", "pdf", "file", "embedding", "document"}


def test_the_maker_s_figure_comes_before_any_estimate_and_the_newest_before_older() -> None:
    for name in current().models()[::5]:
        facts = current().model(name)
        for parameter, series in facts.factors.items():
            one = facts.one(parameter)
            assert one is not None
            published = [factor for factor in series if factor.status != "estimated"]
            assert one.year == max(factor.year for factor in published or series)
            assert one in (published or series)
        assert facts.one("no such parameter") is None
        assert facts.all("no such parameter") == ()


# What platforms write around a name


@pytest.mark.parametrize(
    "written",
    [
        "openai/gpt-4o", "azure/gpt-4o", "azure_ai/gpt-4o", "openrouter/openai/gpt-4o", "github/gpt-4o",
        "litellm_proxy/gpt-4o", "openai-compatible/gpt-4o", "openai.gpt-4o", "gpt-4o@latest", "gpt-4o:nitro",
        "azure/global-standard/gpt-4o", "azure/eu/gpt-4o", "eu/gpt-4o", "data-zone/gpt-4o", "gpt-4o:online",
        "models/gpt-4o", "replicate/gpt-4o", "gpt-4o-2024-11-20", "OPENAI/GPT-4O", " gpt-4o\n", "gpt-4o@20241120",
        "perplexity/gpt-4o", "novita/gpt-4o", "togetherai/gpt-4o", "vertex_ai/gpt-4o", "bedrock/gpt-4o",
    ],
)  # fmt: skip
def test_prefixes_of_routers_and_platforms_are_no_part_of_a_name(written: str) -> None:
    found = current().find_model(written)
    assert found is not None
    assert found.id == "gpt-4o"


@pytest.mark.parametrize("name", ["openai/", "azure/", "models/", "eu.", "x/gpt-4o", "gpt-4o/", "gpt 4o", "ft/gpt-4o"])
def test_what_is_no_known_prefix_stays_and_an_empty_rest_is_no_name(name: str) -> None:
    assert "" not in spellings(name)
    assert current().find_model(name) is None


@settings(max_examples=150, deadline=None)
@given(st.dates(date(2020, 1, 1), date(2039, 12, 31)), st.sampled_from(["-", "@"]))
def test_a_written_day_is_read_back(day: date, mark: str) -> None:
    assert date_suffix(f"a-model{mark}{day:%Y%m%d}") == ("a-model", day)
    assert date_suffix(f"a-model{mark}{day:%Y-%m-%d}") == ("a-model", day)
    assert date_suffix(f"a-model-{day:%m-%Y}") == ("a-model", day.replace(day=1))
    if day.year >= 2023:
        assert date_suffix(f"a-model-{day:%y%m}") == ("a-model", day.replace(day=1))
    assert date_suffix(f"a-model-{day:%m-%d}") == ("a-model", None)


@pytest.mark.parametrize(
    ("suffix", "found"),
    [
        ("2301", date(2023, 1, 1)), ("2312", date(2023, 12, 1)), ("4012", date(2040, 12, 1)), ("4112", None),
        ("2313", None), ("2300", None), ("1231", "no year"), ("1232", None), ("0101", "no year"), ("0100", None),
        ("0001", None), ("1301", None), ("2201", None), ("20240230", None), ("2024-02-30", None), ("13-2024", None),
        ("00-2024", None), ("12-31", "no year"), ("12-32", None),
    ],
)  # fmt: skip
def test_where_a_date_begins_and_ends(suffix: str, found: date | str | None) -> None:
    stem, day = date_suffix(f"a-model-{suffix}")
    assert (stem, day) == (("", None) if found is None else ("a-model", None if found == "no year" else found))


# Places


def test_every_cloud_region_is_found_by_its_name_and_lies_in_a_listed_zone() -> None:
    catalogue = current()
    for row in catalogue.rows("regions"):
        for written in (row["region"], row["region"].upper(), f" {row['region']} "):
            found = catalogue.region(row["provider"], written)
            assert found is not None
            assert (found.region, found.zone, found.location) == (row["region"], row["zone"], row["location"])
        assert row["zone"] in (*catalogue.zones(), "")
        assert catalogue.region_zone(row["provider"], row["region"]) == row["zone"]
        assert catalogue.region(row["provider"], f"{row['region']}-nowhere") is None


def test_every_default_place_has_a_factor_and_halls_are_plausible() -> None:
    catalogue = current()
    for provider in of_entities("hosts"):
        host = catalogue.host(provider)
        assert host is not None
        assert all(catalogue.grid(zone) for zone, _ in host.places)
        assert [zone for zone, _ in host.places] == sorted(zone for zone, _ in host.places)
    for entity, parameters in of_entities("sites").items():
        provider, _, region = entity.partition(":")
        if region != region.lower():  # figures of single halls, which no region names
            assert provider == "scaleway"
            continue
        for parameter in parameters:
            found = catalogue.site(provider, parameter, region=region or None)
            assert found is not None
            assert found.id.startswith(f"sites.{entity}.{parameter}.")
            least, most = {"pue": (1.0, 2.0), "wue": (0.0, 5.0)}[parameter]
            assert least <= found.low <= found.value <= found.high <= most, found.id
    assert catalogue.site("nobody", "pue", region="fr-par") is None
    assert catalogue.host("") is None


@pytest.mark.parametrize(
    ("said", "same"),
    [("gemini", "google"), ("x-ai", "xai"), ("mistral_ai", "mistral"), ("together", "togetherai"), ("X_AI", "xai")],
)
def test_one_api_under_several_names_runs_at_one_place(said: str, same: str) -> None:
    a, b = current().host(said), current().host(same)
    assert a is not None
    assert b is not None
    assert a.places == b.places
    assert a.provider == said


# Prices


def priced() -> Iterator[tuple[str, str, str, list[str]]]:
    by_model: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in current().rows("prices"):
        by_model[row["provider"], row["model"], row["tier"]].append(row["valid_from"])
    for (provider, model, tier), days in by_model.items():
        yield provider, model, tier, sorted(days)


def test_a_price_counts_from_its_day_to_the_eve_of_the_next_and_not_before() -> None:
    price, seen = current().price, 0
    for provider, model, tier, days in priced():
        assert len(set(days)) == len(days), "one price a day"
        held: list[str | None] = [None, *days]
        for before, day in zip(held, days, strict=False):
            at = date.fromisoformat(day)
            on, eve = price(provider, model, at, tier), price(provider, model, at - _DAY, tier)
            assert on is not None
            assert (on.valid_from, on.model, on.tier) == (day, model, tier)
            assert (eve.valid_from if eve else None) == before
            assert on.id == f"prices.{on.provider}.{model}.{tier}.{day}" == on.to_json()["id"]
            assert on.source_url
            assert any(usd is not None and usd >= 0.0 for usd in (on.input_usd_per_mtok, on.output_usd_per_mtok))
            seen += 1
        last = price(provider, model, None, tier)
        assert last == price(provider, model, date(2090, 1, 1), tier)
    assert seen > 1500


@pytest.mark.parametrize(
    ("provider", "model", "tier"),
    [("openai", "", "standard"), ("openai", "gpt-4o,standard", "standard"), ("openai", ",", "standard"),
     ("", "gpt-4o", "standard"), ("openai", "gpt-4o", "no such tier"), ("openai", "gpt-4", "stand")],
)  # fmt: skip
def test_a_price_that_is_not_listed_is_unknown(provider: str, model: str, tier: str) -> None:
    assert current().price(provider, model, None, tier) is None


@pytest.mark.parametrize(
    ("said", "seller"), [("gemini", "google"), ("bedrock", "amazon-bedrock"), ("AWS", "amazon-bedrock")]
)
def test_a_seller_under_its_other_names_asks_the_same(said: str, seller: str) -> None:
    models = [model for provider, model, tier, _ in priced() if (provider, tier) == (seller, "standard")]
    assert models
    for model in models[:5]:
        assert current().price(said, model) == current().price(seller, model) is not None


# Hardware


def figures(found: Accelerator) -> dict[str, Factor | None]:
    return {name: getattr(found, name) for name in found.__slots__ if name != "id"}


def test_every_accelerator_is_found_in_any_case_and_has_a_link() -> None:
    catalogue, listed = current(), of_entities("accelerators")
    for entity in catalogue.accelerators():
        found = catalogue.accelerator(f" {entity.upper()} ")
        assert found.id == entity
        assert found.link_gb_s is not None
        linked = entity if "link_gb_s" in listed[entity] else "any"
        assert found.link_gb_s.id.startswith(f"accelerators.{linked}.link_gb_s.")
        for name, factor in figures(found).items():
            assert factor is None or factor.value > 0.0, (entity, name)
    for row in catalogue.rows("accelerator_names"):
        assert catalogue.accelerator(row["name"].lower()).id == row["accelerator"]
    assert "any" not in catalogue.accelerators()


def test_every_processor_is_found_by_its_name_and_what_the_kernel_adds_to_it() -> None:
    catalogue = current()
    names = sorted(of_entities("cpus"))
    assert len(names) > 600
    for name in names:
        found = catalogue.cpu(name)
        assert found is not None
        assert found.unit == "W"
        assert 1.0 < found.value < 1000.0, found.id
    for name in names[::9]:
        assert catalogue.cpu(f"{name.upper()} CPU @ 2.70GHz") == catalogue.cpu(name)
        assert catalogue.cpu(f"  {name} Processor ") == catalogue.cpu(name)
        assert catalogue.cpu(name.replace("Intel", "Intel(R)").replace("Xeon", "Xeon(R)")) == catalogue.cpu(name)
        assert catalogue.cpu(f"{name} deluxe") is None
